# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring roles that a server lacks, from what ``pg_dumpall --globals-only`` wrote."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .session import Session, literal

_NAME = r'(?P<{}>"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)'
_ABOUT_ROLE = re.compile(rf"(?P<verb>CREATE ROLE|ALTER ROLE|COMMENT ON ROLE) {_NAME.format('role')}(?= |;|$)")
_MEMBERSHIP = re.compile(rf"GRANT {_NAME.format('group')} TO {_NAME.format('role')}(?= |;|$)")
#: The grantor may not exist here, or may lack the right that newer versions ask of one.
_GRANTOR = re.compile(rf" GRANTED BY {_NAME.format('grantor')}$")
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\\[^\n]*|;|[^'"\\;-]+|.""", re.DOTALL)


@dataclass(frozen=True)
class RoleStatement:
    """A statement that makes, alters or describes ``role``."""

    role: str
    sql: str


def statements(script: str) -> t.Iterator[str]:
    """Yield the statements of a script that ``pg_dumpall`` wrote, without comments and psql's own commands."""
    collected = ""
    for token in _TOKEN.findall(script):
        if token == ";":
            yield collected.strip()
            collected = ""
        elif not token.startswith("--") and not (token.startswith("\\") and not collected.strip()):
            collected += token


def role_statements(script: str) -> t.Iterator[RoleStatement]:
    """Yield the statements about roles: creation, attributes, settings, comments, and membership in others."""
    for sql in statements(script):
        if found := _ABOUT_ROLE.match(sql) or _MEMBERSHIP.match(sql):
            yield RoleStatement(_unquoted(found["role"]), _GRANTOR.sub("", sql))


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def missing_roles(session: Session, names: t.Iterable[str]) -> list[str]:
    """Return those of the names that the server has no role of, sorted."""
    wanted = sorted(set(names))
    there = {row["rolname"] for row in session.query("SELECT rolname FROM pg_roles WHERE rolname = ANY (%s)", wanted)}
    return [name for name in wanted if name not in there]


def create_roles(session: Session, script: str) -> list[str]:
    """Create the roles of the script that the server lacks, all or none; return their names.

    Roles that exist are left as they are: attributes, passwords and memberships.
    """
    wanted = list(role_statements(script))
    new = missing_roles(session, (statement.role for statement in wanted))
    if not new:
        return []
    session.execute("BEGIN")
    try:
        for statement in wanted:
            if statement.role in new:
                session.execute(statement.sql)
        session.execute("COMMIT")
    except BaseException:
        session.execute("ROLLBACK")
        raise
    return new


def has_role(session: Session, name: str) -> bool:
    """Tell whether the server has a role of this name."""
    return bool(session.value(f"SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(name)}) AS there"))
