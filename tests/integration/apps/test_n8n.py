# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real n8n 2: backed up with its key proved, restored, kept from doing anything by itself, and checked."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._apps.n8n_backup import backup_n8n
from ansible_collections.dfr.continuity.plugins.module_utils._apps.n8n_check import CHECKS, N8nTarget, check_n8n
from ansible_collections.dfr.continuity.plugins.module_utils._apps.n8n_database import Tables, prove_key
from ansible_collections.dfr.continuity.plugins.module_utils._apps.n8n_installation import n8n_from_settings
from ansible_collections.dfr.continuity.plugins.module_utils._apps.n8n_isolate import isolate_n8n
from ansible_collections.dfr.continuity.plugins.module_utils._apps.n8n_restore import changed_settings, read_settings
from ansible_collections.dfr.continuity.plugins.module_utils._apps.neutralise import neutraliser
from ansible_collections.dfr.continuity.plugins.module_utils._files.restore import restore_tree
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.programs import Client
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.restore import RestoreOptions, restore_database
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.session import Session
from ansible_collections.dfr.continuity.plugins.module_utils._repository.encoding import new_backup_id
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    InputError,
    TargetError,
    WrongKeyError,
)
from ansible_collections.dfr.continuity.tests.environment.n8n import n8n as running_n8n
from ansible_collections.dfr.continuity.tests.environment.notices import http_server
from ansible_collections.dfr.continuity.tests.environment.processes import wait_until

from ..postgres.scene import Scene, reach

SECRET = "the password in the credential"
#: Seconds that the waiting execution waits: n8n keeps it in the database from a minute on.
WAIT = 66


def hook(path):
    """A webhook that answers at once."""
    return {
        "name": "Webhook",
        "type": "n8n-nodes-base.webhook",
        "typeVersion": 2,
        "webhookId": path,
        "parameters": {"httpMethod": "POST", "path": path, "responseMode": "onReceived"},
    }


def wait(seconds):
    parameters = {"resume": "timeInterval", "amount": seconds, "unit": "seconds"}
    return {
        "name": "Wait",
        "type": "n8n-nodes-base.wait",
        "typeVersion": 1.1,
        "webhookId": "wait",
        "parameters": parameters,
    }


def call(url):
    parameters = {"method": "POST", "url": url}
    return {"name": "Call", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "parameters": parameters}


def post(url):
    request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class Production:
    """An n8n that was used: a credential, a published workflow, and an execution that waits to call ``outside``."""

    def __init__(self, n8n, outside):
        self.n8n, self.outside = n8n, outside
        n8n.start()
        n8n.set_up_owner()
        n8n.new_credential("the bank", SECRET)
        self.workflow = n8n.new_workflow("remind", [hook("remind"), wait(WAIT), call(outside.url + "called")])
        wait_until(lambda: post(f"{n8n.url}/webhook/remind") == 200, "the webhook")
        wait_until(lambda: self.executions() == [("waiting",)], "the waiting execution")
        n8n.stop()
        folder = n8n.user_folder / ".n8n"
        (folder / "nodes").mkdir(exist_ok=True)
        (folder / "nodes/package.json").write_text('{"name": "installed-nodes"}')
        (folder / "nodes/node_modules/.cache").mkdir(parents=True)
        (folder / "nodes/node_modules/.cache/waste").write_text("waste")
        (folder / "binaryData/workflows").mkdir(parents=True)
        (folder / "binaryData/workflows/scan.pdf").write_bytes(b"%PDF binary")
        n8n.write_env_file()

    def executions(self):
        return self.n8n.sql("SELECT status FROM execution_entity ORDER BY id")


@pytest.fixture(scope="module")
def outside():
    with http_server() as server:
        yield server


@pytest.fixture(scope="module")
def production(postgres, outside):
    with running_n8n(postgres) as n8n:
        yield Production(n8n, outside)


