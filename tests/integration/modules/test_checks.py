# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a real Odoo harmless and checking it, and checking anything else, through the modules."""

from __future__ import annotations

import json

import pytest

from .playing import check_documented
from .test_backup import BACKUP

PASSWORD = "a password of 2026"
SETUP = """
env.ref('base.user_admin').password = '{password}'
env['res.partner'].create({{'name': 'Sentinel', 'ref': 'SENTINEL'}})
env['ir.mail_server'].create({{'name': 'outgoing', 'smtp_host': '127.0.0.1'}})
env.cr.commit()
"""


@pytest.fixture
def shop(postgres, make_odoo):
    odoo = make_odoo(postgres)
    database = odoo.new_database()
    odoo.run("shell", f"--database={database}", input=SETUP.format(password=PASSWORD))
    yield odoo, database
    odoo.stop()
    postgres.drop_database(database)


def test_an_odoo_is_backed_up_restored_neutralised_and_checked(ansible, installation, postgres, shop, make_odoo):
    odoo, database = shop
    there = make_odoo(postgres)
    connection = {"host": postgres.host, "port": postgres.port, "user": there.role, "password": there.password}
    backup = {"backup_id": BACKUP, "prefix": "db1.shop", "config": str(odoo.config), "database": database}
    key = {"recovery_key": installation.recovery_key}
    neutralise = {
        **key,
        "part": "db1.shop.database",
        "database": "copy",
        "connection": connection,
        "base_url": "https://odoo.drill.example.com",
    }
    played = ansible.play(
        {
            "name": "backup",
            "register": "shop",
            "dfr.continuity.odoo_backup": {**backup, "command": [str(odoo.command)], "run_as": "root"},
        },
        {
            "name": "summary",
            "dfr.continuity.backup_summary": {
                "backup_id": BACKUP,
                "backup_set": "shop",
                "parts": "{{ shop.outcomes }}",
            },
        },
        {
            "name": "database",
            "dfr.continuity.database_restore": {
                **key,
                "part": "db1.shop.database",
                "database": "copy",
                "owner": there.role,
                "connection": connection,
            },
        },
        {
            "name": "filestore",
            "dfr.continuity.file_restore": {
                **key,
                "part": "db1.shop.filestore",
                "path": str(there.filestore("copy")),
            },
        },
        {"name": "look", "check_mode": True, "dfr.continuity.odoo_neutralise": neutralise},
        {"name": "neutralise", "dfr.continuity.odoo_neutralise": neutralise},
        {"name": "again", "dfr.continuity.odoo_neutralise": neutralise},
        {
            "name": "without a source",
            "ignore_errors": True,
            "dfr.continuity.odoo_neutralise": {"database": "copy", "connection": connection},
        },
    )
    assert played.code == 0, played.output
    check_documented("odoo_neutralise", played["neutralise"])
    done = played["neutralise"]
    assert done["changed"]
    assert done["source"] == f"backup {BACKUP}"
    assert done["switched_off"]["outgoing mail servers"] == 1
    assert (played["look"]["changed"], played["look"]["switched_off"]) == (True, done["switched_off"])
    assert (played["again"]["changed"], played["again"]["switched_off"]) == (False, {})
    assert "needs the SQL of its own modules" in played["without a source"]["msg"]
    check_documented("odoo_neutralise", played["without a source"])
    assert there.password not in played.output + installation.log

    there.start("copy")
    check = {
        "url": there.url,
        "database": "copy",
        "connection": connection,
        "login": "admin",
        "password": PASSWORD,
        "sentinel": {"model": "res.partner", "domain": [["ref", "=", "SENTINEL"]], "fields": {"name": "Sentinel"}},
    }
    played = ansible.play(
        {"name": "check", "dfr.continuity.odoo_check": check},
        {"name": "in check mode", "check_mode": True, "dfr.continuity.odoo_check": check},
        {
            "name": "refused",
            "ignore_errors": True,
            "dfr.continuity.odoo_check": {**check, "password": "another password"},
        },
        {
            "name": "told only",
            "dfr.continuity.odoo_check": {**check, "password": "another password", "fail": False},
        },
        {
            "name": "too late",
            "ignore_errors": True,
            "dfr.continuity.odoo_neutralise": {"database": "copy", "connection": connection, "built_in": True},
        },
        options=["-vvv"],
    )
    assert played.code == 0, played.output
    check_documented("odoo_check", played["check"])
    assert played["check"]["passed"]
    assert played["in check mode"]["passed"]
    check_documented("odoo_check", played["refused"])
    refused = played["refused"]
    assert (refused["error"], refused["passed"]) == ("ChecksFailedError", False)
    assert "odoo-login (failed)" in refused["msg"]
    assert {item["name"]: item["status"] for item in refused["checks"]}["odoo-health"] == "passed"
    assert (played["told only"]["passed"], played["told only"].get("failed", False)) == (False, False)
    assert "is in use" in played["too late"]["msg"]
    told = played.output + json.dumps(played.lines)
    for secret in (PASSWORD, "another password", there.password):
        assert secret not in told
    there.stop()
    postgres.drop_database("copy")


def test_web_servers_and_databases(ansible, postgres, webhook):
    connection = {"host": postgres.host, "port": postgres.port, "user": "postgres", "password": postgres.password}
    web = {"name": "gateway-takes", "service": "gateway", "url": webhook.url, "method": "POST", "body": "a secret body"}
    sql = {"name": "db-answers", "service": "db", "database": "postgres", "connection": connection}
    played = ansible.play(
        {
            "name": "web",
            "dfr.continuity.http_check": {**web, "secret_headers": {"Authorization": "Bearer secret-token"}},
        },
        {"name": "web fails", "ignore_errors": True, "dfr.continuity.http_check": {**web, "status": [201, 202]}},
        {"name": "web optional", "dfr.continuity.http_check": {**web, "mandatory": False}},
        {
            "name": "web optional fails",
            "dfr.continuity.http_check": {**web, "mandatory": False, "text": "no", "fail": False},
        },
        {"name": "web wrong", "ignore_errors": True, "dfr.continuity.http_check": {**web, "text": "("}},
        {"name": "sql", "dfr.continuity.sql_check": {**sql, "query": "SELECT 41 + 1", "value": "42"}},
        {
            "name": "sql fails",
            "ignore_errors": True,
            "dfr.continuity.sql_check": {**sql, "query": "SELECT 41 + 1", "minimum": 43},
        },
        options=["-vvv"],
    )
    assert played.code == 0, played.output
    for name in ("web", "web fails", "web optional", "web optional fails", "web wrong"):
        check_documented("http_check", played[name])
    for name in ("sql", "sql fails"):
        check_documented("sql_check", played[name])
    (request, *_others) = webhook.requests
    assert (request.body, request.headers["Authorization"]) == (b"a secret body", "Bearer secret-token")
    assert played["web"]["passed"]
    assert played["web fails"]["checks"][0]["actual"].startswith("status 200")
    assert "gateway-takes (failed)" in played["web fails"]["msg"]
    assert played["web optional"]["passed"]
    assert played["web optional fails"]["checks"][0]["status"] == "failed"
    assert "no regular expression" in played["web wrong"]["msg"]
    assert played["sql"]["checks"][0]["actual"] == "42"
    assert "at least 43" in played["sql fails"]["reason"]
    told = played.output + json.dumps(played.lines)
    for secret in ("a secret body", "secret-token", postgres.password):
        assert secret not in told
