# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What went wrong, in words a person can act upon: from how a client program ended and what it said.

Client programs give no error codes, so their messages are read; they run with ``LC_ALL=C``. Messages of a server
that speaks another language are passed on as they are.
"""

from __future__ import annotations

import re
import typing as t

from .._repository.errors import ContinuityError, SourceError, TargetError
from .connection import Connection
from .process import Outcome

#: Lines of a program's last words that a message quotes.
_LINES_QUOTED = 6


class QueryError(ContinuityError):
    """The server refused a statement. ``sqlstate`` is its five-character error code."""

    def __init__(self, message: str, next_step: str, sqlstate: str) -> None:
        super().__init__(message, next_step)
        self.sqlstate = sqlstate


class _Known(t.NamedTuple):
    pattern: str
    reason: str
    next_step: str


#: First match wins. ``reason`` may use the pattern's groups, {role}, {database} and {place}.
_KNOWN = [
    _Known(
        r"password authentication failed",
        "the password for role {role} is wrong, or there is no such role",
        "Correct user and password.",
    ),
    _Known(
        r"no password supplied",
        "the server wants a password for role {role} and none was given",
        "Give password, or use run_as with peer authentication.",
    ),
    _Known(
        r"[Pp]eer authentication failed",
        "peer authentication does not let this operating system user be role {role}",
        "Set run_as to the operating system user of that role (often postgres), or connect with a password.",
    ),
    _Known(
        r"no pg_hba.conf entry",
        "the server's pg_hba.conf lets role {role} in from nowhere we come from",
        "Add a line to pg_hba.conf, or use another address, role or sslmode.",
    ),
    _Known(
        r'role "(?P<name>[^"]*)" is not permitted to log in',
        "role {name} may not log in",
        "Use another role, or ALTER ROLE … LOGIN.",
    ),
    _Known(
        r'FATAL: +role "(?P<name>[^"]*)" does not exist',
        "there is no role {name}",
        "Correct user; without it, the name of the operating system user is taken (see run_as).",
    ),
    _Known(
        r'database "(?P<name>[^"]*)" does not exist',
        "there is no database {name}",
        "Correct the database's name, or the server it is looked for on.",
    ),
    _Known(
        r"certificate verify failed|root certificate file|server does not support SSL|SSL error: (?!unexpected eof)",
        "no encrypted connection could be made as sslmode demands",
        "Check sslmode and sslrootcert, and the server's certificate.",
    ),
    _Known(
        r"Connection refused|Is the server running|connection to server on socket .* failed",
        "no server answers there",
        "Start PostgreSQL, or correct host and port.",
    ),
    _Known(
        r"could not translate host name|Name or service not known",
        "its name cannot be resolved",
        "Correct host, or the name service.",
    ),
    _Known(
        r"timeout expired|Connection timed out|No route to host|Network is unreachable",
        "it does not answer",
        "Check host, port, network and firewall.",
    ),
    _Known(
        r"the database system is (starting up|shutting down|in recovery|not yet accepting)",
        "the server is starting or stopping",
        "Try again when it is up; look into its log when that takes long.",
    ),
    _Known(r"too many (clients|connections)|remaining connection slots", "it has no free connection", "Try later."),
    _Known(
        r"server version mismatch|server version: (?P<server>[\d.]+)",
        "pg_dump is older than the server",
        "Install the server's version of postgresql-client, or name its directory with programs.",
    ),
    _Known(
        r"unsupported version \((?P<version>[\d.]+)\) in file header",
        "pg_restore is too old for this dump (format {version})",
        "Install a newer postgresql-client, or name its directory with programs.",
    ),
    _Known(
        r"No space left on device|[Dd]isk full|could not (?:extend|write to) file",
        "no space is left on the server's disk",
        "Free space, or restore to another server.",
    ),
    _Known(
        r"canceling statement due to lock timeout",
        "another session has kept a table locked for too long",
        "Find it in pg_stat_activity and pg_locks, and run the backup at another time or with a longer lock_timeout.",
    ),
    _Known(
        r'row-level security policy for table "(?P<name>[^"]*)"',
        "row security hides rows of {name} from role {role}, and a backup without them would look complete",
        "Use the table's owner, a superuser, or a role with BYPASSRLS.",
    ),
    _Known(
        r"(?P<what>permission denied (?:for [\w ]+ \S+|to [^\n]*)|must be (?:owner|superuser|member)[^\n]*)",
        "{what} (role {role})",
        "Use a role with that right: the owner of the database, or a superuser.",
    ),
    _Known(
        r"server closed the connection unexpectedly|terminating connection|connection to server was lost"
        r"|could not (?:receive data from|send data to) server|SSL error: unexpected eof|no connection to the server",
        "the connection to the server was lost on the way",
        "Look into the server's log whether it crashed or someone ended the session; then run this again.",
    ),
    _Known(
        r'extension "(?P<name>[^"]*)" is not available|could not open extension control file',
        "the server lacks an extension that the database needs",
        "Install it on the server: on Debian, a package named postgresql-<version>-<extension>.",
    ),
    _Known(
        r'role "(?P<name>[^"]*)" does not exist',
        "the server has no role {name}, which owns objects of the dump or has rights on them",
        "Create it, restore missing roles from the backup, or choose an owner.",
    ),
    _Known(
        r"functions in index expression must be marked IMMUTABLE",
        "an index uses a function of an extension that only a superuser may declare immutable, as it was when dumped",
        "Connect as a superuser for the restore.",
    ),
    _Known(
        r"canceling statement due to conflict with recovery",
        "the server is a standby, and what it had to replay conflicted with the dump",
        "Set hot_standby_feedback = on there, or raise max_standby_streaming_delay, or dump the primary.",
    ),
    _Known(r"terminated by user", "someone or something told it to stop", "Run it again."),
    _Known(
        r"out of shared memory",
        "the server's lock table is too small for this number of tables",
        "Raise max_locks_per_transaction and restart the server.",
    ),
    _Known(
        r"invalid page in block|could not read block|missing chunk number|unexpected chunk number"
        r"|invalid memory alloc request|compressed pglz data is corrupt",
        "the server found damaged data in the database",
        "Restore the damaged table from an earlier backup, and check disk and memory of the server.",
    ),
    _Known(
        r"unexpected end of file|could not read from input file|did not find magic string|not a valid archive",
        "the dump ended too early or is no dump",
        "Verify the backup, or choose another one.",
    ),
]
#: Lines about the way the password took.
_NOISE = re.compile(r"Password: *$|password retrieved from file")
_DROPPED = re.compile(
    r'(?:relation|schema|type|function|sequence) (?:"[^"]*"|with OID \d+) does not exist|cache lookup failed for'
    r"|could not open relation with OID|large object \d+ does not exist"
)


def explain(text: str, connection: Connection, database: str) -> tuple[str, str] | None:
    """Return reason and next step for what a program or server said, or None when it is not known."""
    for known in _KNOWN:
        if found := re.search(known.pattern, text):
            names = {name: value or "" for name, value in found.groupdict().items()}
            reason = known.reason.format(
                **{"role": connection.role, "database": database, "place": connection.place, **names}
            )
            return reason, known.next_step
    return None


def last_words(stderr: str) -> str:
    """Return the end of what a program said, on one line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and not _NOISE.match(line)]
    return " / ".join(lines[-_LINES_QUOTED:])


