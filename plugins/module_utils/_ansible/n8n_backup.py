# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backs up an n8n: database, settings with the proved encryption key, and files."""

from __future__ import annotations

import typing as t

from .._apps.n8n_backup import (
    DATABASE,
    FILES,
    SETTINGS,
    N8nBackup,
    N8nBackupOptions,
    PartResult,
    backup_n8n,
    find_key,
)
from .._apps.n8n_database import n8n_facts
from .._apps.n8n_installation import N8nInstallation, n8n_from_settings
from .._apps.n8n_settings import refuse_secrets
from .._files.place import open_source
from .._postgres.dump import DumpOptions
from .._postgres.programs import Client
from .._postgres.session import Session
from .._repository.errors import ContinuityError
from .._repository.repository import Repository, open_repository
from .._repository.summary import FAILURE
from .._status.log import Outcome, Step
from .._status.text import epoch
from .parts import Written, describe_record, host_name, outcome_of
from .running import FailureWithResultError, Result, Work

PARTS = (DATABASE, SETTINGS, FILES)
#: How the n8n is described: see :func:`n8n_from_settings`.
SPEC: dict[str, t.Any] = {
    "env_file": {"type": "str"},
    "unit": {"type": "str"},
    # Not no_log, which would blot out values such as 1 wherever they stand in the result; secrets are refused here.
    "environment": {"type": "dict"},
    "encryption_key": {"type": "str", "no_log": True},
    "user_folder": {"type": "str"},
    "more_folders": {"type": "list", "elements": "str"},
    "database": {"type": "str"},
    "container": {"type": "str"},
    "engine": {"type": "str", "choices": ["podman", "docker"]},
}


def n8n_backup(work: Work) -> Result:
    """Do what the module ``n8n_backup`` promises."""
    params = work.params
    try:
        refuse_secrets(params["environment"] or {}, "environment", "encryption_key and connection, or env_file")
        n8n = n8n_from_settings({name: params[name] for name in (*SPEC, "connection") if params[name] is not None})
        with open_repository(params["repository"]) as repository:
            work.outcome.path = repository.store.location
            if work.check_mode:
                return _check(work, repository, n8n)
            made = backup_n8n(
                repository,
                params["backup_id"],
                params["prefix"],
                n8n,
                N8nBackupOptions(
                    parts=tuple(params["parts"]),
                    dump=DumpOptions(lock_timeout=params["lock_timeout"], checksums=params["checksums"]),
                    exclude=tuple(params["exclude"]),
                ),
                work.progress,
                on_part=lambda part: _log(work, part),
            )
    except ContinuityError as error:
        # Not one part came into being: each that was asked for is a failed one.
        outcomes = [
            outcome_of(f"{params['prefix']}.{name}", host_name(params), "", FAILURE, error.message, error.next_step)
            for name in params["parts"]
        ]
        raise FailureWithResultError(error, {"outcomes": outcomes, "parts": []}) from error
    return _result(work, n8n, made)


def _check(work: Work, repository: Repository, n8n: N8nInstallation) -> Result:
    """Look whether it could be done; the key is proved here, too."""
    repository.signing_identity()
    with Session(Client(n8n.connection), n8n.database) as session:
        facts = n8n_facts(session, n8n.tables)
        _key, proof = find_key(session, n8n)
    for path in (n8n.folder, *n8n.more_folders) if FILES in work.params["parts"] else ():
        open_source(path, n8n.container, n8n.engine)
    work.warn([*n8n.settings.warnings, *proof.sentences()])
    described = {"database": n8n.database, "folder": n8n.folder, "series": facts["series"]}
    return {"changed": True, "backup_id": work.params["backup_id"], "n8n": described, "key": proof.facts()}


def _log(work: Work, part: PartResult) -> None:
    """Log each part as the step that it is."""
    params = work.params
    step = Step("n8n_backup", params["backup_set"] or "", params["backup_id"], part.name)
    record = part.record
    if part.error is not None:
        work.log.ended(step, Outcome(reason=part.error.message, next_step=part.error.next_step), 0.0)
    elif record is not None:
        sizes = record["bytes"]
        outcome = Outcome(sizes["source"], sizes["stored"], work.outcome.path, part.incomplete, part.next_step)
        work.log.ended(step, outcome, epoch(record["finished"]) - epoch(record["started"]))


def _result(work: Work, n8n: N8nInstallation, made: N8nBackup) -> Result:
    described = [_part(work, part) for part in made.parts]
    work.outcome.size = sum(part.get("size", 0) for part in described)
    work.outcome.stored = sum(part.get("stored", 0) for part in described)
    series = made.facts["series"] if made.facts else None
    result: Result = {
        "changed": any(part.record is not None for part in made.parts),
        "backup_id": work.params["backup_id"],
        "n8n": {"database": n8n.database, "folder": n8n.folder, "series": series},
        "key": made.proof.facts() if made.proof else None,
        "parts": described,
        "outcomes": [part.pop("outcome") for part in described],
        "size": work.outcome.size,
        "stored": work.outcome.stored,
    }
    for part in made.parts:
        if part.error is not None:
            # The others are there all the same, and are told of.
            raise FailureWithResultError(part.error, result) from part.error
    return result


def _part(work: Work, part: PartResult) -> Result:
    """Return a part as the module returns it, with ``outcome``."""
    if part.record is None:
        reason, next_step = (part.error.message, part.error.next_step) if part.error else ("", "")
        outcome = outcome_of(part.name, host_name(work.params), part.kind, FAILURE, reason, next_step)
        return {"part": part.name, "kind": part.kind, "status": FAILURE, "outcome": outcome}
    work.warn(f"{part.name}: {sentence}" for sentence in part.record["warnings"])
    outcome = Written(part.record, bool(part.incomplete), part.incomplete, part.next_step).outcome()
    described = describe_record(part.record)
    del described["backup_id"]
    return {**described, "status": outcome["status"], "outcome": outcome}
