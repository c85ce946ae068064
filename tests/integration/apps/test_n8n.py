# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real n8n 2: backed up with its key proved, restored, kept from doing anything by itself, and checked."""

from __future__ import annotations

import contextlib
import json
import stat
import typing as t
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
from ansible_collections.dfr.continuity.plugins.module_utils._apps.n8n_settings import parse_environment_file
from ansible_collections.dfr.continuity.plugins.module_utils._apps.neutralise import neutraliser
from ansible_collections.dfr.continuity.plugins.module_utils._files.reading import read_entries
from ansible_collections.dfr.continuity.plugins.module_utils._files.restore import restore_file, restore_tree
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.programs import Client
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.restore import RestoreOptions, restore_database
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.session import Session
from ansible_collections.dfr.continuity.plugins.module_utils._repository.encoding import new_backup_id
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    InputError,
    TargetError,
    WrongKeyError,
)
from ansible_collections.dfr.continuity.tests.environment.containers import HOST, container, podman
from ansible_collections.dfr.continuity.tests.environment.n8n import N8n
from ansible_collections.dfr.continuity.tests.environment.n8n import n8n as running_n8n
from ansible_collections.dfr.continuity.tests.environment.notices import http_server
from ansible_collections.dfr.continuity.tests.environment.processes import wait_until

from ..postgres.scene import Scene, reach

SECRET = "the password in the credential"
#: Seconds that the waiting execution waits: n8n keeps it in the database from a minute on.
WAIT = 66


LOGGING = {"N8N_LOG_LEVEL": "debug"}


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


class Used(t.NamedTuple):
    """An n8n that was started once."""

    n8n: N8n


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
def restored(scene, backup_id, server, *, isolated=False):
    """Everything of a backup on another server and in another folder, not started."""
    with running_n8n(server) as copy:
        copy.server.drop_database(copy.database)
        with scene.reading(backup_id, "db1.flows.database") as reader:
            finish = neutraliser(reader) if isolated else None
            options = RestoreOptions(name=copy.database, owner=copy.role)
            restore_database(reader, reach(server), options, finish)
        with scene.reading(backup_id, "db1.flows.settings") as reader:
            own = {name: value for name, value in copy.environment.items() if name.startswith("DB_POSTGRESDB_")}
            copy.environment = changed_settings(read_settings(reader), {**own, **copy.places(), **LOGGING}, [])
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


def tracked(copy):
    """Tell whether n8n has looked for waiting executions since it was started."""
    return "Querying database for waiting executions" in copy.log_file.read_text()


@pytest.fixture(scope="module")
def backup(production, tmp_path_factory):
    """A backup of it, and the repository that it is in."""
    scene = Scene(tmp_path_factory.mktemp("n8n"))
    scene.configure()
    return scene, *back_up(scene, production)


def test_every_part_is_there_and_the_key_is_proved(backup, production, tmp_path):
    scene, backup_id, made = backup
    assert [(part.name, part.error, part.incomplete) for part in made.parts] == [
        (f"db1.flows.{name}", None, "") for name in ("database", "settings", "files")
    ]
    numbers = {"credentials": 1, "tried": 1, "opened": 1, "formats": {"instance key": 1}}
    assert made.proof.facts() == {"proved_by": "credentials", **numbers}
    assert [part.record["warnings"] for part in made.parts[1:]] == [[], []]
    with scene.reading(backup_id, "db1.flows.settings") as reader:
        restore_file(reader, str(tmp_path / "n8n.env"))
    assert stat.S_IMODE((tmp_path / "n8n.env").stat().st_mode) == 0o600
    assert parse_environment_file((tmp_path / "n8n.env").read_text(), "") == production.n8n.environment
    facts = made.parts[0].record["facts"]["n8n"]
    assert (facts["series"], facts["workflows"], facts["active_workflows"]) == ("2", 1, 1)


