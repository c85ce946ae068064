# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a killed test leaves is recognised, and nothing else."""

from __future__ import annotations

import os
import subprocess

import pytest

from ansible_collections.dfr.continuity.tests.environment.processes import (
    Program,
    is_left_over,
    own_name,
    wait_until,
)


def _ended_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_only_what_a_dead_process_made_is_left_over():
    assert is_left_over(f"dfr-continuity-odoo-{_ended_pid()}-x7")
    assert not is_left_over(own_name("odoo") + "-x7")
    assert not is_left_over(f"dfr-continuity-host-{os.getpid()}-1")
    assert not is_left_over("somebody-else-1-x")


def test_a_program_that_ends_at_once_is_an_error_with_its_output(tmp_path):
    program = Program(["sh", "-c", "echo no configuration; exit 3"], tmp_path / "log", lambda: False)
    with pytest.raises(RuntimeError, match="ended with 3:\nno configuration"):
        program.start()
    assert not program.running


def test_a_stopped_program_is_gone(tmp_path):
    server = ["sleep", "1000"]
    program = Program(server, tmp_path / "log", lambda: True)
    program.start()
    pid = program.pid
    program.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_waiting_ends_with_the_name_of_what_did_not_come():
    with pytest.raises(TimeoutError, match="the moon was not ready"):
        wait_until(lambda: False, "the moon", patience=0.01)
