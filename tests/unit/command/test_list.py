# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity list``."""

from __future__ import annotations

import shutil

from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

from .conftest import Command

FIRST, SECOND, THIRD = "20260101T000000Z-00000001", "20260102T000000Z-00000002", "20260103T000000Z-00000003"


def test_an_empty_repository_has_no_valid_backup(command: Command) -> None:
    ended = command.host("list", "--json")
    assert (ended.code, ended.document["latest_valid"], ended.document["backups"]) == (0, None, [])
    assert "There is no backup in" in command.host("list").out


def test_backups_are_listed_oldest_first_with_the_latest_valid_one_marked(site: Site, command: Command) -> None:
    for backup_id in (SECOND, FIRST, THIRD):
        site.back_up(backup_id.encode(), backup_id=backup_id)
    document = command.host("list", "--json").document
    assert document["schema"] == "dfr.continuity/command/1"
    assert [backup["id"] for backup in document["backups"]] == [FIRST, SECOND, THIRD]
    assert document["latest_valid"] == THIRD
    [newest] = [line for line in command.host("list").out.splitlines() if line.startswith("* 2026")]
    assert THIRD in newest


def test_what_is_listed_of_a_backup(site: Site, command: Command) -> None:
    backup_id = site.back_up(b"x" * 5000)
    [backup] = command.host("list", "--json").document["backups"]
    assert backup["id"] == backup_id
    assert backup["status"] == "success"
    assert backup["signer"] == "db1"
    assert backup["source_bytes"] == 5000
    assert 0 < backup["stored_bytes"] < 5000
    assert 0 <= backup["age_seconds"] < 600
    [part] = backup["parts"]
    assert (part["part"], part["host"], part["kind"], part["status"]) == ("db1.shop.dump", "db1", "database", "success")


def test_a_backup_that_lacks_a_pack_is_passed_over_and_told(site: Site, command: Command) -> None:
    site.back_up(b"first" * 1000, backup_id=FIRST)
    before = set(site.objects("packs/"))
    site.back_up(b"second" * 1000, backup_id=SECOND)
    for pack in set(site.objects("packs/")) - before:
        pack.unlink()
    ended = command.host("list", "--json")
    assert ended.code == 1
    assert ended.document["latest_valid"] == FIRST
    [problem] = ended.document["problems"]
    assert problem.startswith(f"{SECOND}: db1.shop.dump: 1 of 1 packs are missing")


def test_an_old_backup_that_is_not_whole_does_not_hide_the_new_one(site: Site, command: Command) -> None:
    site.back_up(b"first" * 1000, backup_id=FIRST)
    for pack in site.objects("packs/"):
        pack.unlink()
    site.back_up(b"second" * 1000, backup_id=SECOND)
    ended = command.host("list", "--json")
    assert (ended.code, ended.document["latest_valid"]) == (0, SECOND)


def test_a_forged_summary_is_a_broken_backup(site: Site, command: Command) -> None:
    site.back_up(b"first", backup_id=FIRST)
    site.back_up(b"second", backup_id=SECOND)
    summary = site.store / "backups" / SECOND / "summary"
    summary.write_bytes(summary.read_bytes()[:-1] + b"?")
    ended = command.host("list", "--json")
    assert ended.code == 1
    assert [backup["status"] for backup in ended.document["backups"]] == ["success", "broken"]
    assert ended.document["latest_valid"] == FIRST
    assert "problem: " + SECOND in command.host("list").out


def test_a_backup_that_was_never_closed_is_unfinished_and_no_problem(site: Site, command: Command) -> None:
    site.back_up(b"first", backup_id=FIRST)
    site.back_up(b"second", backup_id=SECOND)
    (site.store / "backups" / SECOND / "summary").unlink()
    shutil.rmtree(site.root / "cache-db1")
    ended = command.host("list", "--json")
    assert ended.code == 0
    assert [backup["status"] for backup in ended.document["backups"]] == ["success", "unfinished"]


def test_a_summary_missing_from_the_chain_is_a_problem(site: Site, command: Command) -> None:
    for backup_id in (FIRST, SECOND, THIRD):
        site.back_up(backup_id.encode(), backup_id=backup_id)
    shutil.rmtree(site.store / "backups" / SECOND)
    ended = command.person("list", "--json")
    assert ended.code == 1
    assert any(FIRST in problem and THIRD in problem for problem in ended.document["problems"])


def test_something_strange_among_the_backups_is_told(site: Site, command: Command) -> None:
    site.back_up(b"first", backup_id=FIRST)
    strange = site.store / "backups" / "strange" / "summary"
    strange.parent.mkdir()
    strange.write_bytes(b"?")
    ended = command.host("list", "--json")
    assert ended.code == 1
    assert {backup["id"]: backup["started"] for backup in ended.document["backups"]}["strange"] is None
    assert command.host("list").code == 1
