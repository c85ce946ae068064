# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the events of a journal to the run document, and to the verdict on the run."""

from __future__ import annotations

import typing as t

from .objectives import (
    PASSED,
    Objective,
    all_passed_at,
    counts,
    data_loss,
    missing_checks,
    recovery_time,
    worst_data_loss,
)
from .phases import CLEAN_UP, COMMIT, DRILL, FUNCTIONAL_TESTS, REPORT, TITLES, phases_of
from .plan_references import all_checks

SCHEMA = "dfr.continuity/run/1"
RUNNING, FAILED, ABORTED, DONE, SKIPPED = "running", "failed", "aborted", "done", "skipped"
INTERRUPTED = "interrupted"
Document = dict[str, t.Any]

#: What tells one entry of a noted list from another: a second one of the same takes the first one's place.
KEYS: dict[str, tuple[str, ...]] = {
    "data_sets": ("name", "kind"),
    "checks": ("name", "service"),
    "traffic": ("record",),
    "isolation": ("name", "service"),
    "findings": ("title", "phase"),
}
MAPPINGS = ("backup", "objectives", "cleanup")
_SHARED = ("id", "mode", "site", "scenario", "started_by", "approved_by", "interruption")


class Run:
    """What a journal says of a run."""

    def __init__(self, events: t.Iterable[t.Mapping[str, t.Any]]) -> None:
        self.plan: Document = {}
        self.worker: Document = {}
        self.document: Document = {
            "schema": SCHEMA,
            "phases": [],
            "backup": {},
            **{key: [] for key in KEYS},
            "cleanup": {},
        }
        self.closed = False
        #: Position among the runs of the site. Ids do not tell: clocks are set back, and a second has many of them.
        self.sequence = 0
        self._noted_objectives: Document = {}
        self._recovered: str | None = None
        self._functional: list[Document] = []
        self._testing = False
        self.events = 0
        for event in events:
            self._take(event)
            self.events += 1
        self._measure()

    # -- events -----------------------------------------------------------------------------------------------

    def _take(self, event: t.Mapping[str, t.Any]) -> None:
        handler: t.Callable[[t.Mapping[str, t.Any]], None] = getattr(self, f"_{event['event']}")
        handler(event)

    def _begin(self, event: t.Mapping[str, t.Any]) -> None:
        self.document.update({key: event[key] for key in _SHARED})
        self.document.update(plan=event["plan"], started=event["at"], finished=None, state=RUNNING)
        self.document.update(reason="", next_step="")
        self.closed = False
        self.plan, self.worker = event["plan"]["document"], event["worker"]
        self.sequence = event["sequence"]

    def _resume(self, event: t.Mapping[str, t.Any]) -> None:
        for phase in self.document["phases"]:
            if phase["status"] == RUNNING:
                _close(phase, event["at"], INTERRUPTED, "The run was interrupted.", "It was resumed.")
                phase["status"] = FAILED
        if self.state != ABORTED:
            self.document.update(state=RUNNING, finished=None, reason="", next_step="")
        if event.get("plan"):
            self.document["plan"] = event["plan"]
            self.plan = event["plan"]["document"]
            self._put("findings", dict(event["finding"]), event)
        self.worker = event["worker"]
        self.closed = False

    def _phase(self, event: t.Mapping[str, t.Any]) -> None:
        phase = self.phase(event["phase"])
        if phase is None:
            phase = {"name": event["phase"], "title": TITLES[event["phase"]], "status": RUNNING, "attempts": []}
            phase["details"] = {}
            self.document["phases"].append(phase)
        phase["details"] = {**phase["details"], **event["details"]}
        status, at = event["status"], event["at"]
        if status == RUNNING:
            if phase["attempts"] and phase["attempts"][-1]["status"] == RUNNING:
                _close(phase, at, INTERRUPTED, "It was begun again.", "")
            phase["attempts"].append(_attempt(at))
            self._testing = self._testing or event["phase"] == FUNCTIONAL_TESTS
        else:
            if not phase["attempts"] or phase["attempts"][-1]["status"] != RUNNING:
                phase["attempts"].append(_attempt(at))
            _close(phase, at, status, event["reason"], event["next_step"])
        phase["status"] = status

    def _note(self, event: t.Mapping[str, t.Any]) -> None:
        noted = event["noted"]
        for key in KEYS.keys() & noted.keys():
            for entry in noted[key]:
                self._put(key, dict(entry), event)
        for key in ("backup", "cleanup"):
            self.document[key] = {**self.document[key], **noted.get(key, {})}
        for name, objective in noted.get("objectives", {}).items():
            self._noted_objectives[name] = {**self._noted_objectives.get(name, {}), **objective}
        if noted.get("interruption"):
            self.document["interruption"] = noted["interruption"]
        if self._testing and "checks" in noted:
            self._look_whether_recovered()

    def _put(self, key: str, entry: Document, event: t.Mapping[str, t.Any]) -> None:
        if key == "checks":
            entry.setdefault("at", event["at"])
            if self._testing:
                test = {**entry, "plan_check": event.get("plan_check")}
                _put(self._functional, test, KEYS[key])
        elif key == "findings":
            entry.setdefault("owner", (self.plan.get("report") or {}).get("owner") or "")
            known = _find(self.document[key], entry, KEYS[key])
            entry["id"] = (known or {}).get("id") or entry.get("id") or f"F{len(self.document[key]) + 1}"
        _put(self.document[key], entry, KEYS[key])

    def _look_whether_recovered(self) -> None:
        """Keep the first moment at which all had passed: a test that is repeated later does not move it."""
        if self._recovered is None:
            self._recovered = all_passed_at(self.mandatory_checks, self._functional)

    def _abort(self, event: t.Mapping[str, t.Any]) -> None:
        self.document.update(state=ABORTED, finished=event["at"], reason=event["reason"], next_step=event["next_step"])
        for phase in self.document["phases"]:
            if phase["status"] == RUNNING:
                _close(phase, event["at"], ABORTED, event["reason"], "")
                phase["status"] = FAILED

    def _finish(self, event: t.Mapping[str, t.Any]) -> None:
        self.closed = True
        if self.state != ABORTED:
            self.document.update(state=event["state"], finished=event["at"])
            self.document.update(reason=event["reason"], next_step=event["next_step"])

    # -- what follows from them -------------------------------------------------------------------------------

    def _measure(self) -> None:
        interruption = self.document.get("interruption")
        for entry in self.document["data_sets"]:
            if entry.get("rpo_seconds") is None:
                entry["rpo_seconds"] = data_loss(interruption, entry.get("recovery_point"))
        achieved = {
            "rto": recovery_time(interruption, self._recovered),
            "rpo": worst_data_loss(self.document["data_sets"]),
        }
        targets = self.plan.get("objectives") or {}
        self.document["objectives"] = {
            name: Objective(targets.get(name), _worse(value, self._noted_objectives.get(name, {}))).to_json()
            for name, value in achieved.items()
        }

    @property
    def state(self) -> str:
        """``running``, ``passed``, ``failed`` or ``aborted``."""
        return str(self.document["state"])

    @property
    def mode(self) -> str:
        """``drill``, ``failover`` or ``failback``."""
        return str(self.document["mode"])

    def to_json(self) -> Document:
        """Return the run document; what is not known is absent."""
        document = _without_unknown(self.document)
        document["objectives"] = {name: _without_unknown(one) for name, one in self.document["objectives"].items()}
        document["data_sets"] = [_without_unknown(one) for one in self.document["data_sets"]]
        document["phases"] = [
            {**phase, "attempts": [_without_unknown(one) for one in phase["attempts"]]}
            for phase in self.document["phases"]
        ]
        return document

    @property
    def blocks_drills(self) -> bool:
        """Tell whether the site is taken: the run is not over, or a drill has not been cleaned up."""
        return not self.closed or not self.cleaned_up

    @property
    def committed(self) -> bool:
        """Tell whether the point of no return was passed."""
        return self.status_of(COMMIT) == DONE

    @property
    def mandatory_checks(self) -> list[str]:
        """Names of the plan's mandatory checks."""
        return [check["name"] for _path, check in all_checks(self.plan) if check["mandatory"]]

    def phase(self, name: str) -> Document | None:
        """Return what is known of a phase; None before it was begun or skipped."""
        return next((phase for phase in self.document["phases"] if phase["name"] == name), None)

    def status_of(self, name: str) -> str:
        """Return the status of a phase, empty before it was begun."""
        return str((self.phase(name) or {}).get("status", ""))

    @property
    def cleaned_up(self) -> bool:
        """Tell whether nothing of the run is left: always, except for a drill."""
        cleanup = self.document["cleanup"]
        if self.mode != DRILL:
            return True
        settled = cleanup.get("status") in ("done", "not needed") or self.status_of(CLEAN_UP) in (DONE, SKIPPED)
        return settled and cleanup.get("status") != FAILED and not cleanup.get("left")

    def shortcomings(self) -> list[str]:
        """Return every reason why the run has not passed; empty when it has."""
        return [*self._phase_faults(), *self._check_faults(), *self._objective_faults(), *self._cleanup_faults()]

    def _phase_faults(self) -> t.Iterator[str]:
        stopped = any(phase["status"] in (FAILED, RUNNING) for phase in self.document["phases"])
        for name in phases_of(self.mode):
            phase, status = self.phase(name), self.status_of(name)
            if status == FAILED and phase is not None:
                yield f"The phase {name} failed: {phase['attempts'][-1]['reason'] or 'no reason was told'}"
            elif status == RUNNING:
                yield f"The phase {name} was begun, and never ended."
            elif not status and name != REPORT and not stopped:
                # The report may be written last of all, so that it holds the final verdict. And what follows a phase
                # that failed does not run; that needs no telling.
                yield f"The phase {name} never ran."

    def _check_faults(self) -> t.Iterator[str]:
        for check in [*self.document["checks"], *self.document["isolation"]]:
            if counts(self.mandatory_checks, check) and check.get("status") != PASSED:
                reason = check.get("reason")
                yield f"The mandatory check {check['name']} was {check.get('status')}" + (
                    f": {reason}" if reason else "."
                )
        missing = missing_checks(self.mandatory_checks, self._functional)
        if missing:
            yield f"Of mandatory checks of the plan there is no result, which counts as skipped: {', '.join(missing)}."

    def _objective_faults(self) -> t.Iterator[str]:
        for name, objective in self.document["objectives"].items():
            target, achieved = objective["target_seconds"], objective["achieved_seconds"]
            if achieved is None:
                yield f"The {name.upper()} was not measured."
            elif not objective["met"]:
                yield f"The {name.upper()} was missed: {achieved:.0f} s instead of at most {target} s."

    def _cleanup_faults(self) -> t.Iterator[str]:
        cleanup = self.document["cleanup"]
        if cleanup.get("left"):
            yield f"The clean-up left {', '.join(map(str, cleanup['left']))}."
        elif not self.cleaned_up:
            yield (
                "The clean-up failed."
                if cleanup.get("status") == FAILED
                else "It is not known that the clean-up was done."
            )


def _without_unknown(document: t.Mapping[str, t.Any]) -> Document:
    return {key: value for key, value in document.items() if value is not None}


def _attempt(at: str) -> Document:
    return {"started": at, "finished": None, "status": RUNNING, "reason": "", "next_step": ""}


def _close(phase: Document, at: str, status: str, reason: str, next_step: str) -> None:
    phase["attempts"][-1].update(finished=at, status=status, reason=reason, next_step=next_step)


def _find(entries: t.Sequence[Document], entry: Document, keys: t.Sequence[str]) -> Document | None:
    wanted = [entry.get(key) or "" for key in keys]
    return next((one for one in entries if [one.get(key) or "" for key in keys] == wanted), None)


def _put(entries: list[Document], entry: Document, keys: t.Sequence[str]) -> None:
    """Put an entry where the one that it replaces is, or at the end."""
    known = _find(entries, entry, keys)
    if known is None:
        entries.append(entry)
    else:
        known.update(entry)


def _worse(computed: float | None, noted: t.Mapping[str, t.Any]) -> float | None:
    """Return the worse of what was computed and what was noted: nobody talks a measurement better."""
    values = [value for value in (computed, noted.get("achieved_seconds")) if value is not None]
    return max(values) if values else None
