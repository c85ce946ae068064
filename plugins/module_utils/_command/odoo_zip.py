# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity export`` and ``continuity import``: backups as Odoo's own zip file, and back."""

from __future__ import annotations

import argparse
import os
import re
import typing as t
from contextlib import nullcontext

from .._apps.odoo_zip import export_zip
from .._apps.odoo_zip_import import ImportedZip, import_zip
from .._postgres.connection import Connection
from .._postgres.programs import Client
from .._repository.deferred import close_or_defer
from .._repository.encoding import check_part_name, new_backup_id
from .._repository.errors import InputError
from .._repository.repository import Repository
from .._repository.summary import FAILURE, PartOutcome, Summary, read_chain, read_summary
from .._status.text import size
from . import exit_codes
from .arguments import Subparsers, add_command, add_recovery_key, add_repository
from .console import Console
from .opening import open_named
from .passphrases import need_recovery_key
from .selection import choose_for_restore
from .spooled import with_spooled

_FILESTORE = "odoo_filestore"


def add(subparsers: Subparsers) -> None:
    """Add both subcommands."""
    _add_export(subparsers)
    _add_import(subparsers)


def _add_export(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        "export",
        "write a backup of an Odoo as the zip file that Odoo itself restores",
        """
        Write database and filestore of a backup as Odoo's own zip file, for "odoo db load" or the database manager.
        The file is not encrypted. It needs pg_restore on this machine, and no server.

        The filestore is the part of the same system in the same backup, or the one given with --filestore.
        """,
        """
        continuity export latest db1.shop.database --output shop.zip --recovery-key recovery.pem
        continuity export latest db1.shop.database --no-filestore --output shop.zip --recovery-key recovery.pem
        """,
    )
    parser.add_argument("backup", metavar="BACKUP", help="a backup's id, or latest for the newest valid one")
    parser.add_argument("part", metavar="PART", help="the database's part")
    parser.add_argument("--output", metavar="FILE", required=True, help="the zip file to write")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--filestore", metavar="PART", help="the filestore's part")
    which.add_argument("--no-filestore", action="store_true", help="the database alone")
    parser.add_argument("--replace", action="store_true", help="replace a file that exists")
    parser.add_argument("--db-programs", metavar="DIR", help="where pg_restore is")
    add_repository(parser)
    add_recovery_key(parser, "opens the backup")
    parser.set_defaults(run=run_export)


def _add_import(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        "import",
        "bring a zip file that Odoo made into the repository",
        """
        Bring a zip file, made by Odoo's database manager or "odoo db dump", into the repository as a backup of its own.
        It can be restored like every other one. Nothing is unpacked on this machine's disk.

        Exit code 1: files of the filestore do not have the content that their names stand for.
        """,
        "continuity import shop.zip --name shop",
    )
    parser.add_argument("file", metavar="FILE", help="the zip file")
    parser.add_argument(
        "--name", metavar="NAME", help="name of the system: the parts are HOST.NAME.database and HOST.NAME.filestore"
    )
    add_repository(parser)
    parser.set_defaults(run=run_import)


def run_export(options: argparse.Namespace, console: Console) -> int:
    """Write the zip file."""
    recovery_key = need_recovery_key(options, "An export")
    with open_named(options, recovery_key) as repository:
        wanted = [check_part_name(options.part)]
        if options.filestore:
            wanted.append(check_part_name(options.filestore))
        backup_id = choose_for_restore(repository, read_chain(repository), options.backup, wanted)
        filestore = _filestore_of(read_summary(repository, backup_id), options)
        console.remark(f"exporting {options.part} of {backup_id}" + (f" with {filestore}" if filestore else ""))
        with (
            console.watch() as progress,
            repository.open_part(backup_id, options.part, recovery_key, progress=progress) as database,
            repository.open_part(backup_id, filestore, recovery_key, progress=progress)
            if filestore
            else nullcontext() as files,
        ):
            client = Client(Connection(programs=options.db_programs))
            output = os.path.abspath(options.output)
            made = export_zip(database, files, output, client, replace=options.replace)
    document = {"backup": backup_id, "database": options.part, "filestore": filestore, **made}
    console.result(
        "export",
        document,
        [f"{made['path']}  {size(made['size'])}, {made['files']} files, Odoo {made['manifest']['version']}"],
    )
    return exit_codes.OK


