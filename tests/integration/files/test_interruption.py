# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed at any moment: nothing half-made is taken for whole, and the next run succeeds."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.encoding import new_backup_id
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import ObjectMissingError
from ansible_collections.dfr.continuity.tests.integration.files.scene import Scene, age, describe, leftovers

pytestmark = pytest.mark.usefixtures("workers")

_RUNS = 6


@pytest.fixture
def full(scene: Scene) -> Scene:
    """A tree of 40 MB in files of several sizes."""
    noise = random.Random(7)
    for number in range(300):
        directory = scene.tree / f"{number % 11}"
        directory.mkdir(exist_ok=True)
        (directory / f"{number}").write_bytes(noise.randbytes(noise.choice([0, 100, 30_000, 300_000])))
    (scene.tree / "big").write_bytes(noise.randbytes(12 << 20))
    age(scene.tree)
    return scene


def killed_at_random(command: list[str], how_long: float, what: signal.Signals) -> bool:
    """Run a command and kill it at some moment; tell whether it was still running."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(random.uniform(0.1, how_long))
    process.send_signal(what)
    return process.wait() == -what


def timed(action: t.Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


@pytest.mark.parametrize("what", [signal.SIGTERM, signal.SIGKILL])
def test_a_backup_killed_anywhere_is_made_good_by_the_next(full: Scene, what: signal.Signals) -> None:
    how_long = timed(lambda: full.run_alone("backup", new_backup_id(), full.tree))
    (full.tree / "new").write_bytes(os.urandom(3 << 20))
    for _run in range(_RUNS):
        backup_id = new_backup_id()
        if killed_at_random(full.command("backup", backup_id, full.tree), how_long, what):
            # Either nobody sees the part, or it was finished an instant before.
            try:
                full.restore(backup_id, full.root / backup_id)
            except ObjectMissingError:
                continue
            assert describe(full.root / backup_id) == describe(full.tree)
    backup_id, result = full.back_up()
    assert result.record["warnings"] == []
    full.assert_whole(backup_id)
    full.restore(backup_id, full.root / "restored")
    assert describe(full.root / "restored") == describe(full.tree)
    assert list((full.root / "cache-db1").rglob("*.new")) == []


@pytest.mark.parametrize("what", [signal.SIGTERM, signal.SIGKILL])
def test_a_restore_killed_anywhere_is_completed_by_the_next(full: Scene, what: signal.Signals) -> None:
    backup_id, _result = full.back_up()
    how_long = timed(lambda: full.run_alone("restore", backup_id, full.root / "first"))
    target = full.root / "restored"
    for _run in range(_RUNS):
        killed_at_random(full.command("restore", backup_id, target), how_long, what)
        for path in target.rglob("*") if target.exists() else ():
            if path.is_file() and not path.name.startswith(".continuity-restore."):
                assert_whole(path, full.tree / path.relative_to(target))
    # Something to do for the last one, however far the others got.
    (target / "3/3").unlink(missing_ok=True)
    full.restore(backup_id, target)
    assert describe(target) == describe(full.tree)
    assert leftovers(target) == []


def assert_whole(path: Path, source: Path) -> None:
    assert path.read_bytes() == source.read_bytes()
    assert path.stat().st_mtime_ns == source.stat().st_mtime_ns
