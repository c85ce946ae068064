# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objectives as the contract between run and report defines them, and who works on a run."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._drill.objectives import (
    Objective,
    all_passed_at,
    data_loss,
    recovery_time,
    worst_data_loss,
)
from ansible_collections.dfr.continuity.plugins.module_utils._drill.worker import is_same, lives, this_worker

T0, T1, T2 = "2026-11-25T03:00:00Z", "2026-11-25T03:10:00Z", "2026-11-25T03:13:32Z"


def test_the_recovery_point_is_the_interruption_minus_the_moment_of_the_data() -> None:
    assert data_loss(T1, T0) == 600.0
    assert data_loss(T0, T1) == -600.0
    assert data_loss(T0, None) is None
    assert data_loss(None, T0) is None


@pytest.mark.parametrize(
    ("losses", "worst"), [([1.0, 900.0, 5.0], 900.0), ([-3.0], -3.0), ([], None), ([1.0, None], None)]
)
def test_the_worst_data_set_counts_and_an_unknown_one_spoils_all(
    losses: list[float | None], worst: float | None
) -> None:
    assert worst_data_loss([{"rpo_seconds": loss} for loss in losses]) == worst


def test_the_recovery_time() -> None:
    assert recovery_time(T0, T2) == 812.0
    assert recovery_time(T0, None) is None


@pytest.mark.parametrize(
    ("target", "achieved", "met"),
    [(900, 900.0, True), (900, 900.1, False), (900, None, False), (None, 1.0, False), (900, -5.0, True)],
)
def test_what_is_not_measured_is_not_met(target: float | None, achieved: float | None, met: bool) -> None:
    assert Objective(target, achieved).met is met


def result(name: str, at: str, **more: t.Any) -> dict[str, t.Any]:
    return {"name": name, "at": at, "mandatory": True, "status": "passed", **more}


@pytest.mark.parametrize(
    ("planned", "results", "at"),
    [
        (["a"], [result("a", T0), result("b", T1)], T1),
        (["a"], [result("a", T0), result("b", T1, mandatory=False)], T0),
        (["a"], [result("a", T0), result("b", T1, mandatory=False, status="failed")], T0),
        (["a"], [result("a", T0), result("b", T1, status="failed")], None),
        (["a"], [result("a", T0), result("b", T1, status="skipped")], None),
        (["a", "c"], [result("a", T0), result("b", T1)], None),
        # A check that the plan calls mandatory cannot call itself optional.
        (["a"], [result("a", T0, mandatory=False, status="failed"), result("b", T1)], None),
        ([], [], None),
    ],
)
def test_when_all_had_passed(planned: list[str], results: list[dict[str, t.Any]], at: str | None) -> None:
    assert all_passed_at(planned, results) == at


def test_a_process_lives_until_it_has_ended_and_its_pid_is_not_enough() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        worker = this_worker(process.pid)
        assert lives(worker) is True
        assert lives({**worker, "started": "1"}) is False
        assert lives({**worker, "boot": "another"}) is False
        assert lives({**worker, "host": "elsewhere"}) is None
        assert lives({**worker, "namespace": "pid:[1]"}) is None
        assert is_same(worker, this_worker(process.pid))
        assert not is_same(worker, this_worker(os.getpid()))
    finally:
        process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert lives(worker) is False  # a zombie still has its pid
    process.communicate()
    assert lives(worker) is False


def test_without_a_playbook_above_nobody_is_known_to_work() -> None:
    found = this_worker()
    assert found["pid"] is None
    assert lives(found) is None
    assert not is_same(found, found)
