# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subject and body of the e-mail that tells how a run went."""

from __future__ import annotations

import typing as t

from .contents import headline, objective_line
from .measures import ABORTED, FAILED, PASSED, UNFINISHED, mode_title
from .report_folder import CHECKSUMS, ReportFiles
from .text import one_line, visible

Document = t.Mapping[str, t.Any]

_WORDS = {PASSED: "passed", FAILED: "FAILED", ABORTED: "ABORTED", UNFINISHED: "is not finished"}
_MOST_FINDINGS = 10


def subject(report: Document) -> str:
    """Return the subject, in one line: a line break in it is how mail headers are forged."""
    high = sum(found["severity"] == "high" for found in report["findings"])
    more = f": {high} finding{'s' if high > 1 else ''} of high severity" if high else ""
    return one_line(f"{mode_title(report['run'])} {report['site']} {_WORDS[report['result']]}{more}")


def body(report: Document, files: ReportFiles) -> str:
    """Return the text: what became of the run, its findings, and where the report is."""
    run = report["run"]
    lines = [
        f"{mode_title(run)} {report['site']} ({report['id']}) {_WORDS[report['result']]}.",
        headline(report),
        "",
        *(objective_line(run, name) for name in ("rto", "rpo")),
        f"Run by: {run.get('started_by') or 'not recorded'}; approved by: {run.get('approved_by') or 'not recorded'}",
        report["plan"]["statement"],
    ]
    lines += [f"Reason: {run['reason']}"] if run.get("reason") else []
    lines += [f"Next step: {run['next_step']}"] if run.get("next_step") else []
    lines += ["", *_findings(report["findings"]), f"The report: {files.folder}"]
    lines += [f"  {digest}  {name}" for name, digest in sorted(files.sha256.items()) if name != CHECKSUMS]
    return visible("\n".join(lines)) + "\n"


def _findings(findings: t.Sequence[Document]) -> t.Iterator[str]:
    for found in findings[:_MOST_FINDINGS]:
        yield f"[{found['severity']}] {found['title']}"
        for name, value in (("Detail", found["detail"]), ("Remedy", found["remedy"]), ("Owner", found["owner"])):
            if value:
                yield f"  {name}: {value}"
        yield ""
    if len(findings) > _MOST_FINDINGS:
        yield f"and {len(findings) - _MOST_FINDINGS} more, in the report."
        yield ""
