# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores a tree of files, some of them, or a single file."""

from __future__ import annotations

import typing as t

from .._files.backup import SINGLE_FILE
from .._files.restore import IncompleteRestoreError, RestoreResult, restore_file, restore_tree
from .._repository.errors import InputError
from .._repository.part_reader import PartReader
from .opening import describe_source, opened_part
from .running import FailureWithResultError, Result, Work


def file_restore(work: Work) -> Result:
    """Do what the module ``file_restore`` promises."""
    params = work.params
    with opened_part(work) as part:
        source = describe_source(part)
        try:
            done = _restore(part.reader, params, dry_run=work.check_mode)
        except IncompleteRestoreError as error:
            raise FailureWithResultError(error, _result(work, source, error.result)) from error
    work.warn(done.warnings)
    return _result(work, source, done)


def _restore(reader: PartReader, params: t.Mapping[str, t.Any], *, dry_run: bool) -> RestoreResult:
    common: dict[str, t.Any] = {
        "overwrite": params["overwrite"],
        "verify": params["verify"],
        "owners": params["ownership"],
        "owner": params["owner"],
        "group": params["group"],
        "container": params["container"],
        "container_engine": params["engine"],
        "dry_run": dry_run,
    }
    if reader.record["kind"] != SINGLE_FILE:
        return restore_tree(reader, params["path"], paths=params["select"], delete=params["delete"], **common)
    if params["select"] or params["delete"]:
        raise InputError(
            f"The part {reader.part} is a single file, of which nothing can be selected or deleted.",
            "Leave select and delete out.",
        )
    return restore_file(reader, params["path"], **common)


def _result(work: Work, source: Result, done: RestoreResult) -> Result:
    work.outcome.size = done.size
    summary = {"written": done.written, "updated": done.updated, "deleted": done.deleted, "bytes": done.size}
    return {
        **source,
        "changed": done.changed,
        "target": work.params["path"],
        "selected": {"things": done.plan.things, "size": done.plan.size},
        "written": done.written,
        "updated": done.updated,
        "unchanged": done.unchanged,
        "deleted": done.deleted,
        "size": done.size,
        "findings": done.findings.to_json(),
        "diff": {"before": dict.fromkeys(summary, 0), "after": summary},
    }
