# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity list``: which backups there are, how old they are, and which is the latest valid one."""

from __future__ import annotations

import argparse
import calendar
import time
import typing as t

from .._repository.repository import Repository
from .._repository.summary import Chain, Summary, read_chain
from .._status.text import duration, size, utc
from . import exit_codes
from .arguments import Subparsers, add_command, add_recovery_key, add_repository
from .console import Console, table
from .opening import open_named
from .passphrases import read_recovery_key
from .selection import Latest, latest_valid

UNFINISHED, BROKEN = "unfinished", "broken"


def add(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "list",
        "which backups there are, and which is the latest valid one",
        """
        List the backups of the repository, newest last. Signatures and the chain of summaries are checked, and the
        newest backup of which nothing is missing is marked with *.

        "unfinished" are backups that are being made, or whose run ended before they were closed. "broken" are
        backups that must not be believed; the reason is told.

        Exit code 1: backups newer than the latest valid one are not whole, a backup is broken, or summaries are
        missing from the chain.
        """,
        """
        continuity list
        continuity list --json | jq -r .latest_valid
        continuity list --repository /mnt/backup --trust 5f0c2b... --recovery-key recovery.pem
        """,
    )
    add_repository(parser)
    add_recovery_key(parser, "opens the repository where there is no identity")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """List the backups."""
    with (
        open_named(options, read_recovery_key(options)) as repository,
        console.watch() as progress,
    ):
        progress.begin("reading summaries")
        chain = read_chain(repository)
        progress.begin("looking for the latest valid backup")
        document = describe(repository, chain, latest_valid(repository, chain), time.time())
    console.result("list", document, _lines(document))
    return exit_codes.PROBLEMS if document["problems"] else exit_codes.OK


def describe(repository: Repository, chain: Chain, latest: Latest, now: float) -> dict[str, t.Any]:
    """Return the JSON result: backups oldest first, problems, the latest valid id or None."""
    backups = [describe_backup(summary, now) for summary in chain.summaries]
    for backup in backups:
        backup["problem"] = " ".join(latest.problems.get(backup["id"], ()))
    backups += [_nameless(backup_id, UNFINISHED, "", now) for backup_id in chain.unfinished]
    backups += [_nameless(backup_id, BROKEN, error.message, now) for backup_id, error in chain.broken.items()]
    problems = [(backup_id, problem) for backup_id, found in latest.problems.items() for problem in found]
    problems += [(backup_id, error.message) for backup_id, error in chain.broken.items()]
    return {
        "repository": {"id": repository.repository_id, "location": repository.store.location},
        "latest_valid": latest.valid.backup_id if latest.valid else None,
        "backups": sorted(backups, key=lambda backup: str(backup["id"])),
        "problems": [*(f"{name}: {problem}" for name, problem in sorted(problems)), *chain.findings],
    }


def describe_backup(summary: Summary, now: float) -> dict[str, t.Any]:
    """Return what a summary tells of its backup, for JSON."""
    parts = [_part(part) for part in summary.document["parts"]]
    return {
        "id": summary.backup_id,
        "status": summary.status,
        "started": summary.document["started"],
        "finished": summary.document["finished"],
        "age_seconds": age(summary.document["started"], now),
        "signer": summary.signer.name,
        "source_bytes": sum(part["source_bytes"] for part in parts),
        "stored_bytes": sum(part["stored_bytes"] for part in parts),
        "parts": parts,
        "problem": "",
    }


def _part(part: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    counts = part.get("bytes") or {}
    return {
        "part": part["part"],
        "host": part["host"],
        "kind": part["kind"],
        "status": part["status"],
        "reason": part["reason"],
        "next_step": part["next_step"],
        "warnings": list(part.get("warnings") or ()),
        "source_bytes": counts.get("source", 0),
        "stored_bytes": counts.get("stored", 0),
    }


def _nameless(backup_id: str, status: str, problem: str, now: float) -> dict[str, t.Any]:
    """Describe a backup that has no believable summary: its id tells when it began, and nothing else is known."""
    started = _started(backup_id)
    return {
        "id": backup_id,
        "status": status,
        "started": started,
        "finished": None,
        "age_seconds": age(started, now) if started else None,
        "signer": None,
        "source_bytes": None,
        "stored_bytes": None,
        "parts": [],
        "problem": problem,
    }


def _started(backup_id: str) -> str | None:
    try:
        return utc(calendar.timegm(time.strptime(backup_id[:16], "%Y%m%dT%H%M%SZ")))
    except ValueError:
        return None


def age(moment: str, now: float) -> int:
    """Return the seconds since a moment in RFC 3339 form."""
    return int(now - calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")))


def _lines(document: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    backups = document["backups"]
    if not backups:
        yield f"There is no backup in {document['repository']['location']}."
        return
    yield from table(
        ("  backup", "started (UTC)", "age", "status", "data", "stored", "parts"),
        [_row(backup, document["latest_valid"]) for backup in backups],
        right=(2, 4, 5, 6),
    )
    yield ""
    valid = document["latest_valid"]
    yield f"* latest valid backup: {valid}" if valid else "There is no valid backup: see `continuity verify all`."
    for problem in document["problems"]:
        yield f"problem: {problem}"


def _row(backup: t.Mapping[str, t.Any], valid: str | None) -> list[str]:
    known = backup["source_bytes"] is not None
    return [
        ("* " if backup["id"] == valid else "  ") + backup["id"],
        (backup["started"] or "?").replace("T", " ").rstrip("Z"),
        "?" if backup["age_seconds"] is None else duration(backup["age_seconds"]),
        backup["status"],
        size(backup["source_bytes"]) if known else "",
        size(backup["stored_bytes"]) if known else "",
        str(len(backup["parts"])) if known else "",
    ]
