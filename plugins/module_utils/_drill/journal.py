# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of drills and failovers: who runs what at which site, how far it is, and what came of it.

One folder per run, ``<state folder>/<site>/<run id>``, holds one journal (:mod:`.journal_file`). Everything else is
derived from the journals, also which site is taken, so there is no second truth that a crash could leave behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
import typing as t
from dataclasses import dataclass

from .._repository.encoding import new_backup_id
from .._repository.errors import ContinuityError, InputError, ObjectMissingError, TargetError
from .._status.text import moment, utc
from .journal_file import FILE, Event, JournalFile, OpenJournal, make_folder
from .phases import CLEAN_UP, COMMIT, DRILL, FAILBACK, FAILOVER, REPORT, phases_of
from .plan import Plan, differences
from .run_document import ABORTED, DONE, FAILED, KEYS, MAPPINGS, RUNNING, SKIPPED, Run
from .secrecy import without_secrets
from .shapes import nearest
from .worker import is_same, lives

DEFAULT_FOLDER = "/var/lib/dfr-continuity/drills"
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
#: Phases that still run when a run is over or aborted.
_AFTERWARDS = (REPORT, CLEAN_UP)
#: Where a moment may stand in what is noted.
_MOMENTS = ("at", "recovery_point", "finished")


class SiteTakenError(ContinuityError):
    """Another run has the site, or the site is not in the state that such a run needs."""


class RunStateError(ContinuityError):
    """The run is not in a state in which this can be done."""


@dataclass(frozen=True)
class Outcome:
    """The run after something was done to it, whether that changed anything, and whether a phase is to be run."""

    run: Run
    changed: bool
    go: bool = True


@dataclass(frozen=True)
class Beginning:
    """What a run begins with. ``interruption`` is now unless it is given, as :func:`~.._status.text.utc` writes it."""

    mode: str
    plan: Plan
    started_by: str
    worker: t.Mapping[str, t.Any]
    approved_by: str = ""
    scenario: str = ""
    interruption: str | None = None


