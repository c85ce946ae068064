# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the report of a drill or failover, and keeps it in the repository."""

from __future__ import annotations

import typing as t

from .._drill.report.comparison import REPORT_FILE, read_earlier
from .._drill.report.message import body, subject
from .._drill.report.report import build_report
from .._drill.report.report_folder import CHECKSUMS, HTML, MARKDOWN, ReportFiles, write_report
from .._drill.report.run_document import checked_run, read_run
from .._files.backup import TREE, backup_tree
from .._repository.encoding import new_backup_id
from .._repository.errors import ContinuityError, StoreError
from .._repository.repository import open_repository
from .._repository.summary import SUCCESS, PartOutcome, close_backup
from .running import FailureWithResultError, Result, Work

#: The set that reports are backed up as; it is also the second word of the part's name.
BACKUP_SET = "drills"


def dr_report(work: Work) -> Result:
    """Do what the module ``dr_report`` promises."""
    params = work.params
    run = checked_run(params["run"]) if params["run"] is not None else read_run(params["run_file"])
    earlier, problems = read_earlier(params["folder"], run)
    work.warn(problems)
    report = build_report(
        run,
        earlier,
        due_days=params["due_days"],
        secrets=work.module.no_log_values,
        shown_runs=max(params["earlier_runs"], 0),
    )
    files = write_report(params["folder"], report, dry_run=work.check_mode)
    work.outcome.path = files.folder
    result: Result = {"changed": files.changed, **_describe(report, files), "backup_id": None, "part": None}
    if params["repository"]:
        try:
            result.update(_store(work, files))
        except ContinuityError as error:
            # The report is written all the same, and people must hear of it.
            raise FailureWithResultError(error, result) from error
    return result


def _describe(report: t.Mapping[str, t.Any], files: ReportFiles) -> Result:
    names = {"html": HTML, "markdown": MARKDOWN, "json": REPORT_FILE, "checksums": CHECKSUMS}
    return {
        "run_id": report["id"],
        "site": report["site"],
        "status": report["result"],
        "folder": files.folder,
        "files": {kind: files.path(name) for kind, name in names.items()},
        "sha256": {kind: files.sha256[name] for kind, name in names.items()},
        "findings": report["findings"],
        "regressions": report["comparison"]["regressions"],
        "plan_proved": report["plan"]["proved"],
        "subject": subject(report),
        "body": body(report, files),
    }


def _store(work: Work, files: ReportFiles) -> Result:
    """Back the folder up, as a backup of its own with one part; return what the module adds to its result."""
    with open_repository(work.params["repository"]) as repository:
        if work.check_mode:
            repository.signing_identity()
            return {"changed": True}
        backup_id, part = new_backup_id(), f"{repository.host}.{BACKUP_SET}.report"
        with repository.write_part(backup_id, part, kind=TREE, progress=work.progress) as writer:
            done = backup_tree(writer, files.folder)
        work.outcome.size, work.outcome.stored = done.record["bytes"]["source"], done.record["bytes"]["stored"]
        outcome = PartOutcome(
            part, repository.host, TREE, degraded=done.degraded, reason=done.reason, next_step=done.next_step
        )
        closed = close_backup(repository, backup_id, [outcome])
        if closed["status"] != SUCCESS:
            told = closed["parts"][0]
            raise StoreError(f"The report is not whole in the repository: {told['reason']}", told["next_step"])
    return {"changed": True, "backup_id": backup_id, "part": part}
