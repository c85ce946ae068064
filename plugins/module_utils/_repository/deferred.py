# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Closing a backup of which something waits in a spool: later, when it is in the store.

A signed summary promises that its parts are in the store. So it is never spooled itself, and a backup stays open while
one of its parts waits on some host. What its parts became is kept on the machine that closes it, and the next run that
finds everything delivered writes the summary.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import asdict, dataclass

from .encoding import check_backup_id
from .errors import ContinuityError, InputError, ObjectMissingError, StoreError, StoreUnreachableError
from .part_reader import read_record
from .summary import FAILURE, PARTIAL, PartOutcome, close_backup, describe_part, is_closed, overall_status, time_of

if t.TYPE_CHECKING:
    from .repository import Repository

Document = dict[str, t.Any]
_NEXT_STEP = (
    "Bring the store back. The next run of the backup delivers what waits and closes this backup too; `continuity "
    "deliver`, on the hosts that have a spool, does so at once."
)


@dataclass(frozen=True)
class Closing:
    """What became of closing a backup.

    ``document`` is the summary, or what it would have said; ``reason`` and ``next_step`` tell why it was not written
    yet. ``closed`` are the summaries of earlier backups that were written now.
    """

    document: t.Mapping[str, t.Any]
    reason: str = ""
    next_step: str = ""
    closed: t.Sequence[t.Mapping[str, t.Any]] = ()


def close_or_defer(repository: Repository, backup_id: str, outcomes: t.Sequence[PartOutcome]) -> Closing:
    """Close a backup, and those before it that were left open; leave it open while something of it waits in a spool.

    Without a spool it is :func:`~.summary.close_backup`, and raises the same.
    """
    if repository.spool is None:
        return Closing(close_backup(repository, backup_id, outcomes))
    check_backup_id(backup_id)
    repository.signing_identity()
    with repository.state.closing():
        return _close_or_defer(repository, backup_id, outcomes)


def _close_or_defer(repository: Repository, backup_id: str, outcomes: t.Sequence[PartOutcome]) -> Closing:
    if backup_id in left_open(repository):
        raise InputError(f"The backup {backup_id} waits to be closed already.", "Give every run an id of its own.")
    direct = repository.without_spool()
    closed: list[Document] = []
    try:
        waiting = _still_waiting(direct, backup_id, outcomes)
        closed = _close_deferred(repository, _caught_up(outcomes, waiting))
        if not waiting:
            return Closing(close_backup(direct, backup_id, outcomes), closed=closed)
        reason = f"{len(waiting)} of {len(outcomes)} parts wait in a spool: {', '.join(waiting)}."
    except StoreUnreachableError as error:
        reason = error.message
    _keep(repository, backup_id, outcomes)
    reason = f"The backup is not closed: {reason}"
    return Closing(_preview(repository, backup_id, outcomes), reason, _NEXT_STEP, closed)


def close_deferred(repository: Repository) -> list[Document]:
    """Close those backups left open of which nothing waits any more; return their summaries, oldest first.

    Raises :class:`~.errors.StoreUnreachableError` when the store does not answer.
    """
    with repository.state.closing():
        return _close_deferred(repository, ())


def _close_deferred(repository: Repository, caught_up: t.Collection[str]) -> list[Document]:
    """Do so.

    :arg caught_up: hosts that have delivered newer parts. Since a spool keeps the order, what was spooled there
        before, and is not in the store, is lost; the summary tells it as failed.
    """
    direct = repository.without_spool()
    closed: list[Document] = []
    for backup_id, outcomes in _unclosed(repository):
        waiting = _still_waiting(direct, backup_id, outcomes)
        if any(outcome.name in waiting and outcome.host not in caught_up for outcome in outcomes):
            continue
        # A process that died after it had written the summary has left it in the list.
        if not is_closed(direct, backup_id):
            closed.append(close_backup(direct, backup_id, outcomes))
        _forget(repository, backup_id)
    return closed


def left_open(repository: Repository) -> list[str]:
    """Return the ids of the backups that this machine has left open, oldest first."""
    return [backup_id for backup_id, _outcomes in _unclosed(repository)]


def _still_waiting(direct: Repository, backup_id: str, outcomes: t.Sequence[PartOutcome]) -> list[str]:
    """Return the names of those parts that were spooled and are not in the store."""
    waiting = []
    for outcome in outcomes:
        if outcome.spooled and not outcome.failed:
            try:
                read_record(direct, backup_id, outcome.name)
            except ObjectMissingError:
                waiting.append(outcome.name)
            except StoreError:
                raise
            except ContinuityError:
                # There, and not to be believed: the summary tells it as failed.
                continue
    return waiting


def _caught_up(outcomes: t.Sequence[PartOutcome], waiting: t.Collection[str]) -> set[str]:
    delivered = {outcome.host for outcome in outcomes if not outcome.failed and outcome.name not in waiting}
    return delivered - {outcome.host for outcome in outcomes if outcome.name in waiting}


def _preview(repository: Repository, backup_id: str, outcomes: t.Sequence[PartOutcome]) -> Document:
    parts = [_preview_part(repository, backup_id, outcome) for outcome in outcomes]
    return {
        "type": "summary",
        "backup": backup_id,
        "status": overall_status(parts),
        "started": time_of(backup_id),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "parts": parts,
    }


def _preview_part(repository: Repository, backup_id: str, outcome: PartOutcome) -> Document:
    """Tell of a part what is known on this machine; it is not whole while it is not known to be in the store."""
    if outcome.failed:
        return describe_part(repository, backup_id, outcome)
    why, step = outcome.spooled, outcome.deliver_step
    known: Document = {"part": outcome.name, "host": outcome.host, "kind": outcome.kind}
    try:
        # A part of this machine is read from its own spool.
        found = describe_part(repository, backup_id, outcome)
    except StoreUnreachableError as error:
        why, step = why or f"It could not be read back from the store: {error.message}", step or error.next_step
        found = known
    if not why:
        return found
    if found.get("status") == FAILURE:
        # Not here: it waits on another machine.
        found = known
    reason = " ".join(text for text in (outcome.reason, why) if text)
    return {
        **found,
        "status": PARTIAL,
        "reason": reason,
        "next_step": step or outcome.next_step,
        "spooled_bytes": outcome.spooled_bytes,
    }


# What this machine remembers


def _unclosed(repository: Repository) -> list[tuple[str, list[PartOutcome]]]:
    with repository.state.locked() as state:
        return [
            (str(entry["backup"]), [PartOutcome(**outcome) for outcome in entry["outcomes"]])
            for entry in state["unclosed"]
        ]


def _keep(repository: Repository, backup_id: str, outcomes: t.Sequence[PartOutcome]) -> None:
    with repository.state.locked() as state:
        state["unclosed"].append({"backup": backup_id, "outcomes": [asdict(outcome) for outcome in outcomes]})


def _forget(repository: Repository, backup_id: str) -> None:
    with repository.state.locked() as state:
        state["unclosed"] = [entry for entry in state["unclosed"] if entry["backup"] != backup_id]