def test_an_isolated_copy_works_and_sends_nothing_where_another_would(backup, production, other_postgres, outside):
    scene, backup_id, _made = backup
    before = len(outside.requests)
    with restored(scene, backup_id, other_postgres) as copy:
        folder = copy.user_folder / ".n8n"
        assert (folder / "binaryData/workflows/scan.pdf").read_bytes() == b"%PDF binary"
        assert (folder / "nodes/package.json").exists()
        assert not (folder / "nodes/node_modules/.cache").exists()
        assert copy.environment["N8N_ENCRYPTION_KEY"] == production.n8n.environment["N8N_ENCRYPTION_KEY"]
        assert copy.environment["GENERIC_TIMEZONE"] == "Europe/Berlin"
        overdue(copy)
        client = Client(reach(other_postgres))
        planned = isolate_n8n(client, copy.database, dry_run=True)
        assert copy.sql("SELECT status FROM execution_entity") == [("waiting",)]
        done = isolate_n8n(client, copy.database)
        assert done == planned
        assert {name for name, number in done.done.items() if number} == {
            *("workflows_unpublished", "published_versions_removed", "webhooks_removed", "executions_canceled"),
        }
        assert not isolate_n8n(client, copy.database).changed
        copy.start()
        assert post(f"{copy.url}/webhook/remind") == 404
        checks = check_n8n(target(copy))
        assert [(check["name"], check["status"], check["reason"]) for check in checks] == [
            (name, "passed", "") for name in CHECKS
        ]
        evidence = by_name(checks)["n8n-webhook"]["evidence"]
        assert evidence["answer"] == evidence["nonce"][::-1]
        assert copy.sql("SELECT name, active FROM workflow_entity") == [("remind", False)]
        assert copy.sql("SELECT count(*) FROM user_api_keys") == [(0,)]
        wait_until(lambda: tracked(copy), "n8n's look for waiting executions")
        copy.stop()
        assert copy.sql("SELECT status FROM execution_entity") == [("canceled",)]
        assert len(outside.requests) == before

    with restored(scene, backup_id, other_postgres) as copy:
        overdue(copy)
        copy.start()
        wait_until(lambda: tracked(copy), "n8n's look for waiting executions")
        assert outside.wait_for(before + 1)[-1].path == "/called"


def test_a_copy_is_isolated_before_its_database_gets_its_name(backup, other_postgres):
    scene, backup_id, _made = backup
    with restored(scene, backup_id, other_postgres, isolated=True) as copy:
        assert copy.sql('SELECT status, "waitTill" FROM execution_entity') == [("canceled", None)]
        assert copy.sql('SELECT active, "activeVersionId" FROM workflow_entity') == [(False, None)]


def test_whatever_could_run_by_itself_is_stopped(backup, other_postgres):
    scene, backup_id, _made = backup
    with restored(scene, backup_id, other_postgres) as copy:
        copy.sql(LIVE)
        done = isolate_n8n(Client(reach(other_postgres)), copy.database).done
        assert {name: number for name, number in done.items() if number} == {
            "workflows_unpublished": 1,
            "published_versions_removed": 1,
            "webhooks_removed": 1,
            "executions_canceled": 3,
            "publications_removed": 1,
            "scheduled_jobs_disabled": 1,
            "scheduled_tasks_removed": 1,
            "log_destinations_disabled": 1,
        }
        statuses = copy.sql("SELECT status, count(*) FROM execution_entity GROUP BY 1 ORDER BY 1")
        assert statuses == [("canceled", 3), ("success", 1)]
        assert copy.sql("SELECT name, enabled FROM scheduled_job ORDER BY 1") == [("ours", True), ("theirs", False)]
        assert copy.sql("SELECT destination ->> 'enabled', destination ->> 'url' FROM event_destinations") == [
            ("false", "https://example.com")
        ]