class Journal:
    """The journals of a state folder.

    :arg dry_run: check everything and tell what would be, but write nothing.
    """

    def __init__(self, folder: str = DEFAULT_FOLDER, dry_run: bool = False) -> None:
        self._folder = folder
        self._dry_run = dry_run

    # -- beginning and resuming -------------------------------------------------------------------------------

    def begin(self, beginning: Beginning) -> Outcome:
        """Begin a run; raise :class:`SiteTakenError` when another one has the site."""
        site = beginning.plan.name
        run_id = new_backup_id()
        now = _now()
        event: Event = {
            "event": "begin",
            "at": now,
            "id": run_id,
            "mode": beginning.mode,
            "site": site,
            "scenario": without_secrets(beginning.scenario or beginning.plan.document["scenario"]),
            "started_by": beginning.started_by,
            "approved_by": beginning.approved_by,
            "interruption": beginning.interruption or now,
            "plan": {"sha256": beginning.plan.sha256, "document": beginning.plan.document},
            "worker": dict(beginning.worker),
        }
        with self._site(site):
            runs = self.runs(site)
            for other in runs:
                _check_taken(other, beginning.mode)
            _check_active_site(runs, beginning.mode, site)
            event["sequence"] = runs[-1].sequence + 1 if runs else 1
            if self._dry_run:
                return Outcome(Run([event]), True)
            file = JournalFile(self._path(site, run_id))
            file.create()
            with file.locked() as journal:
                journal.add(event)
                return Outcome(Run(journal.events), True)

    def resume(
        self, run_id: str, worker: t.Mapping[str, t.Any], plan: Plan | None = None, accept_changed_plan: bool = False
    ) -> Outcome:
        """Go on with a run that was interrupted, or that failed.

        Raises :class:`RunStateError` when there is nothing to go on with, when a living process works on it, or when
        the plan is another one and that was not accepted.
        """
        site = self._site_of(run_id)
        with self._site(site), self._open(run_id) as journal:
            run = Run(journal.events)
            for other in self.runs(site, besides=run_id):
                _check_taken(other, run.mode)
            _check_resumable(run, worker)
            event: Event = {"event": "resume", "at": _now(), "worker": dict(worker)}
            if plan is not None and plan.sha256 != run.document["plan"]["sha256"]:
                places = _changed_places(run, plan)
                if not accept_changed_plan:
                    raise _changed_plan(run, plan, places)
                event["plan"] = {"sha256": plan.sha256, "document": plan.document}
                event["finding"] = _plan_finding(run, plan, places)
            return self._add(journal, event)

    # -- what happens on the way ------------------------------------------------------------------------------

    def begin_phase(self, run_id: str, phase: str) -> Outcome:
        """Begin a phase, unless it is done; the outcome's ``go`` tells whether to run it.

        Raises :class:`RunStateError` when one before it is not done, or when the run is over. In an aborted run only
        the report and the clean-up are still to be run.
        """
        with self._open(run_id) as journal:
            run = Run(journal.events)
            _check_phase(run, phase)
            if run.status_of(phase) in (DONE, SKIPPED) or (run.state == ABORTED and phase not in _AFTERWARDS):
                return Outcome(run, False, go=False)
            _check_turn(run, phase)
            return self._add(journal, _phase_event(phase, RUNNING))

    def end_phase(
        self,
        run_id: str,
        phase: str,
        status: str = DONE,
        reason: str = "",
        next_step: str = "",
        details: t.Mapping[str, t.Any] | None = None,
    ) -> Outcome:
        """Say what became of a phase: ``done``, ``failed`` or ``skipped``; the latter two with a reason."""
        if status != DONE and not reason:
            raise InputError(f"No reason was given why the phase {phase} was {status}.", "Give reason.")
        with self._open(run_id) as journal:
            run = Run(journal.events)
            _check_phase(run, phase)
            before = run.status_of(phase)
            if before == status or (status == FAILED and _is_over(run) and before != RUNNING):
                return Outcome(run, False)
            _check_ending(run, phase, status, before)
            return self._add(journal, _phase_event(phase, status, reason, next_step, details))

    def note(self, run_id: str, noted: t.Mapping[str, t.Any], plan_check: str = "") -> Outcome:
        """Merge what was found into the run: the keys of the run document that a run fills.

        :arg plan_check: the check of the plan that the noted checks belong to.
        """
        known = {*KEYS, *MAPPINGS, "interruption"}
        for key, value in noted.items():
            if key not in known:
                raise InputError(f"A run has no {key} to note.", nearest(key, known))
            _check_noted(key, value)
        with self._open(run_id) as journal:
            event = {
                "event": "note",
                "at": _now(),
                "noted": without_secrets(_with_moments(noted)),
                "plan_check": plan_check,
            }
            before = Run(journal.events).document
            after = Run([*journal.events, event])
            if after.document == before:
                return Outcome(after, False)
            return self._add(journal, event)

    # -- ending -----------------------------------------------------------------------------------------------

    def abort(self, run_id: str, by: str, reason: str) -> Outcome:
        """Abort a run: from now on only its report and its clean-up run. Refused after the point of no return."""
        with self._open(run_id) as journal:
            run = Run(journal.events)
            if run.state == ABORTED:
                return Outcome(run, False)
            if run.status_of(COMMIT) in (DONE, RUNNING):
                raise RunStateError(
                    f"The {run.mode} {run_id} cannot be aborted: the point of no return was passed.",
                    "Resume it to its end; a failback leads back.",
                )
            if run.closed:
                raise RunStateError(f"{_named(run)} is over: it has {run.state}.", "There is nothing to abort.")
            told = without_secrets(reason or "no reason was given")
            event = {"event": "abort", "at": _now(), "reason": f"Aborted by {by}: {told}"}
            event["next_step"] = f"Resume it with resume={run_id}, which cleans up." if run.mode == DRILL else ""
            return self._add(journal, event)

    def finish(self, run_id: str) -> Outcome:
        """End a run with its verdict: failed when anything that had to be is not as it should be."""
        with self._open(run_id) as journal:
            run = Run(journal.events)
            faults = run.shortcomings()
            state = ABORTED if run.state == ABORTED else FAILED if faults else "passed"
            reason = " ".join(faults)
            unchanged = run.closed and run.state == state and (state == ABORTED or run.document["reason"] == reason)
            if unchanged:
                return Outcome(run, False)
            event = {"event": "finish", "at": _now(), "state": state, "reason": reason}
            event["next_step"] = _next_step(run) if faults else ""
            return self._add(journal, event)

    # -- looking ----------------------------------------------------------------------------------------------

    def read(self, run_id: str) -> Run:
        """Return a run."""
        return Run(JournalFile(self._path(self._site_of(run_id), run_id)).read())

    def runs(self, site: str, besides: str = "") -> list[Run]:
        """Return the runs of a site, oldest first, without those that were killed before they had begun."""
        found = []
        for run_id in self._run_ids(site):
            if run_id != besides:
                events = JournalFile(self._path(site, run_id)).read()
                if events:
                    found.append(Run(events))
        return sorted(found, key=lambda run: run.sequence)

    def newest(self, site: str) -> Run:
        """Return the newest run of a site."""
        runs = self.runs(site)
        if not runs:
            raise ObjectMissingError(
                f"There is no run of the site {site} in {self._folder}.", "Check site and state folder."
            )
        return runs[-1]

    def _run_ids(self, site: str) -> list[str]:
        try:
            names = os.listdir(os.path.join(self._folder, site))
        except FileNotFoundError:
            return []
        folder = self._path(site, "")
        return sorted(
            one for one in names if _RUN_ID.fullmatch(one) and os.path.exists(os.path.join(folder, one, FILE))
        )

    # -- files ------------------------------------------------------------------------------------------------

    def _path(self, site: str, run_id: str) -> str:
        return os.path.join(self._folder, site, run_id)

    def _site_of(self, run_id: str) -> str:
        if not _RUN_ID.fullmatch(run_id):
            raise InputError(f"{run_id!r} is not the id of a run.", "Give an id such as 20261125T031500Z-ab12cd34.")
        with contextlib.suppress(FileNotFoundError):
            for site in sorted(os.listdir(self._folder)):
                if os.path.exists(os.path.join(self._path(site, run_id), FILE)):
                    return site
        raise ObjectMissingError(f"There is no run {run_id} in {self._folder}.", "Check the id and the state folder.")

    @contextlib.contextmanager
    def _site(self, site: str) -> t.Iterator[None]:
        """Keep every other process from beginning or resuming a run of the site meanwhile."""
        folder = self._path(site, "")
        if self._dry_run and not os.path.isdir(folder):
            yield
            return
        try:
            make_folder(folder.rstrip("/"))
            descriptor = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise TargetError(
                f"The state folder {folder} cannot be used: {error.strerror}.",
                "Make it writable for who runs this, or choose another one.",
            ) from error
        with os.fdopen(descriptor, "w"):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _open(self, run_id: str) -> t.Iterator[OpenJournal]:
        with JournalFile(self._path(self._site_of(run_id), run_id)).locked() as journal:
            if not journal.events:
                raise ObjectMissingError(f"The run {run_id} was killed before it had begun.", "Begin a new one.")
            yield journal

    def _add(self, journal: OpenJournal, event: Event) -> Outcome:
        if self._dry_run:
            return Outcome(Run([*journal.events, event]), True)
        journal.add(event)
        return Outcome(Run(journal.events), True)


