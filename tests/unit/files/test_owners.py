# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owners: names before numbers, and the numbers of a container's user namespace."""

from __future__ import annotations

import os
import pwd

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._files.owners import (
    OVERFLOW,
    IdMap,
    OwnerChoice,
    OwnerDomain,
    OwnerTable,
    parse_accounts,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError

USERS = parse_accounts("root:x:0:0:::\nodoo:x:107:113::/var/lib/odoo:/bin/sh\nbroken\nx:y:z:\nagain:x:107::\n")
GROUPS = parse_accounts("root:x:0:\nodoo:x:113:www-data\n")
NAMESPACE = IdMap.parse("         0     100000      65536\n     65536       1000          1\n")
CONTAINER = OwnerDomain(USERS, GROUPS, NAMESPACE, NAMESPACE)
#: Somewhere else, where odoo has other numbers.
ELSEWHERE = OwnerDomain(parse_accounts("odoo:x:999:\n"), parse_accounts("odoo:x:998:\n"))


def test_the_namespace_is_mapped_both_ways() -> None:
    assert [NAMESPACE.inside(number) for number in (100000, 100107, 165535, 1000)] == [0, 107, 65535, 65536]
    assert NAMESPACE.inside(5) == OVERFLOW
    assert [NAMESPACE.outside(number) for number in (0, 107, 65536)] == [100000, 100107, 1000]
    assert NAMESPACE.outside(99999) is None
    assert IdMap().inside(77) == 77 == IdMap().outside(77)


def test_names_are_stored_beside_numbers() -> None:
    table = OwnerTable(CONTAINER)
    assert (table.user(100107), table.group(100113)) == (107, 113)
    table.user(100999)
    table.group(100113)
    assert table.to_json() == {"users": {"107": "odoo"}, "groups": {"113": "odoo"}}


def test_this_machine_knows_its_own_users() -> None:
    table = OwnerTable(OwnerDomain())
    table.user(0)
    table.user(4294967294)
    assert table.to_json()["users"] == {"0": pwd.getpwuid(0).pw_name}


STORED = {"users": {"107": "odoo", "42": "nobody-here"}, "groups": {"113": "odoo"}}


@pytest.mark.parametrize(
    ("mode", "owner", "group", "given", "found"),
    [
        ("names", None, None, (107, 113), (999, 998)),
        ("names", None, None, (42, 43), (42, 43)),
        ("numbers", None, None, (107, 113), (107, 113)),
        ("none", None, None, (107, 113), (-1, -1)),
        ("names", "odoo", "5", (0, 0), (999, 5)),
        ("none", "12", None, (0, 0), (12, -1)),
    ],
)
def test_restored_files_find_their_owner(
    mode: str, owner: str | None, group: str | None, given: tuple[int, int], found: tuple[int, int]
) -> None:
    choice = OwnerChoice(ELSEWHERE, STORED, mode, owner, group)
    assert choice.find(*given) == found
    assert choice.find(*given) == found


def test_numbers_go_back_into_the_namespace() -> None:
    assert OwnerChoice(CONTAINER, STORED).find(107, 113) == (100107, 100113)
    assert OwnerChoice(CONTAINER, STORED).find(2_000_000, 0) == (-1, 100000)


@pytest.mark.parametrize(
    ("mode", "owner", "group", "named"),
    [("name", None, None, "name"), ("names", "nobody-here", None, "nobody-here"), ("names", None, "staff!", "staff!")],
)
def test_what_does_not_exist_is_refused(mode: str, owner: str | None, group: str | None, named: str) -> None:
    with pytest.raises(InputError) as raised:
        OwnerChoice(ELSEWHERE, STORED, mode, owner, group)
    assert repr(named) in raised.value.message


def test_only_root_changes_owners() -> None:
    choice = OwnerChoice(ELSEWHERE, STORED)
    assert choice.changes_owners == (os.geteuid() == 0)
    assert not OwnerChoice(ELSEWHERE, STORED, "none").changes_owners
