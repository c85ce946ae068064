# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules that write one part of a backup have in common."""

from __future__ import annotations

import socket
import typing as t

from .._repository.errors import ContinuityError
from .._repository.part_writer import PartWriter
from .._repository.repository import Repository, open_repository
from .._repository.summary import FAILURE, PARTIAL, SUCCESS
from .._status.log import Step
from .._status.text import epoch
from .running import FailureWithResultError, Result, Work

Record = t.Mapping[str, t.Any]


def part_step(action: str, params: t.Mapping[str, t.Any], path: str = "") -> Step:
    """Return what the log calls the writing of a part."""
    return Step(action, params["backup_set"] or "", params["backup_id"], params["part"], path)


def write_part(
    work: Work, kind: str, check: t.Callable[[Repository], object], back_up: t.Callable[[PartWriter], Record]
) -> Result:
    """Write the part that the module's parameters name, and return the module's result.

    :arg check: looks whether the work could be done; that is all there is in check mode.
    :arg back_up: writes and finishes the part, and returns its record.

    A failure also carries ``outcome``, in the form that ``backup_summary`` takes.
    """
    params = work.params
    try:
        with open_repository(params["repository"]) as repository:
            host = repository.host
            if work.check_mode:
                check(repository)
                return {"changed": True, "backup_id": params["backup_id"], "part": params["part"], "kind": kind}
            with repository.write_part(params["backup_id"], params["part"], kind=kind, progress=work.progress) as part:
                record = back_up(part)
            work.outcome.path = repository.store.location
    except ContinuityError as error:
        name = params["repository"].get("host") or socket.gethostname()
        outcome = {"name": params["part"], "host": name, "kind": kind, "status": FAILURE}
        outcome.update(reason=error.message, next_step=error.next_step)
        raise FailureWithResultError(error, {"outcome": outcome}) from error
    work.outcome.size, work.outcome.stored = record["bytes"]["source"], record["bytes"]["stored"]
    work.warn(record["warnings"])
    return {"changed": True, **describe_record(record), "outcome": _outcome(record, host)}


def describe_record(record: Record) -> Result:
    """Return the facts of a part as modules return them; sizes in bytes."""
    return {
        "backup_id": record["backup"],
        "part": record["part"],
        "kind": record["kind"],
        "started": record["started"],
        "finished": record["finished"],
        "duration_seconds": epoch(record["finished"]) - epoch(record["started"]),
        "size": record["bytes"]["source"],
        "new": record["bytes"]["new"],
        "stored": record["bytes"]["stored"],
        "facts": record["facts"],
    }


def _outcome(record: Record, host: str) -> Result:
    lacking = str(record["facts"].get("incomplete") or "")
    return {
        "name": record["part"],
        "host": host,
        "kind": record["kind"],
        "status": PARTIAL if lacking else SUCCESS,
        "reason": lacking,
        "next_step": "",
    }
