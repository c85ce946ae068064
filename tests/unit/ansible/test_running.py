# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import signal

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.dfr.continuity.plugins.module_utils._ansible import running
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import (
    CONNECTION,
    LOG,
    REPOSITORY,
    S3,
    SPOOL,
)
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import FailureWithResultError, run
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.connection import Connection
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import SourceError
from ansible_collections.dfr.continuity.plugins.module_utils._repository.repository import RepositoryAccess
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.s3_options import S3Options
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.spool_options import SpoolOptions
from ansible_collections.dfr.continuity.plugins.module_utils._status.log import Step


@pytest.fixture
def ended(capsys, tmp_path):
    """Runs a function as a module; returns the module's result."""

    def end(function, *, check=False, log_file=tmp_path / "continuity.log", **options):
        arguments = {"log_file": str(log_file), "_ansible_check_mode": check}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            run(AnsibleModule(LOG, supports_check_mode=True), function, Step("try"), **options)
        return json.loads(capsys.readouterr().out)

    return end


def test_a_result_is_returned_and_logged(ended, tmp_path):
    result = ended(lambda work: {"changed": True, "check": work.check_mode})
    assert (result["changed"], result["check"]) == (True, False)
    assert [line.split()[1] for line in (tmp_path / "continuity.log").read_text().splitlines()] == [
        "event=start",
        "event=success",
    ]


def test_check_mode_logs_nothing(ended, tmp_path):
    assert ended(lambda work: {"check": work.check_mode}, check=True)["check"] is True
    assert not (tmp_path / "continuity.log").exists()


def test_an_error_is_told_with_its_next_step_and_no_traceback(ended, tmp_path):
    def fail(_work):
        raise SourceError("The directory /x does not exist.", "Correct the path.")

    result = ended(fail)
    assert result["failed"]
    assert result["msg"] == "The directory /x does not exist. Correct the path."
    assert (result["reason"], result["next_step"]) == ("The directory /x does not exist.", "Correct the path.")
    assert result["error"] == "SourceError"
    assert "Traceback" not in json.dumps(result)
    assert "event=failure" in (tmp_path / "continuity.log").read_text()


def test_a_failure_can_bring_a_result(ended):
    def fail(_work):
        raise FailureWithResultError(SourceError("No.", "Look."), {"outcome": {"status": "failure"}, "msg": "lost"})

    result = ended(fail)
    assert (result["error"], result["outcome"]) == ("SourceError", {"status": "failure"})
    assert result["msg"] == "No. Look."


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_module_cleanly_and_only_once(ended, signum):
    cleaned = []

    def work(_work):
        try:
            os.kill(os.getpid(), signum)
        finally:
            # A second signal must not end the cleaning up.
            os.kill(os.getpid(), signum)
            cleaned.append(True)

    before = signal.getsignal(signum)
    result = ended(work)
    assert result["failed"]
    assert signum.name in result["msg"]
    assert result["error"] == "Stopped"
    assert result["next_step"]
    assert cleaned
    assert signal.getsignal(signum) == before


def test_a_missing_package_is_named_with_the_interpreter(ended, monkeypatch):
    monkeypatch.setattr(running, "MISSING", {"zstandard": "ImportError: zstandard"})
    result = ended(lambda _work: {"changed": True})
    assert result["failed"]
    assert "zstandard" in result["msg"]
    assert os.path.basename(__import__("sys").executable) in result["msg"]
    assert ended(lambda _work: {"changed": True}, needs_packages=False)["changed"]


def test_a_log_that_cannot_be_written_is_a_warning(ended, tmp_path, monkeypatch):
    warnings = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    (tmp_path / "file").write_text("")
    result = ended(lambda _work: {"changed": False}, log_file=tmp_path / "file" / "log")
    assert not result.get("failed")
    assert len(warnings) == 1
    assert str(tmp_path / "file") in warnings[0]


def test_no_log_file(ended, tmp_path):
    assert "changed" in ended(lambda _work: {"changed": False}, log_file="")
    assert not list(tmp_path.iterdir())


def test_options_are_those_that_the_packages_below_know():
    assert set(S3) == set(S3Options.__dataclass_fields__)
    assert set(SPOOL) == set(SpoolOptions.__dataclass_fields__)
    assert set(CONNECTION["connection"]["options"]) == set(Connection.__dataclass_fields__)
    known = set(RepositoryAccess.__dataclass_fields__) - {"store", "identity", "given"}
    assert set(REPOSITORY["repository"]["options"]) == known | {"location", "identity_file", "s3", "spool"}
    for name, option in (*S3.items(), *CONNECTION["connection"]["options"].items()):
        assert bool(option.get("no_log")) == (name in ("secret_key", "session_token", "password")), name


def test_defaults_are_those_of_the_packages_below():
    for spec, settings in ((S3, S3Options), (CONNECTION["connection"]["options"], Connection)):
        for name, option in spec.items():
            assert option.get("default") == settings.__dataclass_fields__[name].default, name
