# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of every kind that are flipped, cut short, lost or exchanged: found, named, and nothing else is harmed."""

from __future__ import annotations

import os
import shutil
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.keys import Identity, write_key_file
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

from .conftest import Command, Ended

FIRST, SECOND, THIRD = "20260101T000000Z-00000001", "20260102T000000Z-00000002", "20260103T000000Z-00000003"
PART = "db1.shop.dump"
KINDS = ["repository.json", "key slots", "pack", "index", "manifest", "record", "packs", "summary"]


@dataclass
class Made:
    """A backup: what is in it, and its objects by kind."""

    content: bytes
    objects: dict[str, Path]


def make(site: Site, backup_id: str) -> Made:
    content = os.urandom(300_000)
    before = set(site.objects(""))
    site.back_up(content, backup_id=backup_id)
    [pack] = set(site.objects("packs/")) - before
    [index] = set(site.objects("index/")) - before
    place = site.store / "backups" / backup_id
    objects = {kind: place / PART / kind for kind in ("manifest", "record", "packs")}
    objects |= {"pack": pack, "index": index, "summary": place / "summary"}
    return Made(content, {**objects, "key slots": site.store / "keys" / backup_id / PART})


@pytest.fixture
def first(site: Site) -> Made:
    """An older backup, made before the settings were changed."""
    made = make(site, FIRST)
    shutil.copy(site.store / "repository.json", site.root / "older.json")
    made.objects["repository.json"] = site.root / "older.json"
    site.configure(compression_level=3)
    return made


@pytest.fixture
def second(site: Site, first: Made) -> Made:
    """The backup that is damaged."""
    made = make(site, SECOND)
    made.objects["repository.json"] = site.store / "repository.json"
    return made


def flip(place: float) -> t.Callable[[Path, Path], None]:
    def damage(victim: Path, _other: Path) -> None:
        data = bytearray(victim.read_bytes())
        data[int(place * (len(data) - 1))] ^= 1
        victim.write_bytes(data)

    return damage


def exchange(victim: Path, other: Path) -> None:
    content = victim.read_bytes()
    victim.write_bytes(other.read_bytes())
    other.write_bytes(content)


DAMAGES: dict[str, t.Callable[[Path, Path], object]] = {
    "flipped at the start": flip(0),
    "flipped in the middle": flip(0.5),
    "flipped at the end": flip(1),
    "truncated": lambda victim, _other: victim.write_bytes(victim.read_bytes()[:-1]),
    "emptied": lambda victim, _other: victim.write_bytes(b""),
    "extended": lambda victim, _other: victim.write_bytes(victim.read_bytes() + b"\0"),
    "missing": lambda victim, _other: victim.unlink(),
    "exchanged with an older one": exchange,
    "replaced by an older one": lambda victim, other: shutil.copy(other, victim),
}


def needless(kind: str, damage: str) -> bool:
    """Tell whether the backup can be read without what is damaged."""
    return kind in ("index", "packs") or (kind, damage) in (("pack", "extended"), ("summary", "missing"))


def restore(command: Command, backup_id: str, output: Path) -> Ended:
    return command.person("restore", backup_id, PART, "--output", output)


def assert_told(ended: Ended) -> None:
    """The last two lines are the error and the next step, and neither is empty."""
    error, step = ended.err.splitlines()[-2:]
    assert (error.partition(": ")[0], step.partition(": ")[0]) == ("error", "next step")
    assert error.partition(": ")[2]
    assert step.partition(": ")[2]


#: Signed settings of old are good for who never saw newer ones: the next test is about who did.
CASES = [(kind, damage) for kind in KINDS for damage in DAMAGES if kind != KINDS[0] or "older one" not in damage]


