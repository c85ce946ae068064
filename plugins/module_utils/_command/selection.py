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
from .._status.text import epoch, utc

LATEST, ALL = "latest", "all"


@dataclass
class Latest:
    """The newest backup that is whole, and what is wrong with the ones newer than that, by id.

    ``refused`` has every backup that was passed over, newest first, with the reason; also those that were never closed,
    that cannot be believed, that lack a part, or that are too new. ``problems`` has only the damaged ones.
    """

    valid: Summary | None = None
    problems: dict[str, list[str]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def latest_valid(
    repository: Repository, chain: Chain, parts: t.Collection[str] = (), not_after: float | None = None
) -> Latest:
    """Find the newest backup that is whole, as far as can be told without a recovery key.

    :arg parts: look only at these, which the backup must have; without them, every part must be whole.
    :arg not_after: seconds since the epoch; pass over backups that were finished later, so that what is chosen holds
        nothing that was written after that moment. Raises :class:`~.._repository.errors.ObjectMissingError` when all
        backups were: an older state than any backup has is not to be had.
    """
    if not_after is not None:
        _check_old_enough(repository, chain, not_after)
    latest = Latest()
    listing = StoreListing(repository)
    closed = {summary.backup_id: summary for summary in chain.summaries}
    for backup_id in sorted({*closed, *chain.broken, *chain.unfinished}, reverse=True):
        summary = closed.get(backup_id)
        reason = _passed_over(chain, backup_id, summary, parts, not_after)
        if not reason and summary is not None:
            problems = verify_structure(repository, backup_id, listing)[0].problems
            if parts:
                problems = [problem for problem in problems if problem.startswith(tuple(f"{part}:" for part in parts))]
            if not problems and summary.document["parts"]:
                latest.valid = summary
                break
            latest.problems[backup_id] = problems
            reason = "; ".join(problems) or "It has no parts."
        latest.refused[backup_id] = reason
    return latest


def _check_old_enough(repository: Repository, chain: Chain, not_after: float) -> None:
    finished = [str(summary.document["finished"]) for summary in chain.summaries]
    if finished and all(epoch(one) > not_after for one in finished):
        oldest = min(chain.summaries, key=lambda one: str(one.document["finished"]))
        raise ObjectMissingError(
            f"No backup in {repository.store.location} is as old as {utc(not_after)}: the oldest, {oldest.backup_id}, "
            f"was finished at {oldest.document['finished']}.",
            f"Give {oldest.document['finished']} or a later moment, or look for that time in another repository.",
        )


def _passed_over(
    chain: Chain, backup_id: str, summary: Summary | None, parts: t.Collection[str], not_after: float | None
) -> str:
    """Return why a backup cannot be chosen, as far as its summary tells, or an empty text."""
    if backup_id in chain.broken:
        return chain.broken[backup_id].message
    if summary is None:
        return "It was never finished, or is being made now."
    if not_after is not None and epoch(summary.document["finished"]) > not_after:
        return f"It was finished at {summary.document['finished']}, later than {utc(not_after)}."
    if has_parts(summary, parts):
        return ""
    return "; ".join(_lack(summary, part) for part in sorted(parts) if not has_parts(summary, [part]))


def _lack(summary: Summary, part: str) -> str:
    for entry in summary.document["parts"]:
        if entry["part"] == part:
            return f"{part}: it failed when it was made: {entry.get('reason') or 'the reason was not recorded'}"
    return f"{part}: the backup has no such part"


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
