# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says the report in words, once, for all renderers."""

from __future__ import annotations

import json
import typing as t

from ..._status.text import duration, size, utc
from .blocks import (
    BAD,
    GOOD,
    MUTED,
    PLAIN,
    WARNING,
    Block,
    Card,
    Cell,
    Facts,
    Gauge,
    Listing,
    Page,
    Paragraph,
    Points,
    Section,
    Table,
    TimelineBlock,
)
from .comparison import summary_of
from .measures import (
    ABORTED,
    FAILED,
    PASSED,
    UNFINISHED,
    check_key,
    elapsed,
    interruption,
    mode_title,
    moment,
    objective,
    objective_met,
    objective_title,
    phase_seconds,
    phase_span,
    phase_title,
    signed_duration,
)
from .text import pairs, written

Document = t.Mapping[str, t.Any]

UNKNOWN = "not recorded"
_VERDICTS = {PASSED: "Passed", FAILED: "Failed", ABORTED: "Aborted", UNFINISHED: "Not finished"}
_TONES = {
    PASSED: GOOD,
    "done": GOOD,
    FAILED: BAD,
    ABORTED: BAD,
    UNFINISHED: WARNING,
    "running": WARNING,
    "skipped": WARNING,
}
_SEVERITIES = {"high": BAD, "medium": WARNING, "low": MUTED}


def page_of(report: Document) -> Page:
    """Return the page of a report (:func:`.report.build_report`)."""
    run = report["run"]
    return Page(
        title=f"{mode_title(run)} {run['site']}, {run['started'][:10]}: {_VERDICTS[report['result']].lower()}",
        kind=mode_title(run),
        site=run["site"],
        verdict=_VERDICTS[report["result"]],
        tone=_TONES[report["result"]],
        headline=headline(report),
        facts=_facts(report),
        sections=[
            *_why(report),
            _objectives(report),
            _timeline(run),
            _findings(report),
            _checks(run),
            _data(run),
            _traffic(run),
            _isolation(run),
            _cleanup(run),
            _comparison(report),
            _plan(report),
        ],
        ending=(
            "All times are UTC. The same report is in report.html, report.md and report.json; SHA256SUMS beside them "
            "has the SHA-256 of each (sha256sum --check SHA256SUMS)."
        ),
    )


def headline(report: Document) -> str:
    """Say in a sentence or two how it went."""
    run = report["run"]
    parts = []
    for name, verb in (("rto", "recovered in"), ("rpo", "worst recovery point")):
        achieved = objective(run, name).get("achieved_seconds")
        if achieved is not None:
            target = objective(run, name).get("target_seconds")
            against = "" if target is None else f" (target {duration(target)})"
            parts.append(f"{verb} {signed_duration(achieved)}{against}")
    if report["recovered"] is None:
        parts.insert(0, "the services were not recovered" if run["state"] != "running" else "not recovered yet")
    told = ", ".join(parts)
    sentences = [f"{told[0].upper()}{told[1:]}."]
    if run["state"] == "running":
        sentences.insert(0, "The run is not over: this is how far it has come.")
    high = [one for one in report["findings"] if one["severity"] == "high"]
    if high:
        more = f", and {len(high) - 1} more of high severity" if len(high) > 1 else ""
        sentences.append(f"{high[0]['title']}{more}.")
    elif report["findings"]:
        count = len(report["findings"])
        sentences.append(f"{count} finding{'s' if count > 1 else ''}, none of high severity.")
    return " ".join(sentences)


def _status(status: str) -> Cell:
    return Cell(status, _TONES.get(status, PLAIN), badge=True)


def _known(value: t.Any) -> Cell:
    text = written(value)
    return Cell(text) if text else Cell(UNKNOWN, MUTED)


def _at(text: str | None) -> Cell:
    return Cell(text.replace("T", " ").replace("Z", " UTC")) if text else Cell(UNKNOWN, MUTED)


def _clock(seconds: float | None) -> str:
    return "" if seconds is None else utc(seconds)[11:19]


def _seconds(value: float | None) -> Cell:
    return Cell("", MUTED) if value is None else Cell(signed_duration(value), whole=True)


def _size(value: t.Any) -> str:
    return "" if value is None else size(value)


def _facts(report: Document) -> Facts:
    run = report["run"]
    rows = [
        ("Run", Cell(run["id"], code=True)),
        ("Run by", _known(run.get("started_by"))),
        ("Approved by", _known(run.get("approved_by"))),
        ("Started", _at(run["started"])),
        ("Interruption declared", _at(run.get("interruption"))),
        ("Recovered", _at(report["recovered"]) if report["recovered"] else Cell("not recovered", MUTED)),
        ("Finished", _at(run.get("finished"))),
        ("Scenario", _known(run.get("scenario"))),
        ("Plan (SHA-256)", Cell(report["plan"]["sha256"] or UNKNOWN, code=True)),
    ]
    return Facts(rows)


