# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What backups a repository holds, how old and how big they are, and which is the newest valid one."""

from __future__ import annotations

import time
import typing as t

from .._command.selection import Latest, latest_valid
from .._repository.errors import ContinuityError, ObjectMissingError
from .._repository.repository import Repository, open_repository
from .._repository.summary import SUCCESS, Summary, read_chain
from .._status.text import epoch, moment
from .recovery_keys import given_recovery_key
from .running import Result, Work


def backup_info(work: Work) -> Result:
    """Do what the module ``backup_info`` promises."""
    params = work.params
    not_after = moment(params["not_after"]) if params["not_after"] else None
    with open_repository(params["repository"], given_recovery_key(params)) as repository:
        chain = read_chain(repository)
        newest_first = [describe_summary(summary) for summary in reversed(chain.summaries)]
        wanted = params["backup_id"]
        if wanted:
            newest_first = [entry for entry in newest_first if entry["backup_id"] == wanted]
            if not newest_first:
                raise chain.broken.get(wanted) or _unknown(wanted, repository)
        look = params["find_valid"] and not wanted
        newest = latest_valid(repository, chain, params["parts"], not_after) if look else Latest()
    return {
        "changed": False,
        "location": repository.store.location,
        "repository_id": repository.repository_id,
        "backups": newest_first[: params["limit"]] if params["limit"] else newest_first,
        "latest": newest_first[0]["backup_id"] if newest_first else None,
        "latest_success": next((entry["backup_id"] for entry in newest_first if entry["status"] == SUCCESS), None),
        "latest_valid": newest.valid.backup_id if newest.valid else None,
        "invalid": newest.problems,
        "refused": [{"backup_id": one, "reason": reason} for one, reason in newest.refused.items()],
        "unfinished": chain.unfinished,
        "broken": {backup_id: error.message for backup_id, error in chain.broken.items()},
        "findings": chain.findings,
    }


def describe_summary(summary: Summary) -> Result:
    """Return a backup as modules return it; sizes in bytes."""
    document = summary.document
    parts = [_part(part) for part in document["parts"]]
    finished = epoch(document["finished"])
    return {
        "backup_id": summary.backup_id,
        "status": summary.status,
        "signer": summary.signer.name,
        "started": document["started"],
        "finished": document["finished"],
        "age_seconds": max(int(time.time() - finished), 0),
        "duration_seconds": finished - epoch(document["started"]),
        "size": sum(part["size"] or 0 for part in parts),
        "stored": sum(part["stored"] or 0 for part in parts),
        "parts": parts,
    }


def _part(part: t.Mapping[str, t.Any]) -> Result:
    sizes = part.get("bytes", {})
    return {
        "name": part["part"],
        "host": part["host"],
        "kind": part["kind"],
        "status": part["status"],
        "started": part.get("started"),
        "finished": part.get("finished"),
        "size": sizes.get("source"),
        "stored": sizes.get("stored"),
        "reason": part.get("reason") or "",
        "next_step": part.get("next_step") or "",
        "warnings": list(part.get("warnings", ())),
    }


def _unknown(backup_id: str, repository: Repository) -> ContinuityError:
    return ObjectMissingError(
        f"The backup {backup_id} in {repository.store.location} does not exist or was never finished.",
        "Leave backup_id out to see all backups.",
    )
