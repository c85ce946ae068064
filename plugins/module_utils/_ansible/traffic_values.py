# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reasoning of the role ``traffic``: checks records, decides, keeps old values, and tells what came of it."""

from __future__ import annotations

import typing as t

from .._drill.dns_client import DnsError, RecordChangedError
from .._drill.traffic import (
    SWITCHED,
    UNDONE,
    Kept,
    Step,
    decide,
    entry,
    keep_old,
    note_switched,
    read_current,
    seen_again,
    ttl_finding,
)
from .._drill.traffic_records import Guard, check_records
from .._repository.errors import ContinuityError, InputError
from .running import FailureWithResultError, Result, Work


def traffic_values(work: Work) -> Result:
    """Do what the module ``traffic_values`` promises."""
    steps: dict[str, t.Callable[[Work], Result]] = {"check": _check, "keep": _keep, "finish": _finish}
    return steps[work.params["step"]](work)


def _check(work: Work) -> Result:
    params = work.params
    # What a drill must not switch, it may look at and bring back.
    guarded = params["drill"] and params["state"] == SWITCHED
    guard = Guard(guarded, tuple(params["drill_names"]), params["site"], params["confirmation"])
    return {"changed": False, "records": check_records(params["records"], params["credentials"], guard)}


def _keep(work: Work) -> Result:
    params = work.params
    kept = Kept(params["folder"])
    steps = _decide(work, kept)
    for step in steps:
        if step.keep and not work.check_mode:
            keep_old(step, kept)
    findings = [finding for step in steps if (finding := ttl_finding(step, params["ttl_limit"]))]
    return {
        "changed": any(step.keep for step in steps),
        "steps": [step.to_json() for step in steps],
        "findings": findings,
    }


def _decide(work: Work, kept: Kept) -> list[Step]:
    """Decide on every record before anything is changed; all refusals are told at once."""
    steps, refused = [], list[ContinuityError]()
    for record in work.params["records"]:
        current = read_current(record, work.params["current"][record["id"]])
        try:
            steps.append(decide(record, current, kept.read(record["id"]), work.params["state"]))
        except (InputError, RecordChangedError) as error:
            refused.append(error)
    if refused:
        raise type(refused[0])(
            " ".join([*(error.message for error in refused), "Nothing was changed."]), refused[0].next_step
        )
    return steps


def _finish(work: Work) -> Result:
    """Judge the evidence; an old value is forgotten only when it is proved to be in force again."""
    params = work.params
    kept = Kept(params["folder"])
    undo = params["state"] == UNDONE
    entries, failed = [], []
    for step in params["steps"]:
        identity = step["record"]["id"]
        evidence = list(params["evidence"].get(identity) or [])
        if identity in params["current"]:
            evidence.insert(0, seen_again(step, params["current"][identity]))
        whole = bool(evidence) and all(one["ok"] for one in evidence)
        entries.append(entry(step, evidence, undone=undo and whole))
        if not whole:
            failed += [one for one in evidence if not one["ok"]] or [_no_evidence(step)]
        elif undo and not work.check_mode:
            kept.remove(identity)
        elif params["state"] == SWITCHED and not work.check_mode:
            note_switched(identity, kept)
    result: Result = {"changed": False, "traffic": entries}
    if failed:
        raise FailureWithResultError(_not_verified(failed, params["state"]), result)
    return result


def _no_evidence(step: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {"reason": f"{step['record']['record']} was not verified.", "next_step": "Run this again."}


def _not_verified(failed: t.Sequence[t.Mapping[str, t.Any]], state: str) -> DnsError:
    again = {
        SWITCHED: "Then run this again, or bring the old values back with traffic_state: undone.",
        UNDONE: "Then run this again: the old values are still kept.",
    }.get(state, "Then run this again.")
    reasons = " ".join(dict.fromkeys(one["reason"] for one in failed))
    return DnsError(reasons, f"{failed[0]['next_step']} {again}")