def _why(report: Document) -> list[Section]:
    run = report["run"]
    if report["result"] == PASSED or not (run.get("reason") or run.get("next_step") or report["contradictions"]):
        return []
    blocks: list[Block] = []
    if run.get("reason"):
        blocks.append(Paragraph(written(run["reason"]), BAD))
    if report["contradictions"]:
        against = "; ".join(report["contradictions"])
        blocks.append(Paragraph(f"The journal says passed, but {against}. So it counts as failed.", BAD))
    if run.get("next_step"):
        blocks.append(Paragraph(f"Next step: {written(run['next_step'])}"))
    return [Section("reason", f"Why it {_ended(report['result'])}", blocks)]


def _ended(result: str) -> str:
    return {FAILED: "failed", ABORTED: "was aborted", UNFINISHED: "is not finished"}[result]


# Objectives and times


def _objectives(report: Document) -> Section:
    run = report["run"]
    return Section("objectives", "Objectives", [_gauge(run, name) for name in ("rto", "rpo")])


def _gauge(run: Document, name: str) -> Gauge:
    found, met = objective(run, name), objective_met(run, name)
    target, achieved = found.get("target_seconds"), found.get("achieved_seconds")
    verdict, tone = {True: ("met", GOOD), False: ("missed", BAD), None: ("not measured", WARNING)}[met]
    remark = ""
    if target is not None and achieved is not None:
        over = achieved - target
        remark = f"{duration(abs(over))} {'over the target' if over > 0 else 'to spare'}"
    told = "" if achieved is None else signed_duration(achieved)
    if achieved is None and met is False and name == "rto":
        # The limit passed without a recovery.
        achieved = elapsed(run)
        told, remark = "not recovered", f"the run ended {duration(achieved)} after the interruption"
    return Gauge(
        objective_title(name),
        UNKNOWN if target is None else duration(target),
        told,
        verdict,
        tone,
        None if achieved is None or not target else max(achieved, 0.0) / target,
        remark,
    )


def _timeline(run: Document) -> Section:
    if not run["phases"]:
        return Section("timeline", "Timeline", [Paragraph("No phase was begun.", MUTED)])
    rows = [row for phase in run["phases"] for row in _phase_rows(phase, interruption(run))]
    columns = ("Phase", "Status", "Began (UTC)", "After the interruption", "Took", "Details")
    return Section("timeline", "Timeline", [TimelineBlock(run), Table("Phases and attempts", columns, rows)])


def _phase_rows(phase: Document, zero: float) -> t.Iterator[list[Cell]]:
    began = phase_span(phase)[0]
    attempts: t.Sequence[Document] = phase.get("attempts") or ()
    count = f"{len(attempts)} attempts" if len(attempts) > 1 else ""
    single = attempts[0] if len(attempts) == 1 else {}
    yield [
        Cell(phase_title(phase), note=count),
        _status(phase["status"]),
        Cell(_clock(began), whole=True),
        _seconds(None if began is None else began - zero),
        _seconds(phase_seconds(phase)),
        Cell(_told(single), note=pairs(phase.get("details") or {})),
    ]
    if len(attempts) > 1:
        for number, attempt in enumerate(attempts, 1):
            start, end = moment(attempt, "started"), moment(attempt, "finished")
            yield [
                Cell(f"Attempt {number}", MUTED, note=phase_title(phase)),
                _status(attempt["status"]),
                Cell(_clock(start), whole=True),
                _seconds(None if start is None else start - zero),
                _seconds(None if start is None or end is None else end - start),
                Cell(_told(attempt)),
            ]


def _told(holder: Document) -> str:
    reason, next_step = written(holder.get("reason")), written(holder.get("next_step"))
    return "\n".join(part for part in (reason, f"Next step: {next_step}" if next_step else "") if part)


# Findings and checks


def _findings(report: Document) -> Section:
    cards: list[Block] = [_card(one, report) for one in report["findings"]]
    blocks = cards or [Paragraph("Nothing was found that needs to be dealt with.", GOOD)]
    if report["resolved"]:
        blocks.append(Paragraph(f"No longer found, after {report['resolved'][0]['seen_in']}:"))
        blocks.append(Points([f"{one['title']} ({one['id']})" for one in report["resolved"]]))
    return Section("findings", f"Findings ({len(cards)})", blocks)


def _card(found: Document, report: Document) -> Card:
    phases = {phase["name"]: phase_title(phase) for phase in report["run"]["phases"]}
    facts = [
        ("Remedy", found["remedy"]),
        ("Owner", found["owner"] or "nobody: name one in the plan, report.owner"),
        ("Due", found["due"]),
        ("Phase", found["phase"] and (phases.get(found["phase"]) or phase_title({"name": found["phase"]}))),
        ("Known since", found["first_seen"]),
    ]
    shown = [(name, written(value)) for name, value in facts if value]
    return Card(
        found["id"],
        found["severity"],
        written(found["title"]),
        written(found["detail"]),
        shown,
        _SEVERITIES[found["severity"]],
    )


