# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening the repository, and the part, that something is to be restored from."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from dataclasses import dataclass

from .._command.selection import choose_for_restore
from .._repository.part_reader import PartReader
from .._repository.repository import open_repository
from .._repository.summary import SUCCESS, Chain, read_chain
from .._status.log import Step
from .recovery_keys import needed_recovery_key
from .running import Work

SPEC: dict[str, t.Any] = {
    "backup_id": {"type": "str", "default": "latest"},
    "part": {"type": "str", "required": True},
}


@dataclass(frozen=True)
class OpenedPart:
    """A part to be restored, and what the backup itself lacks of it (empty: nothing)."""

    reader: PartReader
    lacking: str


def restore_step(action: str, params: t.Mapping[str, t.Any], path: str = "") -> Step:
    """Return what the log calls the restoring of a part."""
    return Step(action, "", params["backup_id"], params["part"], path)


@contextmanager
def opened_part(work: Work) -> t.Iterator[OpenedPart]:
    """Open the part that the module's parameters name; ``latest`` is the newest backup in which it is whole.

    What the backup lacks of the part becomes a warning.
    """
    params = work.params
    recovery_key = needed_recovery_key(params)
    with open_repository(params["repository"], recovery_key) as repository:
        work.progress.begin("reading summaries")
        chain = read_chain(repository)
        chosen = choose_for_restore(repository, chain, params["backup_id"], [params["part"]])
        with repository.open_part(chosen, params["part"], recovery_key, progress=work.progress) as reader:
            lacking = _lacking(chain, chosen, params["part"])
            if lacking:
                work.warn(
                    [f"The part {params['part']} of the backup {chosen} was not whole when it was made: {lacking}"]
                )
            yield OpenedPart(reader, lacking)


def _lacking(chain: Chain, backup_id: str, part: str) -> str:
    for summary in chain.summaries:
        if summary.backup_id == backup_id:
            for entry in summary.document["parts"]:
                if entry["part"] == part and entry["status"] != SUCCESS:
                    return str(entry["reason"] or "the reason was not recorded")
            return ""
    return "the backup was never finished, so nobody has looked whether it is whole"


def describe_source(part: OpenedPart) -> dict[str, t.Any]:
    """Return where restored data came from, how old it is, and what it lacks."""
    record = part.reader.record
    return {
        "backup_id": record["backup"],
        "part": record["part"],
        "kind": record["kind"],
        "backup_host": record["host"],
        "backup_started": record["started"],
        "backup_finished": record["finished"],
        "size": record["bytes"]["source"],
        "lacking": part.lacking,
    }
