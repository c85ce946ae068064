# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many small files through the program in one file, whose worker processes find their code in it."""

from __future__ import annotations

import os

from ansible_collections.dfr.continuity.plugins.module_utils._repository.worker_processes import BOOTSTRAP
from ansible_collections.dfr.continuity.tests.environment.processes import ProcessWatch
from ansible_collections.dfr.continuity.tests.integration.files.scene import describe


def test_many_files_are_backed_up_and_restored_by_processes(program, host, person, tmp_path):
    tree, target = tmp_path / "documents", tmp_path / "restored"
    tree.mkdir()
    for number in range(400):
        (tree / f"{number:03}").write_bytes(os.urandom(100_000))
    with ProcessWatch() as backing_up:
        written = program.run("backup", "files", tree, *host)
    assert written.code == 0, written.err
    with ProcessWatch() as restoring:
        restored = program.run("restore", "latest", written.document["part"], "--target", target, *person)
    assert restored.code == 0, restored.err
    assert describe(target) == describe(tree)
    for watch in (backing_up, restoring):
        assert [words for words in watch.seen if BOOTSTRAP.encode() in words]
