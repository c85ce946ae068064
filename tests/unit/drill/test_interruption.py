# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A journal whose writer is killed at any moment: it resumes, nothing that was acknowledged is lost or done again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._drill.journal_file import JournalFile
from ansible_collections.dfr.continuity.plugins.module_utils._drill.phases import phases_of
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import TargetError

from .conftest import GONE, Runs

#: What a control node does, over and over until it is done; `work` is what is done in a phase, and stays done.
CONTROL_NODE = """
import os, sys
from ansible_collections.dfr.continuity.plugins.module_utils._drill.phases import phases_of
from ansible_collections.dfr.continuity.plugins.module_utils._drill.worker import this_worker
from ansible_collections.dfr.continuity.tests.unit.drill.conftest import Runs
from pathlib import Path

folder, run_id, work = sys.argv[1:]
runs = Runs(Path(folder))
runs.journal.resume(run_id, this_worker(os.getpid()))
for phase in phases_of("drill"):
    if runs.journal.begin_phase(run_id, phase).go:
        with open(work, "a") as file:
            file.write(f"begin {phase}\\n")
        runs.journal.note(run_id, {"findings": [{"title": "seen", "phase": phase, "detail": "x" * 5000}]})
        if phase == "functional_tests":
            runs.journal.note(run_id, {"checks": [{"name": "login", "mandatory": True, "status": "passed"}]})
        if phase == "recovery_point":
            at = runs.journal.read(run_id).document["interruption"]
            runs.journal.note(run_id, {"data_sets": [{"name": "shop", "kind": "database", "recovery_point": at}]})
        runs.journal.end_phase(run_id, phase)
        with open(work, "a") as file:
            file.write(f"end {phase}\\n")
runs.journal.finish(run_id)
"""


def test_a_control_node_killed_at_random_moments(runs: Runs, tmp_path: Path) -> None:
    run_id = runs.begin()
    work = tmp_path / "work"
    work.touch()
    seed = int.from_bytes(os.urandom(4), "big")
    chance = random.Random(seed)
    killed = 0
    while not runs.journal.read(run_id).closed:
        process = subprocess.Popen([sys.executable, "-c", CONTROL_NODE, str(runs.folder), run_id, str(work)])
        events = len(JournalFile(str(runs.folder / "shop" / run_id)).read())
        if killed < 12:
            # Not by the clock alone: after so many events more, and then a moment that is anywhere in the next one.
            goal = events + chance.randrange(1, 8)
            while process.poll() is None and _lines(runs, run_id) < goal:
                threading.Event().wait(0.001)
            threading.Event().wait(chance.uniform(0, 0.003))
            process.send_signal(signal.SIGKILL)
        code = process.wait()
        assert code in (0, -signal.SIGKILL), f"seed {seed}"
        killed += code == -signal.SIGKILL
    run = runs.journal.read(run_id)
    assert killed >= 3, f"seed {seed}"
    assert run.state == "passed", f"seed {seed}: {run.shortcomings()}"
    done = [line.split() for line in work.read_text().splitlines()]
    for phase in phases_of("drill"):
        # What was acknowledged as ended was never begun again.
        ended = [number for number, line in enumerate(done) if line == ["end", phase]]
        begun = [number for number, line in enumerate(done) if line == ["begin", phase]]
        assert len(ended) <= 1, f"seed {seed}"
        assert not ended or max(begun) < ended[0], f"seed {seed}"
        attempts = (run.phase(phase) or {})["attempts"]
        assert attempts[-1]["status"] == "done", f"seed {seed}"
        assert {attempt["status"] for attempt in attempts[:-1]} <= {"interrupted"}, f"seed {seed}"
    assert [finding["phase"] for finding in run.document["findings"]] == list(phases_of("drill")), f"seed {seed}"


def _lines(runs: Runs, run_id: str) -> int:
    return (runs.folder / "shop" / run_id / "journal").read_bytes().count(b"\n")


def test_a_last_line_torn_anywhere_counts_as_not_written(runs: Runs) -> None:
    run_id = runs.begin()
    runs.pass_phase(run_id, "declare")
    path = runs.folder / "shop" / run_id / "journal"
    before = path.read_bytes()
    runs.journal.begin_phase(run_id, "preflight")
    after = path.read_bytes()
    for length in range(len(before), len(after)):
        path.write_bytes(after[:length])
        assert runs.journal.read(run_id).status_of("preflight") == ""
        assert runs.journal.begin_phase(run_id, "preflight").go
        assert path.read_bytes().startswith(before)
        events = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    assert runs.journal.resume(run_id, GONE).run.status_of("preflight") == "failed"


def test_a_run_killed_before_it_had_begun_takes_no_site(runs: Runs) -> None:
    run_id = runs.begin()
    path = runs.folder / "shop" / run_id / "journal"
    whole = path.read_bytes()
    for left in (b"", whole[:1], whole[:-1]):
        path.write_bytes(left)
        other = runs.begin()
        (runs.folder / "shop" / other / "journal").unlink()
    assert [run.document["id"] for run in runs.journal.runs("shop")] == []


def test_a_full_disk_is_told_and_leaves_a_journal_that_goes_on(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = runs.begin()
    with JournalFile(str(runs.folder / "shop" / run_id)).locked() as journal:
        real = os.write

        def short(descriptor: int, data: bytes) -> int:
            monkeypatch.setattr(os, "write", full)
            return real(descriptor, bytes(data)[:10])

        def full(_descriptor: int, _data: bytes) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", short)
        with pytest.raises(TargetError, match="No space left on device"):
            journal.add({"event": "note", "at": "", "noted": {}})
        monkeypatch.setattr(os, "write", real)
    assert runs.journal.begin_phase(run_id, "declare").go
    assert runs.journal.read(run_id).status_of("declare") == "running"


def test_two_processes_that_begin_at_once_get_one_run(runs: Runs) -> None:
    source = (
        "import sys; from pathlib import Path\n"
        "from ansible_collections.dfr.continuity.tests.unit.drill.conftest import Runs\n"
        "from ansible_collections.dfr.continuity.plugins.module_utils._drill.journal import SiteTakenError\n"
        "sys.stdin.read()\n"
        "try:\n    Runs(Path(sys.argv[1])).begin()\n"
        "except SiteTakenError:\n    sys.exit(3)\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", source, str(runs.folder)], stdin=subprocess.PIPE)
        for _number in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    assert sorted(process.wait() for process in processes) == [0, 3, 3, 3]
    assert len(runs.journal.runs("shop")) == 1
