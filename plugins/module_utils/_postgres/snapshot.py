# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database as it is at one moment, for several readers."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass

from .._repository.errors import SourceError
from .catalog import USER_TABLES
from .failures import QueryError
from .programs import Client
from .session import Session

_ATTEMPTS = 5
_TABLE_GONE = ("42P01", "3F000")
_LOCK_TIMEOUT = "55P03"
_BLOCKERS = """
SELECT DISTINCT a.pid, a.usename AS role, a.application_name AS application, a.state
  FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.granted
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
 ORDER BY 1
"""


@dataclass(frozen=True)
class Snapshot:
    """A session inside a transaction that sees the database of one moment, and the name others may join it by."""

    session: Session
    name: str


@contextlib.contextmanager
def open_snapshot(client: Client, database: str, lock_timeout: int) -> t.Iterator[Snapshot]:
    """Take a snapshot and keep it until the block ends.

    All tables are locked (ACCESS SHARE, which only DROP, TRUNCATE, ALTER and the like wait for) *before* the snapshot
    is taken. Otherwise a table truncated before ``pg_dump`` comes to lock it would be dumped empty, without an error,
    since TRUNCATE does not respect snapshots; and one that is dropped would end the dump
    (https://www.postgresql.org/docs/current/mvcc-caveats.html).

    :arg lock_timeout: seconds to wait for a lock at most.
    """
    with Session(client, database) as session:
        _lock_tables(session, lock_timeout)
        name = session.value("SELECT pg_export_snapshot() AS name")
        yield Snapshot(session, name)


def _lock_tables(session: Session, lock_timeout: int) -> None:
    """Begin the transaction with locks on all tables we may read; ``pg_dump`` complains of the others."""
    for attempt in range(1, _ATTEMPTS + 1):
        tables = session.query(
            "SELECT format('ONLY %I.%I', n.nspname, c.relname) AS name"
            f" FROM {USER_TABLES} AND has_table_privilege(c.oid, 'SELECT') ORDER BY c.oid"
        )
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        session.execute(f"SET LOCAL lock_timeout = '{lock_timeout}s'")
        if not tables:
            return
        try:
            session.execute(f"LOCK TABLE {', '.join(row['name'] for row in tables)} IN ACCESS SHARE MODE")
            return
        except QueryError as error:
            session.execute("ROLLBACK")
            if error.sqlstate == _LOCK_TIMEOUT:
                raise _locked(session, lock_timeout) from error  # pylint: disable=bad-exception-cause
            if error.sqlstate not in _TABLE_GONE or attempt == _ATTEMPTS:
                raise


def _locked(session: Session, lock_timeout: int) -> SourceError:
    sessions = [
        f"process {row['pid']} (role {row['role']}, application {row['application'] or 'unnamed'}, {row['state']})"
        for row in session.query(_BLOCKERS)
    ]
    by = f", by {', '.join(sessions)}" if sessions else ""
    return SourceError(
        f"A table of database {session.database} has been locked for more than {lock_timeout} seconds{by}.",
        "End that session or wait for it, then run the backup again; lock_timeout sets how long to wait.",
    )
