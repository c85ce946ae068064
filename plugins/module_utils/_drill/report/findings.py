# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings: what a run shows to be wrong, what to do about it, and who is to do it.

Those that the journal wrote come first and stay as they are. An id of ours is made from what is wrong and with what, so
that the same fault has the same id in every drill, and its age can be told.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import asdict, dataclass, replace

from ..._status.text import duration, epoch, size
from .comparison import Earlier, Regression
from .measures import (
    ABORTED,
    DRILL,
    FAILED,
    PASSED,
    UNFINISHED,
    check_key,
    contradictions,
    elapsed,
    failed_checks,
    finding_case,
    mode_word,
    objective,
    objective_met,
    phase_failure,
    phase_seconds,
    phase_title,
    plan_report,
    result,
    signed_duration,
)

Document = t.Mapping[str, t.Any]

HIGH, MEDIUM, LOW = "high", "medium", "low"
_ORDER = {HIGH: 0, MEDIUM: 1, LOW: 2}
_LONGEST_PHASES = 3


@dataclass(frozen=True)
class Finding:
    """One finding. ``due`` is a date; ``first_seen`` is the run whose report had it first, when that was another."""

    id: str
    severity: str
    title: str
    detail: str = ""
    remedy: str = ""
    owner: str = ""
    due: str = ""
    phase: str = ""
    first_seen: str = ""

    def to_json(self) -> dict[str, t.Any]:
        """Return it as the run document would hold it."""
        return asdict(self)


def findings_of(
    run: Document,
    earlier: t.Sequence[Earlier],
    worse: t.Sequence[Regression],
    plan: Document,
    due_days: t.Mapping[str, int],
) -> list[Finding]:
    """Return all findings of a run, the most severe first.

    :arg due_days: days from the end of the run within which findings of a severity are to be dealt with.
    """
    names = {field for field in Finding.__dataclass_fields__ if field != "first_seen"}
    found = [Finding(**{name: given[name] for name in names & given.keys()}) for given in run.get("findings", ())]
    found += [
        *_contradicted(run),
        *_failed_phases(run),
        *_objectives(run),
        *_checks(run),
        *_isolation(run),
        *_cleanup(run),
        *_refused(run),
        *_repeated(run),
        *_plan(run, plan),
    ]
    found = _with_regressions(found, worse)
    completed = [_completed(one, run, earlier, due_days) for one in found]
    return sorted(completed, key=lambda one: _ORDER[one.severity])


def resolved(run: Document, found: t.Sequence[Finding], earlier: t.Sequence[Earlier]) -> list[dict[str, str]]:
    """Return the findings of the last report that are no more. Only a run that passed has looked everywhere."""
    if not earlier or result(run) != PASSED:
        return []
    now = {finding_case(one.to_json()) for one in found}
    last = earlier[-1]
    return [
        {"id": name, "title": title, "seen_in": last.run["id"]}
        for name, title in last.findings.items()
        if name not in now
    ]


def _completed(found: Finding, run: Document, earlier: t.Sequence[Earlier], due_days: t.Mapping[str, int]) -> Finding:
    owner = plan_report(run).get("owner")
    values = found.to_json()
    values["owner"] = found.owner or (owner if isinstance(owner, str) else "")
    if not found.due and found.severity in due_days:
        end = epoch(run.get("finished") or run["started"]) + 86400 * due_days[found.severity]
        values["due"] = time.strftime("%Y-%m-%d", time.gmtime(end))
    # Only back to the first report that lacks it: what came back is a new case.
    for one in reversed(earlier):
        if finding_case(values) not in one.findings:
            break
        values["first_seen"] = one.run["id"]
    return Finding(**values)


def _sentences(*parts: str) -> str:
    return " ".join(part.strip() for part in parts if part.strip())


def _contradicted(run: Document) -> t.Iterator[Finding]:
    against = contradictions(run)
    if against:
        yield Finding(
            "passed-without-proof",
            HIGH,
            "The run calls itself passed, and it is not",
            f"What speaks against it: {'; '.join(against)}.",
            "Count this run as failed, and correct what has written its state.",
        )


def _failed_phases(run: Document) -> t.Iterator[Finding]:
    for phase in run["phases"]:
        if phase["status"] == FAILED and not _is_told_better(run, phase):
            reason, next_step = phase_failure(phase)
            yield Finding(
                f"phase-failed:{phase['name']}",
                HIGH,
                f"{phase_title(phase)} failed",
                reason or run.get("reason", "") or "The journal does not say why.",
                next_step or run.get("next_step", "") or "Read the log of this phase, correct the cause, and resume.",
                phase=phase["name"],
            )
    if run["state"] in (FAILED, ABORTED) and run.get("reason") and not _has_failed_phase(run):
        title = f"The {mode_word(run)} {'was aborted' if run['state'] == ABORTED else 'failed'}"
        yield Finding(f"run-{run['state']}", HIGH, title, run["reason"], run.get("next_step", ""))


def _is_told_better(run: Document, phase: Document) -> bool:
    """Whether other findings tell why a phase failed: those of its checks, or that of the clean-up."""
    if phase["name"] == "functional_tests":
        return bool(failed_checks(run))
    return bool(phase["name"] == "clean_up" and _cleanup_is_incomplete(run))


