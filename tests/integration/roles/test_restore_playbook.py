# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook restore: what is asked for comes back, and what cannot work changes nothing."""

from __future__ import annotations

import pytest

from .small_site import PASSPHRASE


@pytest.fixture
def target(site):
    """A folder to restore to, and the variables that say so."""
    folder = site.folder / "restored"
    site.hosts["two"]["restore_from"] = "one"
    site.hosts["two"]["restore_files"] = [{"name": "data", "path": str(folder)}]
    return folder


def test_files_of_another_host_come_back(site, target):
    site.play_well("restore", "--limit=two")

    assert (target / "letter.txt").read_text() == "Dear one"


def test_what_is_there_is_replaced_only_when_asked(site, target):
    target.mkdir()
    (target / "letter.txt").write_text("Something newer")

    output = site.play_well("restore", "--limit=two")
    assert (target / "letter.txt").read_text() == "Something newer"
    assert "were left as they are: letter.txt" in " ".join(output.split())

    site.play_well("restore", "--limit=two", restore_replace=True)
    assert (target / "letter.txt").read_text() == "Dear one"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"continuity_recovery_passphrase": "wrong"}, "The passphrase does not open"),
        ({"continuity_recovery_passphrase": ""}, "passphrase"),
        ({"continuity_recovery_key_file": "/nowhere/at/all"}, "There is no recovery key to be read on control"),
        ({"restore_backup": "20200101T000000Z-00000000"}, "does not exist or was never finished"),
        ({"restore_from": "three"}, "has the parts three.data.files whole"),
        ({"restore_only": "date"}, "restore_only names date, which is not among data on two"),
    ],
)
def test_what_cannot_work_is_said_and_changes_nothing(site, target, variables, said):
    played = site.play("restore", "--limit=two", **variables)

    assert played.code == 2
    assert said in played.output
    assert not target.exists()


def test_check_mode_restores_nothing(site, target):
    site.play_well("restore", "--limit=two", "--check")

    assert not target.exists()


def test_the_newest_whole_backup_is_taken(site, target):
    letter = site.folder / "data/one/letter.txt"
    letter.write_text("The second letter")
    site.play_well("backup")
    letter.rename(letter.with_name("moved"))
    letter.parent.rename(letter.parent.with_name("gone"))
    assert site.play("backup").code == 2

    site.play_well("restore", "--limit=two")

    assert (target / "letter.txt").read_text() == "The second letter"


def test_an_older_backup_is_taken_when_named(site, target):
    first = site.status["last_run"]["backup_id"]
    (site.folder / "data/one/letter.txt").write_text("The second letter")
    site.play_well("backup")

    site.play_well("restore", "--limit=two", restore_backup=first)

    assert (target / "letter.txt").read_text() == "Dear one"


def test_neither_key_nor_passphrase_is_printed_or_left(site, target):
    key = (site.folder / "control/etc/recovery-key.pem").read_text()

    output = site.play_well("restore", "--limit=two", "-vvv")

    assert PASSPHRASE not in output
    for line in key.splitlines()[1:-1]:
        assert line not in output
    left = [path for path in (site.folder / "two").rglob("*") if path.is_file() and key.encode() in path.read_bytes()]
    assert left == []
