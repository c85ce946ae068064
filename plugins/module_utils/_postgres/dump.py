# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backing up one database with ``pg_dump``, together with what it leaves out.

A part of kind ``database`` has these streams: ``dump`` (custom format, not compressed, since the repository
compresses) and ``globals`` (SQL of roles and tablespaces). Its manifest says under ``database`` what is needed to
make a database like it, and under ``checksums``, where asked for, the number and checksum of every table's rows.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._repository.part_writer import PartWriter
from .._repository.references import StreamReference
from .catalog import database_properties, database_size, extensions, indexed_functions, locale_facts, object_counts
from .checksums import table_checksums
from .connection import Connection
from .failures import dump_failure, explain, last_words
from .process import Child
from .programs import Client
from .session import Session
from .snapshot import Snapshot, open_snapshot

#: Format of the ``dump`` stream: ``pg_dump``'s custom format, or plain SQL (from an Odoo zip).
CUSTOM, PLAIN = "custom", "plain"


@dataclass(frozen=True)
class DumpOptions:
    """How to dump.

    :arg lock_timeout: seconds to wait for a table that someone has locked.
    :arg checksums: also count and checksum the rows of every table, so that a restore can prove to be the same;
        reads the database a second time.
    """

    lock_timeout: int = 300
    checksums: bool = False


@dataclass
class DumpedDatabase:
    """What :meth:`~.._repository.part_writer.PartWriter.finish` takes. Callers may add to it before."""

    streams: dict[str, StreamReference] = field(default_factory=dict)
    facts: dict[str, t.Any] = field(default_factory=dict)
    manifest: dict[str, t.Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def finish(self, part: PartWriter) -> dict[str, t.Any]:
        """Make the part exist and return its signed record."""
        return part.finish(streams=self.streams, facts=self.facts, manifest=self.manifest, warnings=self.warnings)


def backup_database(
    part: PartWriter, connection: Connection, database: str, options: DumpOptions | None = None
) -> dict[str, t.Any]:
    """Dump a database into a part, finish the part, and return its record.

    Raises :class:`~.._repository.errors.SourceError` when the database cannot be read entirely: then the part does not
    come into being.
    """
    options = options or DumpOptions()
    with open_snapshot(Client(connection), database, options.lock_timeout) as snapshot:
        dumped = dump_snapshot(part, snapshot, options)
    return dumped.finish(part)


def dump_snapshot(part: PartWriter, snapshot: Snapshot, options: DumpOptions) -> DumpedDatabase:
    """Dump a database as it is in a snapshot; the caller finishes the part."""
    session = snapshot.session
    client = session.client
    dumped = DumpedDatabase()
    _describe(session, dumped)
    part.progress.begin(f"dump {session.database}", dumped.facts["database_size"])
    dumped.streams["dump"] = _dump(part, snapshot, options, dumped)
    part.progress.expect(dumped.streams["dump"].size)
    globals_ = _globals(client, session, dumped)
    if globals_ is not None:
        writer = part.open_stream()
        writer.write(globals_)
        dumped.streams["globals"] = writer.close()
    if options.checksums:
        part.progress.begin(f"checksums of {session.database}")
        sums = table_checksums(session, part.progress)
        dumped.manifest["checksums"] = {name: list(value) for name, value in sums.items()}
        dumped.facts["rows"] = sum(value.rows for value in sums.values())
    return dumped


def _describe(session: Session, dumped: DumpedDatabase) -> None:
    """Read versions, locale, owner, settings and numbers of objects, in the snapshot."""
    locale = locale_facts(session)
    installed = extensions(session)
    counts = object_counts(session)
    dumped.facts = {
        "database": session.database,
        "format": CUSTOM,
        "server_version": session.value("SELECT current_setting('server_version') AS v"),
        "server_major": session.major,
        "database_size": database_size(session),
        "encoding": locale["encoding"],
        "collation_version": locale["collation_version"],
        "extensions": {item["name"]: item["version"] for item in installed},
        "tables": counts.get("tables", 0),
        "large_objects": counts.get("large objects", 0),
        "standby": session.value("SELECT pg_is_in_recovery() AS standby"),
    }
    dumped.manifest["database"] = {
        "name": session.database,
        "locale": locale,
        "extensions": installed,
        "indexed_functions": indexed_functions(session),
        "objects": counts,
        **database_properties(session),
    }


def _dump(part: PartWriter, snapshot: Snapshot, options: DumpOptions, dumped: DumpedDatabase) -> StreamReference:
    session, client = snapshot.session, snapshot.session.client
    program = client.suitable("pg_dump", session.major)
    dumped.facts["pg_dump_version"] = program.version
    arguments = [
        "--format=custom",
        "--compress=0",
        f"--snapshot={snapshot.name}",
        f"--lock-wait-timeout={options.lock_timeout * 1000}",
    ]
    with client.start(program, arguments, client.conninfo(session.database)) as child:
        try:
            reference = _stream(part, child)
        except BaseException:
            end_others(session)
            raise
        outcome = child.finish()
    if not outcome.succeeded:
        raise dump_failure(outcome, client.connection, session.database)
    if said := last_words(outcome.stderr):
        dumped.warnings.append(f"pg_dump said: {said}")
    return reference


def _stream(part: PartWriter, child: Child) -> StreamReference:
    writer, progress = part.open_stream(), part.progress
    while piece := child.read():
        writer.write(piece)
        progress.add(done=len(piece))
    return writer.close()


def end_others(session: Session) -> None:
    """End the other connections of this client: a program in a container outlives the one that started it."""
    if session.connection.container is not None:
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = %s AND pid <> pg_backend_pid()",
            session.client.application,
        )


def _globals(client: Client, session: Session, dumped: DumpedDatabase) -> bytes | None:
    """Return the SQL of roles and tablespaces; what had to be left out becomes a warning, never silence."""
    program = client.suitable("pg_dumpall", session.major)
    without = ""
    for arguments in (["--globals-only"], ["--globals-only", "--no-role-passwords"]):
        with client.start(program, arguments, client.conninfo(session.database)) as child:
            pieces = list(iter(child.read, b""))
            outcome = child.finish()
        if outcome.succeeded:
            dumped.facts["globals"] = "without passwords" if without else "with passwords"
            if without:
                dumped.warnings.append(f"Passwords of roles are not in the backup: {without}.")
            return b"".join(pieces)
        known = explain(outcome.stderr, client.connection, session.database)
        without = known[0] if known else f"{outcome.ending}: {last_words(outcome.stderr)}"
    dumped.facts["globals"] = "none"
    dumped.warnings.append(f"Roles and tablespaces are not in the backup: {without}.")
    return None
