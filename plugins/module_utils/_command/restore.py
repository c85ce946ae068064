# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity restore``: files to a directory, a database to a server, any stream to a file."""

from __future__ import annotations

import argparse
import os
import typing as t
from dataclasses import dataclass, field

from .._repository.encoding import check_part_name
from .._repository.errors import ContinuityError, InputError, ObjectMissingError
from .._repository.keys import RecoveryKey
from .._repository.part_reader import PartReader
from .._repository.repository import Repository
from .._repository.summary import FAILURE, SUCCESS, read_chain, read_summary
from .._status.text import size
from . import exit_codes
from .arguments import Subparsers, add_command, add_recovery_key, add_repository
from .console import Console
from .databases import add_connection
from .opening import open_named
from .output_file import STANDARD_OUTPUT
from .passphrases import need_recovery_key
from .restore_database import add_database_options, check_database_options, restore_to_server
from .restore_files import (
    FILE_KINDS,
    add_file_options,
    check_file_options,
    directory_line,
    restore_content,
    restore_to_directory,
)
from .restore_streams import restore_all_streams, restore_stream
from .selection import LATEST, choose_for_restore

Result = dict[str, t.Any]


def add(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "restore",
        "restore files, a database, or everything",
        """
        Restore parts of a backup. Where to says what is done:

          --target DIR     files into a directory, of a database the dump and the SQL of its roles as files. With
                           several parts, or --all, each gets a directory of its own below DIR.
          --database NAME  a database into a PostgreSQL server, with pg_restore; under a temporary name until it is
                           whole
          --output FILE    the raw dump of a database, one file (--path) or any stream as it is; - is standard
                           output

        "latest" is the newest backup in which these parts are whole. Every byte is checked before it is used. A part
        that cannot be restored does not keep the others from it.

        Exit code 1: the backup itself lacks something of what was asked for; what it has was restored.
        """,
        """
        continuity restore latest web1.shop.filestore --target /srv/restore --recovery-key recovery.pem
        continuity restore latest web1.shop.addons --target /tmp/look --path module/__manifest__.py \\
            --recovery-key recovery.pem
        continuity restore latest db1.shop.database --database shop_restored --owner odoo --db-run-as postgres \\
            --recovery-key recovery.pem
        continuity restore 20261122T050301Z-1f2e3d4c db1.shop.database --output - --recovery-key recovery.pem \\
            | pg_restore --list
        python3 continuity.pyz restore latest --all --target /srv/restore --repository /mnt/bucket \\
            --trust 0123456789abcdef0123456789abcdef --recovery-key recovery.pem
        """,
    )
    parser.add_argument("backup", metavar="BACKUP", help="a backup's id, or latest for the newest valid one")
    parser.add_argument("parts", metavar="PART", nargs="*", help="what to restore; `continuity info BACKUP` lists it")
    parser.add_argument("--all", action="store_true", help="all parts of the backup")
    where = parser.add_argument_group("where to").add_mutually_exclusive_group(required=True)
    where.add_argument("--target", metavar="DIR", help="a directory, made when it does not exist")
    where.add_argument("--database", metavar="NAME", help="a database on a PostgreSQL server")
    where.add_argument("--output", metavar="FILE", help="a file, or - for standard output")
    parser.add_argument("--replace", action="store_true", help="replace a database or a file that exists")
    parser.add_argument("--stream", metavar="NAME", help="with --output: which stream (default: dump, or the file)")
    parser.add_argument("--dry-run", action="store_true", help="check everything, tell what would be done, do nothing")
    add_file_options(parser)
    add_database_options(parser)
    add_connection(parser)
    add_repository(parser)
    add_recovery_key(parser, "opens the backup")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Restore what was named."""
    _check(options)
    recovery_key = need_recovery_key(options, "A restore")
    with open_named(options, recovery_key) as repository:
        choice = _choose(repository, options, console)
        console.remark(f"restoring {', '.join(choice.parts) or 'nothing'} of {choice.backup_id}")
        results, errors = _restore_each(repository, choice, recovery_key, options, console)
    if options.output != STANDARD_OUTPUT:
        facts = {"backup": choice.backup_id, "dry_run": options.dry_run, "lacking": choice.lacking}
        console.result("restore", {**facts, "parts": results}, [line for result in results for line in _lines(result)])
    if errors:
        return exit_codes.exit_code(errors[0])
    return exit_codes.PROBLEMS if choice.lacking else exit_codes.OK


def _check(options: argparse.Namespace) -> None:
    """Raise :class:`~.._repository.errors.InputError` for options that do not fit together."""
    for part in options.parts:
        check_part_name(part)
    if bool(options.parts) == options.all:
        raise InputError("What to restore is not clear.", "Name the parts, or give --all instead.")
    if not options.target and (options.all or len(options.parts) != 1):
        raise InputError("Only one part at a time fits there.", "Name one part, or give --target DIR.")
    if options.stream and not options.output:
        raise InputError("--stream is for --output.", "Add --output FILE, or leave --stream out.")
    if options.path and (options.database or len(options.parts) != 1):
        raise InputError("--path is for one part that holds files.", "Name one part, and --target DIR.")
    if options.output and len(options.path) > 1:
        raise InputError("Only one file at a time fits into --output.", "Give one --path, or --target DIR.")
    if options.dry_run and options.output:
        raise InputError("--dry-run is for --target and --database.", "Leave it out.")
    check_file_options(options)
    check_database_options(options)
    if options.output == STANDARD_OUTPUT and options.json:
        raise InputError("Data and JSON cannot both go to standard output.", "Leave --json out, or give a file.")


@dataclass
class Choice:
    """What is to be restored: a backup, the parts that exist, and what the backup lacks, by part."""

    backup_id: str
    parts: list[str] = field(default_factory=list)
    lacking: dict[str, str] = field(default_factory=dict)


def _choose(repository: Repository, options: argparse.Namespace, console: Console) -> Choice:
    """Decide what to restore; warn of what is wrong with it."""
    chain = read_chain(repository)
    choice = Choice(choose_for_restore(repository, chain, options.backup, options.parts), options.parts)
    if options.backup != LATEST:
        for finding in chain.findings:
            console.warn(finding)
    try:
        parts = read_summary(repository, choice.backup_id).document["parts"]
    except ObjectMissingError:
        if options.all:
            raise
        console.warn(f"{choice.backup_id} was never finished; what there is of it is restored.")
        return choice
    wanted = options.parts or [part["part"] for part in parts]
    for part in parts:
        if part["part"] in wanted and part["status"] != SUCCESS:
            choice.lacking[part["part"]] = part["reason"] or "it is not whole"
            verb = "is not in" if part["status"] == FAILURE else "lacks something in"
            console.warn(f"{part['part']} {verb} {choice.backup_id}: {part['reason']}")
    failed = {part["part"] for part in parts if part["status"] == FAILURE}
    choice.parts = list(dict.fromkeys(part for part in wanted if options.parts or part not in failed))
    return choice


def _restore_each(
    repository: Repository,
    choice: Choice,
    recovery_key: RecoveryKey,
    options: argparse.Namespace,
    console: Console,
) -> tuple[list[Result], list[ContinuityError]]:
    """Restore part by part. Only a single part's error is raised; of several, what can be saved is saved."""
    results: list[Result] = []
    errors: list[ContinuityError] = []
    for name in choice.parts:
        try:
            with (
                console.watch() as progress,
                repository.open_part(choice.backup_id, name, recovery_key, progress=progress) as reader,
            ):
                results.append(_restore(reader, options))
        except ContinuityError as error:
            if len(choice.parts) == 1:
                raise
            console.tell(error)
            errors.append(error)
            results.append({"part": name, "error": error.message, "next_step": error.next_step})
    return results, errors


