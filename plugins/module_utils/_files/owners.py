# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and groups: names beside numbers, because a number means somebody else on another machine.

In a container with a user namespace a file has one number inside and another one outside (user_namespaces(7)). A
backup holds the inside one.
"""

from __future__ import annotations

import grp
import os
import pwd
import typing as t
from dataclasses import dataclass

from .._repository.errors import InputError

#: What the system shows for a number that has no counterpart (/proc/sys/kernel/overflowuid).
OVERFLOW = 65534


@dataclass(frozen=True)
class IdMap:
    """A user namespace's mapping: rows of first number inside, first number outside, count."""

    rows: tuple[tuple[int, int, int], ...] = ((0, 0, 1 << 32),)

    @classmethod
    def parse(cls, text: str) -> IdMap:
        """Read what /proc/<pid>/uid_map or gid_map holds."""
        rows = [tuple(map(int, line.split())) for line in text.splitlines() if line.strip()]
        return cls(tuple((inside, outside, count) for inside, outside, count in rows))

    def inside(self, number: int) -> int:
        """Return the number that the container sees."""
        for inside, outside, count in self.rows:
            if outside <= number < outside + count:
                return number - outside + inside
        return OVERFLOW

    def outside(self, number: int) -> int | None:
        """Return the number that the file system needs; None when the container has no such number."""
        for inside, outside, count in self.rows:
            if inside <= number < inside + count:
                return number - inside + outside
        return None


@dataclass(frozen=True)
class Accounts:
    """The users or groups of this machine or of a container, by number and by name."""

    name_of: t.Callable[[int], str | None]
    number_of: t.Callable[[str], int | None]


def _host_user_name(number: int) -> str | None:
    try:
        return pwd.getpwuid(number).pw_name
    except (KeyError, OverflowError):
        return None


def _host_user_number(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def _host_group_name(number: int) -> str | None:
    try:
        return grp.getgrgid(number).gr_name
    except (KeyError, OverflowError):
        return None


def _host_group_number(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def parse_accounts(text: str) -> Accounts:
    """Read /etc/passwd or /etc/group of a container: name in the first field, number in the third."""
    names: dict[int, str] = {}
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2].isdigit():
            names.setdefault(int(fields[2]), fields[0])
    numbers = {name: number for number, name in reversed(names.items())}
    return Accounts(names.get, numbers.get)


@dataclass(frozen=True)
class OwnerDomain:
    """Where numbers and names of users and groups have a meaning: this machine, or one container."""

    users: Accounts = Accounts(_host_user_name, _host_user_number)
    groups: Accounts = Accounts(_host_group_name, _host_group_number)
    user_map: IdMap = IdMap()
    group_map: IdMap = IdMap()


class OwnerTable:
    """Collects the owners met while a tree is backed up, so that their names are looked up once. For one thread."""

    def __init__(self, domain: OwnerDomain) -> None:
        self._domain = domain
        self._users: dict[int, int] = {}
        self._groups: dict[int, int] = {}

    def user(self, uid: int) -> int:
        """Return the number to be stored for a file's owner, and remember it."""
        found = self._users.get(uid)
        if found is None:
            found = self._users[uid] = self._domain.user_map.inside(uid)
        return found

    def group(self, gid: int) -> int:
        """Return the number to be stored for a file's group, and remember it."""
        found = self._groups.get(gid)
        if found is None:
            found = self._groups[gid] = self._domain.group_map.inside(gid)
        return found

    def to_json(self) -> dict[str, dict[str, str]]:
        """Return the names of all that were met: ``users`` and ``groups``, from number to name."""
        users = {number: self._domain.users.name_of(number) for number in sorted(set(self._users.values()))}
        groups = {number: self._domain.groups.name_of(number) for number in sorted(set(self._groups.values()))}
        return {
            "users": {str(number): name for number, name in users.items() if name},
            "groups": {str(number): name for number, name in groups.items() if name},
        }


#: How a restore finds owners: by name and else by number, by number only, or not at all.
BY_NAME, BY_NUMBER, NOBODY = "names", "numbers", "none"


class OwnerChoice:
    """Whom restored files belong to.

    :arg mode: :data:`BY_NAME`, :data:`BY_NUMBER` or :data:`NOBODY` (who runs the restore).
    :arg table: what :meth:`OwnerTable.to_json` returned when the tree was backed up.
    :arg owner: a user (name or number) that everything shall belong to, or None; ``group`` likewise.

    Raises :class:`~.._repository.errors.InputError` for a mode or a name that does not exist.
    """

    def __init__(
        self,
        domain: OwnerDomain,
        table: t.Mapping[str, t.Mapping[str, str]],
        mode: str = BY_NAME,
        owner: str | None = None,
        group: str | None = None,
    ) -> None:
        if mode not in (BY_NAME, BY_NUMBER, NOBODY):
            raise InputError(
                f"owners: {mode!r} is not known.", f"Give {BY_NAME}, {BY_NUMBER} or {NOBODY}; {BY_NAME} is usual."
            )
        self._users = _Resolver(
            domain.users, domain.user_map, table.get("users", {}), mode, _wanted(owner, domain.users, "user")
        )
        self._groups = _Resolver(
            domain.groups, domain.group_map, table.get("groups", {}), mode, _wanted(group, domain.groups, "group")
        )
        #: Without privileges only what belongs to us anyway can be given an owner.
        self.privileged = os.geteuid() == 0
        #: Whether restored files get an owner other than who runs the restore.
        self.changes_owners = self.privileged and (mode != NOBODY or self._users.forced or self._groups.forced)

    def find(self, uid: int, gid: int) -> tuple[int, int]:
        """Return the user and group numbers to give a file; -1 where the one that it has shall stay."""
        return self._users.find(uid), self._groups.find(gid)


def _wanted(given: str | None, accounts: Accounts, what: str) -> int | None:
    if given is None:
        return None
    number = int(given) if given.isdigit() else accounts.number_of(given)
    if number is None:
        raise InputError(
            f"There is no {what} {given!r} where the files are to be restored.",
            f"Make the {what} first, or give a number.",
        )
    return number


class _Resolver:
    """Finds users, or groups, once each."""

    def __init__(
        self, accounts: Accounts, numbers: IdMap, names: t.Mapping[str, str], mode: str, wanted: int | None
    ) -> None:
        self._accounts, self._numbers, self._names = accounts, numbers, names
        self._mode = mode
        self._wanted = wanted
        self._found: dict[int, int] = {}

    @property
    def forced(self) -> bool:
        return self._wanted is not None

    def find(self, number: int) -> int:
        found = self._found.get(number)
        if found is None:
            found = self._found[number] = self._look_up(number)
        return found

    def _look_up(self, number: int) -> int:
        inside: int | None = self._wanted
        if inside is None:
            if self._mode == NOBODY:
                return -1
            name = self._names.get(str(number)) if self._mode == BY_NAME else None
            inside = self._accounts.number_of(name) if name else None
        outside = self._numbers.outside(number if inside is None else inside)
        return -1 if outside is None else outside
