# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One million files, in memory that their number does not determine."""

from __future__ import annotations

import os
import subprocess
import time
import typing as t

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.encoding import new_backup_id
from ansible_collections.dfr.continuity.tests.integration.files.scene import Scene

_DIRECTORIES, _FILES = 250, 4000
_MEMORY = 400 << 20


@pytest.fixture
def million(scene: Scene) -> t.Iterator[Scene]:
    """One million names on a file system in memory: half are files, half other names of those."""
    options = f"size=4g,nr_inodes={4 * _DIRECTORIES * _FILES}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", scene.tree], check=True)
    try:
        directories = []
        for number in range(_DIRECTORIES):
            path = scene.tree / "source" / f"{number:03}"
            path.mkdir(parents=True)
            directories.append(os.open(path, os.O_RDONLY))
        for number, directory in enumerate(directories):
            other = directories[(number + _DIRECTORIES // 2) % _DIRECTORIES]
            for file in range(_FILES):
                name = f"a-name-of-some-length-{file:06}"
                if number < _DIRECTORIES // 2:
                    os.mknod(name, 0o100644, dir_fd=directory)
                else:
                    os.link(name, name, src_dir_fd=other, dst_dir_fd=directory)
        for directory in directories:
            os.close(directory)
        time.sleep(2.1)  # what changed just before a backup is read again by the next one
        yield scene
    finally:
        subprocess.run(["umount", "--lazy", scene.tree], check=True)


def test_a_million_files_fit(million: Scene) -> None:
    names = _DIRECTORIES * _FILES
    source, target = million.tree / "source", million.tree / "restored"
    first = million.run_alone("backup", new_backup_id(), source)
    assert (first["files"], first["hard_links"], first["directories"]) == (names // 2, names // 2, _DIRECTORIES + 1)
    backup_id = new_backup_id()
    second = million.run_alone("backup", backup_id, source)
    assert second["unchanged_files"] == names // 2
    restored = million.run_alone("restore", backup_id, target)
    assert restored["written"] == names + _DIRECTORIES
    assert max(run["peak"] for run in (first, second, restored)) < _MEMORY


def test_a_million_names_in_one_directory_fit(million: Scene) -> None:
    crowded = million.tree / "crowded"
    crowded.mkdir()
    os.mknod(crowded / "first", 0o100644)
    directory = os.open(crowded, os.O_RDONLY)
    for number in range(_DIRECTORIES * _FILES):
        os.link("first", f"a-name-of-some-length-{number:07}", src_dir_fd=directory, dst_dir_fd=directory)
    os.close(directory)
    facts = million.run_alone("backup", new_backup_id(), crowded)
    assert facts["hard_links"] == _DIRECTORIES * _FILES
    assert facts["peak"] < _MEMORY