def _restore(reader: PartReader, options: argparse.Namespace) -> Result:
    """Restore one part to where the options say; return what was done, for JSON."""
    told: Result = {"part": reader.part, "kind": reader.record["kind"], "warnings": list(reader.record["warnings"])}
    if options.output:
        return {**told, "files": [_restore_to_output(reader, options)]}
    if options.database:
        return {**told, "database": restore_to_server(reader, options)}
    target = os.path.abspath(options.target)
    if options.all or len(options.parts) > 1:
        target = os.path.join(target, reader.part)
    if reader.record["kind"] in FILE_KINDS:
        return {**told, "directory": restore_to_directory(reader, target, options)}
    if options.path:
        raise InputError(f"The part {reader.part} holds no files.", "Leave --path out.")
    if options.dry_run:
        return {
            **told,
            "files": [{"stream": name, "file": target, "bytes": r.size} for name, r in reader.streams.items()],
        }
    return {**told, "files": restore_all_streams(reader, target, replace=options.replace)}


def _restore_to_output(reader: PartReader, options: argparse.Namespace) -> Result:
    path = options.output if options.output == STANDARD_OUTPUT else os.path.abspath(options.output)
    if reader.record["kind"] in FILE_KINDS and not options.stream:
        return restore_content(reader, options.path[0] if options.path else None, path, replace=options.replace)
    return restore_stream(reader, options.stream, path, replace=options.replace)


def _lines(result: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    if "error" in result:
        yield f"{result['part']}  NOT RESTORED: {result['error']}"
        return
    for file in result.get("files", ()):
        yield f"{result['part']}  {file.get('stream') or file['path']} in {file['file']}, {size(file['bytes'])}"
    if "database" in result:
        made = result["database"]
        checks = ", ".join(f"{what} {found}" for what, found in sorted(made["checks"].items()))
        yield f"{result['part']}  database {made['name']}, {checks}"
        if made["kept_as"]:
            yield f"  the database it replaced is kept as {made['kept_as']}"
    if "directory" in result:
        yield f"{result['part']}  {directory_line(result['directory'])}"
    made = result.get("database") or result.get("directory") or {}
    for warning in [*result["warnings"], *made.get("warnings", ())]:
        yield f"  warning: {warning}"
