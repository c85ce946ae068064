# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example run documents, which the screenshots in docs/ are made of as well."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible_collections.dfr.continuity.plugins.module_utils._drill.report.comparison import Earlier
from ansible_collections.dfr.continuity.plugins.module_utils._drill.report.measures import finding_case
from ansible_collections.dfr.continuity.plugins.module_utils._drill.report.report import build_report
from ansible_collections.dfr.continuity.plugins.module_utils._drill.report.run_document import checked_run

Document = dict[str, t.Any]

FOLDER = Path(__file__).parent / "examples"
#: In the order in which they were run.
NAMES = ("earlier-2026-05", "earlier-2026-08", "passed", "failed")


def example(name: str) -> Document:
    """Return an example as it is in its file, to be changed at will."""
    return t.cast("Document", json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def earlier(*runs: Document) -> list[Earlier]:
    """Return runs, oldest first, as their reports would be read back."""
    read: list[Earlier] = []
    for run in runs:
        found = build_report(run, read)["findings"]
        read.append(Earlier(checked_run(run), {finding_case(one): one["title"] for one in found}))
    return read


def report(run: Document, *before: Document, **options: t.Any) -> Document:
    """Return the report of a run after others."""
    return build_report(checked_run(run), earlier(*before), **options)


def phase(run: Document, name: str) -> Document:
    """Return a phase of a run."""
    return next(one for one in run["phases"] if one["name"] == name)


def check(run: Document, name: str, place: str = "checks") -> Document:
    """Return a check of a run."""
    return next(one for one in run[place] if one["name"] == name)


def findings(made: Document) -> dict[str, Document]:
    """Return the findings of a report by their ids."""
    return {one["id"]: one for one in made["findings"]}