def _now() -> str:
    return utc(time.time())


# -- who has the site -----------------------------------------------------------------------------------------


def _named(run: Run) -> str:
    document = run.document
    return f"The {run.mode} {document['id']} of the site {document['site']}"


def _check_taken(other: Run, mode: str) -> None:
    """Raise when another run keeps a new or resumed one of a mode from having the site."""
    if not other.blocks_drills or (mode != DRILL and other.mode == DRILL and other.state != RUNNING):
        return
    run_id, begun = other.document["id"], f"{other.document['started_by']} began it at {other.document['started']}"
    if other.state != RUNNING and other.mode == DRILL:
        raise SiteTakenError(
            f"{_named(other)} has {other.state} and was not cleaned up: {begun}.",
            f"Resume it with resume={run_id}, which cleans up; or do that by hand, and note cleanup with status done.",
        )
    if mode == FAILOVER and other.mode == DRILL:
        step = f"Abort the drill first (action abort, run_id {run_id}); its clean-up can wait."
    elif mode == DRILL:
        step = "Wait for its end" + (
            f", or resume it with resume={run_id}." if lives(other.worker) is not True else "."
        )
    else:
        step = f"Resume it with resume={run_id}, or abort it first."
    raise SiteTakenError(f"{_named(other)} is not over: {begun}. {_told_worker(other)}", step)