def _checks(run: Document) -> Section:
    checks = run.get("checks") or ()
    if not checks:
        return Section("checks", "Functional tests", [Paragraph("No functional test was made.", WARNING)])
    passed = sum(check["status"] == PASSED for check in checks)
    title = f"Functional tests ({passed} of {len(checks)} passed)"
    return Section("checks", title, [_check_table("Functional tests", checks)])


def _check_table(caption: str, checks: t.Sequence[Document]) -> Table:
    columns = ("Check", "Result", "Expected", "Actual", "Time", "Evidence")
    return Table(caption, columns, [_check_row(check) for check in checks])


def _check_row(check: Document) -> list[Cell]:
    skipped = check["status"] == "skipped" and check["mandatory"]
    tone = BAD if skipped else _TONES[check["status"]]
    return [
        Cell(check_key(check), note="mandatory" if check["mandatory"] else "optional"),
        Cell(check["status"], tone, badge=True, note="counts as failed" if skipped else ""),
        Cell(written(check.get("expected"))),
        Cell(written(check.get("actual")), note=_told(check)),
        Cell(_took(check), note=_clock(moment(check, "at")), whole=True),
        Cell("", note=pairs(check.get("evidence") or {})),
    ]


def _took(check: Document) -> str:
    seconds = check.get("seconds")
    return "" if seconds is None else f"{seconds:.2f} s" if seconds < 10 else duration(seconds)


# What was restored, and what was touched


def _data(run: Document) -> Section:
    backup = run.get("backup") or {}
    blocks: list[Block] = []
    if backup.get("backup_id"):
        age = backup.get("age_seconds")
        blocks.append(
            Facts(
                [
                    ("Backup", Cell(written(backup["backup_id"]), code=True)),
                    ("Location", _known(backup.get("location"))),
                    ("Finished", _at(backup.get("finished"))),
                    ("Age when chosen", _known(None if age is None else duration(age))),
                    ("Size", _known(_size(backup.get("size")))),
                ]
            )
        )
    else:
        blocks.append(Paragraph("No backup was chosen.", WARNING))
    if backup.get("refused"):
        rows = [[Cell(one["backup_id"], code=True), Cell(written(one.get("reason")))] for one in backup["refused"]]
        blocks.append(Table("Backups that were refused", ("Refused backup", "Reason"), rows))
    sets = run.get("data_sets") or ()
    if sets:
        target = objective(run, "rpo").get("target_seconds")
        columns = ("Data set", "Recovery point (UTC)", "Measured by", "RPO", "Size", "Items")
        blocks.append(Table("Data sets", columns, [_data_row(one, target) for one in sets]))
    elif backup.get("backup_id"):
        blocks.append(Paragraph("No data set was restored.", WARNING))
    return Section("data", "Backup and data sets", blocks)


def _data_row(one: Document, target: float | None) -> list[Cell]:
    seconds = one.get("rpo_seconds")
    missed = seconds is not None and target is not None and seconds > target
    note = f"target {duration(target)} missed" if missed and target is not None else ""
    return [
        Cell(one["name"], note=" · ".join(text for text in (one.get("kind"), written(one.get("part"))) if text)),
        _at(one.get("recovery_point")),
        _known(one.get("source")),
        Cell(UNKNOWN, WARNING)
        if seconds is None
        else Cell(signed_duration(seconds), BAD if missed else PLAIN, note, whole=True),
        Cell(_size(one.get("size"))),
        Cell("" if one.get("items") is None else f"{one['items']:,}"),
    ]


def _traffic(run: Document) -> Section:
    entries = run.get("traffic") or ()
    if not entries:
        return Section("traffic", "Traffic", [Paragraph("No traffic was switched.", MUTED)])
    return Section("traffic", "Traffic", [_traffic_table(entries, run["mode"] == "drill")])


def _traffic_table(entries: t.Sequence[Document], drill: bool) -> Table:
    rows = []
    for one in entries:
        undone = {True: Cell("yes", GOOD if drill else WARNING), False: Cell("no", WARNING if drill else PLAIN)}
        verified = one.get("verified_at") or ()
        rows.append(
            [
                Cell(one["record"], note=written(one.get("provider"))),
                Cell(", ".join(map(written, one.get("old") or ()))),
                Cell(", ".join(map(written, one.get("new") or ()))),
                Cell("\n".join(map(written, verified))) if verified else Cell("nowhere", WARNING),
                undone.get(one.get("undone", None), Cell(UNKNOWN, MUTED)),
            ]
        )
    return Table("Traffic", ("Record", "Old value", "New value", "Verified at", "Undone"), rows)