def _error(
    family: type[ContinuityError], doing: str, outcome: Outcome, known: tuple[str, str] | None, otherwise: str
) -> ContinuityError:
    said = last_words(outcome.stderr)
    quoted = f" {outcome.program} said: {said.rstrip('.')}." if said else ""
    if known is None:
        return family(f"{doing} failed: {outcome.ending}.{quoted}", otherwise)
    return family(f"{doing} failed: {known[0]}; {outcome.ending}.{quoted}", known[1])


def connection_failure(outcome: Outcome, connection: Connection, database: str) -> ContinuityError:
    """Return the error for a program that could not connect, or lost its connection."""
    doing = f"The connection to database {database} of {connection.place}"
    known = explain(outcome.stderr, connection, database)
    return _error(SourceError, doing, outcome, known, "Look into the server's log.")


def dump_failure(outcome: Outcome, connection: Connection, database: str) -> ContinuityError:
    """Return the error for a ``pg_dump`` that did not end with exit code 0."""
    doing = f"The dump of database {database} of {connection.place}"
    known = explain(outcome.stderr, connection, database)
    if known is None and _DROPPED.search(outcome.stderr):
        known = "an object was dropped while it was to be dumped", "Run the backup again, when no schema change runs."
    return _error(SourceError, doing, outcome, known, "Look into the server's log, and run the backup again.")


def restore_failure(outcome: Outcome, connection: Connection, database: str) -> ContinuityError:
    """Return the error for a ``pg_restore`` or ``psql`` that did not end with exit code 0."""
    doing = f"The restore of database {database} to {connection.place}"
    known = explain(outcome.stderr, connection, database)
    return _error(TargetError, doing, outcome, known, "Look into the server's log; nothing was changed.")
