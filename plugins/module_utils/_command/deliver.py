# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity deliver``: send what waits in this machine's spool, without waiting for the next backup."""

from __future__ import annotations

import argparse
import typing as t

from .._repository.deferred import close_deferred, left_open
from .._repository.errors import InputError
from .._repository.repository import Repository
from .._repository.stores.spool import SpoolingStore
from .._status.text import duration, size
from . import exit_codes
from .arguments import Subparsers, add_command, add_repository
from .console import Console
from .opening import open_named


def add(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "deliver",
        "send what waits in the spool to the store",
        """
        Send what a backup could not deliver because the store was away, in the order in which it was written, and
        close the backups that were left open because of it. Can be interrupted and repeated at any time; the next
        backup does the same. With --dry-run it only tells what waits.

        The repository must have a spool in the configuration file. Exit code 1: nothing more waits here, but backups
        stay open because parts of them wait on other machines; with --dry-run: something waits.
        """,
        """
        continuity deliver --dry-run
        continuity deliver
        """,
    )
    parser.add_argument("--dry-run", action="store_true", help="only tell what waits")
    add_repository(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Deliver, close, and tell."""
    with open_named(options, None, spooling=True) as repository:
        spool = repository.spool
        if spool is None:
            raise InputError(
                "The repository has no spool here, so nothing waits.",
                "Add spool with path and limit to the configuration file; see docs/stores.md.",
            )
        before = spool.spooled
        closed = [] if options.dry_run else _deliver(repository, spool, console)
        waiting, still_open = spool.spooled, left_open(repository)
    document = {
        "path": spool.path,
        "delivered": {"objects": before.objects - waiting.objects, "bytes": before.bytes - waiting.bytes},
        "waiting": {"objects": waiting.objects, "bytes": waiting.bytes, "age_seconds": round(waiting.age)},
        "closed": [{"backup": one["backup"], "status": one["status"]} for one in closed],
        "left_open": still_open,
    }
    console.result("deliver", document, _lines(document))
    return exit_codes.PROBLEMS if waiting.objects or still_open else exit_codes.OK


def _deliver(repository: Repository, spool: SpoolingStore, console: Console) -> list[dict[str, t.Any]]:
    with console.watch() as progress:
        progress.begin("delivering the spool")
        spool.deliver(lambda count: progress.add(stored=count))
    return close_deferred(repository)


def _lines(document: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    delivered, waiting = document["delivered"], document["waiting"]
    yield f"spool      {document['path']}"
    yield f"delivered  {delivered['objects']} objects, {size(delivered['bytes'])}"
    age = f", the oldest for {duration(waiting['age_seconds'])}" if waiting["objects"] else ""
    yield f"waiting    {waiting['objects']} objects, {size(waiting['bytes'])}{age}"
    for one in document["closed"]:
        yield f"closed     {one['backup']}, {one['status']}"
    for backup_id in document["left_open"]:
        yield f"open       {backup_id}: parts of it wait in a spool"
