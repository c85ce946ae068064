# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts and checksums of a database's rows, to prove that a restored one is the same."""

from __future__ import annotations

import typing as t

from .._repository.progress import Progress
from .catalog import USER_TABLES
from .session import Session, identifier

#: The text of a row must not depend on the server's or the role's settings. Row security must not hide rows.
_SETTINGS = (
    "SET LOCAL DateStyle = 'ISO, YMD'",
    "SET LOCAL IntervalStyle = 'postgres'",
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL extra_float_digits = 3",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL lc_monetary = 'C'",
    "SET LOCAL row_security = off",
    "SET LOCAL jit = off",
)


class TableSum(t.NamedTuple):
    """Number and order-independent checksum of a table's rows."""

    rows: int
    checksum: str


def table_checksums(session: Session, progress: Progress | None = None) -> dict[str, TableSum]:
    """Return number and checksum of the rows of every table, by ``schema.table``; and of ``large objects``.

    The checksum is the sum of a 64-bit hash of each row's text, so the order of rows does not matter. It is the same
    on PostgreSQL 13 to 18 and guards against accidents, not against forgery. To be called in a transaction, in whose
    snapshot everything is read.
    """
    for setting in _SETTINGS:
        session.execute(setting)
    tables = session.query(
        f"SELECT n.nspname AS schema, c.relname AS name FROM {USER_TABLES} AND c.relkind = 'r'"
        ' ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"'
    )
    if progress is not None:
        progress.expect(None, len(tables) + 1)
    sums = {}
    for table in tables:
        name = f"{identifier(table['schema'])}.{identifier(table['name'])}"
        sums[f"{table['schema']}.{table['name']}"] = _sum(session, f"ONLY {name} AS r", "(r.*)::text")
        if progress is not None:
            progress.add(items=1)
    objects = _sum(session, "pg_largeobject_metadata AS r", "r.oid::text || md5(lo_get(r.oid))")
    return {**sums, "large objects": objects} if objects.rows else sums


def _sum(session: Session, source: str, text: str) -> TableSum:
    row = session.query(
        f'SELECT count(*) AS rows, coalesce(sum(hashtextextended(({text}) COLLATE "C", 0)::numeric), 0)::text AS sum'
        f" FROM {source}"
    )[0]
    return TableSum(row["rows"], row["sum"])


def differences(expected: t.Mapping[str, t.Any], found: t.Mapping[str, t.Any]) -> list[str]:
    """Say in words what differs between two results of :func:`table_checksums` or counts of objects."""
    said = []
    for name in sorted({*expected, *found}):
        before, after = expected.get(name), found.get(name)
        if before != after:
            said.append(f"{name}: {_words(before)} before, {_words(after)} now")
    return said


def _words(value: t.Any) -> str:
    if value is None:
        return "none"
    return f"{value.rows} rows with checksum {value.checksum}" if isinstance(value, TableSum) else str(value)
