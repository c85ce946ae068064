# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A part that was written while the store was away: how much waits where, in words."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace

from .._repository.naming import part_object_name, scope_of
from .._repository.repository import Repository
from .._repository.summary import PartOutcome
from .._status.text import size

_NEXT_STEP = (
    "Bring the store back; the next backup of this host delivers what waits, and `continuity deliver` does so at once. "
    "Until then it is lost if this host is."
)


@dataclass(frozen=True)
class SpooledPart:
    """A part that waits. ``bytes`` is all that waits on this host, in the directory ``path``."""

    bytes: int
    path: str
    reason: str
    next_step: str = _NEXT_STEP


def spooled_part(repository: Repository, backup_id: str, part: str) -> SpooledPart | None:
    """Return what is to be told of a part that was written but is not in the store; None when it is there."""
    spool = repository.spool
    if spool is None or not spool.waits(part_object_name(scope_of(backup_id, part), "record")):
        return None
    waiting, away = spool.spooled, spool.away
    why = f": {away.error.message}" if away else "."
    return SpooledPart(
        waiting.bytes,
        spool.path,
        f"NOT offsite: {waiting.objects} objects, {size(waiting.bytes)} wait in {spool.path} on {repository.host}, "
        f"because the store could not be reached{why}",
    )


def spool_exclusion(repository: Repository, root: str) -> list[str]:
    """Return the pattern that keeps the spool out of a backup of the tree ``root``; nothing when it is not in it.

    Otherwise each night without the store would back up what the nights before could not deliver.
    """
    if repository.spool is None:
        return []
    relative = os.path.relpath(os.path.realpath(repository.spool.directory), os.path.realpath(root))
    if relative.split("/")[0] in ("..", "."):
        return []
    return ["/" + re.sub(r"([\\*?\[])", r"\\\1", relative) + "/"]


def with_spooled(repository: Repository, backup_id: str, outcome: PartOutcome) -> PartOutcome:
    """Return what became of a part, with what is to be told when it is not in the store."""
    waits = spooled_part(repository, backup_id, outcome.name)
    if waits is None:
        return outcome
    return replace(outcome, spooled=waits.reason, deliver_step=waits.next_step, spooled_bytes=waits.bytes)
