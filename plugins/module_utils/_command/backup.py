# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity backup``: one tree or one database as a backup of its own, without Ansible."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import typing as t
from dataclasses import dataclass, replace

from .._files.backup import TREE, backup_tree
from .._postgres.dump import DumpOptions, backup_database
from .._repository.deferred import Closing, close_or_defer
from .._repository.encoding import check_backup_id, new_backup_id
from .._repository.errors import ContinuityError
from .._repository.part_writer import PartWriter
from .._repository.repository import Repository
from .._repository.summary import PartOutcome
from .._status.text import size
from . import exit_codes
from .arguments import Subparsers, add_command, add_repository
from .console import Console
from .databases import add_connection, connection
from .opening import open_named
from .spooled import spool_exclusion, with_spooled


@dataclass(frozen=True)
class Written:
    """A part that was written: its signed record, and for one that is not whole what it lacks."""

    record: dict[str, t.Any]
    degraded: bool = False
    reason: str = ""
    next_step: str = ""


Work = t.Callable[[PartWriter], Written]


def add(subparsers: Subparsers) -> None:
    """Add the subcommands."""
    parser = subparsers.add_parser(
        "backup",
        help="back up one tree of files or one database, without Ansible",
        description="Back up one tree of files or one database. Backups of whole systems, with all that belongs to an "
        "Odoo, are made by the playbook dfr.continuity.backup.",
        allow_abbrev=False,
    )
    sources = parser.add_subparsers(dest="source", metavar="SOURCE", required=True)
    _add_files(sources)
    _add_database(sources)


def _add_files(sources: Subparsers) -> None:
    parser = add_command(
        sources,
        "files",
        "back up a directory",
        """
        Back up a directory and all that is in it. What has not changed since the last backup is neither read nor
        stored again.

        Exit code 1: files could not be read, and the backup lacks them; or the store is away, and the backup waits in
        the spool.
        """,
        """
        continuity backup files /srv/documents
        continuity backup files /srv/documents --exclude '*.tmp' --part web1.documents.tree
        """,
    )
    parser.add_argument("path", metavar="DIRECTORY", help="what to back up")
    parser.add_argument("--exclude", action="append", default=[], metavar="PATTERN", help="what to leave out")
    parser.add_argument("--one-file-system", action="store_true", help="do not descend into mounted file systems")
    _add_common(parser)
    parser.set_defaults(run=back_up_files)


def _add_database(sources: Subparsers) -> None:
    parser = add_command(
        sources,
        "database",
        "back up a PostgreSQL database",
        """
        Back up a PostgreSQL database with pg_dump, in one snapshot, with the roles that it needs. Nothing of it is
        written to this machine's disk.
        """,
        """
        continuity backup database shop --db-run-as postgres
        continuity backup database shop --db-host db1.example.org --db-user backup --db-password-file password.txt
        """,
    )
    parser.add_argument("name", metavar="DATABASE", help="what to back up")
    parser.add_argument(
        "--checksums", action="store_true", help="also record a checksum of each table's rows, for restores to compare"
    )
    add_connection(parser)
    _add_common(parser)
    parser.set_defaults(run=back_up_database)


def _add_common(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("backup")
    group.add_argument("--part", metavar="PART", help="name of the part (default: made of host, source and kind)")
    group.add_argument(
        "--backup-id", metavar="ID", help="make the part belong to this backup, which somebody else closes"
    )
    add_repository(parser)


def back_up_files(options: argparse.Namespace, console: Console) -> int:
    """Back up a tree."""
    root = os.path.abspath(options.path)

    def work(part: PartWriter) -> Written:
        exclude = [*options.exclude, *spool_exclusion(part.repository, root)]
        made = backup_tree(part, root, exclude=exclude, one_file_system=options.one_file_system)
        return Written(made.record, made.degraded, made.reason, made.next_step)

    return _back_up(options, console, TREE, os.path.basename(root) or "root", work)


def back_up_database(options: argparse.Namespace, console: Console) -> int:
    """Back up a database."""
    server = connection(options)

    def work(part: PartWriter) -> Written:
        return Written(backup_database(part, server, options.name, DumpOptions(checksums=options.checksums)))

    return _back_up(options, console, "database", options.name, work)


def _back_up(options: argparse.Namespace, console: Console, kind: str, source: str, work: Work) -> int:
    """Write one part; close the backup unless it is somebody else's; tell the result."""
    backup_id = check_backup_id(options.backup_id) if options.backup_id else new_backup_id()
    with open_named(options, None, spooling=True) as repository:
        name = options.part or _part_name(repository.host, source, kind)
        outcome = PartOutcome(name, repository.host, kind)
        try:
            with console.watch() as progress:
                repository.deliver_waiting(progress)
                with repository.write_part(backup_id, name, kind=kind, progress=progress) as part:
                    written = work(part)
        except ContinuityError as error:
            if not options.backup_id:
                _tell_failure(repository, backup_id, outcome, error)
            raise
        told = replace(outcome, degraded=written.degraded, reason=written.reason, next_step=written.next_step)
        told = with_spooled(repository, backup_id, told)
        closing = None if options.backup_id else close_or_defer(repository, backup_id, [told])
    document = {
        "backup": backup_id,
        "status": closing.document["status"] if closing else None,
        "part": name,
        "degraded": written.degraded,
        "spooled_bytes": told.spooled_bytes,
        **_problem(told, closing),
        **{key: written.record[key] for key in ("kind", "started", "finished", "bytes", "facts", "warnings")},
    }
    console.result("backup", document, _lines(document))
    return exit_codes.PROBLEMS if document["reason"] else exit_codes.OK


def _problem(told: PartOutcome, closing: Closing | None) -> dict[str, str]:
    """Return reason and next step: what the part lacks, that it is not in the store, that the backup is not closed."""
    reasons = (told.reason, told.spooled, closing.reason if closing else "")
    steps = (told.next_step, told.deliver_step or (closing.next_step if closing else ""))
    return {"reason": " ".join(filter(None, reasons)), "next_step": " ".join(filter(None, steps))}


def _part_name(host: str, source: str, kind: str) -> str:
    """Return a part's name as the roles make them: host, what it is, kind."""
    return re.sub(r"[^A-Za-z0-9._@+-]", "_", f"{host}.{source}.{kind}").lstrip("._@+-")[:128]


def _tell_failure(repository: Repository, backup_id: str, outcome: PartOutcome, error: ContinuityError) -> None:
    """Leave a summary that says the backup failed, so that who looks at the repository sees it."""
    failed = replace(outcome, failed=True, reason=error.message, next_step=error.next_step)
    with contextlib.suppress(ContinuityError):
        # What stopped the part may stop this too; the first error is the one to be told.
        close_or_defer(repository, backup_id, [failed])


def _lines(document: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    counts = document["bytes"]
    yield f"backup  {document['backup']}" + (f", {document['status']}" if document["status"] else ", not closed")
    yield f"part    {document['part']}"
    yield f"data    {size(counts['source'])}, new {size(counts['new'])}, stored {size(counts['stored'])}"
    if document["reason"]:
        yield f"problem: {document['reason']} {document['next_step']}"
    for warning in document["warnings"]:
        yield f"warning: {warning}"
