# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real n8n, through the modules; and no secret of it where anybody could read it."""

from __future__ import annotations

import contextlib
import os
import stat

import pytest

from ansible_collections.dfr.continuity.tests.environment.n8n import n8n as running_n8n

from ..end_to_end.process_watch import ProcessWatch
from .playing import check_documented
from .test_backup import BACKUP, LATER

SECRET = "the password in the credential"


@pytest.fixture(scope="module")
def used(postgres):
    """An n8n with a credential, stopped."""
    with running_n8n(postgres, WEBHOOK_URL="https://flows.example.com/") as n8n:
        n8n.start()
        n8n.set_up_owner()
        n8n.new_credential("the bank", SECRET)
        n8n.stop()
        n8n.write_env_file()
        yield n8n


def reach(server, **more):
    return {"host": server.host, "port": server.port, "user": "postgres", "password": server.password, **more}


@contextlib.contextmanager
def watched():
    with ProcessWatch(os.getpid()) as watch:
        yield watch


def test_an_n8n_is_backed_up_restored_isolated_and_checked(ansible, installation, used, other_postgres, tmp_path):
    backup = {"prefix": "db1.flows", "env_file": str(used.env_file)}
    planned = ansible.play(
        {"name": "planned", "dfr.continuity.n8n_backup": {**backup, "backup_id": BACKUP}}, options=["-C"]
    )
    assert planned["planned"]["n8n"]["series"] == "2", planned.output
    assert planned["planned"]["key"]["opened"] == 1
    with running_n8n(other_postgres) as copy:
        copy.server.drop_database(copy.database)
        key = {"recovery_key": installation.recovery_key}
        database = {"database": copy.database, "connection": reach(other_postgres)}
        plain = {"DB_POSTGRESDB_PORT": str(other_postgres.port), "DB_POSTGRESDB_DATABASE": copy.database}
        settings = {
            "part": "db1.flows.settings",
            "path": str(tmp_path / "etc/n8n.env"),
            "settings": {**plain, "DB_POSTGRESDB_USER": copy.role, **copy.places()},
            "secret_settings": {"DB_POSTGRESDB_PASSWORD": copy.password},
            "left_out": ["WEBHOOK_URL"],
            **key,
        }
        restore = {"part": "db1.flows.database", "owner": copy.role, **key, **database}
        with watched() as watch:
            played = ansible.play(
                {"name": "backup", "register": "made", "dfr.continuity.n8n_backup": {**backup, "backup_id": BACKUP}},
                {
                    "name": "summary",
                    "dfr.continuity.backup_summary": {
                        "backup_set": "flows",
                        "parts": "{{ made.outcomes }}",
                        "backup_id": BACKUP,
                    },
                },
                {"name": "restore", "dfr.continuity.database_restore": restore},
                {"name": "settings", "dfr.continuity.n8n_settings": settings},
                {"name": "again", "dfr.continuity.n8n_settings": settings},
                {
                    "name": "others",
                    "ignore_errors": True,
                    "dfr.continuity.n8n_settings": {**settings, "left_out": []},
                },
                {"name": "isolate", "dfr.continuity.n8n_isolate": database},
                options=["-vvv"],
            )
            assert played.code == 0, played.output
        for name in ("backup", "settings", "isolate"):
            check_documented(f"n8n_{name}", played[name])
        assert [part["status"] for part in played["backup"]["parts"]] == ["success"] * 3
        assert played["summary"]["status"] == "success"
        assert (played["settings"]["changed"], played["again"]["changed"]) == (True, False)
        assert played["others"]["msg"].startswith(f"{settings['path']} exists already, with other settings.")
        assert not played["isolate"]["changed"]
        written = tmp_path / "etc/n8n.env"
        assert stat.S_IMODE(written.stat().st_mode) == 0o600
        copy.environment = dict(line.split("=", 1) for line in written.read_text().splitlines())
        assert copy.environment["N8N_ENCRYPTION_KEY"] == used.environment["N8N_ENCRYPTION_KEY"]
        assert copy.environment["DB_POSTGRESDB_PASSWORD"] == copy.password
        assert "WEBHOOK_URL" not in copy.environment
        secrets = [
            used.environment["N8N_ENCRYPTION_KEY"],
            used.password,
            copy.password,
            other_postgres.password,
            SECRET,
        ]
        check_secrets(ansible, installation, played, watch, secrets)

        copy.start()
        with watched() as watch:
            checked = ansible.play(
                {
                    "name": "check",
                    "dfr.continuity.n8n_check": {"url": copy.url, "env_file": str(written), **database},
                },
                options=["-vvv"],
            )
        assert checked.code == 0, checked.output
        check_documented("n8n_check", checked["check"])
        assert [check["status"] for check in checked["check"]["checks"]] == ["passed"] * 3
        assert checked["check"]["passed"]
        check_secrets(ansible, installation, checked, watch, secrets, b"n8n_check")
        copy.stop()
        stopped = {"url": copy.url, "env_file": str(written), "timeout": 0.5, **database}
        failed = ansible.play(
            {"name": "fails", "ignore_errors": True, "dfr.continuity.n8n_check": stopped},
            {"name": "tells", "dfr.continuity.n8n_check": {**stopped, "fail": False}},
            {
                "name": "not needed",
                "dfr.continuity.n8n_check": {**stopped, "mandatory": ["n8n-credential"]},
            },
        )
        assert failed["fails"]["failed"]
        assert failed["fails"]["checks"][0]["status"] == "failed"
        check_documented("n8n_check", failed["fails"])
        assert (failed["tells"]["passed"], failed["not needed"]["passed"]) == (False, True)


