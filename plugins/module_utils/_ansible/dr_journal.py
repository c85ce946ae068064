# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of drills and failovers, for playbooks."""

from __future__ import annotations

import os
import pwd
import typing as t

from .._drill.fault import PlanError
from .._drill.journal import Beginning, Journal, Outcome
from .._drill.plan import Plan, read_plan
from .._drill.run_document import DONE, FAILED, KEYS, MAPPINGS, SKIPPED, Run
from .._drill.worker import this_worker
from .._repository.errors import InputError
from .._status.text import moment, utc
from .dr_plan import plan_failure
from .running import Result, Work

ACTIONS = ("begin", "resume", "phase", "note", "abort", "finish", "read")
STEPS = ("begin", "end", "fail", "skip")
_ENDS = {"end": DONE, "fail": FAILED, "skip": SKIPPED}
#: Options that hold what is noted, under the names of the run document.
NOTED = (*KEYS, *MAPPINGS, "interruption")


def dr_journal(work: Work) -> Result:
    """Do what the module ``dr_journal`` promises."""
    params = work.params
    journal = Journal(params["state_dir"], dry_run=work.check_mode)
    runs: list[Run] = []
    if params["action"] == "begin":
        outcome = _begin(journal, params)
    elif params["action"] == "read":
        outcome, runs = _read(journal, params)
    else:
        outcome = _do(journal, params, _run_id(journal, params))
    run = outcome.run
    return {
        "changed": outcome.changed,
        "run_id": run.document["id"],
        "state": run.state,
        "needed": outcome.go,
        "shortcomings": run.shortcomings(),
        "document": run.to_json(),
        **({"runs": [_summary(one) for one in reversed(runs)]} if params["action"] == "read" else {}),
    }


def _begin(journal: Journal, params: t.Mapping[str, t.Any]) -> Outcome:
    plan = _plan(params)
    if plan is None or not params["mode"]:
        raise InputError("A run needs a plan and a mode to begin.", "Give plan and mode.")
    return journal.begin(
        Beginning(
            mode=params["mode"],
            plan=plan,
            started_by=params["started_by"] or _user(),
            approved_by=params["approved_by"],
            scenario=params["scenario"],
            interruption=utc(moment(params["interruption"])) if params["interruption"] else None,
            worker=this_worker(params["pid"]),
        )
    )


def _do(journal: Journal, params: t.Mapping[str, t.Any], run_id: str) -> Outcome:
    action = params["action"]
    if action == "resume":
        return journal.resume(run_id, this_worker(params["pid"]), _plan(params), params["accept_changed_plan"])
    if action == "phase":
        return _phase(journal, params, run_id)
    if action == "note":
        noted = {key: params[key] for key in NOTED if params[key] is not None}
        return journal.note(run_id, noted, params["plan_check"])
    if action == "abort":
        return journal.abort(run_id, params["started_by"] or _user(), params["reason"])
    return journal.finish(run_id)


def _phase(journal: Journal, params: t.Mapping[str, t.Any], run_id: str) -> Outcome:
    phase, step = params["phase"], params["step"]
    if not phase or not step:
        raise InputError("Which phase begins or ends was not told.", "Give phase and step.")
    if step == "begin":
        return journal.begin_phase(run_id, phase)
    ended = _ENDS[step]
    return journal.end_phase(run_id, phase, ended, params["reason"], params["next_step"], params["details"])


def _read(journal: Journal, params: t.Mapping[str, t.Any]) -> tuple[Outcome, list[Run]]:
    run = journal.read(_run_id(journal, params))
    return Outcome(run, False), journal.runs(run.document["site"])


def _run_id(journal: Journal, params: t.Mapping[str, t.Any]) -> str:
    """Return the id that was given, or that of the newest run of the site."""
    if params["run_id"]:
        return str(params["run_id"])
    if params["site"]:
        return str(journal.newest(params["site"]).document["id"])
    raise InputError("Which run is meant was not told.", "Give run_id, or site for its newest run.")


def _plan(params: t.Mapping[str, t.Any]) -> Plan | None:
    if params["plan"] is None:
        return None
    try:
        return read_plan(params["plan"])
    except PlanError as error:
        raise plan_failure(error) from error


def _user() -> str:
    """Return who logged in, also behind sudo."""
    name = os.environ.get("SUDO_USER")
    if name:
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _summary(run: Run) -> Result:
    document = run.to_json()
    keys = ("id", "mode", "state", "started", "finished", "started_by", "reason", "objectives")
    return {**{key: document.get(key) for key in keys}, "plan_sha256": document["plan"]["sha256"]}
