# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page of the report is made of. HTML and Markdown render the same blocks, so both say the same.

Every text here is raw; the renderers escape all of them, without exception.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

#: How a value is to be seen; never by colour alone, the text says it too.
GOOD, BAD, WARNING, MUTED, PLAIN = "good", "bad", "warning", "muted", ""


@dataclass(frozen=True)
class Cell:
    """One value. ``note`` is told below it, smaller; ``badge`` sets it apart, ``code`` sets it in fixed width.

    ``whole`` is for what must not be broken at the end of a line, such as a time.
    """

    text: str
    tone: str = PLAIN
    note: str = ""
    badge: bool = False
    code: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a caption for those who do not see it, and one name for each column."""

    caption: str
    columns: t.Sequence[str]
    rows: t.Sequence[t.Sequence[Cell]]


@dataclass(frozen=True)
class Facts:
    """Names with a value each."""

    rows: t.Sequence[tuple[str, Cell]]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; with a tone it is set apart as a remark."""

    text: str
    tone: str = PLAIN


@dataclass(frozen=True)
class Points:
    """A list of short texts."""

    items: t.Sequence[str]


@dataclass(frozen=True)
class Listing:
    """A long text in fixed width, which may be folded."""

    title: str
    text: str


@dataclass(frozen=True)
class Gauge:
    """An objective: target, what was achieved, and the share of the target that was used (None: not measured)."""

    title: str
    target: str
    achieved: str
    verdict: str
    tone: str
    share: float | None
    remark: str = ""


@dataclass(frozen=True)
class Card:
    """A finding."""

    id: str
    severity: str
    title: str
    detail: str
    facts: t.Sequence[tuple[str, str]]
    tone: str


@dataclass(frozen=True)
class TimelineBlock:
    """The timeline of a run. HTML draws it; Markdown leaves it to the table of phases, which says the same."""

    run: t.Mapping[str, t.Any]


Block = t.Union[Table, Facts, Paragraph, Points, Listing, Gauge, Card, TimelineBlock]  # noqa: UP007 - Python 3.10


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading."""

    id: str
    title: str
    blocks: t.Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    kind: str
    site: str
    verdict: str
    tone: str
    headline: str
    facts: Facts
    sections: t.Sequence[Section] = field(default_factory=tuple)
    ending: str = ""