#: Everything of an n8n 2 that works without anybody asking, besides what the backed-up one had.
LIVE = """
INSERT INTO execution_entity (finished, mode, status, "createdAt", "workflowId")
  SELECT status = 'success', 'trigger', status, now(), (SELECT id FROM workflow_entity)
    FROM unnest(ARRAY['new', 'running', 'success']) AS status;
INSERT INTO workflow_publication_outbox ("workflowId", "publishedVersionId", status)
  SELECT id, "versionId", 'pending' FROM workflow_entity;
INSERT INTO scheduled_job (name, "ownerType", "ownerId", "taskType", kind, enabled, "nextRunAt", "intervalSeconds")
  VALUES ('theirs', 'workflow', 'w', 'x', 'interval', true, now(), 60),
         ('ours', 'system-task', 's', 'x', 'interval', true, now(), 60);
INSERT INTO scheduled_task ("jobId", "taskType", "scheduledFor", "runAt", status)
  SELECT id, 'x', now(), now(), 'pending' FROM scheduled_job WHERE name = 'theirs';
INSERT INTO event_destinations (id, destination)
  VALUES (gen_random_uuid(), '{"enabled": true, "url": "https://example.com"}');
"""

#: Somebody's trigger that undoes what is done to workflows.
STUBBORN = """
CREATE FUNCTION stubborn() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.active = TRUE; RETURN NEW; END';
CREATE TRIGGER stubborn BEFORE UPDATE ON workflow_entity FOR EACH ROW EXECUTE FUNCTION stubborn();
"""


def test_what_cannot_be_isolated_is_left_as_it_is(backup, other_postgres):
    scene, backup_id, _made = backup
    client = Client(reach(other_postgres))
    with restored(scene, backup_id, other_postgres) as copy:
        with contextlib.closing(other_postgres.connect(copy.database)), pytest.raises(TargetError) as refused:
            isolate_n8n(client, copy.database)
        assert "Somebody is connected" in refused.value.message
        copy.sql(STUBBORN)
        with pytest.raises(TargetError) as refused:
            isolate_n8n(client, copy.database)
        assert "1 rows of workflow_entity are still live" in refused.value.message
        copy.sql(
            "DROP TRIGGER stubborn ON workflow_entity; ALTER TABLE event_destinations RENAME destination TO target"
        )
        with pytest.raises(InputError) as unknown:
            isolate_n8n(client, copy.database)
        assert "event_destinations of n8n" in unknown.value.message
        assert copy.sql("SELECT status FROM execution_entity") == [("waiting",)]
        assert copy.sql("SELECT active FROM workflow_entity") == [(True,)]
        other = other_postgres.new_database()
        with pytest.raises(InputError) as not_n8n:
            isolate_n8n(client, other)
        assert "has no n8n in the schema public" in not_n8n.value.message
        other_postgres.drop_database(other)


def test_a_role_without_rights_to_see_sessions_still_refuses_a_running_n8n(backup, other_postgres):
    scene, backup_id, _made = backup
    with restored(scene, backup_id, other_postgres) as copy:
        connection = reach(other_postgres, user=copy.role, password=copy.password)
        with contextlib.closing(other_postgres.connect(copy.database)), pytest.raises(TargetError) as refused:
            isolate_n8n(Client(connection), copy.database)
        assert "Somebody is connected" in refused.value.message
        assert isolate_n8n(Client(connection), copy.database).changed


