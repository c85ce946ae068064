# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backup ``backup_info`` chooses, and what it says of those that it passes over."""

from __future__ import annotations

import time

from ansible_collections.dfr.continuity.plugins.module_utils._status.text import epoch
from ansible_collections.dfr.continuity.tests.environment.processes import wait_until

from .playing import check_documented

FIRST, SECOND, THIRD = (f"20261122T0{hour}0301Z-1f2e3d4c" for hour in (5, 6, 7))
PART = "db1.shop.addons"


def backup(backup_id, root):
    return (
        {
            "name": "files",
            "register": "files",
            "dfr.continuity.file_backup": {"backup_id": backup_id, "part": PART, "path": str(root)},
        },
        {
            "name": "summary",
            "dfr.continuity.backup_summary": {
                "backup_set": "shop",
                "backup_id": backup_id,
                "parts": "{{ [files.outcome] }}",
            },
        },
    )


def test_the_newest_valid_backup_not_later_than_a_moment(ansible, installation, tmp_path):
    root = tmp_path / "addons"
    root.mkdir()
    (root / "file.py").write_text("content")

    def info(name, **options):
        return {"name": name, "ignore_errors": True, "dfr.continuity.backup_info": options}

    first = ansible.play(*backup(FIRST, root), info("first"))["first"]["backups"][0]
    wait_until(lambda: time.time() >= epoch(first["finished"]) + 1, "the next second")
    ansible.play(*backup(SECOND, root))
    unclosed = {"backup_id": THIRD, "part": PART, "path": str(root)}
    played = ansible.play(
        {"name": "unclosed", "dfr.continuity.file_backup": unclosed},
        info("any"),
        info("then", not_after=first["finished"]),
        info("too early", not_after="2026-01-01 00:00Z"),
        info("no zone", not_after="2026-11-22T05:03:01"),
        info("both", not_after=first["finished"], backup_id=FIRST),
        info("with", parts=[PART, "db1.shop.database"]),
    )
    for name in ("any", "then", "too early", "with"):
        check_documented("backup_info", played[name])
    assert played["any"]["latest_valid"] == SECOND
    assert [one["backup_id"] for one in played["any"]["refused"]] == [THIRD]
    assert "never finished" in played["any"]["refused"][0]["reason"]
    assert played["then"]["latest_valid"] == FIRST
    assert [one["backup_id"] for one in played["then"]["refused"]] == [THIRD, SECOND]
    assert f"later than {first['finished']}" in played["then"]["refused"][1]["reason"]
    assert played["too early"]["failed"]
    assert played["too early"]["error"] == "ObjectMissingError"
    assert FIRST in played["too early"]["reason"]
    assert played["no zone"]["error"] == "InputError"
    assert played["both"]["failed"]
    assert played["with"]["latest_valid"] is None
    assert "db1.shop.database" in played["with"]["refused"][-1]["reason"]
