# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports a backup as Odoo's own zip, and imports such a zip as a backup."""

from __future__ import annotations

import contextlib
import typing as t
import zipfile
from dataclasses import replace

from .._apps.odoo_backup import DATABASE, FILES
from .._apps.odoo_zip import export_zip
from .._apps.odoo_zip_import import ImportedZip, import_zip
from .._command.selection import choose_for_restore
from .._command.spooled import SpooledPart, spooled_part
from .._postgres.connection import Connection
from .._postgres.programs import Client
from .._repository.errors import ContinuityError, InputError
from .._repository.repository import open_repository
from .._repository.summary import FAILURE, read_chain
from .parts import Written, describe_record, host_name, outcome_of, tell_spooled
from .recovery_keys import needed_recovery_key
from .running import FailureWithResultError, Result, Work


def odoo_export(work: Work) -> Result:
    """Do what the module ``odoo_export`` promises."""
    params = work.params
    key = needed_recovery_key(params)
    client = Client(Connection.from_settings({"programs": params["programs"]}))
    names = [f"{params['prefix']}.{suffix}" for suffix in (DATABASE, FILES)[: 2 if params["filestore"] else 1]]
    with open_repository(params["repository"], key) as repository, contextlib.ExitStack() as stack:
        work.progress.begin("reading summaries")
        backup_id = choose_for_restore(repository, read_chain(repository), params["backup_id"], names)
        readers = [
            stack.enter_context(repository.open_part(backup_id, name, key, progress=work.progress)) for name in names
        ]
        result: Result = {"changed": True, "backup_id": backup_id, "file": params["path"]}
        if work.check_mode:
            return result
        files = readers[1] if params["filestore"] else None
        made = export_zip(readers[0], files, params["path"], client, replace=params["replace"])
    work.outcome.size = made["size"]
    return {**result, "size": made["size"], "files": made["files"], "manifest": made["manifest"]}


def odoo_import(work: Work) -> Result:
    """Do what the module ``odoo_import`` promises."""
    params = work.params
    try:
        with open_repository(params["repository"], spooling=True) as repository:
            repository.signing_identity()
            if work.check_mode:
                _check(params["path"])
                return {"changed": True, "backup_id": params["backup_id"]}
            repository.deliver_waiting(work.progress)
            made = import_zip(params["path"], repository, params["backup_id"], params["prefix"], work.progress)
            records = [record for record in (made.database, made.filestore) if record is not None]
            spooled = {
                record["part"]: spooled_part(repository, params["backup_id"], record["part"]) for record in records
            }
    except ContinuityError as error:
        outcome = outcome_of(
            f"{params['prefix']}.{DATABASE}", host_name(params), DATABASE, FAILURE, error.message, error.next_step
        )
        raise FailureWithResultError(error, {"outcomes": [outcome]}) from error
    return _imported(work, made, spooled)


def _imported(work: Work, made: ImportedZip, spooled: t.Mapping[str, SpooledPart | None]) -> Result:
    lacking = f"{len(made.corrupt)} files do not have the content that their names stand for." if made.corrupt else ""
    written = [Written(made.database)]
    if made.filestore is not None:
        written.append(Written(made.filestore, bool(lacking), lacking, "Look for these files in an older zip."))
    written = [replace(part, spooled=spooled[part.record["part"]]) for part in written]
    parts = [describe_record(part.record) for part in written]
    for part in written:
        work.warn(part.record["warnings"])
        tell_spooled(work, part)
    work.outcome.size = sum(part["size"] for part in parts)
    work.outcome.stored = sum(part["stored"] for part in parts)
    return {
        "changed": True,
        "backup_id": work.params["backup_id"],
        "parts": parts,
        "outcomes": [part.outcome() for part in written],
        "corrupt": made.corrupt,
    }


def _check(path: str) -> None:
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is not a zip file.", "Give a backup that Odoo has made, with its filestore.")