def _filestore_of(summary: Summary, options: argparse.Namespace) -> str | None:
    """Return the filestore that belongs to the database: the one of the same system, or else the only one."""
    if options.no_filestore or options.filestore:
        return t.cast("str | None", options.filestore)
    found = [part for part in summary.document["parts"] if part["kind"] == _FILESTORE]
    own = [part for part in found if _system(part["part"]) == _system(options.part)] or found
    if len(own) != 1:
        names = ", ".join(part["part"] for part in own) or "none"
        raise InputError(
            f"Which filestore belongs to {options.part} cannot be told; the backup {summary.backup_id} has: {names}.",
            "Give --filestore PART, or --no-filestore.",
        )
    if own[0]["status"] == FAILURE:
        raise InputError(
            f"The filestore {own[0]['part']} failed when the backup {summary.backup_id} was made: {own[0]['reason']}",
            "Choose another backup, or give --no-filestore.",
        )
    return str(own[0]["part"])


def _system(part: str) -> str:
    """Return the middle of ``<host>.<system>.<kind>``: host names may hold dots, so the name before the kind."""
    return ".".join(part.split(".")[-2:-1])


def run_import(options: argparse.Namespace, console: Console) -> int:
    """Import the zip file and close its backup."""
    backup_id = new_backup_id()
    with open_named(options, None, spooling=True) as repository:
        prefix = check_part_name(f"{repository.host}.{options.name or _name_of(options.file)}")
        with console.watch() as progress:
            repository.deliver_waiting(progress)
            imported = import_zip(options.file, repository, backup_id, prefix, progress)
        outcomes = [with_spooled(repository, backup_id, one) for one in _outcomes(repository, imported)]
        closing = close_or_defer(repository, backup_id, outcomes)
    records = [record for record in (imported.database, imported.filestore) if record is not None]
    document = {
        "backup": backup_id,
        "status": closing.document["status"],
        "reason": closing.reason,
        "next_step": closing.next_step,
        "parts": [{"part": one["part"], "kind": one["kind"], "bytes": one["bytes"]} for one in records],
        "corrupt_files": imported.corrupt,
        "warnings": [warning for record in records for warning in record["warnings"]],
    }
    console.result("import", document, _lines(document))
    return exit_codes.PROBLEMS if imported.corrupt or closing.reason else exit_codes.OK


def _name_of(path: str) -> str:
    stem = os.path.splitext(os.path.basename(path))[0]
    return re.sub(r"[^A-Za-z0-9_@+-]", "_", stem) or "odoo"


def _outcomes(repository: Repository, imported: ImportedZip) -> list[PartOutcome]:
    outcomes = [PartOutcome(imported.database["part"], repository.host, imported.database["kind"])]
    if imported.filestore is not None:
        warnings = imported.filestore["warnings"]
        outcomes.append(
            PartOutcome(
                imported.filestore["part"],
                repository.host,
                imported.filestore["kind"],
                degraded=bool(imported.corrupt),
                reason=" ".join(warnings) if imported.corrupt else "",
                next_step="Look for the files named in another backup of that Odoo." if imported.corrupt else "",
            )
        )
    return outcomes


def _lines(document: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    yield f"backup  {document['backup']}, {document['status']}"
    for part in document["parts"]:
        yield f"part    {part['part']}, {size(part['bytes']['source'])}, stored {size(part['bytes']['stored'])}"
    if document["reason"]:
        yield f"problem: {document['reason']} {document['next_step']}"
    for warning in document["warnings"]:
        yield f"warning: {warning}"
