# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Earlier reports of the same site: what became worse, and whether the last pass still says anything about the plan."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass, field

from ..._repository.errors import ContinuityError
from .measures import (
    DRILL,
    PASSED,
    check_key,
    failed_checks,
    finding_case,
    objective,
    objective_met,
    phase_seconds,
    phase_title,
    plan_hash,
    result,
)
from .run_document import checked_run, read_json
from .text import shown

Document = t.Mapping[str, t.Any]

REPORT_SCHEMA = "dfr.continuity/report/1"
REPORT_FILE = "report.json"

#: A phase, or an objective, is worse when it takes a quarter and a minute longer: less is noise.
_FACTOR, _SECONDS = 1.25, 60.0
_MOST_CHANGES = 20
_RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


@dataclass(frozen=True)
class Earlier:
    """An earlier run of the same site, and the findings its report had: title by :func:`.measures.finding_case`."""

    run: Document
    findings: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Regression:
    """What became worse. ``kind`` is ``phase``, ``check``, ``rto`` or ``rpo``; seconds where it is a length of time."""

    kind: str
    subject: str
    title: str
    since: str
    before: float | None = None
    now: float | None = None

    def to_json(self) -> dict[str, t.Any]:
        """Return it as report.json holds it."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "title": self.title,
            "compared_with": self.since,
            "before_seconds": self.before,
            "now_seconds": self.now,
        }


def read_earlier(folder: str, run: Document) -> tuple[list[Earlier], list[str]]:
    """Return the earlier runs of the same site, oldest first, and a sentence for each report that cannot be used.

    :arg folder: the folder that has a folder for each run.
    """
    found, problems = [], []
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [f"Earlier reports in {folder} cannot be read: {error.strerror}."]
    for name in names:
        path = os.path.join(folder, name, REPORT_FILE)
        if _RUN_ID.fullmatch(name) and name < run["id"] and os.path.lexists(path):
            try:
                found.append(_read_report(path))
            except (ContinuityError, KeyError, TypeError, AttributeError) as error:
                reason = error.message if isinstance(error, ContinuityError) else f"{path} is not one of ours."
                problems.append(f"An earlier report is left out of the comparison: {reason}")
    return [earlier for earlier in found if earlier.run["site"] == run["site"]], problems


def _read_report(path: str) -> Earlier:
    report = read_json(path, "earlier report")
    if report["schema"] != REPORT_SCHEMA:
        raise KeyError(report["schema"])
    return Earlier(checked_run(report["run"]), {finding_case(found): found["title"] for found in report["findings"]})


def comparable(run: Document, earlier: t.Sequence[Earlier]) -> list[Earlier]:
    """Return the runs that do the same: a drill rehearses a failover; a failback goes the other way."""

    def direction(one: Document) -> bool:
        return bool(one["mode"] == "failback")

    return [one for one in earlier if direction(one.run) == direction(run)]


def regressions(run: Document, earlier: t.Sequence[Earlier]) -> list[Regression]:
    """Return what became worse since the last comparable run in which it was measured."""
    before = [one.run for one in reversed(comparable(run, earlier))]
    return [
        *_slower_phases(run, before),
        *_broken_checks(run, before),
        *(worse for name in ("rto", "rpo") for worse in _worse_objective(run, before, name)),
    ]


def _is_worse(before: float, now: float) -> bool:
    return now >= before * _FACTOR and now - before >= _SECONDS


def _slower_phases(run: Document, before: t.Sequence[Document]) -> t.Iterator[Regression]:
    for phase in run["phases"]:
        now = phase_seconds(phase)
        found = next(_measured(before, phase["name"]), None)
        if now is None or found is None:
            continue
        since, seconds = found
        if _is_worse(seconds, now):
            yield Regression("phase", phase["name"], f"{phase_title(phase)} took longer", since, seconds, now)


def _measured(runs: t.Iterable[Document], name: str) -> t.Iterator[tuple[str, float]]:
    for run in runs:
        for phase in run["phases"]:
            seconds = phase_seconds(phase)
            if phase["name"] == name and phase["status"] == "done" and seconds is not None:
                yield run["id"], seconds


def _broken_checks(run: Document, before: t.Sequence[Document]) -> t.Iterator[Regression]:
    for place in ("checks", "isolation"):
        for check in run.get(place, ()):
            if check["status"] == PASSED or (check["status"] == "skipped" and not check["mandatory"]):
                continue
            key = check_key(check)
            passed = (
                one["id"]
                for one in before
                for other in one.get(place, ())
                if check_key(other) == key and other["status"] == PASSED
            )
            since = next(passed, None)
            if since is not None:
                verb = "was skipped" if check["status"] == "skipped" else "fails"
                yield Regression("check", key, f"The check {key} {verb}, and passed before", since)


def _worse_objective(run: Document, before: t.Sequence[Document], name: str) -> t.Iterator[Regression]:
    now = objective(run, name).get("achieved_seconds")
    earlier = next((one for one in before if "achieved_seconds" in objective(one, name)), None)
    if now is None or earlier is None:
        return
    achieved = objective(earlier, name)["achieved_seconds"]
    newly_missed = objective_met(run, name) is False and objective_met(earlier, name) is True
    if _is_worse(achieved, now) or newly_missed:
        yield Regression(name, name, f"The {name.upper()} became worse", earlier["id"], achieved, now)


def summary_of(run: Document) -> dict[str, t.Any]:
    """Return the line of one run in the comparison."""
    statuses = [check["status"] for check in run.get("checks", ())]
    return {
        "id": run["id"],
        "mode": run["mode"],
        "started": run["started"],
        "result": result(run),
        "rto_seconds": objective(run, "rto").get("achieved_seconds"),
        "rpo_seconds": objective(run, "rpo").get("achieved_seconds"),
        "checks": {status: statuses.count(status) for status in (PASSED, "failed", "skipped")},
        "mandatory_failed": len(failed_checks(run)),
        "phases": {phase["name"]: phase_seconds(phase) for phase in run["phases"]},
        "plan_sha256": plan_hash(run),
    }


def plan_statement(run: Document, earlier: t.Sequence[Earlier]) -> dict[str, t.Any]:
    """Say whether the last passed drill was of this plan: one of another plan proves nothing about this one."""
    passed = next(
        (one.run for one in reversed(earlier) if one.run["mode"] == DRILL and result(one.run) == PASSED), None
    )
    this_passes = run["mode"] == DRILL and result(run) == PASSED
    known = plan_hash(run)
    last = {"id": passed["id"], "plan_sha256": plan_hash(passed)} if passed else None
    stale = bool(passed and known and plan_hash(passed) != known)
    changes = _plan_changes(passed, run) if passed and stale else []
    return {
        "sha256": known,
        "last_passed_drill": last,
        "changed": stale,
        "proved": this_passes or bool(passed and known and not stale),
        "statement": _statement(passed, known, stale, this_passes),
        "changes": changes,
    }


def _statement(passed: Document | None, known: str, stale: bool, this_passes: bool) -> str:
    if not known:
        return "The plan's hash is not known, so no drill can be said to be of this plan."
    if passed is None:
        return (
            "This is the first passed drill of this site that is known here."
            if this_passes
            else "No passed drill of this site is known here: nothing proves that this plan works."
        )
    if not stale:
        return f"The plan is the same as in the last passed drill, {passed['id']}."
    change = f"The plan changed since the last passed drill, {passed['id']}: that pass is stale."
    return (
        f"{change} This drill passed with the plan as it is now."
        if this_passes
        else (f"{change} Nothing proves that the plan as it is now works.")
    )


def _plan_changes(before: Document, now: Document) -> list[str]:
    old, new = ((run.get("plan") or {}).get("document") for run in (before, now))
    if not isinstance(old, dict) or not isinstance(new, dict):
        return []
    changes = list(_differences(old, new, ""))
    more = len(changes) - _MOST_CHANGES
    return changes[:_MOST_CHANGES] + ([f"and {more} more"] if more > 0 else [])


def _differences(old: t.Any, new: t.Any, place: str) -> t.Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            here = f"{place}.{name}" if place else str(name)
            if name not in new:
                yield f"{here} was removed"
            elif name not in old:
                yield f"{here} is new: {shown(new[name])}"
            else:
                yield from _differences(old[name], new[name], here)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differences(one, other, f"{place}[{number}]")
    elif old != new:
        yield f"{place} was {shown(old)}, is {shown(new)}"
