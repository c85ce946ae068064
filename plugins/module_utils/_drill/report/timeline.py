# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the timeline of a run as SVG: each attempt at each phase, interruption, recovery and the RTO's limit.

Lengths across are percentages and lengths down are pixels, so that the drawing is as wide as the page, on a phone as on
paper, and its texts stay as large as all others.
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass
from html import escape

from ..._status.text import duration, utc
from .measures import (
    interruption,
    moment,
    objective,
    objective_met,
    phase_seconds,
    phase_span,
    phase_title,
    recovered,
)
from .text import one_line

Document = t.Mapping[str, t.Any]

_ROW, _BAR, _FLAG, _FOOT = 34, 10, 18, 42
#: A limit so far beyond the run would squeeze all that happened; it is shown at the edge instead.
_FAR = 2.0
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_MOST_STEPS = 5
_LONGEST_TITLE = 40


@dataclass(frozen=True)
class _Flag:
    """A moment that is marked by a line; ``beyond``: it is right of what is drawn."""

    kind: str
    at: float
    label: str
    beyond: bool = False


class _Axis:
    """Turns moments into percentages of the width."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin = begin
        self.end = max(end, begin + 1)

    def place(self, at: float) -> float:
        return min(max((at - self.begin) / (self.end - self.begin), 0.0), 1.0) * 100

    def ticks(self, zero: float) -> list[float]:
        length = self.end - self.begin
        step = next((step for step in _STEPS if length / step <= _MOST_STEPS), 0)
        while not step or length / step > _MOST_STEPS:
            step = (step or _STEPS[-1]) + _STEPS[-1]
        first = math.ceil((self.begin - zero) / step)
        return [
            zero + step * number for number in range(first, first + _MOST_STEPS + 1) if zero + step * number <= self.end
        ]


def draw(run: Document) -> str:
    """Return the SVG element. Everything in it that comes from the document is escaped."""
    zero = interruption(run)
    end = _end(run, zero)
    flags = _flags(run, zero, end)
    axis = _Axis(min([zero, *_begins(run)]), max([end, *(flag.at for flag in flags if not flag.beyond)]))
    top = len(flags) * _FLAG + 8
    bottom = top + len(run["phases"]) * _ROW
    parts = [
        f'<svg class="timeline" role="img" aria-labelledby="drawing-title drawing-text" width="100%" '
        f'height="{bottom + _FOOT}" xmlns="http://www.w3.org/2000/svg">',
        '<title id="drawing-title">Timeline of the run</title>',
        f'<desc id="drawing-text">{_safe(_description(run, flags))}</desc>',
        '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect class="hatch-ground" width="6" height="6"/>'
        '<rect class="hatch-line" width="2.4" height="6"/></pattern></defs>',
        *_grid(axis, zero, top, bottom),
        *(line for number, flag in enumerate(flags) for line in _flag(axis, flag, number, bottom)),
        *(line for number, phase in enumerate(run["phases"]) for line in _row(axis, phase, top + number * _ROW, end)),
        "</svg>",
    ]
    return "\n".join(parts)


def _begins(run: Document) -> t.Iterator[float]:
    for phase in run["phases"]:
        began = phase_span(phase)[0]
        if began is not None:
            yield began


def _end(run: Document, zero: float) -> float:
    known = [moment(run, "finished"), recovered(run), *(phase_span(phase)[1] for phase in run["phases"]), *_begins(run)]
    return max([zero, *(one for one in known if one is not None)])


def _flags(run: Document, zero: float, end: float) -> list[_Flag]:
    flags = [_Flag("interruption", zero, f"Interruption {utc(zero)[11:16]}")]
    at = recovered(run)
    if at is not None:
        flags.append(_Flag("recovered", at, f"Recovered {utc(at)[11:16]}, after {duration(max(at - zero, 0))}"))
    target = objective(run, "rto").get("target_seconds")
    if target is not None:
        limit = zero + target
        far = target > _FAR * max(end - zero, 1)
        met = {True: "met", False: "missed", None: "not measured"}[objective_met(run, "rto")]
        arrow = " →" if far else ""
        kind = "limit missed" if met == "missed" else "limit"
        flags.append(_Flag(kind, limit, f"RTO limit {duration(target)}, {utc(limit)[11:16]} ({met}){arrow}", far))
    return flags


def _description(run: Document, flags: t.Sequence[_Flag]) -> str:
    phases = (
        f"{phase_title(phase)}: {phase['status']}"
        + ("" if (seconds := phase_seconds(phase)) is None else f", {duration(seconds)}")
        for phase in run["phases"]
    )
    return f"{'; '.join(flag.label for flag in flags)}. {'; '.join(phases)}."


def _grid(axis: _Axis, zero: float, top: int, bottom: int) -> t.Iterator[str]:
    for at in axis.ticks(zero):
        place = axis.place(at)
        x = f"{place:.3f}%"
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="{top}" y2="{bottom + 4}"/>'
        after = at - zero
        label = "0" if after == 0 else f"{'+' if after > 0 else '-'}{_short(abs(after))}"
        anchor = _anchor(place)
        yield f'<text class="tick" x="{x}" y="{bottom + 19}" text-anchor="{anchor}">{label}</text>'
        yield f'<text class="tick clock" x="{x}" y="{bottom + 34}" text-anchor="{anchor}">{utc(at)[11:16]}</text>'


def _short(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    parts = [f"{value} {unit}" for value, unit in ((hours, "h"), (minutes, "min"), (rest, "s")) if value]
    return " ".join(parts) or "0"


def _anchor(place: float) -> str:
    return "start" if place < 4 else "end" if place > 93 else "middle"


def _flag(axis: _Axis, flag: _Flag, number: int, bottom: int) -> t.Iterator[str]:
    place = 100.0 if flag.beyond else axis.place(flag.at)
    x = f"{place:.3f}%"
    y = number * _FLAG + 13
    left = place < 45
    broken = " beyond" if flag.beyond else ""
    yield f'<line class="flag {flag.kind}{broken}" x1="{x}" x2="{x}" y1="{y - 10}" y2="{bottom + 4}"/>'
    yield (
        f'<text class="flag {flag.kind}" x="{x}" y="{y}" dx="{6 if left else -6}" '
        f'text-anchor="{"start" if left else "end"}">{_safe(flag.label)}</text>'
    )


def _row(axis: _Axis, phase: Document, y: int, end: float) -> t.Iterator[str]:
    title, seconds = phase_title(phase), phase_seconds(phase)
    attempts = phase.get("attempts") or ()
    state = phase["status"] + (f" at attempt {len(attempts)}" if len(attempts) > 1 else "")
    told = state if seconds is None else f"{duration(seconds)} · {state}"
    if phase["status"] == "done" and len(attempts) < 2 and seconds is not None:
        told = duration(seconds)
    shown = title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1] + "…"
    yield f'<g class="phase {_safe(phase["status"])}" data-phase="{_safe(phase["name"])}">'
    yield f"<title>{_safe(f'{title}: {told}')}</title>"
    yield f'<text class="name" x="4" y="{y + 13}">{_safe(shown)}</text>'
    yield f'<text class="told" x="100%" dx="-8" y="{y + 13}" text-anchor="end">{_safe(told)}</text>'
    yield f'<rect class="track" x="0" y="{y + 18}" width="100%" height="{_BAR}" rx="2"/>'
    for attempt in attempts:
        began = moment(attempt, "started")
        ended = moment(attempt, "finished")
        if began is not None:
            yield _bar(axis, attempt, began, end if ended is None else ended, y + 18)
    yield "</g>"


def _bar(axis: _Axis, attempt: Document, began: float, ended: float, y: int) -> str:
    # Two phases of a second must still be seen.
    left = min(axis.place(began), 99.6)
    width = max(axis.place(ended) - left, 0.4)
    kind = attempt["status"] if attempt["status"] in ("done", "failed", "running", "skipped") else "other"
    return f'<rect class="bar {kind}" x="{left:.3f}%" y="{y}" width="{width:.3f}%" height="{_BAR}" rx="2"/>'


def _safe(text: str) -> str:
    return escape(one_line(text), quote=True)
