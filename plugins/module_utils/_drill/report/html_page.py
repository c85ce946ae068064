# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the report as one HTML file: no scripts, nothing from elsewhere, readable on a phone, on paper and by ear."""

from __future__ import annotations

import typing as t
from html import escape

from . import timeline
from .blocks import Block, Card, Cell, Facts, Gauge, Listing, Page, Paragraph, Points, Section, Table, TimelineBlock
from .style import STYLE
from .text import one_line, visible

#: Should anything ever slip through the escaping, a browser still runs and fetches nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

#: A longer value gets a line of its own.
_NARROW = 40


def render(page: Page) -> str:
    """Return the page as an HTML document."""
    links = "".join(f'<li><a href="#{section.id}">{_text(section.title)}</a></li>' for section in page.sections)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<meta name="referrer" content="no-referrer">',
            '<meta name="robots" content="noindex">',
            f"<title>{escape(one_line(page.title))}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            f'<header class="{page.tone}">',
            f'<p class="kind">{_text(page.kind)}</p>',
            f"<h1>{_text(page.site)}</h1>",
            f'<p class="verdict"><span class="badge {page.tone}">{_text(page.verdict)}</span></p>',
            f'<p class="headline">{_text(page.headline)}</p>',
            _facts(page.facts),
            "</header>",
            f'<nav aria-label="Sections"><ul>{links}</ul></nav>',
            "<main>",
            *(_section(section) for section in page.sections),
            "</main>",
            f"<footer><p>{_text(page.ending)}</p></footer>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _text(text: str) -> str:
    return escape(visible(text), quote=True).replace("\n", "<br>")


def _section(section: Section) -> str:
    blocks = "\n".join(_grouped(section.blocks))
    return (
        f'<section id="{section.id}" aria-labelledby="{section.id}-title">\n'
        f'<h2 id="{section.id}-title">{_text(section.title)}</h2>\n{blocks}\n</section>'
    )


def _grouped(blocks: t.Sequence[Block]) -> t.Iterator[str]:
    """Render blocks; gauges that follow each other stand side by side."""
    gauges = [_gauge(block) for block in blocks if isinstance(block, Gauge)]
    if gauges:
        yield f'<div class="gauges">{"".join(gauges)}</div>'
    for block in blocks:
        if not isinstance(block, Gauge):
            yield _block(block)


def _block(block: Block) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Facts):
        return _facts(block)
    if isinstance(block, Card):
        return _card(block)
    if isinstance(block, TimelineBlock):
        return f"<figure>{timeline.draw(block.run)}</figure>"
    if isinstance(block, Points):
        return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in block.items)}</ul>"
    if isinstance(block, Listing):
        return f"<details><summary>{_text(block.title)}</summary><pre>{escape(visible(block.text))}</pre></details>"
    if isinstance(block, Paragraph):
        return (
            f'<p class="remark {block.tone}">{_text(block.text)}</p>' if block.tone else f"<p>{_text(block.text)}</p>"
        )
    raise TypeError(f"{type(block).__name__} cannot stand alone.")


def _facts(facts: Facts) -> str:
    rows = "".join(
        f"<div{_wide(value.text)}><dt>{_text(name)}</dt><dd>{_cell(value)}</dd></div>" for name, value in facts.rows
    )
    return f'<dl class="facts">{rows}</dl>'


def _wide(text: str) -> str:
    return ' class="wide"' if len(text) > _NARROW else ""


def _cell(cell: Cell) -> str:
    text = _text(cell.text)
    if cell.code and text:
        text = f"<code>{text}</code>"
    if cell.badge:
        text = f'<span class="badge {cell.tone}">{text}</span>'
    elif cell.tone and text:
        text = f'<span class="{cell.tone}">{text}</span>'
    note = f'<span class="note">{_text(cell.note)}</span>' if cell.note else ""
    return text + note


def _table(table: Table) -> str:
    """Render a table. Roles are named, because a table that is shown as cards on a phone loses them otherwise."""
    head = "".join(f'<th role="columnheader" scope="col">{_text(name)}</th>' for name in table.columns)
    rows = "\n".join(f'<tr role="row">{_row(table.columns, row)}</tr>' for row in table.rows)
    return (
        f'<div class="scroll"><table role="table"><caption>{_text(table.caption)}</caption>'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>\n'
        f'<tbody role="rowgroup">{rows}</tbody></table></div>'
    )


def _row(columns: t.Sequence[str], row: t.Sequence[Cell]) -> str:
    first, *rest = row
    cells = [f'<th role="rowheader" scope="row">{_cell(first)}</th>']
    for name, cell in zip(columns[1:], rest, strict=True):
        content = _cell(cell)
        kind = ' class="empty"' if not content else ' class="whole"' if cell.whole else ""
        label = escape(one_line(name), quote=True)
        cells.append(f'<td role="cell" data-label="{label}"{kind}><div>{content}</div></td>')
    return "".join(cells)


def _gauge(gauge: Gauge) -> str:
    share = gauge.share
    # The bar is as wide as the target, or as what was achieved when that is more; a line marks the target then.
    filled = 0.0 if share is None else max(min(share, 1.0) * 100, 0.6)
    mark = "" if share is None or share <= 1 else f'<rect class="mark" x="{100 / share:.2f}%" width="2" height="10"/>'
    drawn = (
        '<svg width="100%" height="10" aria-hidden="true"><rect class="track" width="100%" height="10" rx="2"/>'
        f'<rect class="fill {gauge.tone}" width="{filled:.2f}%" height="10" rx="2"/>{mark}</svg>'
    )
    achieved = _text(gauge.achieved) if gauge.achieved else "–"
    remark = f" · {_text(gauge.remark)}" if gauge.remark else ""
    return (
        f'<div class="gauge {gauge.tone}"><h3>{_text(gauge.title)} '
        f'<span class="badge {gauge.tone}">{_text(gauge.verdict)}</span></h3>'
        f'<p class="achieved">{achieved}</p>{drawn}<p class="target">Target {_text(gauge.target)}{remark}</p></div>'
    )


def _card(card: Card) -> str:
    facts = "".join(f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in card.facts)
    return (
        f'<article class="finding {card.tone}"><h3><span class="badge {card.tone}">{_text(card.severity)}</span> '
        f"{_text(card.title)}</h3><p>{_text(card.detail)}</p>"
        f"<dl>{facts}<div><dt>Id</dt><dd><code>{_text(card.id)}</code></dd></div></dl></article>"
    )
