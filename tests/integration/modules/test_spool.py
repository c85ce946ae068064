# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``repository.spool``: what modules return, write, log and tell while the store is away, and after."""

from __future__ import annotations

import json
import shutil

import jsonschema
import pytest

from .playing import CHECKOUT, check_documented

FIRST, SECOND, THIRD = (f"2026112{day}T050301Z-1f2e3d4c" for day in (1, 2, 3))


@pytest.fixture
def spool(installation, ansible):
    """The repository of the tests has a spool."""
    path = installation.folder / "spool"
    installation.repository["spool"] = {"path": str(path), "limit": "1GiB"}
    ansible.defaults = installation.defaults()
    return path


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "addons"
    root.mkdir()
    for number in range(5):
        (root / f"file{number}").write_text(f"content {number}\n" * 100)
    return root


def run(tree, backup_id):
    """The tasks of a backup: one part, and closing it."""
    part = {"backup_id": backup_id, "part": "db1.shop.addons", "path": str(tree)}
    parts = "{{ [files.outcome] }}"
    return (
        {"name": "files", "register": "files", "ignore_errors": True, "dfr.continuity.file_backup": part},
        {
            "name": "summary",
            "ignore_errors": True,
            "dfr.continuity.backup_summary": {"backup_set": "shop", "backup_id": backup_id, "parts": parts},
        },
    )


def status_of(installation):
    schema = json.loads((CHECKOUT / "docs" / "status.schema.json").read_text())
    status = json.loads((installation.folder / "status" / "shop.json").read_text())
    jsonschema.validate(status, schema)
    return status


def test_a_store_that_is_away_and_back(ansible, installation, spool, tree):
    first = ansible.play(*run(tree, FIRST))
    assert (first["summary"]["status"], first["summary"]["closed"], first["summary"]["spooled"]) == ("success", True, 0)
    assert not first["summary"]["notice"]["needed"]

    place = installation.repository["location"]
    shutil.move(place, place + ".away")
    (tree / "new").write_text("new\n")
    away = ansible.play(*run(tree, SECOND))
    files, summary = away["files"], away["summary"]
    for module, result in (("file_backup", files), ("backup_summary", summary)):
        check_documented(module, result)
        assert not result.get("failed"), result
    assert files["outcome"]["status"] == "partial"
    assert files["outcome"]["spooled"]["part_status"] == "success"
    assert "NOT offsite" in files["warnings"][0]
    assert (summary["status"], summary["closed"]) == ("partial", False)
    waiting = sum(path.stat().st_size for path in spool.glob("*/*%*"))
    assert 0 < waiting == summary["spooled"] == files["outcome"]["spooled"]["bytes"] == summary["parts"][0]["spooled"]
    notice = summary["notice"]
    assert notice["subject"] == "Backup shop NOT OFFSITE: 1 of 1 parts (db1.shop.addons)"
    for needed in (f"in {spool}", "Not offsite yet", place, "continuity deliver", "The backup is not closed"):
        assert needed in notice["body"]
    assert notice["payload"]["spooled_bytes"] == waiting
    status = status_of(installation)
    assert (status["state"], status["last_run"]["spooled_bytes"]) == ("partial", waiting)
    assert status["last_success"]["backup_id"] == FIRST
    metrics = (installation.folder / "metrics" / "dfr_continuity_shop.prom").read_text()
    assert f'dfr_continuity_backup_last_run_spooled_bytes{{backup_set="shop"}} {waiting}' in metrics
    assert (
        'dfr_continuity_part_success{backup_set="shop",part="db1.shop.addons",backup_host="db1",kind="tree"} 0'
        in metrics
    )
    ended = [line for line in installation.log.splitlines() if SECOND in line and "event=start" not in line]
    assert [line.split()[1] for line in ended] == ["event=failure"] * 2
    assert all("NOT offsite" in line for line in ended)

    shutil.move(place + ".away", place)
    key = {"recovery_key": installation.recovery_key}
    back = ansible.play(
        *run(tree, THIRD),
        {"name": "info", "dfr.continuity.backup_info": {}},
        {"name": "bytes", "dfr.continuity.backup_verify": {"mode": "bytes", "backup_id": "all", **key}},
        {
            "name": "restore",
            "dfr.continuity.file_restore": {
                "backup_id": SECOND,
                "part": "db1.shop.addons",
                "path": str(installation.folder / "out"),
                **key,
            },
        },
    )
    assert back.code == 0, back.output
    assert back["bytes"]["problems"] == []
    for path in tree.iterdir():
        assert (installation.folder / "out" / path.name).read_bytes() == path.read_bytes()
    assert (back["summary"]["status"], back["summary"]["closed_before"]) == ("success", [SECOND])
    assert back["summary"]["notice"]["kind"] == "recovered"
    assert status_of(installation)["last_run"]["spooled_bytes"] == 0
    assert [(one["backup_id"], one["status"]) for one in back["info"]["backups"]] == [
        (THIRD, "success"),
        (SECOND, "success"),
        (FIRST, "success"),
    ]
    assert (back["info"]["latest_valid"], back["info"]["unfinished"]) == (THIRD, [])
    assert not list(spool.glob("*/*%*"))


@pytest.mark.parametrize(
    ("spool", "reason", "next_step"),
    [
        ({"path": "/var/spool/x", "limit": "20 gigs"}, "Option spool.limit: '20 gigs' is not a size.", "20GiB"),
        ({"path": "spool", "limit": "1GiB"}, "Option spool.path: 'spool' is not an absolute path.", "/var/spool"),
    ],
)
def test_a_spool_that_cannot_be(ansible, installation, tree, spool, reason, next_step):
    installation.repository["spool"] = spool
    ansible.defaults = installation.defaults()
    failed = ansible.play(*run(tree, FIRST)[:1])["files"]
    assert (failed["failed"], failed["reason"], failed["error"]) == (True, reason, "InputError")
    assert next_step in failed["next_step"]
