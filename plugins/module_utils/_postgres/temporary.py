# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database a restore works in, until it is whole and takes its real name.

It is marked as a template, so that Odoo, which serves and runs the jobs of every database it sees, does not see it
(it lists what is no template and allows connections).
"""

from __future__ import annotations

import contextlib
import typing as t

from .._repository.errors import ContinuityError, TargetError
from .failures import QueryError
from .naming import replaced_name, temporary_name, temporary_prefix
from .programs import Client
from .session import Session, identifier, literal

_MARK = "dfr.continuity: a restore is under way here"
#: Any number that no other application uses for its advisory locks; the second key is made of the database's name.
_LOCK_CLASS = 0x0C04711
_IN_USE = "55006"
_EXISTS = "42P04"
_NO_SUCH_LOCALE = ("42809", "22023", "0A000")
_SWAP_ATTEMPTS = 10


def lock_name(session: Session, name: str) -> None:
    """Make sure that no other restore to the same name is under way; held as long as the session lasts."""
    got = session.value("SELECT pg_try_advisory_lock(%s, hashtext(%s)) AS got", _LOCK_CLASS, name)
    if not got:
        raise TargetError(
            f"Another restore to database {name} of {session.connection.place} is under way.", "Wait until it is done."
        )


def leftovers(session: Session, name: str) -> list[str]:
    """Return the temporary databases that earlier restores to this name left behind when they were killed."""
    rows = session.query(
        "SELECT datname FROM pg_database WHERE starts_with(datname, %s) AND shobj_description(oid, 'pg_database') = %s",
        temporary_prefix(name),
        _MARK,
    )
    return [row["datname"] for row in rows]


def drop(session: Session, name: str) -> None:
    """Drop a temporary database, whoever is connected to it."""
    with contextlib.suppress(QueryError):  # it may be gone
        session.execute(f"ALTER DATABASE {identifier(name)} IS_TEMPLATE false")
    session.execute(f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE)")


@contextlib.contextmanager
def temporary_database(session: Session, name: str, clauses: str) -> t.Iterator[str]:
    """Create a database to restore into; drop it when the block ends with an exception.

    :arg name: the real name, which the temporary one is derived from.
    :arg clauses: locale, owner and so on, as CREATE DATABASE takes them.
    """
    temporary = temporary_name(name)
    try:
        try:
            session.execute(f"CREATE DATABASE {identifier(temporary)} TEMPLATE template0 IS_TEMPLATE true {clauses}")
            session.execute(f"COMMENT ON DATABASE {identifier(temporary)} IS {literal(_MARK)}")
        except QueryError as error:
            raise _cannot_create(session, name, error) from error  # pylint: disable=bad-exception-cause
        yield temporary
    except BaseException as error:
        _drop_after(session, temporary, error)
        raise


def _cannot_create(session: Session, name: str, error: QueryError) -> TargetError:
    next_step = error.next_step
    if error.sqlstate in _NO_SUCH_LOCALE:
        next_step = "Install the locale on the server, or choose another one with the option locale."
    return TargetError(
        f"No database for {name} could be made on {session.connection.place}: {error.message}", next_step
    )


def _drop_after(session: Session, temporary: str, error: BaseException) -> None:
    """Drop the temporary database of a restore that failed; say so when even that is not possible."""
    try:
        drop(session, temporary)
    except ContinuityError:
        # The session may have ended with what made the restore fail.
        try:
            with Session(session.client, session.connection.maintenance_database) as another:
                drop(another, temporary)
        except ContinuityError:
            if isinstance(error, ContinuityError):
                error.message += f" The temporary database {temporary} could not be dropped."
                error.next_step += " The next restore to this name drops it."


def put_in_place(client: Client, session: Session, temporary: str, name: str, replace: bool, keep: bool) -> str | None:
    """Give the temporary database its real name, in one transaction with taking it from the old one.

    :arg replace: whether a database may have that name now; its sessions are ended.
    :arg keep: keep the old one, closed for connections (Odoo would run its jobs a second time).

    Returns the name of the old database where it is still there.
    """
    exists = session.value("SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s) AS there", name)
    if exists and not replace:
        raise TargetError(
            f"A database {name} has come into being on {client.connection.place} meanwhile.",
            "Set replace to replace it, or choose another name.",
        )
    old = replaced_name(name) if exists else None
    for attempt in range(1, _SWAP_ATTEMPTS + 1):
        try:
            _swap(session, temporary, name, old)
            break
        except QueryError as error:
            session.execute("ROLLBACK")
            if error.sqlstate == _EXISTS:
                raise TargetError(error.message, "Run the restore again.") from error  # pylint: disable=bad-exception-cause
            if error.sqlstate != _IN_USE or attempt == _SWAP_ATTEMPTS:
                raise _cannot_swap(session, name, error) from error  # pylint: disable=bad-exception-cause
    if old is not None and not keep:
        with contextlib.suppress(QueryError):  # the restore is done; the caller tells that the old one is still there
            drop(session, old)
            return None
    return old


def _swap(session: Session, temporary: str, name: str, old: str | None) -> None:
    for database in (name, temporary):
        session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = " + literal(database))
    session.execute("BEGIN")
    if old is not None:
        session.execute(f"ALTER DATABASE {identifier(name)} RENAME TO {identifier(old)}")
        session.execute(f"ALTER DATABASE {identifier(old)} ALLOW_CONNECTIONS false")
    session.execute(f"ALTER DATABASE {identifier(temporary)} IS_TEMPLATE false")
    session.execute(f"ALTER DATABASE {identifier(temporary)} RENAME TO {identifier(name)}")
    session.execute("COMMIT")


def _cannot_swap(session: Session, name: str, error: QueryError) -> TargetError:
    users = [
        f"{row['role']} ({row['application'] or 'unnamed'}, process {row['pid']})"
        for row in session.query(
            "SELECT pid, usename AS role, application_name AS application FROM pg_stat_activity WHERE datname = %s",
            name,
        )
    ]
    by = f" It is used by {', '.join(users)}." if users else ""
    return TargetError(
        f"Database {name} of {session.connection.place} could not be replaced: {error.message}{by}",
        "Stop what uses it, or restore with a role that may end those sessions. The old database is as it was.",
    )
