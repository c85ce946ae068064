# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be read off a run document: times, lengths, titles, and what became of the run. Seconds everywhere."""

from __future__ import annotations

import re
import typing as t

from ..._status.text import duration, epoch

Document = t.Mapping[str, t.Any]

PASSED, FAILED, ABORTED, UNFINISHED = "passed", "failed", "aborted", "unfinished"
DRILL = "drill"

_MODES = {"drill": "Disaster-recovery drill", "failover": "Failover", "failback": "Failback"}
_PHASES = {
    "declare": "Declare the interruption",
    "preflight": "Preflight checks",
    "activate_site": "Activate the site",
    "choose_backup": "Choose the backup",
    "restore_database": "Restore the databases",
    "recovery_point": "Measure the recovery point",
    "restore_files": "Restore files and objects",
    "start_services": "Start the services",
    "switch_traffic": "Switch the traffic",
    "functional_tests": "Functional tests",
    "recovery_time": "Measure the recovery time",
    "report": "Report",
    "clean_up": "Clean up",
    "commit": "Commit",
}
_OBJECTIVES = {"rto": "Recovery time", "rpo": "Recovery point"}


def mode_title(run: Document) -> str:
    """Name the kind of run, for headings."""
    return _MODES[run["mode"]]


def mode_word(run: Document) -> str:
    """Name the kind of run within a sentence."""
    return str(run["mode"])


def phase_title(phase: Document) -> str:
    """Return the title of a phase, or make one from its name."""
    name = str(phase["name"])
    return str(phase.get("title") or _PHASES.get(name) or name.replace("_", " ").capitalize())


def objective_title(name: str) -> str:
    """Name an objective as ``Recovery time (RTO)``."""
    return f"{_OBJECTIVES[name]} ({name.upper()})"


def moment(holder: Document, name: str) -> float | None:
    """Return a moment in seconds since the epoch; None when it is not known."""
    text = holder.get(name)
    return epoch(text) if text else None


def phase_span(phase: Document) -> tuple[float | None, float | None]:
    """Return when the first attempt at a phase began and when the last one ended."""
    attempts = phase.get("attempts") or ()
    return (moment(attempts[0], "started"), moment(attempts[-1], "finished")) if attempts else (None, None)


def phase_seconds(phase: Document) -> float | None:
    """Return how long a phase took, from the first attempt to the end of the last, waiting between them included."""
    began, ended = phase_span(phase)
    return None if began is None or ended is None else ended - began


def phase_failure(phase: Document) -> tuple[str, str]:
    """Return reason and next step of the last attempt that tells any."""
    for attempt in reversed(phase.get("attempts") or ()):
        if attempt.get("reason") or attempt.get("next_step"):
            return attempt.get("reason", ""), attempt.get("next_step", "")
    return "", ""


def interruption(run: Document) -> float:
    """Return when the (simulated) loss was declared, from which RTO and RPO count."""
    declared = moment(run, "interruption")
    return declared if declared is not None else epoch(run["started"])


def elapsed(run: Document) -> float:
    """Return how much later than the interruption the last thing happened that is known of the run."""
    known = [moment(run, "finished"), *(end for phase in run["phases"] for end in phase_span(phase))]
    return max(0.0, *(at - interruption(run) for at in known if at is not None), 0.0)


def recovered(run: Document) -> float | None:
    """Return when all mandatory functional tests had passed; None when that is not known."""
    achieved = objective(run, "rto").get("achieved_seconds")
    return None if achieved is None else interruption(run) + float(achieved)


def objective(run: Document, name: str) -> Document:
    """Return the objective ``rto`` or ``rpo``; empty when there is none."""
    found: Document = (run.get("objectives") or {}).get(name) or {}
    return found


def objective_met(run: Document, name: str) -> bool | None:
    """Whether an objective was met; None when it was not measured. What was measured counts more than what is said.

    An RTO whose limit has passed without a recovery was missed, however long the recovery would still have taken.
    """
    found = objective(run, name)
    achieved = found.get("achieved_seconds")
    if achieved is None:
        late = name == "rto" and "target_seconds" in found and elapsed(run) > found["target_seconds"]
        return False if late or found.get("met") is False else None
    if "target_seconds" not in found:
        return False if found.get("met") is False else None
    return bool(achieved <= found["target_seconds"] and found.get("met") is not False)


def finding_case(found: Document) -> str:
    """Return what a finding is known by in all reports: its id, or its title where the journal only numbers it."""
    return str(found["title"] if re.fullmatch(r"F[0-9]+", found["id"]) else found["id"])


def check_key(check: Document) -> str:
    """Return what a check is known by in all drills of a site: two services can have a check of the same name."""
    service = check.get("service")
    return f"{service}/{check['name']}" if service else str(check["name"])


def failed_checks(run: Document, place: str = "checks") -> list[Document]:
    """Return the mandatory checks that did not pass; one that was skipped did not."""
    return [check for check in run.get(place, ()) if check["mandatory"] and check["status"] != PASSED]


def contradictions(run: Document) -> list[str]:
    """Return what speaks against a run that calls itself passed. A green result over missing proof is no result."""
    if run["state"] != PASSED:
        return []
    found = [f"the phase {phase['name']} is {phase['status']}" for phase in run["phases"] if phase["status"] == FAILED]
    found += [f"the mandatory check {check_key(check)} {_became(check)}" for check in failed_checks(run)]
    found += [f"the isolation check {check_key(check)} {_became(check)}" for check in failed_checks(run, "isolation")]
    if not any(check["mandatory"] for check in run.get("checks", ())):
        found.append("no mandatory check was made")
    for name in ("rto", "rpo"):
        met = objective_met(run, name)
        if met is not True:
            found.append(f"the {name.upper()} was {'missed' if met is False else 'not measured'}")
    return found + (_cleanup_faults(run) if run["mode"] == DRILL else [])


def _cleanup_faults(run: Document) -> list[str]:
    cleanup = run.get("cleanup") or {}
    done = any(phase["name"] == "clean_up" and phase["status"] == "done" for phase in run["phases"])
    if cleanup.get("status") == FAILED or cleanup.get("left"):
        return ["the clean-up failed" if cleanup.get("status") == FAILED else "the clean-up left something"]
    return [] if done or cleanup.get("status") else ["nothing says that the clean-up was done"]


def _became(check: Document) -> str:
    return "was skipped" if check["status"] == "skipped" else "failed"


def result(run: Document) -> str:
    """Return what became of the run: :data:`PASSED`, :data:`FAILED`, :data:`ABORTED` or :data:`UNFINISHED`."""
    if run["state"] == "running":
        return UNFINISHED
    return FAILED if contradictions(run) else str(run["state"])


def plan_hash(run: Document) -> str:
    """Return the SHA-256 of the plan; "" when there is none."""
    return str((run.get("plan") or {}).get("sha256", ""))


def plan_report(run: Document) -> Document:
    """Return what the plan says about reports: ``owner``."""
    found = ((run.get("plan") or {}).get("document") or {}).get("report")
    return found if isinstance(found, dict) else {}


def signed_duration(seconds: float) -> str:
    """Write a length of time that may be negative."""
    return f"-{duration(-seconds)}" if seconds < 0 else duration(seconds)