def _has_failed_phase(run: Document) -> bool:
    return any(phase["status"] == FAILED for phase in run["phases"])


def _objectives(run: Document) -> t.Iterator[Finding]:
    for name, judge in (("rto", _rto_missed), ("rpo", _rpo_missed)):
        met = objective_met(run, name)
        if met is False:
            yield judge(run)
        elif met is None and result(run) not in (PASSED, UNFINISHED):
            yield Finding(
                f"{name}-unmeasured",
                MEDIUM,
                f"The {name.upper()} was not measured",
                "The run ended before it could be." if run["state"] != PASSED else "",
                "Remove what has stopped this run, and run it again.",
            )


def _rto_missed(run: Document) -> Finding:
    return Finding(
        "rto-missed",
        HIGH,
        "The RTO was missed",
        _sentences(_missed_by(run, "rto"), _longest_phases(run)),
        "Shorten the longest phases first: more bandwidth to the repository, more parallel restores, sites that are "
        "switched on already. Or agree on another objective.",
        phase="recovery_time",
    )


def _missed_by(run: Document, name: str) -> str:
    found = objective(run, name)
    achieved, target = found.get("achieved_seconds"), found.get("target_seconds", 0)
    if achieved is None:
        so_far = f" The run ended {duration(elapsed(run))} after the interruption, without a recovery."
        return f"The target is {duration(target)}.{so_far if name == 'rto' else ' What was achieved is not known.'}"
    return (
        f"Achieved {signed_duration(achieved)}, target {duration(target)}: {duration(abs(achieved - target))} too long."
        if achieved > target
        else f"Achieved {signed_duration(achieved)}, target {duration(target)}, and yet said to be missed."
    )


def _longest_phases(run: Document) -> str:
    measured = [(seconds, phase) for phase in run["phases"] if (seconds := phase_seconds(phase))]
    if not measured:
        return ""
    whole = objective(run, "rto").get("achieved_seconds") or elapsed(run) or sum(one[0] for one in measured)
    longest = sorted(measured, key=lambda one: -one[0])[:_LONGEST_PHASES]
    told = (f"{phase_title(phase)} {duration(seconds)} ({seconds / whole:.0%})" for seconds, phase in longest)
    return f"Where the time went: {', '.join(told)}."


def _rpo_missed(run: Document) -> Finding:
    target = objective(run, "rpo").get("target_seconds", 0)
    lost = sorted(
        (one for one in run.get("data_sets", ()) if one.get("rpo_seconds", 0) > target),
        key=lambda one: -one["rpo_seconds"],
    )
    told = (
        f"{one['name']} ({one.get('kind', 'data')}) {duration(one['rpo_seconds'])}, "
        f"recovery point {one.get('recovery_point', 'unknown')}"
        for one in lost
    )
    where = f"Data sets beyond the target: {'; '.join(told)}." if lost else ""
    return Finding(
        "rpo-missed",
        HIGH,
        "The RPO was missed",
        _sentences(_missed_by(run, "rpo"), where),
        "Back up more often, or see why the last backups are missing or were refused.",
        phase="recovery_point",
    )


def _checks(run: Document) -> t.Iterator[Finding]:
    for check in failed_checks(run):
        skipped = check["status"] == "skipped"
        yield _of_check(
            check,
            f"check-failed:{check_key(check)}",
            HIGH,
            f"The mandatory check {check_key(check)} {'was skipped' if skipped else 'failed'}",
            "A mandatory check that is skipped counts as failed." if skipped else "",
            "functional_tests",
        )
    for check in run.get("checks", ()):
        if check["status"] == FAILED and not check["mandatory"]:
            key = check_key(check)
            yield _of_check(check, f"check-failed:{key}", LOW, f"The check {key} failed", "", "functional_tests")


def _of_check(check: Document, name: str, severity: str, title: str, detail: str, phase: str) -> Finding:
    compared = "expected" in check and "actual" in check and check["status"] == FAILED
    values = f"Expected: {check['expected']}. Actual: {check['actual']}." if compared else ""
    return Finding(
        name,
        severity,
        title,
        _sentences(detail, check.get("reason", ""), values),
        check.get("next_step", "") or "See to the service that the check asks, then run the drill again.",
        phase=phase,
    )


def _isolation(run: Document) -> t.Iterator[Finding]:
    if run["mode"] == DRILL and result(run) == PASSED and not run.get("isolation"):
        yield Finding(
            "isolation-unchecked",
            MEDIUM,
            "Nobody checked that the drill could not touch production",
            "The run document has no isolation checks.",
            "Add them: blocked ways out, blocked mail, a canary at the primary site.",
            phase="start_services",
        )
    for check in run.get("isolation", ()):
        if check["status"] == PASSED or (check["status"] == "skipped" and not check["mandatory"]):
            continue
        key = check_key(check)
        title = (
            f"The isolation was not proved: {key} was skipped"
            if check["status"] == "skipped"
            else f"The drill was not isolated: {key} failed"
        )
        severity = HIGH if check["mandatory"] else MEDIUM
        found = _of_check(check, f"isolation-failed:{key}", severity, title, "", "start_services")
        if not check.get("next_step"):
            remedy = "Look at production for what the drill may have done there, and close the way before the next one."
            found = replace(found, remedy=remedy)
        yield found


