# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An n8n through the playbooks backup and restore."""

from __future__ import annotations

import stat

import pytest

from ansible_collections.dfr.continuity.tests.environment.n8n import n8n as running_n8n


@pytest.fixture
def used(postgres):
    """An n8n with a credential and a published workflow, stopped."""
    with running_n8n(postgres) as n8n:
        n8n.start()
        n8n.set_up_owner()
        n8n.new_credential("the bank", "a password")
        node = {"name": "Every hour", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2}
        n8n.new_workflow("tick", [{**node, "parameters": {"rule": {"interval": [{"field": "hours"}]}}}])
        n8n.stop()
        n8n.write_env_file()
        yield n8n


def test_an_n8n_is_backed_up_and_comes_back_isolated_elsewhere(site, used, other_postgres):
    server = other_postgres
    role, password = server.new_role()
    site.hosts["one"]["backup_n8n"] = [{"name": "flows", "env_file": str(used.env_file)}]
    printed = site.play_well("backup", "-vvv")
    status = {part["name"]: part["status"] for part in site.status["last_run"]["parts"]}
    assert {f"one.flows.{part}" for part in ("database", "settings", "files")} <= status.keys()
    assert set(status.values()) == {"success"}

    folder, env_file = site.folder / "drill", site.folder / "drill.env"
    connection = {"host": server.host, "port": server.port, "user": "postgres", "password": server.password}
    flows = {
        "name": "flows",
        "from": "one",
        "database": "flows_drill",
        "connection": connection,
        "owner": role,
        "isolate": True,
        "user_folder": str(folder),
        "env_file": str(env_file),
        "settings": {"DB_POSTGRESDB_DATABASE": "flows_drill", "N8N_USER_FOLDER": str(folder)},
        "secret_settings": {"DB_POSTGRESDB_PASSWORD": password},
    }
    site.hosts["two"].update(restore_n8n=[flows], restore_files=[])
    printed += site.play_well("restore", "--limit=two", "-vvv")
    try:
        assert server.sql("SELECT name, active FROM workflow_entity", database="flows_drill") == [("tick", False)]
    finally:
        server.drop_database("flows_drill")
    assert (folder / ".n8n/config").exists()
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    written = dict(line.split("=", 1) for line in env_file.read_text().splitlines())
    assert written["N8N_ENCRYPTION_KEY"] == used.environment["N8N_ENCRYPTION_KEY"]
    assert (written["DB_POSTGRESDB_DATABASE"], written["DB_POSTGRESDB_PASSWORD"]) == ("flows_drill", password)
    for secret in (used.environment["N8N_ENCRYPTION_KEY"], used.password, password):
        assert secret not in printed


def test_nothing_is_guessed_about_where_an_n8n_belongs(site):
    site.hosts["two"]["restore_n8n"] = [{"name": "flows", "from": "one"}]
    played = site.play("restore", "--limit=two")
    assert played.code == 2
    assert "Nothing says where the settings or the files of one.flows belong on two" in " ".join(played.output.split())