def _told_worker(run: Run) -> str:
    worker = run.worker
    place = f"process {worker.get('pid')} on {worker.get('host')}"
    if not worker.get("pid"):
        return f"Which process on {worker.get('host')} works on it is not known."
    found = lives(worker)
    if found is None:
        return f"Whether the {place} still works on it cannot be told from here."
    return f"The {place} works on it." if found else f"The {place} that worked on it is gone."


def _check_active_site(runs: t.Sequence[Run], mode: str, site: str) -> None:
    """A site that was failed over runs at its DR site: there, a drill would touch production."""
    moved: Run | None = None
    for run in runs:
        if run.committed:
            moved = run if run.mode == FAILOVER else None
    if moved is not None and mode != FAILBACK:
        what = "a drill would touch production" if mode == DRILL else "there is nothing to fail over to"
        raise SiteTakenError(
            f"The site {site} runs at its DR site since the failover {moved.document['id']}: {what}.",
            "Fail back first; or, when that was done by other means, move that run's folder out of the state folder.",
        )


def _check_resumable(run: Run, worker: t.Mapping[str, t.Any]) -> None:
    over = f"{_named(run)} is over: it has {run.state} at {run.document['finished']}." if run.closed else ""
    if over and run.state == "passed":
        raise RunStateError(over, "There is nothing to resume; begin a new one.")
    if over and run.mode == DRILL and run.cleaned_up:
        raise RunStateError(f"{over} It was cleaned up.", "There is nothing left to resume; begin a new drill.")
    if over and run.state == ABORTED:
        raise RunStateError(over, "Begin a new one.")
    if lives(run.worker) is True and not is_same(run.worker, worker) and not run.closed:
        raise RunStateError(
            f"{_named(run)} is being worked on. {_told_worker(run)}",
            "Wait for it, or stop that process first.",
        )


def _changed_places(run: Run, plan: Plan) -> str:
    return ", ".join(differences(run.plan, plan.document))


def _changed_plan(run: Run, plan: Plan, places: str) -> RunStateError:
    before = run.document["plan"]["sha256"]
    return RunStateError(
        f"The plan has changed since the {run.mode} {run.document['id']} began: SHA-256 {before} then, {plan.sha256} "
        f"now; it differs at {places}.",
        "Resume with the plan of then, or accept the change with accept_changed_plan, which is noted as a finding.",
    )


def _plan_finding(run: Run, plan: Plan, places: str) -> dict[str, str]:
    return {
        "severity": "medium",
        "title": "The plan changed during the run",
        "detail": f"From SHA-256 {run.document['plan']['sha256']} to {plan.sha256}; it differs at {places}.",
        "remedy": "Repeat the run with one plan from beginning to end.",
        "phase": run.document["phases"][-1]["name"] if run.document["phases"] else "declare",
    }


