# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as data: what ``report.json`` holds, and what the pages are written from."""

from __future__ import annotations

import typing as t

from ..._status.text import utc
from .comparison import REPORT_SCHEMA, Earlier, comparable, plan_statement, regressions, summary_of
from .findings import HIGH, LOW, MEDIUM, findings_of, resolved
from .measures import contradictions, recovered, result
from .redaction import without_secrets

Document = dict[str, t.Any]

#: Days within which findings are to be dealt with, by severity.
DUE_DAYS = {HIGH: 7, MEDIUM: 30, LOW: 90}
#: How many earlier runs a report shows.
SHOWN_RUNS = 5


def build_report(
    run: t.Mapping[str, t.Any],
    earlier: t.Sequence[Earlier] = (),
    *,
    due_days: t.Mapping[str, int] | None = None,
    secrets: t.Iterable[str] = (),
    shown_runs: int = SHOWN_RUNS,
) -> Document:
    """Make the report of a run. The same run and the same earlier ones make the same report, whenever it is made.

    :arg run: a run document as :func:`.run_document.checked_run` returns it.
    :arg earlier: earlier runs of the same site, oldest first.
    :arg due_days: days by severity, instead of :data:`DUE_DAYS`.
    :arg secrets: values that must not be in the report.
    """
    clean: Document = without_secrets(run, secrets)
    alike = comparable(clean, earlier)
    worse = regressions(clean, earlier)
    plan = plan_statement(clean, earlier)
    found = findings_of(clean, alike, worse, plan, DUE_DAYS if due_days is None else due_days)
    at = recovered(clean)
    report = {
        "schema": REPORT_SCHEMA,
        "id": clean["id"],
        "site": clean["site"],
        "mode": clean["mode"],
        "result": result(clean),
        "contradictions": contradictions(clean),
        "recovered": None if at is None else utc(at),
        "findings": [one.to_json() for one in found],
        "resolved": resolved(clean, found, alike),
        "plan": plan,
        "comparison": {
            "runs": [summary_of(one.run) for one in earlier[len(earlier) - min(shown_runs, len(earlier)) :]],
            "regressions": [one.to_json() for one in worse],
        },
        "run": clean,
    }
    # What earlier reports hold has been cleaned by the secrets of their time.
    return t.cast("Document", without_secrets(report, secrets))
