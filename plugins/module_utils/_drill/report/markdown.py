# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the report as Markdown (GitHub's), for tickets, wikis and terminals."""

from __future__ import annotations

import re
import typing as t

from .blocks import Block, Card, Cell, Facts, Gauge, Listing, Page, Paragraph, Points, Table, TimelineBlock
from .text import visible

#: What begins anything in Markdown. A backslash before a punctuation character makes it plain.
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~$-])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
#: GitHub makes links of bare addresses; an entity within stops it from doing so with what servers have answered.
_ADDRESS = re.compile(r"(?<=[A-Za-z])://|(?<=www)\.|@")


def render(page: Page) -> str:
    """Return the page as Markdown."""
    lines = [
        f"# {_text(page.kind)}: {_text(page.site)}",
        f"**{_text(page.verdict)}.** {_text(page.headline)}",
        _facts(page.facts),
    ]
    for section in page.sections:
        lines.append(f"## {_text(section.title)}")
        lines += [text for block in section.blocks if (text := _block(block))]
    return "\n\n".join([*lines, "---", _text(page.ending)]) + "\n"


def _text(text: str, line_break: str = "<br>") -> str:
    """Escape everything that means anything, so that a text is what it is."""
    plain = "".join(_HTML.get(one, one) for one in visible(text).strip().replace("\t", " "))
    plain = _MARKUP.sub(r"\\\1", plain)
    plain = _ADDRESS.sub(lambda found: "".join(f"&#{ord(one)};" if one in ":.@" else one for one in found[0]), plain)
    plain = re.sub(r"^(\d+)\.", r"\1\\.", plain, flags=re.MULTILINE)
    return re.sub(r"\s*\n\s*", line_break, plain)


def _block(block: Block) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Facts):
        return _facts(block)
    if isinstance(block, Gauge):
        return _gauge(block)
    if isinstance(block, Card):
        return _card(block)
    if isinstance(block, Points):
        return "\n".join(f"- {_text(item, ' ')}" for item in block.items)
    if isinstance(block, Listing):
        return f"### {_text(block.title)}\n\n{_fenced(block.text)}"
    if isinstance(block, Paragraph):
        return f"> {_text(block.text)}" if block.tone else _text(block.text)
    if isinstance(block, TimelineBlock):
        return ""  # the table of phases says it
    raise TypeError(f"{type(block).__name__} is unknown.")


def _facts(facts: Facts) -> str:
    return "\n".join(f"- {_text(name)}: {_cell(value)}" for name, value in facts.rows)


def _cell(cell: Cell) -> str:
    text = _text(cell.text)
    if text and (cell.badge or cell.tone == "bad"):
        text = f"**{text}**"
    return "<br>".join(part for part in (text, _text(cell.note)) if part)


def _table(table: Table) -> str:
    lines = [_line(map(_text, table.columns)), _line("---" for _column in table.columns)]
    return "\n".join([*lines, *(_line(map(_cell, row)) for row in table.rows)])


def _line(cells: t.Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _gauge(gauge: Gauge) -> str:
    remark = f" ({_text(gauge.remark)})" if gauge.remark else ""
    achieved = _text(gauge.achieved) or "–"
    return (
        f"- {_text(gauge.title)}: **{_text(gauge.verdict)}**, achieved {achieved}, target {_text(gauge.target)}{remark}"
    )


def _card(card: Card) -> str:
    facts = [*card.facts, ("Id", card.id)]
    detail = [_text(card.detail)] if card.detail else []
    return "\n\n".join(
        [
            f"### {_text(card.severity.capitalize())}: {_text(card.title, ' ')}",
            *detail,
            "\n".join(f"- {_text(name)}: {_text(value)}" for name, value in facts),
        ]
    )


def _fenced(text: str) -> str:
    """Return a text in a fence that is longer than any run of backticks in it."""
    shown = visible(text)
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{shown}\n{fence}"
