# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity key``, and the ways to give a passphrase."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._command import passphrases
from ansible_collections.dfr.continuity.plugins.module_utils._repository.keys import (
    Identity,
    RecoveryKey,
    load_recovery_key,
)

from .conftest import Command

PASSPHRASE = b"correct horse"


@pytest.fixture
def passphrase_file(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_bytes(PASSPHRASE + b"\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("kem", ["x25519", "p256", "mlkem768-x25519"])
def test_a_recovery_key_is_made_and_its_public_half_told(command: Command, tmp_path: Path, kem: str) -> None:
    path = tmp_path / "new.pem"
    ended = command.bare("key", "recovery", "--output", path, "--type", kem, "--no-passphrase", "--json")
    key = load_recovery_key(path.read_bytes())
    assert ended.code == 0
    assert ended.document["public"] == key.recipient.text
    assert ended.document["fingerprint"] == key.recipient.fingerprint
    assert key.recipient.kem == kem
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "PRIVATE" not in ended.out + ended.err


def test_a_recovery_key_under_a_passphrase_opens_with_it_alone(
    command: Command, tmp_path: Path, passphrase_file: Path
) -> None:
    path = tmp_path / "new.pem"
    made = command.bare("key", "recovery", "--output", path, "--passphrase-file", passphrase_file, "--json")
    assert b"ENCRYPTED" in path.read_bytes()
    shown = command.bare("key", "show", path, "--passphrase-file", passphrase_file, "--json")
    assert shown.document["public"] == made.document["public"]
    passphrase_file.write_bytes(b"wrong")
    ended = command.bare("key", "show", path, "--passphrase-file", passphrase_file)
    assert (ended.code, ended.out) == (4, "")
    assert "does not open" in ended.err


def test_a_passphrase_comes_through_a_descriptor(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "new.pem"
    reading, writing = os.pipe()
    os.write(writing, PASSPHRASE)
    os.close(writing)
    assert command.bare("key", "recovery", "--output", path, "--passphrase-fd", str(reading)).code == 0
    assert load_recovery_key(path.read_bytes(), PASSPHRASE)


def test_a_new_passphrase_is_asked_for_twice(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [b"one", b"another", b"same", b"same"]
    monkeypatch.setattr(passphrases, "ask", lambda _prompt: answers.pop(0))
    path = tmp_path / "new.pem"
    ended = command.bare("key", "recovery", "--output", path)
    assert ended.code == 2
    assert "differ" in ended.err
    assert not path.exists()
    assert command.bare("key", "recovery", "--output", path).code == 0
    assert load_recovery_key(path.read_bytes(), b"same")


def test_an_empty_passphrase_is_none(command: Command, tmp_path: Path, passphrase_file: Path) -> None:
    passphrase_file.write_bytes(b"\n")
    ended = command.bare("key", "recovery", "--output", tmp_path / "new.pem", "--passphrase-file", passphrase_file)
    assert ended.code == 2
    assert not (tmp_path / "new.pem").exists()


def test_a_passphrase_file_open_to_others_is_refused(command: Command, tmp_path: Path, passphrase_file: Path) -> None:
    passphrase_file.chmod(0o644)
    ended = command.bare("key", "recovery", "--output", tmp_path / "new.pem", "--passphrase-file", passphrase_file)
    assert ended.code == 2
    assert "chmod 600" in ended.err


def test_an_existing_file_is_never_replaced(command: Command) -> None:
    before = command.recovery_key.read_bytes()
    for kind in (["recovery", "--no-passphrase"], ["identity"]):
        ended = command.bare("key", *kind, "--output", command.recovery_key)
        assert (ended.code, ended.out) == (5, "")
    assert command.recovery_key.read_bytes() == before


def test_an_identity_is_made_and_its_signer_told(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "identity.pem"
    ended = command.bare("key", "identity", "--output", path, "--json")
    assert ended.document["type"] == "signer"
    assert ended.document["public"] == Identity.from_pem(path.read_bytes()).signer.text
    assert command.bare("key", "show", path, "--json").document["public"] == ended.document["public"]


def test_the_public_half_is_told_as_text(command: Command) -> None:
    key = RecoveryKey.generate()
    command.recovery_key.write_bytes(key.to_pem())
    assert f"recipient    {key.recipient.text}\n" in command.bare("key", "show", command.recovery_key).out


def test_what_is_no_key_is_refused(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "no.pem"
    path.write_bytes(b"no key")
    path.chmod(0o600)
    assert command.bare("key", "show", path).code == 2
    assert command.bare("key", "show", tmp_path / "missing").code == 2
