# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backup is meant by an id or ``latest``, and which backups are whole."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._repository.encoding import check_backup_id
from .._repository.errors import ObjectMissingError, TrustError
from .._repository.repository import Repository
from .._repository.summary import FAILURE, Chain, Summary
from .._repository.verification import StoreListing, verify_structure

LATEST, ALL = "latest", "all"


@dataclass
class Latest:
    """The newest backup that is whole, and what is wrong with the ones newer than that, by id."""

    valid: Summary | None = None
    problems: dict[str, list[str]] = field(default_factory=dict)


def latest_valid(repository: Repository, chain: Chain, parts: t.Collection[str] = ()) -> Latest:
    """Find the newest backup that is whole, as far as can be told without a recovery key.

    :arg parts: look only at these, which the backup must have; without them, every part must be whole.
    """
    latest = Latest()
    listing = StoreListing(repository)
    for summary in reversed(chain.summaries):
        if not has_parts(summary, parts):
            continue
        problems = verify_structure(repository, summary.backup_id, listing)[0].problems
        if parts:
            problems = [problem for problem in problems if problem.startswith(tuple(f"{part}:" for part in parts))]
        if not problems and summary.document["parts"]:
            latest.valid = summary
            break
        latest.problems[summary.backup_id] = problems
    return latest


def has_parts(summary: Summary, parts: t.Collection[str]) -> bool:
    """Tell whether a backup has all these parts, none of them failed."""
    made = {part["part"] for part in summary.document["parts"] if part["status"] != FAILURE}
    return made.issuperset(parts)


def choose_for_restore(repository: Repository, chain: Chain, wanted: str, parts: t.Collection[str]) -> str:
    """Return the id of the backup to restore: ``wanted``, or the newest whole one when that is ``latest``.

    Raises :class:`~.._repository.errors.TrustError` when the newest one cannot be told, because summaries are missing
    or were replaced; naming a backup still restores it.
    """
    if wanted != LATEST:
        return check_backup_id(wanted)
    if chain.findings:
        raise TrustError(
            f"Which backup is the latest cannot be trusted: {chain.findings[0]}",
            "Look who wrote to the store; to restore nevertheless, name a backup that `continuity list` shows.",
        )
    found = latest_valid(repository, chain, parts).valid
    if found is None:
        what = f"with the parts {', '.join(sorted(parts))}" if parts else "at all"
        raise ObjectMissingError(
            f"There is no valid backup {what} in {repository.store.location}.",
            "Look at the backups with `continuity list`, and at what is wrong with `continuity verify all`.",
        )
    return found.backup_id


def choose_for_look(chain: Chain, wanted: str) -> list[str]:
    """Return the ids meant by an id, ``latest`` or ``all``.

    Here ``latest`` is the newest backup that was closed, whole or not: a look must not pass over a bad one.
    """
    if wanted not in (LATEST, ALL):
        return [check_backup_id(wanted)]
    ids = sorted([*(summary.backup_id for summary in chain.summaries), *chain.broken])
    if not ids:
        raise ObjectMissingError("The repository holds no finished backup.", "Make one with the playbook backup.")
    return ids if wanted == ALL else ids[-1:]
