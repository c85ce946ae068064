# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity verify``."""

from __future__ import annotations

import os

import pytest

from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

from .conftest import Command

FIRST, SECOND = "20260101T000000Z-00000001", "20260102T000000Z-00000002"


@pytest.fixture(autouse=True)
def _two_backups(site: Site) -> None:
    site.back_up(os.urandom(3_000_000), backup_id=FIRST)
    site.back_up(os.urandom(1_000_000), backup_id=SECOND)


def _flip(site: Site, which: int) -> None:
    """Flip a bit of a pack: 0 for the larger one, of the first backup, 1 for the smaller."""
    pack = sorted(site.objects("packs/"), key=lambda path: -path.stat().st_size)[which]
    content = bytearray(pack.read_bytes())
    content[5000] ^= 1
    pack.write_bytes(content)


def test_whole_backups_are_valid(command: Command) -> None:
    ended = command.host("verify", "all", "--json")
    assert ended.code == 0
    assert ended.document["valid"] is True
    assert [(backup["id"], backup["valid"]) for backup in ended.document["backups"]] == [(FIRST, True), (SECOND, True)]


def test_latest_is_meant_by_default_and_is_the_newest_even_when_it_is_broken(site: Site, command: Command) -> None:
    assert [backup["id"] for backup in command.host("verify", "--json").document["backups"]] == [SECOND]
    summary = site.store / "backups" / SECOND / "summary"
    summary.write_bytes(summary.read_bytes()[:-1])
    ended = command.host("verify", "--json")
    assert ended.code == 1
    assert [(backup["id"], backup["valid"]) for backup in ended.document["backups"]] == [(SECOND, False)]


def test_a_flipped_bit_is_found_by_bytes_and_not_by_structure(site: Site, command: Command) -> None:
    _flip(site, 0)
    assert command.person("verify", "all").code == 0
    ended = command.person("verify", "all", "--bytes", "--json")
    assert ended.code == 1
    assert [backup["valid"] for backup in ended.document["backups"]] == [False, True]
    assert "NOT VALID" in command.person("verify", FIRST, "--bytes").out


def test_packs_shared_by_backups_are_read_once(site: Site, command: Command) -> None:
    third = site.back_up(site.read_back(FIRST))
    document = command.person("verify", "all", "--bytes", "--json").document
    assert [backup["id"] for backup in document["backups"]] == [FIRST, SECOND, third]
    assert [(backup["packs"], backup["packs_read"]) for backup in document["backups"]] == [(1, 1), (1, 1), (1, 0)]


def test_a_shared_pack_that_is_damaged_makes_every_backup_invalid_that_needs_it(site: Site, command: Command) -> None:
    site.back_up(site.read_back(FIRST))
    _flip(site, 0)
    document = command.person("verify", "all", "--bytes", "--json").document
    assert [backup["valid"] for backup in document["backups"]] == [False, True, False]


def test_samples_together_read_everything(site: Site, command: Command) -> None:
    read = 0
    for number in (1, 2, 3):
        document = command.person("verify", "all", "--bytes", "--sample", f"{number}/3", "--json").document
        assert document["sample"] == f"{number}/3"
        read += sum(backup["packs_read"] for backup in document["backups"])
    assert read == len(site.objects("packs/"))


def test_today_is_a_share(command: Command) -> None:
    document = command.person("verify", "--bytes", "--sample", "today/7", "--json").document
    number, _slash, of = document["sample"].partition("/")
    assert of == "7"
    assert 1 <= int(number) <= 7


@pytest.mark.parametrize("sample", ["0/7", "8/7", "x", "1/", "today", "today/0", "yesterday/7"])
def test_an_impossible_sample_is_refused(command: Command, sample: str) -> None:
    ended = command.person("verify", "--bytes", "--sample", sample)
    assert ended.code == 2
    assert "is not a sample" in ended.err


def test_a_sample_without_bytes_is_refused(command: Command) -> None:
    ended = command.person("verify", "--sample", "1/7")
    assert (ended.code, ended.out) == (2, "")


def test_bytes_without_the_recovery_key_are_refused(command: Command) -> None:
    ended = command.host("verify", "--bytes")
    assert ended.code == 2
    assert "--recovery-key" in ended.err


def test_a_backup_that_does_not_exist_is_named(command: Command) -> None:
    ended = command.host("verify", "20200101T000000Z-00000000")
    assert ended.code == 3
    assert "20200101T000000Z-00000000" in ended.err


def test_what_was_read_is_told(command: Command) -> None:
    out = command.person("verify", SECOND, "--bytes").out
    assert f"{SECOND}  valid: 1 parts, 1 packs, 1 read (1.0 MB)" in out
