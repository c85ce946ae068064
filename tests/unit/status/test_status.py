# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import pathlib
import re

import jsonschema
import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    FormatError,
    InputError,
    TargetError,
)
from ansible_collections.dfr.continuity.plugins.module_utils._status import metrics, notice, status_file
from ansible_collections.dfr.continuity.plugins.module_utils._status.status_file import (
    PartResult,
    RunResult,
    VerificationResult,
)

DOCS = pathlib.Path(__file__).parents[3] / "docs"
SCHEMA = json.loads((DOCS / "status.schema.json").read_text(encoding="utf-8"))
DATABASE = PartResult("db1.shop.database", "success", "db1", "database", 1000.0, 9.8, 3_000, 120)
FILES = PartResult("db1.shop.filestore", "success", "db1", "odoo_filestore", 1010.0, 1.5, 500, 10)
BROKEN = PartResult(
    "db1.shop.filestore", "failure", "db1", "odoo_filestore", 1010.0, 0.1, reason="No files.", next_step="Look."
)
INCOMPLETE = PartResult("db1.shop.addons", "partial", "db1", "tree", reason="2 files cannot be read.")


def _run(*parts, number=1, **more):
    return RunResult(f"b{number}", 1000.0 * number, 1000.0 * number + 60, "/backup", parts, **more)


def _checked(status):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(status, SCHEMA)
    return status


def _after(*runs):
    status = None
    for run in runs:
        status = _checked(status_file.record_run(status, "shop", run))
    return status


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (_run(DATABASE, FILES), "success"),
        (_run(DATABASE, BROKEN), "partial"),
        (_run(BROKEN), "failure"),
        (_run(INCOMPLETE), "partial"),
        (_run(INCOMPLETE, BROKEN), "partial"),
        (_run(), "failure"),
        (_run(DATABASE, reason="The summary was not written."), "partial"),
    ],
)
def test_state_of_a_run(run, expected):
    assert _after(run)["state"] == expected


def test_the_last_success_is_kept_while_runs_fail():
    status = _after(_run(DATABASE, FILES), _run(DATABASE, BROKEN, number=2), _run(BROKEN, number=3))
    assert status["last_success"] == {
        "backup_id": "b1",
        "finished": "1970-01-01T00:17:40Z",
        "duration_seconds": 60,
        "size_bytes": 3500,
        "stored_bytes": 130,
    }
    assert (status["state"], status["previous_state"], status["problems_in_a_row"]) == ("failure", "partial", 2)
    assert status["state_since"] == "1970-01-01T00:34:20Z"


def test_each_part_remembers_its_own_last_success():
    status = _after(_run(DATABASE, FILES), _run(DATABASE, BROKEN, number=2))
    database, files = status["last_run"]["parts"]
    assert database["last_success"] == "1970-01-01T00:34:20Z"
    assert files["last_success"] == "1970-01-01T00:17:40Z"
    assert files["reason"] == "No files."


def test_an_incomplete_part_is_no_success_of_the_part():
    status = _after(_run(INCOMPLETE))
    assert status["last_run"]["parts"][0]["last_success"] is None
    assert "dfr_continuity_part_success{" in metrics.render(status)
    assert "dfr_continuity_part_last_success" not in metrics.render(status)
    assert "db1.shop.addons on host db1: partial" in notice.backup_notice(status).body


def test_a_verification_leaves_the_backup_alone_and_the_other_way_round():
    good = VerificationResult("b1", "bytes", 5000.0, 5060.0, 12, 3_000, "1/7")
    bad = VerificationResult("b1", "structure", 6000.0, 6001.0, problems=("packs/ab/ab12 is missing.",))
    status = _after(_run(DATABASE))
    before = dict(status)
    status = _checked(status_file.record_verification(status, "shop", good))
    status = _checked(status_file.record_verification(status, "shop", bad))
    assert status["verification"]["state"] == "failure"
    assert status["verification"]["previous_state"] == "success"
    assert status["verification"]["last_success"] == "1970-01-01T01:24:20Z"
    assert {**status, "verification": None} == before
    status = _checked(status_file.record_run(status, "shop", _run(DATABASE, number=2)))
    assert status["verification"]["state"] == "failure"


