# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small plan, a journal in a folder, and a run that goes well."""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._drill.journal import Beginning, Journal, Outcome
from ansible_collections.dfr.continuity.plugins.module_utils._drill.phases import (
    CLEAN_UP,
    FUNCTIONAL_TESTS,
    phases_of,
)
from ansible_collections.dfr.continuity.plugins.module_utils._drill.plan import Plan, read_plan
from ansible_collections.dfr.continuity.plugins.module_utils._drill.worker import this_worker
from ansible_collections.dfr.continuity.plugins.module_utils._status.text import utc

#: A process that is no more: pid 1 lives, but it did not start then.
GONE = {**this_worker(1), "started": "0"}
PASS = {"name": "login", "service": "odoo", "mandatory": True, "status": "passed"}


def small_plan(**changes: t.Any) -> Plan:
    return read_plan(
        {
            "name": "shop",
            "sites": {"primary": {"name": "A", "hosts": ["a"]}, "dr": {"name": "B", "hosts": ["b"]}},
            "databases": [{"name": "shop", "part": "a.shop.database", "host": "b"}],
            "services": [
                {
                    "name": "odoo",
                    "kind": "odoo",
                    "host": "b",
                    "image": "odoo:19",
                    "database": "shop",
                    "checks": [{"name": "login", "kind": "odoo"}],
                }
            ],
            **changes,
        }
    )


class Runs:
    """Runs in a journal, and steps that many tests need."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal(str(folder))

    def begin(self, mode: str = "drill", plan: Plan | None = None, **more: t.Any) -> str:
        """Begin a run of alice's, on which a process works that is gone; return its id."""
        options = {"started_by": "alice", "worker": GONE, **more}
        outcome = self.journal.begin(Beginning(mode, plan or small_plan(), **options))
        return str(outcome.run.document["id"])

    def pass_phase(self, run_id: str, phase: str) -> Outcome:
        """Run a phase as it should go."""
        assert self.journal.begin_phase(run_id, phase).go
        if phase == "recovery_point":
            self.journal.note(run_id, {"data_sets": [{"name": "shop", "kind": "database", "recovery_point": ago(60)}]})
        if phase == FUNCTIONAL_TESTS:
            self.journal.note(run_id, {"checks": [PASS]})
        if phase == CLEAN_UP:
            self.journal.note(run_id, {"cleanup": {"status": "done", "left": []}})
        return self.journal.end_phase(run_id, phase)

    def pass_until(self, run_id: str, last: str = "") -> None:
        """Run all phases that are not done, up to one or to the end."""
        run = self.journal.read(run_id)
        for phase in phases_of(run.mode):
            if not run.status_of(phase):
                self.pass_phase(run_id, phase)
            if phase == last:
                return

    def whole(self, mode: str = "drill") -> str:
        """Do a whole run that passes."""
        run_id = self.begin(mode)
        self.pass_until(run_id)
        assert self.journal.finish(run_id).run.state == "passed"
        return run_id


def ago(seconds: float) -> str:
    return utc(time.time() - seconds)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "drills")