def test_a_wrong_key_is_refused_when_backing_up_and_keeps_n8n_from_starting(
    backup, production, other_postgres, tmp_path
):
    scene, backup_id, _made = backup
    wrong = tmp_path / "wrong.env"
    key = production.n8n.environment["N8N_ENCRYPTION_KEY"]
    wrong.write_text(production.n8n.env_file.read_text().replace(key, "another key"))
    # A folder without a config of its own, which would hold the right key.
    elsewhere = tmp_path / "home"
    (elsewhere / ".n8n").mkdir(parents=True)
    _id, made = back_up(scene, production, env_file=str(wrong), user_folder=str(elsewhere))
    parts = {part.name.rpartition(".")[2]: part for part in made.parts}
    assert isinstance(parts["settings"].error, WrongKeyError)
    assert parts["settings"].error.message == (
        f"The encryption key of n8n from N8N_ENCRYPTION_KEY of {wrong} opens none of the 1 credentials of the database"
        f" {production.n8n.database} (1: the key does not fit)."
    )
    assert parts["database"].record is not None

    with restored(scene, backup_id, other_postgres, isolated=True) as copy:
        copy.environment["N8N_ENCRYPTION_KEY"] = "another key"
        with pytest.raises(RuntimeError, match="Mismatching encryption keys"):
            copy.start()
        checks = by_name(check_n8n(target(copy, key="another key", timeout=1.0)))
        assert {name: check["status"] for name, check in checks.items()} == dict.fromkeys(CHECKS, "failed")
        assert "opens none of the 1 credentials" in checks["n8n-credential"]["reason"]
        assert all(check["next_step"] for check in checks.values())


def test_the_key_in_the_folder_counts_where_it_is_the_right_one(backup, production, tmp_path):
    scene = backup[0]
    text = production.n8n.env_file.read_text()
    key = production.n8n.environment["N8N_ENCRYPTION_KEY"]
    outdated = tmp_path / "outdated.env"
    outdated.write_text(text.replace(key, "an outdated key"))
    backup_id, made = back_up(scene, production, env_file=str(outdated))
    warnings = made.parts[1].record["warnings"]
    assert any("There are different encryption keys" in warning for warning in warnings)
    assert any("opens the credentials, and is stored" in warning for warning in warnings)
    with scene.reading(backup_id, "db1.flows.settings") as reader:
        assert read_settings(reader)["N8N_ENCRYPTION_KEY"] == key


def test_rotated_keys_are_followed_and_no_credentials_are_said_so(backup, postgres):
    scene = backup[0]
    with running_n8n(postgres, N8N_ENV_FEAT_ENCRYPTION_KEY_ROTATION="true") as n8n:
        n8n.start()
        n8n.set_up_owner()
        client = Client(reach(postgres))
        key = n8n.environment["N8N_ENCRYPTION_KEY"]
        with Session(client, n8n.database) as session:
            assert prove_key(session, Tables(), key, "here").by == "data keys"
            with pytest.raises(WrongKeyError, match="none of the 2 data keys"):
                prove_key(session, Tables(), "another key", "here")
        n8n.new_credential("the bank", SECRET)
        assert n8n.sql("SELECT data FROM credentials_entity")[0][0].split(":")[0].isalnum()
        with Session(client, n8n.database) as session:
            proof = prove_key(session, Tables(), key, "here")
            assert (proof.by, proof.opened, proof.formats) == ("credentials", 1, {"rotated key": 1})
            with pytest.raises(WrongKeyError, match="opens none of the 1 credentials"):
                prove_key(session, Tables(), "another key", "here")
        n8n.stop()
        n8n.sql("DELETE FROM credentials_entity; DELETE FROM deployment_key")
        n8n.write_env_file()
        _id, made = back_up(scene, Used(n8n))
        assert made.proof.by == "nothing"
        assert made.parts[1].record["warnings"] == [
            "n8n has no credentials, so nothing proves that the encryption key is the right one."
        ]


def test_the_checks_are_refused_by_an_n8n_of_another_database(backup, production, other_postgres):
    scene, backup_id, _made = backup
    with restored(scene, backup_id, other_postgres, isolated=True) as copy:
        production.n8n.start()
        try:
            checks = by_name(check_n8n(target(copy, url=production.n8n.url)))
        finally:
            production.n8n.stop()
        assert checks["n8n-webhook"]["status"] == "failed"
        assert "was refused: 401" in checks["n8n-webhook"]["reason"]
        assert production.n8n.sql("SELECT name FROM workflow_entity") == [("remind",)]
        assert copy.sql("SELECT count(*) FROM user_api_keys") == [(0,)]