# -- phases ---------------------------------------------------------------------------------------------------


def _phase_event(
    phase: str, status: str, reason: str = "", next_step: str = "", details: t.Mapping[str, t.Any] | None = None
) -> Event:
    told = without_secrets({"reason": reason, "next_step": next_step, "details": dict(details or {})})
    return {"event": "phase", "at": _now(), "phase": phase, "status": status, **told}


def _is_over(run: Run) -> bool:
    return run.closed or run.state == ABORTED


def _check_phase(run: Run, phase: str) -> None:
    known = phases_of(run.mode)
    if phase not in known:
        raise InputError(f"A {run.mode} has no phase {phase}.", nearest(phase, known))


def _check_turn(run: Run, phase: str) -> None:
    """Raise when a phase's turn has not come; the report and the clean-up may run whatever came before."""
    if phase in _AFTERWARDS:
        return
    if run.closed:
        raise RunStateError(f"{_named(run)} is over: it has {run.state}.", "Begin a new one, or resume it.")
    for before in phases_of(run.mode):
        if before == phase:
            return
        status = run.status_of(before)
        if before != REPORT and status not in (DONE, SKIPPED):
            what = {FAILED: "has failed", RUNNING: "has not ended"}.get(status, "has not run")
            raise RunStateError(
                f"The phase {phase} cannot begin: {before}, which comes before it, {what}.",
                f"Run {before} again, to its end.",
            )


def _check_ending(run: Run, phase: str, status: str, before: str) -> None:
    if _is_over(run) and phase not in _AFTERWARDS:
        raise RunStateError(
            f"The phase {phase} cannot end: {_named(run)[4:]} has {run.state}. {run.document['reason']}".rstrip(),
            "Let it clean up.",
        )
    if status != SKIPPED and before != RUNNING:
        what = f"it is {before}" if before else "it was not begun"
        raise RunStateError(f"The phase {phase} cannot end: {what}.", "Begin it first.")
    if before == DONE:
        raise RunStateError(f"The phase {phase} cannot be skipped: it is done.", "Leave it as it is.")


# -- notes and verdict ----------------------------------------------------------------------------------------


def _check_noted(key: str, value: t.Any) -> None:
    if key in MAPPINGS and not isinstance(value, dict):
        raise InputError(f"What is noted as {key} is not a dictionary.", "See the run document.")
    if key not in KEYS:
        return
    needed = KEYS[key][0]
    entries = value if isinstance(value, (list, tuple)) else [None]
    if not all(isinstance(entry, dict) and entry.get(needed) for entry in entries):
        raise InputError(
            f"What is noted as {key} is not a list of dictionaries with {needed}.", "See the run document."
        )


def _with_moments(noted: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what was noted with every moment in UTC, so that moments can be compared."""

    def normal(entry: t.Any) -> t.Any:
        if not isinstance(entry, dict):
            return entry
        return {key: utc(moment(str(value))) if key in _MOMENTS and value else value for key, value in entry.items()}

    result = {
        key: [normal(entry) for entry in value] if isinstance(value, (list, tuple)) else normal(value)
        for key, value in noted.items()
    }
    if result.get("interruption"):
        result["interruption"] = utc(moment(str(result["interruption"])))
    return result


def _next_step(run: Run) -> str:
    """Return the next step of what failed first, or where to look."""
    for phase in run.document["phases"]:
        if phase["status"] == FAILED and phase["attempts"][-1]["next_step"]:
            return str(phase["attempts"][-1]["next_step"])
    for check in run.document["checks"]:
        if check.get("mandatory") and check.get("status") != "passed" and check.get("next_step"):
            return str(check["next_step"])
    return "See to the findings of the report, then run it again."
