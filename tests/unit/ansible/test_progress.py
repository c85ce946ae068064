# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import shutil
import time

from ansible_collections.dfr.continuity.plugins.module_utils._ansible import progress
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.progress import ProgressFile


def _wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_newest_snapshot_is_in_the_file_while_work_goes_on(tmp_path):
    file = tmp_path / "progress"
    with ProgressFile(str(file), 0.01) as counted:
        counted.begin("dump shop", 3000)
        counted.add(done=1200, items=1)
        _wait_for(lambda: file.exists() and json.loads(file.read_text())["done"] == 1200)
    found = json.loads(file.read_text())
    assert (found["phase"], found["total"], found["items"]) == ("dump shop", 3000, 1)
    assert found["now"] >= found["started"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["progress"]


def test_the_environment_names_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv(progress.VARIABLE, str(tmp_path / "progress"))
    with ProgressFile(interval=0.01):
        _wait_for((tmp_path / "progress").exists)


def test_nothing_is_written_when_nobody_watches(tmp_path, monkeypatch):
    monkeypatch.delenv(progress.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    with ProgressFile(interval=0.01) as counted:
        counted.add(done=1)
        time.sleep(0.1)
    assert not list(tmp_path.iterdir())


def test_work_goes_on_when_the_watcher_has_gone(tmp_path):
    folder = tmp_path / "job"
    folder.mkdir()
    with ProgressFile(str(folder / "progress"), 0.01) as counted:
        shutil.rmtree(folder)
        time.sleep(0.1)
        counted.add(done=7)
        assert counted.snapshot().done == 7
    assert not folder.exists()
