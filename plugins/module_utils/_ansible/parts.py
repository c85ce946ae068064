# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules that write one part of a backup have in common."""

from __future__ import annotations

import socket
import typing as t
from dataclasses import dataclass

from .._repository.errors import ContinuityError
from .._repository.part_writer import PartWriter
from .._repository.repository import open_repository
from .._repository.summary import FAILURE, PARTIAL, SUCCESS
from .._status.log import Step
from .._status.text import epoch
from .running import FailureWithResultError, Result, Work

Record = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Written:
    """A part that was written. ``degraded``: it exists but lacks something, which ``reason`` names.

    ``findings`` goes into the module's result as it is.
    """

    record: Record
    degraded: bool = False
    reason: str = ""
    next_step: str = ""
    findings: t.Mapping[str, t.Any] | None = None

    def outcome(self) -> Result:
        """Return what ``backup_summary`` takes."""
        status = PARTIAL if self.degraded else SUCCESS
        return outcome_of(
            self.record["part"], self.record["host"], self.record["kind"], status, self.reason, self.next_step
        )


def outcome_of(name: str, host: str, kind: str, status: str, reason: str, next_step: str) -> Result:
    """Return what became of a part, in the form that ``backup_summary`` takes."""
    return {"name": name, "host": host, "kind": kind, "status": status, "reason": reason, "next_step": next_step}


def part_step(action: str, params: t.Mapping[str, t.Any], path: str = "") -> Step:
    """Return what the log calls the writing of a part."""
    return Step(action, params["backup_set"] or "", params["backup_id"], params["part"], path)


def host_name(params: t.Mapping[str, t.Any]) -> str:
    """Return the name under which this host writes."""
    return str(params["repository"].get("host") or socket.gethostname())


def write_part(
    work: Work, kind: str, check: t.Callable[[], object], back_up: t.Callable[[PartWriter], Written]
) -> Result:
    """Write the part that the module's parameters name, and return the module's result.

    :arg check: looks whether the source can be read; that, and opening the repository, is all there is in check mode.
    :arg back_up: writes and finishes the part.

    A failure also carries ``outcome``, in the form that ``backup_summary`` takes.
    """
    params = work.params
    try:
        with open_repository(params["repository"]) as repository:
            if work.check_mode:
                repository.signing_identity()
                check()
                return {"changed": True, "backup_id": params["backup_id"], "part": params["part"], "kind": kind}
            with repository.write_part(params["backup_id"], params["part"], kind=kind, progress=work.progress) as part:
                written = back_up(part)
            work.outcome.path = repository.store.location
    except ContinuityError as error:
        outcome = outcome_of(params["part"], host_name(params), kind, FAILURE, error.message, error.next_step)
        raise FailureWithResultError(error, {"outcome": outcome}) from error
    return result_of(work, written)


def result_of(work: Work, written: Written) -> Result:
    """Log a part that was written, warn of what it warns of, and return what modules return of it."""
    record = written.record
    work.outcome.size, work.outcome.stored = record["bytes"]["source"], record["bytes"]["stored"]
    work.warn(record["warnings"])
    findings = {} if written.findings is None else {"findings": dict(written.findings)}
    return {"changed": True, **describe_record(record), **findings, "outcome": written.outcome()}


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