def test_an_n8n_in_a_container_is_backed_up_from_outside(backup, production):
    scene, n8n = backup[0], production.n8n
    environment = {**n8n.environment, "N8N_USER_FOLDER": "/srv/n8n", "N8N_CUSTOM_EXTENSIONS": "/opt/nodes"}
    key = environment.pop("N8N_ENCRYPTION_KEY")
    options = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
    options += ["--env", "N8N_ENCRYPTION_KEY_FILE=/run/key"]
    with container(HOST, "sleep", "infinity", options=options) as box:
        box.run("sh", "-c", "mkdir -p /srv/n8n /opt/nodes && echo own > /opt/nodes/own.js && cat > /run/key", input=key)
        podman("cp", n8n.user_folder / ".n8n", f"{box.name}:/srv/n8n/.n8n")
        connection = {"host": n8n.server.host, "port": n8n.server.port, "user": n8n.role, "password": n8n.password}
        backup_id, made = back_up(scene, production, env_file=None, container=box.name, connection=connection)
    names = [f"db1.flows.{name}" for name in ("database", "settings", "files", "files-1")]
    assert [(part.name, part.error, part.incomplete) for part in made.parts] == [(name, None, "") for name in names]
    assert made.proof.opened == 1
    with scene.reading(backup_id, "db1.flows.settings") as reader:
        # Neither what the engine sets nor where the key was is a setting of n8n's.
        assert read_settings(reader) == {**environment, "N8N_ENCRYPTION_KEY": key}
    with scene.reading(backup_id, "db1.flows.files") as reader:
        paths = {entry.path for entry in read_entries(reader)}
    assert {b"config", b"binaryData/workflows/scan.pdf", b"nodes/package.json"} <= paths
    assert b"nodes/node_modules/.cache" not in paths


UNIT = """\
[Service]
Environment=N8N_PORT=1234 "N8N_GREETING=two words"
EnvironmentFile=/etc/n8n.env
EnvironmentFile=-/etc/missing.env
ExecStart=/bin/sleep infinity
"""
READ = """
import json, sys
sys.path.insert(0, "/opt/collections")
from ansible_collections.dfr.continuity.plugins.module_utils._apps.n8n_settings import SettingsSource
print(json.dumps(SettingsSource(unit=sys.argv[1], user_folder="/srv").read().environment))
"""


def test_the_settings_of_a_unit_are_those_it_runs_with_or_would_run_with(host):
    place = "/opt/collections/ansible_collections/dfr/continuity/plugins"
    host.run("mkdir", "-p", place)
    podman("cp", Path(__file__).parents[3] / "plugins/module_utils", f"{host.name}:{place}/module_utils")
    host.run("tee", "/etc/systemd/system/n8n.service", input=UNIT)
    host.run("tee", "/etc/n8n.env", input="# comment\nN8N_ENCRYPTION_KEY='a key'\nN8N_PORT=4321\n")
    wanted = {"N8N_PORT": "4321", "N8N_GREETING": "two words", "N8N_ENCRYPTION_KEY": "a key"}

    def read(unit="n8n.service", check=True):
        return host.run("python3", "-c", READ, unit, check=check)

    host.run("systemctl", "daemon-reload")
    assert json.loads(read().stdout) == wanted
    host.run("systemctl", "start", "n8n")
    try:
        # What was changed since is not what the running one has.
        host.run("tee", "/etc/n8n.env", input="N8N_PORT=1")
        assert json.loads(read().stdout) == wanted
    finally:
        host.run("systemctl", "stop", "n8n")
    assert json.loads(read().stdout)["N8N_PORT"] == "1"
    assert "There is no systemd unit 'nobody.service'" in read("nobody.service", check=False).stderr