@pytest.mark.parametrize(("kind", "damage"), CASES)
def test_damage_is_named_and_harms_no_other_backup(
    site: Site, command: Command, first: Made, second: Made, kind: str, damage: str
) -> None:
    victim = second.objects[kind]
    DAMAGES[damage](victim, first.objects[kind])

    verified = command.person("verify", SECOND, "--bytes")
    assert verified.code in (1, 3, 4)
    gone = (second.objects["pack"] if kind == "index" else victim).name if damage == "missing" else victim.name
    said = verified.out.partition("problem: ")[2] + verified.err
    assert gone in said or (kind == "record" and PART in said) or (kind == "summary" and SECOND in said)

    out = site.root / "out"
    restored = restore(command, SECOND, out)
    if needless(kind, damage):
        assert (restored.code, out.read_bytes()) == (0, second.content)
        out.unlink()
    else:
        assert restored.code in (3, 4)
        assert_told(restored)
        assert victim.name in restored.err or PART in restored.err
    assert [path.name for path in site.root.iterdir() if "out" in path.name] == []

    if kind != "repository.json" and damage != "exchanged with an older one":
        assert command.person("verify", FIRST, "--bytes").code == 0
        assert restore(command, FIRST, out).code == 0
        assert out.read_bytes() == first.content


def test_settings_put_back_are_refused_where_newer_ones_were_seen(
    site: Site, command: Command, first: Made, second: Made
) -> None:
    shutil.copy(first.objects["repository.json"], second.objects["repository.json"])
    ended = command.host("list")
    assert ended.code == 4
    assert "revision 1, but revision 2 was seen here before" in ended.err
    assert_told(ended)


def test_settings_of_another_repository_of_the_same_administrator(
    site: Site, command: Command, first: Made, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Site(tmp_path_factory.mktemp("other"), site.administrator, site.recovery_key, site.hosts)
    other.configure()
    shutil.copy(other.store / "repository.json", site.store / "repository.json")
    out = site.root / "out"
    for ended in (restore(command, FIRST, out), restore(command, "latest", out)):
        assert ended.code in (3, 4)
        assert_told(ended)
    assert not out.exists()
    assert command.person("verify", FIRST).code in (1, 4)


def test_without_any_index_packs_of_several_backups_are_found_by_their_directories(
    site: Site, command: Command
) -> None:
    old = os.urandom(4_000_000)
    site.back_up(old, backup_id=FIRST)
    content = old + os.urandom(1_000_000)
    site.back_up(content, backup_id=THIRD)
    for path in site.objects("index/"):
        path.unlink()
    out = site.root / "out"
    assert restore(command, THIRD, out).code == 0
    assert out.read_bytes() == content
    # Having been restored here does not make it whole.
    verified = command.person("verify", THIRD, "--bytes")
    assert verified.code == 1
    assert "2 of 2 packs are in no index that can be used" in verified.out


def test_what_a_damaged_index_object_told_of_is_stored_again_and_mending_it_is_noticed(
    site: Site, command: Command, first: Made, second: Made
) -> None:
    index = second.objects["index"]
    whole = index.read_bytes()
    flip(0.5)(index, index)
    shutil.rmtree(site.root / "cache-db1")
    site.back_up(second.content, backup_id=THIRD)
    assert command.person("verify", THIRD, "--bytes").code == 0
    assert command.person("verify", SECOND, "--bytes").code == 1
    index.write_bytes(whole)
    assert command.person("verify", "all", "--bytes").code == 0


def test_a_signer_that_is_removed_takes_its_own_backups_along_and_no_others(
    site: Site, command: Command, first: Made
) -> None:
    site.hosts["web1"] = Identity.generate()
    write_key_file(str(site.root / "web1.pem"), site.hosts["web1"].to_pem())
    site.configure()
    site.back_up(os.urandom(1000), "web1.shop.dump", who="web1", backup_id=SECOND)
    del site.hosts["web1"]
    site.configure()
    out = site.root / "out"
    assert restore(command, FIRST, out).code == 0
    assert out.read_bytes() == first.content
    ended = command.person("restore", SECOND, "web1.shop.dump", "--output", site.root / "none")
    assert ended.code == 4
    assert_told(ended)