def check_secrets(ansible, installation, played, watch, secrets, seen=b"pg_dump"):
    """Look for secrets in arguments, environments, output, logs, and everything that was written."""
    own = [text for text in watch.seen if b"N8N_PORT=" not in text and b"/initdb" not in text]
    assert any(seen in text for text in own), "the watch did not see the work"
    written = [path for path in installation.folder.rglob("*") if path.is_file() and path.name != "n8n.env"]
    # What the test itself gives to Ansible stands in its playbook.
    written = [path for path in written if path != ansible.directory / "play.yml"]
    assert any("repository" in str(path) for path in written)
    for secret in secrets:
        assert secret not in played.output + installation.log
        assert [text for text in own if secret.encode() in text] == []
        assert [str(path) for path in written if secret.encode() in path.read_bytes()] == []


def test_a_wrong_key_and_misplaced_secrets_are_refused(ansible, installation, used, tmp_path):
    wrong = {"prefix": "db1.flows", "user_folder": str(tmp_path), "encryption_key": "not the key at all"}
    given = {**used.environment}
    del given["N8N_ENCRYPTION_KEY"], given["DB_POSTGRESDB_PASSWORD"]
    connection = {"connection": reach(used.server)}
    played = ansible.play(
        {
            "name": "wrong",
            "ignore_errors": True,
            "dfr.continuity.n8n_backup": {
                **wrong,
                **connection,
                "backup_id": BACKUP,
                "environment": given,
                "parts": ["database", "settings"],
            },
        },
        {
            "name": "misplaced",
            "ignore_errors": True,
            "dfr.continuity.n8n_backup": {
                **wrong,
                **connection,
                "backup_id": LATER,
                "environment": {"N8N_ENCRYPTION_KEY": "x"},
            },
        },
    )
    result = played["wrong"]
    assert result["error"] == "WrongKeyError"
    assert "from encryption_key opens none of the 1 credentials" in result["msg"]
    assert [outcome["status"] for outcome in result["outcomes"]] == ["success", "failure"]
    check_documented("n8n_backup", result)
    assert "not the key at all" not in played.output + installation.log
    assert "N8N_ENCRYPTION_KEY: given in environment" in played["misplaced"]["msg"]
    assert len(played["misplaced"]["outcomes"]) == 3
