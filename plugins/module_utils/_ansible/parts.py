# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules that write one part of a backup have in common."""

from __future__ import annotations

import socket
import typing as t
from dataclasses import asdict, dataclass, replace

from .._command.spooled import SpooledPart, spooled_part
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

    ``findings`` goes into the module's result as it is. ``spooled`` tells that it is not in the store yet.
    """

    record: Record
    degraded: bool = False
    reason: str = ""
    next_step: str = ""
    findings: t.Mapping[str, t.Any] | None = None
    spooled: SpooledPart | None = None

    def outcome(self) -> Result:
        """Return what ``backup_summary`` takes. A part that is not in the store is never a success."""
        status = PARTIAL if self.degraded else SUCCESS
        record, waits = self.record, self.spooled
        if waits is None:
            return outcome_of(record["part"], record["host"], record["kind"], status, self.reason, self.next_step)
        reason = " ".join(text for text in (self.reason, waits.reason) if text)
        outcome = outcome_of(record["part"], record["host"], record["kind"], PARTIAL, reason, waits.next_step)
        apart = {"part_status": status, "part_reason": self.reason, "part_next_step": self.next_step}
        return {**outcome, "spooled": {**asdict(waits), **apart}}


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
        with open_repository(params["repository"], spooling=True) as repository:
            if work.check_mode:
                repository.signing_identity()
                check()
                return {"changed": True, "backup_id": params["backup_id"], "part": params["part"], "kind": kind}
            repository.deliver_waiting(work.progress)
            with repository.write_part(params["backup_id"], params["part"], kind=kind, progress=work.progress) as part:
                written = back_up(part)
            written = replace(written, spooled=spooled_part(repository, params["backup_id"], params["part"]))
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
    tell_spooled(work, written)
    findings = {} if written.findings is None else {"findings": dict(written.findings)}
    return {"changed": True, **describe_record(record), **findings, "outcome": written.outcome()}


def tell_spooled(work: Work, written: Written) -> None:
    """Warn that a part is not in the store, and keep its step from being logged as a success."""
    if written.spooled:
        work.outcome.reason, work.outcome.next_step = written.spooled.reason, written.spooled.next_step
        work.warn([f"{written.record['part']}: {written.spooled.reason}"])


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
