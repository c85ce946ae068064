# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which repository is meant, and whom to trust."""

from __future__ import annotations

import io
import json
import sys
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._command import configuration
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError
from ansible_collections.dfr.continuity.plugins.module_utils._repository.keys import Identity
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

from .conftest import Command


def _options(**given: t.Any) -> t.Any:
    nothing = dict.fromkeys(("config", "repository", "trust", "identity", "host", "cache_dir", "s3_option"))
    return SimpleNamespace(**{**nothing, **given})


def _file(directory: Path, document: t.Any, mode: int = 0o600) -> str:
    path = directory / "continuity.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    path.chmod(mode)
    return str(path)


def test_the_configuration_file_names_everything(site: Site, command: Command) -> None:
    backup_id = site.back_up(b"x")
    config = _file(site.root, {"repository": site.access("db1")})
    assert command.bare("list", "--config", config, "--json").document["latest_valid"] == backup_id


def test_the_usual_file_is_read_and_not_for_another_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _file(tmp_path, {"repository": {"location": "s3://shop", "trust": ["signer:x"], "s3": {"region": "a-1"}}})
    monkeypatch.setattr(configuration, "DEFAULT_CONFIG", path)
    assert configuration.repository_settings(_options())["location"] == "s3://shop"
    other = configuration.repository_settings(_options(repository="/elsewhere"))
    assert (other["location"], "trust" in other, "s3" in other) == ("/elsewhere", False, False)


def test_options_take_the_place_of_entries(tmp_path: Path) -> None:
    path = _file(
        tmp_path, {"repository": {"location": "s3://shop", "trust": ["a"], "s3": {"region": "a", "ca_file": "b"}}}
    )
    settings = configuration.repository_settings(
        _options(config=path, trust=["c"], host="db9", cache_dir="/cache", s3_option=["region=d", "deadline=5"])
    )
    assert settings["trust"] == ["c"]
    assert settings["host"] == "db9"
    assert settings["cache_dir"] == "/cache"
    assert settings["s3"] == {"region": "d", "ca_file": "b", "deadline": 5.0}


def test_a_relative_location_is_that_of_who_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert configuration.repository_settings(_options(repository="here"))["location"] == str(tmp_path / "here")
    assert configuration.repository_settings(_options(repository="s3://b/p"))["location"] == "s3://b/p"


@pytest.mark.parametrize("name", ["access_key", "secret_key", "session_token"])
def test_credentials_on_the_command_line_are_refused_and_not_repeated(command: Command, name: str) -> None:
    ended = command.bare("list", "--repository", "s3://shop", "--s3-option", f"{name}=SENSITIVE")
    assert ended.code == 2
    assert "SENSITIVE" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "is not JSON"),
        ([], "has no dictionary"),
        ({}, "has no dictionary"),
        ({"repository": {"locaton": "/b"}}, "Did you mean location?"),
        ({"repository": {"location": "/b", "trust": "signer:x"}}, "is not a list"),
        ({"repository": {"location": ["/b"]}}, "is not a text"),
    ],
)
def test_a_mistake_in_the_file_is_named(command: Command, tmp_path: Path, document: t.Any, message: str) -> None:
    ended = command.bare("list", "--config", _file(tmp_path, document))
    assert ended.code == 2
    assert message in ended.err
    assert "next step: " in ended.err


def test_credentials_in_a_file_that_everybody_reads_are_refused(tmp_path: Path) -> None:
    document = {"repository": {"location": "s3://b", "s3": {"access_key": "a", "secret_key": "b"}}}
    assert configuration.read_configuration(_file(tmp_path, document, 0o640))
    with pytest.raises(InputError, match="open to everybody"):
        configuration.read_configuration(_file(tmp_path, document, 0o644))


def test_a_missing_file_is_named(command: Command, tmp_path: Path) -> None:
    ended = command.bare("list", "--config", tmp_path / "none.json")
    assert ended.code == 2
    assert "none.json cannot be read" in ended.err


def test_no_repository_at_all(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "DEFAULT_CONFIG", str(tmp_path / "none.json"))
    ended = command.bare("list")
    assert ended.code == 2
    assert "--repository" in ended.err


def test_without_trust_the_fingerprint_found_is_told(site: Site, command: Command) -> None:
    site.back_up(b"x")
    for opener in ([], ["--recovery-key", command.recovery_key]):
        ended = command.bare("list", "--repository", site.store, "--cache-dir", site.root / "c", *opener)
        assert (ended.code, ended.out) == (2, "")
        assert site.administrator.signer.fingerprint in ended.err
        assert "Compare it" in ended.err


def test_trust_by_text_and_by_fingerprint_however_it_is_written(site: Site, command: Command) -> None:
    site.back_up(b"x")
    fingerprint = site.administrator.signer.fingerprint
    grouped = " ".join(fingerprint[i : i + 4] for i in range(0, 32, 4)).upper()
    for trust in (site.administrator.signer.text, fingerprint, grouped, grouped.replace(" ", ":")):
        options = ["--repository", site.store, "--cache-dir", site.root / "c", "--recovery-key", command.recovery_key]
        assert command.bare("list", *options, "--trust", trust).code == 0


def test_another_administrator_is_refused(site: Site, command: Command) -> None:
    site.back_up(b"x")
    other = Identity.generate().signer
    for trust in (other.text, other.fingerprint):
        options = ["--repository", site.store, "--cache-dir", site.root / "c", "--recovery-key", command.recovery_key]
        ended = command.bare("list", *options, "--trust", trust)
        assert ended.code == 4
        assert site.administrator.signer.fingerprint in ended.err


def test_trust_that_is_neither_is_refused(site: Site, command: Command) -> None:
    ended = command.bare("list", "--repository", site.store, "--cache-dir", site.root / "c", "--trust", "abc")
    assert ended.code == 2


def test_the_recovery_key_comes_through_standard_input(
    site: Site, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.back_up(b"x")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(site.recovery_key.to_pem())))
    assert command.bare("verify", "--bytes", *command.place("c"), "--recovery-key", "-").code == 0


def test_neither_identity_nor_recovery_key(site: Site, command: Command) -> None:
    ended = command.bare("list", *command.place("c"))
    assert ended.code == 2
    assert "--recovery-key" in ended.err


def test_a_cache_that_can_be_written_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(configuration, "DEFAULT_CACHE", str(blocked / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    found = configuration.repository_settings(_options(repository="/r"))["cache_dir"]
    assert found == str(tmp_path / "mine" / "dfr-continuity")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    found = configuration.repository_settings(_options(repository="/r"))["cache_dir"]
    assert Path(found).is_dir()
    assert not found.startswith(str(tmp_path / "file"))
