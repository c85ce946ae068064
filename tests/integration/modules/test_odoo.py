# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Odoo, through the modules."""

from __future__ import annotations

import json
import zipfile

from .playing import check_documented
from .test_backup import BACKUP, LATER


def test_an_odoo_is_backed_up_exported_and_imported(ansible, installation, postgres, make_odoo, tmp_path):
    odoo = make_odoo(postgres)
    database = odoo.new_database()
    lost = next(path for path in sorted(odoo.filestore(database).glob("??/*")))
    backup = {
        "prefix": "db1.shop",
        "config": str(odoo.config),
        "database": database,
        "command": [str(odoo.command)],
        "run_as": "root",
    }
    key = {"recovery_key": installation.recovery_key, "prefix": "db1.shop"}
    closed = {"backup_set": "shop", "parts": "{{ shop.outcomes }}"}
    planned = ansible.play(
        {"name": "planned", "dfr.continuity.odoo_backup": {**backup, "backup_id": BACKUP}}, options=["-C"]
    )
    assert planned["planned"]["odoo"]["series"] == "19.0"
    played = ansible.play(
        {"name": "backup", "register": "shop", "dfr.continuity.odoo_backup": {**backup, "backup_id": BACKUP}},
        {"name": "summary", "dfr.continuity.backup_summary": {**closed, "backup_id": BACKUP}},
        {"name": "export", "dfr.continuity.odoo_export": {**key, "path": str(tmp_path / "shop.zip")}},
        {
            "name": "exists",
            "ignore_errors": True,
            "dfr.continuity.odoo_export": {**key, "path": str(tmp_path / "shop.zip")},
        },
        {
            "name": "import",
            "dfr.continuity.odoo_import": {
                "prefix": "db1.copy",
                "backup_id": LATER,
                "path": str(tmp_path / "shop.zip"),
            },
        },
        {"name": "remove", "ansible.builtin.file": {"path": str(lost), "state": "absent"}},
        {
            "name": "with a lost file",
            "register": "shop",
            "dfr.continuity.odoo_backup": {
                **backup,
                "backup_id": "20261122T070301Z-3f2e3d4c",
                "parts": ["database", "filestore"],
            },
        },
    )
    assert played.code == 0, played.output
    for name, module in (("backup", "odoo_backup"), ("export", "odoo_export"), ("import", "odoo_import")):
        check_documented(module, played[name])
    made = {part["part"]: part["status"] for part in played["backup"]["parts"]}
    assert made == {f"db1.shop.{part}": "success" for part in ("database", "filestore", "addons", "config")}
    assert played["summary"]["status"] == "success"
    assert played["backup"]["attachments"]["accounted_for"]
    assert not played["backup"]["attachments"]["missing"]
    database_part = next(part for part in played["backup"]["parts"] if part["kind"] == "database")
    assert database_part["facts"]["odoo"]["neutralise"] == "saved"
    with zipfile.ZipFile(tmp_path / "shop.zip") as exported:
        assert json.loads(exported.read("manifest.json"))["db_name"] == database
        assert "dump.sql" in exported.namelist()
    assert played["exists"]["error"] == "TargetError"
    assert [outcome["status"] for outcome in played["import"]["outcomes"]] == ["success", "success"]
    lacking = played["with a lost file"]
    assert [outcome["status"] for outcome in lacking["outcomes"]] == ["success", "partial"]
    assert [item["path"] for item in lacking["attachments"]["missing"]] == [f"{lost.parent.name}/{lost.name}"]
    assert odoo.password not in played.output + installation.log
    starts = [line for line in installation.log.splitlines() if "part=db1.shop.filestore" in line]
    assert any("event=success" in line for line in starts)


def test_each_part_of_an_odoo_that_cannot_be_reached_is_a_failed_one(ansible, installation, postgres, make_odoo):
    odoo = make_odoo(postgres)
    backup = {"prefix": "db1.shop", "backup_id": BACKUP, "config": str(odoo.config), "database": "no such database"}
    played = ansible.play({"name": "backup", "ignore_errors": True, "dfr.continuity.odoo_backup": backup})
    result = played["backup"]
    assert result["failed"]
    failed = {outcome["name"] for outcome in result["outcomes"] if outcome["status"] == "failure"}
    assert {"db1.shop.database", "db1.shop.filestore"} <= failed
    assert {outcome["status"] for outcome in result["outcomes"] if outcome["name"] == "db1.shop.config"} == {"success"}
    assert result["next_step"] in result["msg"]
    check_documented("odoo_backup", result)