def test_a_verification_before_any_backup():
    status = _checked(status_file.record_verification(None, "shop", VerificationResult("b1", "structure", 1.0, 2.0)))
    assert status["state"] is None
    assert "dfr_continuity_verification_success" in metrics.render(status)
    assert "dfr_continuity_backup" not in metrics.render(status)


def test_written_status_is_read_back_and_nothing_else_is_left(tmp_path):
    status = _after(_run(DATABASE, BROKEN))
    with status_file.exclusive(str(tmp_path / "status")):
        path = status_file.write_status(str(tmp_path / "status"), status)
    assert status_file.read_status(str(tmp_path / "status"), "shop") == status
    assert [entry.name for entry in (tmp_path / "status").iterdir()] == ["shop.json"]
    assert pathlib.Path(path).stat().st_mode & 0o777 == 0o644


def test_no_status_yet(tmp_path):
    assert status_file.read_status(str(tmp_path), "shop") is None


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"schema": 1}', b'{"schema": "dfr.continuity/status/2"}', b"\xff"])
def test_a_file_of_another_format_is_refused_not_overwritten(tmp_path, content):
    (tmp_path / "shop.json").write_bytes(content)
    with pytest.raises(FormatError) as caught:
        status_file.read_status(str(tmp_path), "shop")
    assert str(tmp_path / "shop.json") in caught.value.message


@pytest.mark.parametrize("name", ["", "../shop", "a/b", ".hidden", "x" * 65, "shop\n", "ä"])
def test_a_name_that_cannot_name_a_file(name):
    with pytest.raises(InputError):
        status_file.record_run(None, name, _run(DATABASE))


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(TargetError) as caught, status_file.exclusive(str(tmp_path / "file")):
        pass
    assert str(tmp_path / "file") in caught.value.message


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(tmp_path, monkeypatch):
    first = _after(_run(DATABASE))
    status_file.write_status(str(tmp_path), first)

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(TargetError, match="No space left on device"):
        status_file.write_status(str(tmp_path), _after(_run(BROKEN)))
    assert status_file.read_status(str(tmp_path), "shop") == first
    assert [entry.name for entry in tmp_path.iterdir()] == ["shop.json"]


# -- metrics


def test_metrics_of_a_partial_run(tmp_path):
    status = _after(_run(DATABASE, FILES), _run(DATABASE, BROKEN, number=2))
    path = pathlib.Path(metrics.write_metrics(str(tmp_path / "textfile"), status))
    assert path.name == "dfr_continuity_shop.prom"
    assert path.stat().st_mode & 0o777 == 0o644
    lines = path.read_text(encoding="utf-8").splitlines()
    part = 'backup_set="shop",part="db1.shop.filestore",backup_host="db1",kind="odoo_filestore"'
    assert 'dfr_continuity_backup_last_run_state{backup_set="shop",state="partial"} 1' in lines
    assert 'dfr_continuity_backup_last_run_state{backup_set="shop",state="success"} 0' in lines
    assert 'dfr_continuity_backup_last_success_timestamp_seconds{backup_set="shop"} 1060' in lines
    assert 'dfr_continuity_backup_last_run_timestamp_seconds{backup_set="shop"} 2060' in lines
    assert f"dfr_continuity_part_success{{{part}}} 0" in lines
    assert f"dfr_continuity_part_last_success_timestamp_seconds{{{part}}} 1060" in lines
    assert f"dfr_continuity_part_duration_seconds{{{part}}} 0.1" in lines


def test_every_family_has_help_and_type_once_and_no_backup_id():
    status = status_file.record_verification(
        _after(_run(DATABASE, FILES)), "shop", VerificationResult("b1", "bytes", 1.0, 2.0)
    )
    text = metrics.render(status)
    names = [line.split("{")[0] for line in text.splitlines() if not line.startswith("#")]
    for name in set(names):
        assert len(re.findall(rf"^# HELP {name} \S", text, re.M)) == 1
        assert text.count(f"# TYPE {name} gauge\n") == 1
        assert name.startswith("dfr_continuity_")
    assert '"b1"' not in text


