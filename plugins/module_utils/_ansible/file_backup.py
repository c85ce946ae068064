# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backs up a tree of files, or a single file."""

from __future__ import annotations

from .._command.spooled import spool_exclusion
from .._files.backup import SINGLE_FILE, backup_file, backup_tree
from .._files.place import open_source, open_source_file
from .._repository.part_writer import PartWriter
from .parts import Written, write_part
from .running import Result, Work


def file_backup(work: Work) -> Result:
    """Do what the module ``file_backup`` promises."""
    params = work.params
    path, kind = params["path"], params["kind"]
    container = {"container": params["container"], "container_engine": params["engine"]}

    def check() -> None:
        if kind == SINGLE_FILE:
            open_source_file(path, params["container"], params["engine"])
        else:
            open_source(path, params["container"], params["engine"])

    def back_up(part: PartWriter) -> Written:
        if kind == SINGLE_FILE:
            done = backup_file(part, path, **container)
        else:
            done = backup_tree(
                part,
                path,
                kind=kind,
                exclude=[*params["exclude"], *([] if params["container"] else spool_exclusion(part.repository, path))],
                one_file_system=params["one_file_system"],
                unreadable=params["unreadable"],
                **container,
            )
        return Written(done.record, done.degraded, done.reason, done.next_step, done.findings.to_json())

    return write_part(work, kind, check, back_up)