def _isolation(run: Document) -> Section:
    checks = run.get("isolation") or ()
    if checks:
        return Section("isolation", "Isolation from production", [_check_table("Isolation checks", checks)])
    missing = run["mode"] == "drill"
    text = "That the drill could not touch production was not checked." if missing else "A real run is not isolated."
    return Section("isolation", "Isolation from production", [Paragraph(text, WARNING if missing else MUTED)])


def _cleanup(run: Document) -> Section:
    cleanup = run.get("cleanup")
    if not cleanup or not (cleanup.get("status") or cleanup.get("left")):
        return Section("clean-up", "Clean-up", [Paragraph("The clean-up is not recorded.", WARNING)])
    left = cleanup.get("left") or ()
    status = cleanup.get("status", "")
    tone = {"done": GOOD, "not needed": MUTED}.get(status, BAD) if not left or status == FAILED else WARNING
    words = {
        "done": "Done: nothing was left.",
        "failed": "The clean-up failed.",
        "not needed": "No clean-up was needed.",
    }
    text = words[status] if status == FAILED or not left else "The clean-up has left something."
    blocks: list[Block] = [Paragraph(text, tone)]
    if left:
        blocks.append(Points([written(one) for one in left]))
    return Section("clean-up", "Clean-up", blocks)


# Earlier runs, and the plan


def _comparison(report: Document) -> Section:
    before = report["comparison"]["runs"]
    title = "Compared with earlier runs"
    if not before:
        return Section("comparison", title, [Paragraph("No earlier run of this site is known here.", MUTED)])
    runs = [*before, summary_of(report["run"])]
    columns = ["", *(f"{one['started'][:10]} {one['started'][11:16]}" for one in runs[:-1]), "This run"]
    slower = {one["subject"]: one for one in report["comparison"]["regressions"] if one["kind"] == "phase"}
    rows = [
        [Cell("Kind"), *(Cell(one["mode"], note=one["id"]) for one in runs)],
        [Cell("Result"), *(_status(one["result"]) for one in runs)],
        [Cell("RTO"), *(_seconds(one["rto_seconds"]) for one in runs)],
        [Cell("RPO"), *(_seconds(one["rpo_seconds"]) for one in runs)],
        [Cell("Checks passed"), *(_check_count(one["checks"]) for one in runs)],
        [Cell("Plan"), *(Cell(one["plan_sha256"][:12], code=True) for one in runs)],
    ]
    for phase in report["run"]["phases"]:
        name = phase["name"]
        row = [Cell(phase_title(phase)), *(_seconds(one["phases"].get(name)) for one in runs)]
        if name in slower:
            row[-1] = Cell(row[-1].text, WARNING, note=f"slower than in {slower[name]['compared_with']}")
        rows.append(row)
    blocks: list[Block] = [Table("Earlier runs of this site", columns, rows)]
    worse = report["comparison"]["regressions"]
    if worse:
        blocks.append(Paragraph("What became worse:"))
        blocks.append(Points([_worse(one) for one in worse]))
    else:
        blocks.append(Paragraph("Nothing became worse since the last run in which it was measured.", GOOD))
    return Section("comparison", title, blocks)


def _check_count(counts: t.Mapping[str, int]) -> Cell:
    whole = sum(counts.values())
    return Cell(f"{counts[PASSED]} of {whole}", BAD if counts[FAILED] else PLAIN) if whole else Cell("", MUTED)


def _worse(one: Document) -> str:
    times = ""
    if one["before_seconds"] is not None and one["now_seconds"] is not None:
        times = f": {signed_duration(one['before_seconds'])} → {signed_duration(one['now_seconds'])}"
    return f"{one['title']}{times} (compared with {one['compared_with']})"


def _plan(report: Document) -> Section:
    plan = report["plan"]
    blocks: list[Block] = [
        Facts([("SHA-256", Cell(plan["sha256"] or UNKNOWN, code=True))]),
        Paragraph(plan["statement"], GOOD if plan["proved"] else WARNING),
    ]
    if plan["changes"]:
        blocks.append(Paragraph("What changed in it:"))
        blocks.append(Points(plan["changes"]))
    document = (report["run"].get("plan") or {}).get("document")
    if document:
        text = json.dumps(document, ensure_ascii=False, indent=2, default=str)
        blocks.append(Listing("The plan this run followed", text))
    return Section("plan", "Plan", blocks)


def objective_line(run: Document, name: str) -> str:
    """Say an objective in one line, for a message."""
    gauge = _gauge(run, name)
    return f"{gauge.title}: {gauge.achieved or '-'}, target {gauge.target}: {gauge.verdict}"