def _cleanup_is_incomplete(run: Document) -> bool:
    cleanup = run.get("cleanup") or {}
    return bool(cleanup.get("left") or cleanup.get("status") == FAILED)


def _cleanup(run: Document) -> t.Iterator[Finding]:
    left = (run.get("cleanup") or {}).get("left") or []
    if _cleanup_is_incomplete(run):
        reasons = [phase_failure(phase)[0] for phase in run["phases"] if phase["name"] == "clean_up"]
        yield Finding(
            "clean-up-incomplete",
            MEDIUM,
            "The clean-up left something behind" if left else "The clean-up failed",
            _sentences(*reasons, f"Left: {'; '.join(left)}." if left else "What it left is not known."),
            "Remove it by hand: it holds copies of production data, and the next run may meet it.",
            phase="clean_up",
        )


def _refused(run: Document) -> t.Iterator[Finding]:
    backup = run.get("backup") or {}
    for refused in backup.get("refused", ()):
        chosen = backup.get("backup_id")
        newer = "newer " if chosen and refused["backup_id"] > chosen else ""
        instead = f"{chosen} was restored instead{_age(backup)}." if chosen else "No other was found."
        yield Finding(
            f"backup-refused:{refused['backup_id']}",
            MEDIUM,
            f"The {newer}backup {refused['backup_id']} could not be used",
            _sentences(refused.get("reason", ""), instead),
            f"Find out with `continuity verify {refused['backup_id']}`, and see to it that backups are whole again.",
            phase="choose_backup",
        )


def _age(backup: Document) -> str:
    age = backup.get("age_seconds")
    told = [f"{duration(age)} old"] if age is not None else []
    told += [size(backup["size"])] if "size" in backup else []
    return f" ({', '.join(told)})" if told else ""


def _repeated(run: Document) -> t.Iterator[Finding]:
    for phase in run["phases"]:
        attempts = phase.get("attempts") or ()
        if len(attempts) > 1:
            reasons = [
                f"Attempt {number}: {one['reason']}" for number, one in enumerate(attempts, 1) if one.get("reason")
            ]
            next_step = next((one["next_step"] for one in attempts if one.get("next_step")), "")
            yield Finding(
                f"phase-repeated:{phase['name']}",
                MEDIUM,
                f"{phase_title(phase)} needed {len(attempts)} attempts",
                " ".join(reasons),
                next_step or "Remove the cause: in an emergency nobody may be there to try again.",
                phase=phase["name"],
            )


def _with_regressions(found: t.Sequence[Finding], worse: t.Sequence[Regression]) -> list[Finding]:
    """Add what became worse: to the finding that tells the fault itself, and else as one of its own."""
    # Of two with the same id the first counts: the journal's own.
    by_id = {one.id: one for one in reversed(found)}
    by_id = {one.id: by_id[one.id] for one in found}
    for one in worse:
        faults = {
            "check": (f"check-failed:{one.subject}", f"isolation-failed:{one.subject}"),
            "rto": ("rto-missed",),
            "rpo": ("rpo-missed",),
        }.get(one.kind, ())
        fault = next((by_id[name] for name in faults if name in by_id), None)
        if fault is None:
            own = _regression(one)
            by_id.setdefault(own.id, own)
        else:
            by_id[fault.id] = replace(fault, detail=_sentences(fault.detail, _before(one)))
    return list(by_id.values())


def _before(worse: Regression) -> str:
    if worse.before is None:
        return f"It passed in {worse.since}."
    return f"In {worse.since} it was {signed_duration(worse.before)}."


def _regression(worse: Regression) -> Finding:
    remedies = {
        "phase": "See what has changed: amount of data, machines, network, store.",
        "check": "See what has changed in the service, or in what the check expects.",
        "rto": "Compare the phases in the table of earlier runs.",
        "rpo": "Compare the recovery points: see when backups run, and whether they succeed.",
    }
    now = (
        ""
        if worse.now is None
        else f"{'It took' if worse.kind == 'phase' else 'Achieved'} {signed_duration(worse.now)}."
    )
    phases = {"phase": worse.subject, "check": "functional_tests", "rto": "recovery_time", "rpo": "recovery_point"}
    return Finding(
        f"regression:{worse.kind}:{worse.subject}" if worse.kind in ("phase", "check") else f"regression:{worse.kind}",
        MEDIUM if worse.kind == "check" else LOW,
        worse.title,
        _sentences(now, _before(worse)),
        remedies[worse.kind],
        phase=phases[worse.kind],
    )


def _plan(run: Document, plan: Document) -> t.Iterator[Finding]:
    if plan["changed"] and not plan["proved"] and result(run) != UNFINISHED:
        yield Finding(
            "plan-not-proved",
            MEDIUM,
            "The plan changed since it last passed",
            plan["statement"],
            "Drill again until the plan as it is now passes.",
        )
