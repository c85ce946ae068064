# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Closes a backup: signed summary, status file, metrics, log, and whether people must be told."""

from __future__ import annotations

import time
import typing as t

from .._repository.deferred import Closing, close_or_defer
from .._repository.encoding import check_backup_id
from .._repository.errors import ContinuityError
from .._repository.repository import open_repository
from .._repository.summary import FAILURE, PARTIAL, PartOutcome
from .._status.notice import backup_notice
from .._status.status_file import PartResult, RunResult, Status, check_name, record_run
from .._status.text import epoch
from .running import FailureWithResultError, Result, Work
from .telling import tell

Document = t.Mapping[str, t.Any]


def backup_summary(work: Work) -> Result:
    """Do what the module ``backup_summary`` promises."""
    params = work.params
    name, backup_id = check_name(params["backup_set"]), check_backup_id(params["backup_id"])
    outcomes = [_outcome(part) for part in params["parts"]]
    try:
        closing = None if work.check_mode else _close(work, backup_id, outcomes)
        failure = None
    except ContinuityError as error:
        closing, failure = None, error
    run = _run(work, backup_id, closing, outcomes, failure)
    work.outcome.size = sum(part.size or 0 for part in run.parts)
    work.outcome.stored = sum(part.stored or 0 for part in run.parts)

    def follow(previous: Status | None, set_name: str) -> Status:
        return record_run(previous, set_name, run)

    result: Result = {
        "changed": True,
        "backup_id": backup_id,
        "status": run.status,
        "closed": bool(closing and not closing.reason),
        "closed_before": [one["backup"] for one in closing.closed] if closing else [],
        "started": _started(backup_id),
        "parts": [_part(part) for part in run.parts],
        "size": work.outcome.size,
        "stored": work.outcome.stored,
        "spooled": run.spooled,
        **tell(work, name, follow, backup_notice),
    }
    if failure:
        raise FailureWithResultError(failure, result) from failure
    # A backup that is not whole is a failed step of the log, and no failed task: the module has done its work.
    reasons = [run.reason, *(f"{part.name}: {part.reason}" for part in run.parts if part.reason)]
    work.outcome.reason = "; ".join(reason for reason in reasons if reason)
    return result


def _close(work: Work, backup_id: str, outcomes: t.Sequence[PartOutcome]) -> Closing:
    with open_repository(work.params["repository"], spooling=True) as repository:
        work.outcome.path = repository.store.location
        # Where this machine is the backed-up host too, the store may have come back since its parts were written.
        repository.deliver_waiting(work.progress)
        return close_or_defer(repository, backup_id, outcomes)


def _outcome(part: Document) -> PartOutcome:
    spooled = part["spooled"]
    if spooled:
        # What the part is apart from that it waits.
        apart = {key: spooled[f"part_{key}"] for key in ("status", "reason", "next_step")}
        waits = {"spooled": spooled["reason"], "deliver_step": spooled["next_step"], "spooled_bytes": spooled["bytes"]}
    else:
        apart, waits = dict(part), {}
    return PartOutcome(
        name=part["name"],
        host=part["host"],
        kind=part["kind"] or "",
        failed=part["status"] == FAILURE,
        degraded=apart["status"] == PARTIAL,
        reason=apart["reason"] or "",
        next_step=apart["next_step"] or "",
        **waits,
    )


def _run(
    work: Work,
    backup_id: str,
    closing: Closing | None,
    outcomes: t.Sequence[PartOutcome],
    failure: ContinuityError | None,
) -> RunResult:
    """Tell of the run as the summary does, or, when there is none, as the hosts did."""
    summary = closing.document if closing else None
    parts = [_from_summary(part) for part in summary["parts"]] if summary else [_from_host(part) for part in outcomes]
    return RunResult(
        backup_id=backup_id,
        started=epoch(_started(backup_id)),
        finished=epoch(summary["finished"]) if summary else time.time(),
        location=work.params["repository"]["location"],
        parts=parts,
        reason=failure.message if failure else closing.reason if closing else "",
        next_step=failure.next_step if failure else closing.next_step if closing else "",
    )


def _started(backup_id: str) -> str:
    """The moment in a backup id, in the usual form."""
    date, clock = backup_id[:8], backup_id[9:15]
    return f"{date[:4]}-{date[4:6]}-{date[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}Z"


def _from_summary(part: Document) -> PartResult:
    made = "bytes" in part
    return PartResult(
        name=part["part"],
        status=part["status"],
        host=part["host"],
        kind=part["kind"],
        started=epoch(part["started"]) if made else None,
        seconds=epoch(part["finished"]) - epoch(part["started"]) if made else None,
        size=part["bytes"]["source"] if made else None,
        stored=part["bytes"]["stored"] if made else None,
        reason=part.get("reason") or "",
        next_step=part.get("next_step") or "",
        warnings=tuple(part.get("warnings", ())),
        spooled=part.get("spooled_bytes", 0),
    )


def _from_host(outcome: PartOutcome) -> PartResult:
    status = FAILURE if outcome.failed else PARTIAL if outcome.degraded or outcome.spooled else "success"
    return PartResult(
        outcome.name,
        status,
        outcome.host,
        outcome.kind,
        reason=f"{outcome.reason} {outcome.spooled}".strip(),
        next_step=outcome.deliver_step or outcome.next_step,
        spooled=outcome.spooled_bytes,
    )


def _part(part: PartResult) -> Result:
    return {
        "name": part.name,
        "host": part.host,
        "kind": part.kind,
        "status": part.status,
        "duration_seconds": part.seconds,
        "size": part.size,
        "stored": part.stored,
        "spooled": part.spooled,
        "reason": part.reason,
        "next_step": part.next_step,
        "warnings": list(part.warnings),
    }
