# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validates the plan of a site pair, and makes a first one from a backup and the hosts of an inventory."""

from __future__ import annotations

import os

from .._command.selection import choose_for_restore
from .._drill.fault import PlanError
from .._drill.plan import Plan, examine_plan
from .._drill.plan_draft import BackedUpPart, Draft, draft_plan
from .._repository.errors import InputError, ObjectMissingError, TargetError
from .._repository.part_reader import read_record
from .._repository.repository import Repository, open_repository
from .._repository.summary import FAILURE, read_chain, read_summary
from .._status.atomic_file import write_atomically
from .recovery_keys import given_recovery_key
from .running import FailureWithResultError, Result, Work

#: What is shorter than this is masked nowhere else: it would be found in every other word.
_SHORT = 8


def dr_plan(work: Work) -> Result:
    """Do what the module ``dr_plan`` promises."""
    return _generated(work) if work.params["state"] == "generated" else _validated(work)


def _validated(work: Work) -> Result:
    params = work.params
    if params["plan"] is None:
        raise InputError("No plan was given.", "Give plan, or state: generated to make a first one.")
    reading = examine_plan(params["plan"], params["inventory_hosts"], params["variables"])
    # Whoever wrote a secret into the plan must not find it again in what Ansible prints of this task.
    work.module.no_log_values.update(secret for secret in reading.secrets if len(secret) >= _SHORT)
    if reading.faults or reading.document is None:
        raise plan_failure(PlanError(reading.faults))
    plan = Plan(reading.document)
    return {"changed": False, "plan": plan.document, "sha256": plan.sha256}


def plan_failure(error: PlanError) -> FailureWithResultError:
    """Return the failure of a module to which a faulty plan was given: it has the faults as data too."""
    return FailureWithResultError(error, {"faults": [fault.to_json() for fault in error.faults]})


def _generated(work: Work) -> Result:
    params = work.params
    file = params["file"]
    if not params["repository"]:
        raise InputError("A plan is made from a backup, and no repository was given.", "Give repository.")
    if file and os.path.lexists(file) and not params["overwrite"]:
        raise TargetError(
            f"The file {file} is there already, and somebody may have worked on it.",
            "Give another file, or overwrite: true.",
        )
    with open_repository(params["repository"], given_recovery_key(params)) as repository:
        backup_id, parts = _parts(repository, params["backup_id"])
        location = repository.store.location
    draft = Draft(
        name=params["name"],
        source=f"the backup {backup_id} in {location}",
        parts=parts,
        inventory=params["inventory_hosts"] or [],
        dr_hosts=params["dr_hosts"],
        addresses=params["addresses"],
    )
    text, plan = draft_plan(draft)
    changed = not file or _differs(file, text)
    if file and changed and not work.check_mode:
        _write(file, text)
    undecided = examine_plan(plan, params["inventory_hosts"]).faults
    return {
        "changed": bool(file) and changed,
        "backup_id": backup_id,
        "plan": plan,
        "text": text,
        "undecided": [fault.to_json() for fault in undecided],
        **({"file": file} if file else {}),
    }


def _parts(repository: Repository, wanted: str) -> tuple[str, list[BackedUpPart]]:
    """Return the id of the backup, and what its records tell of the parts."""
    backup_id = choose_for_restore(repository, read_chain(repository), wanted, ())
    parts = []
    for entry in read_summary(repository, backup_id).document["parts"]:
        if entry["status"] != FAILURE:
            record = read_record(repository, backup_id, entry["part"])
            parts.append(BackedUpPart(entry["part"], record["host"], record["kind"], record.get("facts") or {}))
    if not parts:
        raise ObjectMissingError(f"The backup {backup_id} has no part.", "Name another one with backup_id.")
    return backup_id, parts


def _differs(file: str, text: str) -> bool:
    try:
        with open(file, encoding="utf-8") as opened:
            return opened.read() != text
    except OSError:
        return True


def _write(file: str, text: str) -> None:
    try:
        write_atomically(file, text.encode())
    except OSError as error:
        raise TargetError(
            f"The plan cannot be written to {file}: {error.strerror}.", "Correct the path, or make its folder writable."
        ) from error
