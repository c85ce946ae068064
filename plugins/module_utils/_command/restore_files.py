# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring files from the command line: a tree into a directory, or one file's content to an output."""

from __future__ import annotations

import argparse
import typing as t
from itertools import islice

from .._files.backup import FILESTORE, SINGLE_FILE, TREE
from .._files.entries import FILE, Entry
from .._files.findings import show
from .._files.owners import BY_NAME, BY_NUMBER, NOBODY
from .._files.patterns import Selection
from .._files.reading import read_content, read_entries
from .._files.restore import RestoreResult, restore_tree
from .._repository.errors import InputError
from .._repository.part_reader import PartReader
from .._status.text import size
from .output_file import open_output

FILE_KINDS = (TREE, FILESTORE, SINGLE_FILE)
#: Options that mean something with ``--target`` only.
_ONLY_TARGET = ("delete", "no_overwrite", "compare", "owners", "file_owner", "file_group")


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """Add the options; their meaning is that of :func:`~.._files.restore.restore_tree`."""
    group = parser.add_argument_group("restoring files")
    group.add_argument(
        "--path",
        action="append",
        default=[],
        metavar="PATH",
        help="restore only this file, directory or pattern, as `continuity files` shows it; can be repeated",
    )
    group.add_argument("--delete", action="store_true", help="remove from the target what the backup does not have")
    group.add_argument("--no-overwrite", action="store_true", help="leave files that differ as they are")
    group.add_argument(
        "--compare", action="store_true", help="compare the content of files that are there, not only size and time"
    )
    group.add_argument(
        "--owners",
        choices=(BY_NAME, BY_NUMBER, NOBODY),
        help=f"how users and groups are found (default: {BY_NAME}; {NOBODY}: all belongs to who runs this)",
    )
    group.add_argument("--file-owner", metavar="USER", help="whom everything shall belong to")
    group.add_argument("--file-group", metavar="GROUP", help="which group everything shall belong to")


def check_file_options(options: argparse.Namespace) -> None:
    """Raise :class:`~.._repository.errors.InputError` for options without ``--target`` that need it."""
    for name in _ONLY_TARGET:
        if getattr(options, name) and not options.target:
            raise InputError(f"--{name.replace('_', '-')} is for --target.", "Add --target DIR, or leave it out.")


def restore_to_directory(reader: PartReader, target: str, options: argparse.Namespace) -> dict[str, t.Any]:
    """Restore a part that holds files into a directory; return what was done, for JSON."""
    result = restore_tree(
        reader,
        target,
        paths=options.path,
        delete=options.delete,
        overwrite=not options.no_overwrite,
        verify=options.compare,
        owners=options.owners or BY_NAME,
        owner=options.file_owner,
        group=options.file_group,
        dry_run=options.dry_run,
    )
    return _told(result)


def _told(result: RestoreResult) -> dict[str, t.Any]:
    return {
        "path": result.target,
        "written": result.written,
        "updated": result.updated,
        "unchanged": result.unchanged,
        "deleted": result.deleted,
        "bytes": result.size,
        "warnings": list(result.warnings),
    }


def directory_line(told: t.Mapping[str, t.Any]) -> str:
    """Say in one line what was restored to a directory."""
    counts = ", ".join(f"{told[name]} {name}" for name in ("written", "updated", "unchanged", "deleted") if told[name])
    return f"in {told['path']}: {counts or 'nothing to do'}, {size(told['bytes'])}"


def restore_content(reader: PartReader, path: str | None, output: str, *, replace: bool) -> dict[str, t.Any]:
    """Write the content of a single file of a part to a file or standard output; return what was written, for JSON.

    :arg path: the file; may be left out for a part that is a single file.
    """
    entry = _only_file(reader, path)
    reader.progress.begin(f"restore {show(entry.path)}", entry.size)
    with open_output(output, replace=replace) as file:
        for piece in read_content(reader, entry):
            file.write(piece)
            reader.progress.add(done=len(piece))
    return {"path": show(entry.path), "file": output, "bytes": entry.size}


def _only_file(reader: PartReader, path: str | None) -> Entry:
    if path is None and reader.record["kind"] != SINGLE_FILE:
        raise InputError(f"The part {reader.part} holds many files.", "Name one with --path, or give --target DIR.")
    selection = Selection([] if path is None else [path])
    found = list(islice((entry for entry in read_entries(reader) if selection.matches(entry.path)), 2))
    if len(found) != 1 or found[0].type != FILE:
        what = "not a single file" if found else "not"
        raise InputError(
            f"{path!r} is {what} in {reader.part} of {reader.backup_id}.",
            "Look with `continuity files`; name one file, by its first name if it has several.",
        )
    return found[0]
