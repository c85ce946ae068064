# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Having ``pg_restore`` or ``psql`` fill an empty database from a dump in the repository."""

from __future__ import annotations

import tempfile
import typing as t
from dataclasses import dataclass

from .._repository.part_reader import PartReader
from .dump import PLAIN, end_others
from .failures import restore_failure
from .process import Feeder, Outcome
from .programs import Client, Program
from .script import require_restrict, restricted
from .session import Session

#: Since then ``pg_restore`` sets a parameter that older servers do not know.
_SETS_TRANSACTION_TIMEOUT = 17


@dataclass(frozen=True)
class Load:
    """How a dump gets into a database.

    :arg arguments: for ``pg_restore``: whose objects are made, and with which privileges.
    :arg jobs: more than 1 needs ``directory``, where the dump is put into a file without a name.
    :arg role: role to restore as; by default the one that connects.
    :arg leave_out: entries of the table of contents that are done already, such as ``EXTENSION - hstore``.
    """

    pg_restore: Program
    psql: Program
    jobs: int = 1
    directory: str | None = None
    arguments: tuple[str, ...] = ()
    role: str | None = None
    leave_out: frozenset[str] = frozenset()

    @property
    def options(self) -> list[str]:
        """Return the arguments for ``pg_restore``."""
        role = [] if self.role is None else [f"--role={self.role}"]
        return ["--format=custom", "--exit-on-error", *role, *self.arguments]


def is_plain(reader: PartReader) -> bool:
    """Tell whether the part's dump is plain SQL instead of an archive of ``pg_dump``."""
    return bool(reader.record["facts"].get("format") == PLAIN)


def load(reader: PartReader, session: Session, database: str, how: Load) -> None:
    """Fill ``database`` with the part's dump.

    Raises :class:`~.._repository.errors.TargetError` unless every program ended with exit code 0.

    :arg session: connected to another database of the server.
    """
    client = session.client
    too_new = how.pg_restore.major >= _SETS_TRANSACTION_TIMEOUT > session.major
    try:
        if is_plain(reader):
            run_script(session, database, how.psql, _pieces(reader), role=how.role)
        elif client.asks_for_password or too_new:
            _convert(reader, session, database, how)
        elif how.jobs > 1:
            _load_in_parallel(reader, client, database, how)
        else:
            _stream(reader, client, database, how)
    except BaseException:
        end_others(session)
        raise


def _pieces(reader: PartReader) -> t.Iterator[bytes]:
    """Yield the dump, and count each piece as done once someone has taken it."""
    for piece in reader.read_stream(reader.streams["dump"]):
        yield piece
        reader.progress.add(done=len(piece))


def _check(outcome: Outcome, client: Client, database: str) -> None:
    if not outcome.succeeded:
        raise restore_failure(outcome, client.connection, database)


def _stream(reader: PartReader, client: Client, database: str, how: Load) -> None:
    """Pipe the dump into ``pg_restore``: one connection, nothing on disk."""
    with client.start(
        how.pg_restore,
        how.options,
        client.conninfo(database),
        stdin=True,
        stdout=False,
        listing=_listing(reader, client, how),
    ) as child:
        for piece in _pieces(reader):
            if not child.write(piece):
                break
        outcome = child.finish()
    _check(outcome, client, database)


def _load_in_parallel(reader: PartReader, client: Client, database: str, how: Load) -> None:
    """Put the dump into a file without a name, since parallel work needs to seek, and run several connections."""
    with tempfile.TemporaryFile(dir=how.directory, buffering=0) as file:
        client.hand_over(file.fileno())
        for piece in _pieces(reader):
            file.write(piece)
        with client.start(
            how.pg_restore,
            [f"--jobs={how.jobs}", *how.options],
            client.conninfo(database),
            stdout=False,
            open_files=[file.fileno()],
            listing=_listing(reader, client, how),
            archive=f"/proc/self/fd/{file.fileno()}",
        ) as child:
            outcome = child.finish()
    _check(outcome, client, database)


def _convert(reader: PartReader, session: Session, database: str, how: Load) -> None:
    """Have ``pg_restore`` write SQL and give that to ``psql``.

    For when pg_restore must not connect itself: it could not be given a password in a container, since its input is
    the dump; or it is too new for the server.
    """
    client = session.client
    with client.offline(
        how.pg_restore,
        ["--file=-", *how.options],
        stdin=True,
        listing=_listing(reader, client, how),
    ) as child:
        feeder = Feeder(child, _pieces(reader))
        run_script(session, database, how.psql, iter(child.read, b""))
        feeder.join()
        outcome = child.finish()
    _check(outcome, client, database)


def run_script(
    session: Session, database: str, psql: Program, pieces: t.Iterable[bytes], *, role: str | None = None
) -> None:
    """Have ``psql`` run a script that may come from anywhere; it stops at the first error.

    :arg session: connected to another database of the server.
    :arg role: role to run it as; by default the one that connects.

    Raises :class:`~.._repository.errors.TargetError` unless all of it could be executed.
    """
    require_restrict(psql)
    client = session.client
    arguments = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"]
    with client.start(psql, arguments, client.conninfo(database), stdin=True, stdout=False) as child:
        for piece in restricted(pieces, session.major, role):
            if not child.write(piece):
                break
        outcome = child.finish()
    _check(outcome, client, database)


def _listing(reader: PartReader, client: Client, how: Load) -> bytes | None:
    """Return the dump's table of contents without what is to be left out; None when all is to be restored."""
    if not how.leave_out:
        return None
    with client.offline(how.pg_restore, ["--list"], stdin=True) as child:
        feeder = Feeder(child, reader.read_stream(reader.streams["dump"]))
        output = b"".join(iter(child.read, b""))
        feeder.join()
        outcome = child.finish()
    _check(outcome, client, "from its table of contents")
    kept = [line for line in output.splitlines() if not _is_among(line.decode("utf-8", "replace"), how.leave_out)]
    return b"\n".join([*kept, b""])


def _is_among(line: str, entries: frozenset[str]) -> bool:
    """Tell whether a line of a table of contents is one of the entries.

    Lines are like ``2; 3079 16385 EXTENSION - hstore`` or ``6; 2615 16384 SCHEMA - tools odoo``: the owner comes last.
    """
    entry = line.split(" ", 3)[-1] + " "
    return any(entry.startswith(f"{wanted} ") for wanted in entries)
