# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backs up an Odoo: database, filestore, add-ons and configuration, in step with each other."""

from __future__ import annotations

import os
import typing as t

from .._apps.odoo_backup import (
    ADDONS,
    CONFIG,
    DATABASE,
    FILES,
    OdooBackup,
    OdooBackupOptions,
    PartResult,
    backup_odoo,
)
from .._apps.odoo_database import odoo_facts
from .._apps.odoo_installation import OdooInstallation, installation_from_settings
from .._command.spooled import SpooledPart, spooled_part
from .._files.place import open_source
from .._postgres.dump import DumpOptions
from .._postgres.programs import Client
from .._postgres.session import Session
from .._repository.errors import ContinuityError
from .._repository.repository import Repository, open_repository
from .._repository.summary import FAILURE
from .._status.log import Outcome, Step
from .._status.text import epoch
from .parts import Written, describe_record, host_name, outcome_of, tell_spooled
from .running import FailureWithResultError, Result, Work

PARTS = (DATABASE, FILES, ADDONS, CONFIG)
#: How the Odoo is described: see :func:`installation_from_settings`.
SPEC: dict[str, t.Any] = {
    "database": {"type": "str"},
    "config": {"type": "str"},
    "data_dir": {"type": "str"},
    "filestore": {"type": "str"},
    "addons": {"type": "list", "elements": "str"},
    "container": {"type": "str"},
    "engine": {"type": "str", "choices": ["podman", "docker"]},
    "command": {"type": "list", "elements": "str"},
    "run_as": {"type": "str"},
}


def odoo_backup(work: Work) -> Result:
    """Do what the module ``odoo_backup`` promises."""
    params = work.params
    try:
        odoo = installation_from_settings(
            {name: params[name] for name in (*SPEC, "connection") if params[name] is not None}
        )
        with open_repository(params["repository"], spooling=True) as repository:
            work.outcome.path = repository.store.location
            if work.check_mode:
                return _check(work, repository, odoo)
            # Before anything is held in the database.
            repository.deliver_waiting(work.progress)
            made = backup_odoo(
                repository,
                params["backup_id"],
                params["prefix"],
                odoo,
                OdooBackupOptions(
                    parts=tuple(params["parts"]),
                    dump=DumpOptions(lock_timeout=params["lock_timeout"], checksums=params["checksums"]),
                    tolerated_attachments=params["tolerated_attachments"],
                ),
                work.progress,
                on_part=lambda part: _log(work, part, spooled_part(repository, params["backup_id"], part.name)),
            )
            spooled = {part.name: spooled_part(repository, params["backup_id"], part.name) for part in made.parts}
    except ContinuityError as error:
        # Not one part came into being: each that was asked for is a failed one.
        outcomes = [
            outcome_of(f"{params['prefix']}.{name}", host_name(params), "", FAILURE, error.message, error.next_step)
            for name in params["parts"]
        ]
        raise FailureWithResultError(error, {"outcomes": outcomes, "parts": []}) from error
    return _result(work, made, spooled)


def _check(work: Work, repository: Repository, odoo: OdooInstallation) -> Result:
    """Look whether it could be done."""
    repository.signing_identity()
    with Session(Client(odoo.connection), odoo.database) as session:
        facts = odoo_facts(session)
    if FILES in work.params["parts"] and (odoo.container is not None or os.path.lexists(odoo.filestore)):
        open_source(odoo.filestore, odoo.container, odoo.engine)
    return {
        "changed": True,
        "backup_id": work.params["backup_id"],
        "odoo": {"database": odoo.database, "filestore": odoo.filestore, "series": facts["series"]},
    }


def _log(work: Work, part: PartResult, spooled: SpooledPart | None) -> None:
    """Log each part as the step that it is."""
    params = work.params
    step = Step("odoo_backup", params["backup_set"] or "", params["backup_id"], part.name)
    record = part.record
    if part.error is not None:
        work.log.ended(step, Outcome(reason=part.error.message, next_step=part.error.next_step), 0.0)
    elif record is not None:
        sizes = record["bytes"]
        outcome = Outcome(sizes["source"], sizes["stored"], work.outcome.path, part.incomplete, part.next_step)
        if spooled is not None:
            outcome.reason, outcome.next_step = f"{part.incomplete} {spooled.reason}".strip(), spooled.next_step
        work.log.ended(step, outcome, epoch(record["finished"]) - epoch(record["started"]))


def _result(work: Work, made: OdooBackup, spooled: t.Mapping[str, SpooledPart | None]) -> Result:
    described = [_part(work, part, spooled[part.name]) for part in made.parts]
    done = [part for part in described if part["status"] != "skipped"]
    work.outcome.size = sum(part.get("size", 0) for part in done)
    work.outcome.stored = sum(part.get("stored", 0) for part in done)
    result: Result = {
        "changed": any(part.record is not None for part in made.parts),
        "backup_id": work.params["backup_id"],
        "parts": described,
        "outcomes": [part.pop("outcome") for part in done],
        "size": work.outcome.size,
        "stored": work.outcome.stored,
        "attachments": {
            "accounted_for": made.accounted,
            **made.counts,
            "missing": made.missing,
            "corrupt": made.corrupt,
        },
    }
    for part in made.parts:
        if part.error is not None:
            # The others are there all the same, and are told of.
            raise FailureWithResultError(part.error, result) from part.error
    return result


def _part(work: Work, part: PartResult, spooled: SpooledPart | None) -> Result:
    """Return a part as the module returns it, with ``outcome`` unless there was nothing to back up."""
    if part.error is not None:
        outcome = outcome_of(
            part.name, host_name(work.params), part.kind, FAILURE, part.error.message, part.error.next_step
        )
        return {"part": part.name, "kind": part.kind, "status": FAILURE, "outcome": outcome}
    if part.record is None:
        return {"part": part.name, "kind": part.kind, "status": "skipped"}
    work.warn(f"{part.name}: {sentence}" for sentence in part.record["warnings"])
    written = Written(part.record, bool(part.incomplete), part.incomplete, part.next_step, spooled=spooled)
    tell_spooled(work, written)
    outcome = written.outcome()
    described = describe_record(part.record)
    del described["backup_id"]
    return {**described, "status": outcome["status"], "outcome": outcome}