def test_every_metric_is_documented():
    documented = (DOCS / "status.md").read_text(encoding="utf-8")
    status = status_file.record_verification(
        _after(_run(DATABASE, FILES)), "shop", VerificationResult("b1", "bytes", 1.0, 2.0)
    )
    for name in re.findall(r"^# TYPE (\S+)", metrics.render(status), re.M):
        tail = re.sub(r"^dfr_continuity_[a-z]+_", "", name)
        assert name in documented or f"`…_{tail}`" in documented, name


def test_labels_are_escaped():
    strange = PartResult('a"b\\c\nd\udcff', "success", "db1")
    assert r'part="a\"b\\c\nd\\udcff"' in metrics.render(_after(_run(strange)))


# -- notices


def test_success_after_success_and_the_first_success_are_silent():
    assert not notice.backup_notice(_after(_run(DATABASE))).needed
    assert notice.backup_notice(_after(_run(DATABASE), _run(DATABASE, number=2))).to_json() == {
        "needed": False,
        "kind": "",
        "subject": "",
        "body": "",
        "payload": {},
    }


def test_a_problem_names_host_part_reason_and_next_step():
    told = notice.backup_notice(_after(_run(DATABASE, FILES), _run(DATABASE, BROKEN, number=2)))
    assert (told.needed, told.kind) == (True, "problem")
    assert told.subject == "Backup shop incomplete: 1 of 2 parts (db1.shop.filestore)"
    for needed in ("db1.shop.filestore on host db1: failure", "No files.", "Look.", "/backup", "1970-01-01T00:17:40Z"):
        assert needed in told.body
    assert told.payload["parts"] == [
        {"name": "db1.shop.filestore", "host": "db1", "status": "failure", "reason": "No files.", "next_step": "Look."}
    ]
    assert told.payload["schema"] == "dfr.continuity/notice/1"
    assert told.payload["text"].startswith(told.subject)


def test_every_problem_is_told_again_with_its_number():
    told = notice.backup_notice(_after(_run(BROKEN), _run(BROKEN, number=2)))
    assert told.needed
    assert "problem number 2 in a row, since 1970-01-01T00:17:40Z" in told.body
    assert "Last complete backup: none yet" in told.body


def test_what_failed_outside_of_any_part_is_told():
    told = notice.backup_notice(_after(_run(reason="The store s3://b does not answer.", next_step="Start it.")))
    assert told.subject == "Backup shop FAILED"
    assert "The store s3://b does not answer." in told.body
    assert told.payload["reason"] == "The store s3://b does not answer."


def test_well_again_is_told_once():
    runs = [_run(BROKEN), _run(DATABASE, number=2), _run(DATABASE, number=3)]
    again = notice.backup_notice(_after(*runs[:2]))
    assert (again.needed, again.kind, again.subject) == (True, "recovered", "Backup shop is well again")
    assert again.payload["previous_state"] == "failure"
    assert not notice.backup_notice(_after(*runs)).needed


def test_a_subject_has_one_line():
    told = notice.backup_notice(_after(_run(PartResult("a\r\nBcc: x@example.com", "failure"))))
    assert "\n" not in told.subject
    assert "\r" not in told.subject


def test_verification_is_told_when_it_fails_and_when_it_is_well_again():
    good = VerificationResult("b1", "structure", 5000.0, 5060.0, size=3_000)
    bad = VerificationResult("b1", "structure", 6000.0, 6001.0, problems=("packs/ab/ab12 is missing.",))
    status = status_file.record_verification(None, "shop", good)
    assert not notice.verification_notice(status).needed
    status = status_file.record_verification(status, "shop", bad)
    told = notice.verification_notice(status)
    assert (told.kind, told.subject) == ("problem", "Verification of shop FAILED")
    assert "packs/ab/ab12 is missing." in told.body
    status = status_file.record_verification(status, "shop", good)
    assert notice.verification_notice(status).kind == "recovered"
