# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many small files through the modules, whose worker processes find their code in what Ansible has sent."""

from __future__ import annotations

import os

from ansible_collections.dfr.continuity.plugins.module_utils._repository.worker_processes import BOOTSTRAP
from ansible_collections.dfr.continuity.tests.environment.processes import ProcessWatch
from ansible_collections.dfr.continuity.tests.integration.files.scene import describe

_BACKUP = "20261122T050301Z-1f2e3d4c"


def test_many_files_are_backed_up_and_restored_by_processes(ansible, installation, tmp_path):
    tree, target = tmp_path / "tree", tmp_path / "restored"
    tree.mkdir()
    for number in range(400):
        (tree / f"{number:03}").write_bytes(os.urandom(100_000))
    part = {"backup_id": _BACKUP, "part": "db1.shop.documents"}
    with ProcessWatch() as backing_up:
        written = ansible.play(
            {"name": "files", "dfr.continuity.file_backup": {**part, "path": str(tree)}, "register": "files"},
            {
                "name": "close",
                "dfr.continuity.backup_summary": {
                    "backup_id": _BACKUP,
                    "backup_set": "documents",
                    "parts": "{{ [files.outcome] }}",
                },
            },
        )
    assert written.code == 0, written.output
    with ProcessWatch() as restoring:
        restored = ansible.play(
            {
                "name": "restore",
                "dfr.continuity.file_restore": {
                    **part,
                    "path": str(target),
                    "recovery_key": installation.recovery_key,
                },
            }
        )
    assert restored.code == 0, restored.output
    assert describe(target) == describe(tree)
    for watch in (backing_up, restoring):
        assert [words for words in watch.seen if BOOTSTRAP.encode() in words]
