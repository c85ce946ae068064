# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity files``: which files a part holds."""

from __future__ import annotations

# This is a command line program: printing is what it is for.
# pylint: disable=ansible-bad-function
import argparse
import json
import stat
import sys
import typing as t

from .._files.entries import DIRECTORY, FILE, LINK, SYMLINK, Entry
from .._files.findings import show
from .._files.patterns import Selection
from .._files.reading import read_entries
from .._repository.encoding import check_part_name
from .._repository.errors import InputError
from .._repository.summary import read_chain
from .._status.text import utc
from . import exit_codes
from .arguments import Subparsers, add_command, add_recovery_key, add_repository
from .console import Console
from .opening import open_named
from .passphrases import need_recovery_key
from .selection import choose_for_restore

_LETTERS = {FILE: "-", LINK: "h", DIRECTORY: "d", SYMLINK: "l", "fifo": "p", "char": "c", "block": "b"}


def add(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "files",
        "which files a part of a backup holds",
        """
        List the files of a part: permissions, owner, size in bytes, time (UTC), path. With PATH only these files, these
        directories with all below them, or what these patterns match ("*" stops at a slash, "**" does not).

        With --json every line is a JSON document of its own, since a part may hold millions of files.
        """,
        """
        continuity files latest web1.shop.addons --recovery-key recovery.pem
        continuity files latest web1.shop.addons '**/*.py' --recovery-key recovery.pem --json | jq .path
        """,
    )
    parser.add_argument("backup", metavar="BACKUP", help="a backup's id, or latest for the newest valid one")
    parser.add_argument("part", metavar="PART", help="a part that holds files")
    parser.add_argument("paths", metavar="PATH", nargs="*", help="which files (default: all)")
    add_repository(parser)
    add_recovery_key(parser, "opens the backup: names of files are data")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """List the files."""
    recovery_key = need_recovery_key(options, "A list of files")
    part = check_part_name(options.part)
    selection = Selection(options.paths)
    with open_named(options, recovery_key) as repository:
        backup_id = choose_for_restore(repository, read_chain(repository), options.backup, [part])
        with repository.open_part(backup_id, part, recovery_key) as reader:
            owners = reader.manifest.get("tree", {}).get("owners", {})
            for entry in read_entries(reader):
                if selection.matches(entry.path):
                    document = _describe(entry, owners)
                    print(json.dumps(document) if console.as_json else _line(document))
    sys.stdout.flush()
    if selection.unmatched():
        raise InputError(
            f"{', '.join(map(repr, selection.unmatched()))}: nothing of that name is in {part} of {backup_id}.",
            "Give paths from the root of the tree.",
        )
    return exit_codes.OK


def _describe(entry: Entry, owners: t.Mapping[str, t.Mapping[str, str]]) -> dict[str, t.Any]:
    """Return what is told of a file. Names that are not UTF-8 are shown with escapes."""
    return {
        "path": show(entry.path),
        "type": entry.type,
        "bytes": entry.size,
        "mode": f"{entry.mode:04o}",
        "user": owners.get("users", {}).get(str(entry.uid), str(entry.uid)),
        "group": owners.get("groups", {}).get(str(entry.gid), str(entry.gid)),
        "modified": None if entry.type == LINK else utc(entry.mtime / 1e9),
        "target": show(entry.target) if entry.target else None,
    }


def _line(document: t.Mapping[str, t.Any]) -> str:
    if document["type"] == LINK:
        return f"{'another name of':>50}  {document['path']} = {document['target']}"
    mode = _LETTERS[document["type"]] + stat.filemode(int(document["mode"], 8))[1:]
    owner = f"{document['user']}:{document['group']}"
    target = f" -> {document['target']}" if document["target"] else ""
    modified = document["modified"].replace("T", " ").rstrip("Z")
    return f"{mode}  {owner:<16} {document['bytes']:>14}  {modified}  {document['path']}{target}"
