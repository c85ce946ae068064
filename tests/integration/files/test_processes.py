# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that deal with small files: what they share, what becomes of them, and what nobody may see of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._files import backup, restore
from ansible_collections.dfr.continuity.plugins.module_utils._repository.encoding import new_backup_id
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import StoreError, TargetError
from ansible_collections.dfr.continuity.plugins.module_utils._repository.worker_processes import WorkerLostError
from ansible_collections.dfr.continuity.tests.environment.processes import wait_until
from ansible_collections.dfr.continuity.tests.integration.files.scene import Scene, age, describe, leftovers

_FILES, _SIZE = 400, 100_000


@pytest.fixture
def many(scene: Scene) -> Scene:
    """40 MB in files that are stored by processes from the first one on."""
    for number in range(_FILES):
        directory = scene.tree / f"{number % 20:02}"
        directory.mkdir(exist_ok=True)
        (directory / f"{number:03}").write_bytes(os.urandom(_SIZE))
    age(scene.tree)
    scene.processes = True
    return scene


@pytest.fixture
def by_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (backup, restore):
        monkeypatch.setattr(module, "WORTHWHILE", 1)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(number) for number in (task / "children").read_text().split()]
    return found


def wait_for_children(process: subprocess.Popen[t.Any]) -> list[int]:
    found: list[int] = []

    def look() -> bool:
        assert process.poll() is None, "it ended too soon"
        found[:] = children(process.pid)
        return len(found) >= 2

    wait_until(look, "worker processes")
    return list(found)


def run_alone(scene: Scene, action: str, backup_id: str, where: Path) -> subprocess.Popen[str]:
    command = scene.command(action, backup_id, where)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.usefixtures("by_processes")
def test_what_occurs_twice_is_stored_once(many: Scene) -> None:
    # Far apart, so that different processes meet the two.
    subprocess.run(["cp", "--archive", many.tree / "00", many.tree / "99"], check=True)
    backup_id, result = many.back_up()
    assert result.record["facts"]["files"] == _FILES + _FILES // 20
    content = _FILES * _SIZE
    entries = result.record["bytes"]["source"] - (_FILES + _FILES // 20) * _SIZE
    assert content <= result.record["bytes"]["new"] <= content + entries
    many.assert_whole(backup_id)


def test_a_worker_that_is_killed_fails_the_backup_and_the_next_one_succeeds(many: Scene) -> None:
    process = run_alone(many, "backup", new_backup_id(), many.tree)
    for pid in wait_for_children(process):
        os.kill(pid, signal.SIGKILL)
    _output, errors = process.communicate()
    assert process.returncode == 1
    assert WorkerLostError.__name__ in errors
    assert "was killed by SIGKILL" in errors
    many.run_alone("backup", backup_id := new_backup_id(), many.tree)
    many.restore(backup_id, many.root / "restored")
    assert describe(many.root / "restored") == describe(many.tree)


@pytest.mark.parametrize("action", ["backup", "restore"])
def test_workers_end_with_the_process_that_started_them(many: Scene, action: str) -> None:
    many.run_alone("backup", backup_id := new_backup_id(), many.tree)
    if action == "backup":
        (many.tree / "00/000").write_bytes(b"else nothing is read")
        for path in many.tree.rglob("*"):
            os.utime(path)
        backup_id = new_backup_id()
    process = run_alone(many, action, backup_id, many.tree if action == "backup" else many.root / "restored")
    workers = wait_for_children(process)
    process.kill()
    process.communicate()
    wait_until(lambda: all(map(is_gone, workers)), "the end of the workers")


def test_nothing_of_the_repository_stands_in_arguments_or_environment(many: Scene) -> None:
    process = run_alone(many, "backup", new_backup_id(), many.tree)
    for pid in wait_for_children(process):
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert os.fsencode(sys.executable) == arguments[0]
        assert [word for word in arguments if os.fsencode(many.root) in word] == []
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert [line for line in environment if os.fsencode(many.root) in line or b"PRIVATE KEY" in line] == []
    process.communicate()
    assert process.returncode == 0


@pytest.mark.usefixtures("by_processes")
def test_a_full_store_is_told_as_ever(many: Scene) -> None:
    packs = many.site.store / "packs"
    packs.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", packs], check=True)
    try:
        with pytest.raises(StoreError, match="No space left"):
            many.back_up()
    finally:
        subprocess.run(["umount", "--lazy", packs], check=True)
    backup_id, _result = many.back_up()
    many.assert_whole(backup_id)


@pytest.mark.usefixtures("by_processes")
def test_a_full_target_leaves_whole_files_and_the_next_restore_goes_on(
    many: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup_id, _result = many.back_up()
    target = many.root / "small"
    target.mkdir()
    monkeypatch.setattr(restore, "check_room", lambda *_rest: None)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", target], check=True)
    try:
        with pytest.raises(TargetError, match="is full"):
            many.restore(backup_id, target / "restored")
        finished = [path for path in (target / "restored").rglob("*") if path.is_file()]
        assert 0 < len(finished) < _FILES
        for path in finished:
            assert path.read_bytes() == (many.tree / path.relative_to(target / "restored")).read_bytes()
        assert leftovers(target) == []
        subprocess.run(["mount", "-o", "remount,size=64m", target], check=True)
        result = many.restore(backup_id, target / "restored")
        assert result.unchanged >= len(finished)
        assert describe(target / "restored") == describe(many.tree)
    finally:
        subprocess.run(["umount", "--lazy", target], check=True)


@pytest.mark.usefixtures("by_processes")
def test_threads_do_it_where_no_process_can_be_started(many: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/at/all")
    backup_id, _result = many.back_up()
    many.restore(backup_id, many.root / "restored")
    assert describe(many.root / "restored") == describe(many.tree)


def test_a_second_restore_by_processes_changes_nothing(many: Scene) -> None:
    many.run_alone("backup", backup_id := new_backup_id(), many.tree)
    first = many.run_alone("restore", backup_id, many.root / "restored")
    assert first["unchanged"] == 0
    second = many.run_alone("restore", backup_id, many.root / "restored")
    assert (second["written"], second["unchanged"]) == (0, first["written"] + 1)
    assert describe(many.root / "restored") == describe(many.tree)
