# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening the repository, and the part, that something is to be restored from."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

from .._command.selection import choose_for_restore
from .._repository.part_reader import PartReader
from .._repository.repository import open_repository
from .._repository.summary import read_chain
from .._status.log import Step
from .recovery_keys import needed_recovery_key
from .running import Work

SPEC: dict[str, t.Any] = {
    "backup_id": {"type": "str", "default": "latest"},
    "part": {"type": "str", "required": True},
}


def restore_step(action: str, params: t.Mapping[str, t.Any], path: str = "") -> Step:
    """Return what the log calls the restoring of a part."""
    return Step(action, "", params["backup_id"], params["part"], path)


@contextmanager
def opened_part(work: Work) -> t.Iterator[PartReader]:
    """Open the part that the module's parameters name; ``latest`` is the newest backup in which it is whole."""
    params = work.params
    recovery_key = needed_recovery_key(params)
    with open_repository(params["repository"], recovery_key) as repository:
        work.progress.begin("reading summaries")
        chosen = choose_for_restore(repository, read_chain(repository), params["backup_id"], [params["part"]])
        with repository.open_part(chosen, params["part"], recovery_key, progress=work.progress) as reader:
            yield reader


def describe_source(reader: PartReader) -> dict[str, t.Any]:
    """Return where restored data came from, and how old it is."""
    record = reader.record
    return {
        "backup_id": record["backup"],
        "part": record["part"],
        "kind": record["kind"],
        "backup_host": record["host"],
        "backup_started": record["started"],
        "backup_finished": record["finished"],
        "size": record["bytes"]["source"],
    }