def back_up(scene, production, **changes):
    settings = {"env_file": str(production.n8n.env_file), **changes}
    backup_id = new_backup_id()
    with scene.open() as repository:
        return backup_id, backup_n8n(repository, backup_id, "db1.flows", n8n_from_settings(settings))


@contextlib.contextmanager
def restored(scene, backup_id, server, *, isolated):
    """Everything of a backup on another server and in another folder, not started."""
    with running_n8n(server) as copy:
        copy.server.drop_database(copy.database)
        with scene.reading(backup_id, "db1.flows.database") as reader:
            finish = neutraliser(reader) if isolated else None
            options = RestoreOptions(name=copy.database, owner=copy.role)
            restore_database(reader, reach(server), options, finish)
        with scene.reading(backup_id, "db1.flows.settings") as reader:
            own = {name: value for name, value in copy.environment.items() if name.startswith("DB_POSTGRESDB_")}
            copy.environment = changed_settings(read_settings(reader), {**own, **copy.places()}, [])
        with scene.reading(backup_id, "db1.flows.files") as reader:
            restore_tree(reader, str(copy.user_folder / ".n8n"))
        yield copy


def target(copy, **changes):
    given = {"url": copy.url, "client": Client(reach(copy.server)), "database": copy.database}
    return N8nTarget(**{**given, "key": copy.environment["N8N_ENCRYPTION_KEY"], "timeout": 60.0, **changes})


def by_name(checks):
    return {check["name"]: check for check in checks}


def overdue(copy):
    """Let the time pass for which executions wait."""
    copy.sql('UPDATE execution_entity SET "waitTill" = now() - interval \'1 minute\' WHERE "waitTill" IS NOT NULL')


def test_a_backup_restored_isolated_and_started_works_and_sends_nothing(scene, production, other_postgres, outside):
    backup_id, made = back_up(scene, production)
    assert [(part.name, part.error, part.incomplete) for part in made.parts] == [
        (f"db1.flows.{name}", None, "") for name in ("database", "settings", "files")
    ]
    assert made.proof.facts() == {
        "proved_by": "credentials",
        "credentials": 1,
        "tried": 1,
        "opened": 1,
        "formats": {"instance key": 1},
    }
    before = len(outside.requests)

    with restored(scene, backup_id, other_postgres, isolated=True) as copy:
        folder = copy.user_folder / ".n8n"
        assert (folder / "binaryData/workflows/scan.pdf").read_bytes() == b"%PDF binary"
        assert (folder / "nodes/package.json").exists()
        assert not (folder / "nodes/node_modules/.cache").exists()
        assert copy.environment["N8N_ENCRYPTION_KEY"] == production.n8n.environment["N8N_ENCRYPTION_KEY"]
        assert copy.sql('SELECT status, "waitTill" FROM execution_entity') == [("canceled", None)]
        assert not isolate_n8n(Client(reach(other_postgres)), copy.database).changed
        copy.start()
        assert post(f"{copy.url}/webhook/remind") == 404
        checks = check_n8n(target(copy))
        assert [(check["name"], check["status"], check["reason"]) for check in checks] == [
            (name, "passed", "") for name in CHECKS
        ]
        evidence = by_name(checks)["n8n-webhook"]["evidence"]
        assert evidence["answer"] == evidence["nonce"][::-1]
        assert copy.sql("SELECT name FROM workflow_entity") == [("remind",)]
        assert copy.sql("SELECT count(*) FROM user_api_keys") == [(0,)]
        assert copy.sql("SELECT status FROM execution_entity WHERE status <> 'canceled'") == []
        copy.stop()
        # The same copy, as if it had never been isolated, would have called: so the silence means something.
        assert len(outside.requests) == before

    with restored(scene, backup_id, other_postgres, isolated=False) as copy:
        overdue(copy)
        copy.start()
        assert outside.wait_for(before + 1)[-1].path == "/called"
