# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From source to restored copy, through the modules: what they return, write, log and tell."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest

from ansible_collections.dfr.continuity.tests.environment.processes import wait_until

from .playing import CHECKOUT, check_documented

BACKUP = "20261122T050301Z-1f2e3d4c"
LATER = "20261122T060301Z-2f2e3d4c"


@pytest.fixture
def tree(tmp_path):
    """A tree with some files."""
    root = tmp_path / "addons"
    for number in range(20):
        path = root / f"module{number % 3}" / f"file{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content {number}\n" * 100)
    time.sleep(2.1)  # what changed just before a backup is read again by the next one
    return root


@pytest.fixture
def connection(postgres):
    """The option of modules."""
    return {"host": postgres.host, "port": postgres.port, "user": postgres.superuser, "password": postgres.password}


@pytest.fixture
def database(postgres):
    """A database with some rows."""
    name = postgres.new_database()
    postgres.sql(
        "CREATE TABLE invoice AS SELECT n AS id, md5(n::text) AS text FROM generate_series(1, 5000) n", database=name
    )
    yield name
    postgres.drop_database(name)


def files(root, part="db1.shop.addons", backup_id=BACKUP, **more):
    return {
        "name": "files",
        "register": "files",
        "ignore_errors": True,
        "dfr.continuity.file_backup": {"backup_id": backup_id, "part": part, "path": str(root), **more},
    }


def dump(database, connection, backup_id=BACKUP, **more):
    return {
        "name": "dump",
        "register": "dump",
        "ignore_errors": True,
        "dfr.continuity.database_backup": {
            "backup_id": backup_id,
            "part": "db1.shop.database",
            "database": database,
            "connection": connection,
            **more,
        },
    }


def summary(*registered, backup_id=BACKUP, **more):
    parts = "{{ [" + ", ".join(f"{name}.outcome" for name in registered) + "] }}"
    return {
        "name": "summary",
        "ignore_errors": True,
        "dfr.continuity.backup_summary": {"backup_set": "shop", "backup_id": backup_id, "parts": parts, **more},
    }


def test_a_backup_from_source_to_status(ansible, installation, tree, database, connection):
    planned = ansible.play(files(tree), dump(database, connection), options=["--check"])
    assert (planned["files"]["changed"], planned["dump"]["changed"]) == (True, True)
    check_documented("file_backup", planned["files"])
    check_documented("database_backup", planned["dump"])
    played = ansible.play(
        files(tree),
        dump(database, connection, checksums=True),
        summary("files", "dump"),
        {"name": "info", "dfr.continuity.backup_info": {}},
        {"name": "structure", "dfr.continuity.backup_verify": {"backup_set": "shop"}},
        {
            "name": "bytes",
            "dfr.continuity.backup_verify": {"mode": "bytes", "recovery_key": installation.recovery_key},
        },
        options=["-vvv"],
    )
    assert played.code == 0
    for name, module in (("files", "file_backup"), ("dump", "database_backup"), ("summary", "backup_summary")):
        check_documented(module, played[name])
    check_documented("backup_info", played["info"])
    check_documented("backup_verify", played["structure"])
    check_documented("backup_verify", played["bytes"])
    assert played["files"]["facts"]["files"] == 20
    assert played["dump"]["facts"]["tables"] == 1
    assert played["summary"]["status"] == "success"
    assert not played["summary"]["notice"]["needed"]
    assert played["info"]["latest_valid"] == played["info"]["latest"] == BACKUP
    assert {part["name"] for part in played["info"]["backups"][0]["parts"]} == {"db1.shop.addons", "db1.shop.database"}
    assert played["bytes"]["bytes_read"] > 0
    assert connection["password"] not in played.output + installation.log
    assert installation.passphrase not in played.output + installation.log


def test_status_metrics_log_and_notices_of_a_partial_run_and_after(ansible, installation, tree, database, connection):
    played = ansible.play(files(tree), dump("no such database", connection), summary("files", "dump"))
    assert played.code == 0
    assert played["dump"]["failed"]
    assert played["dump"]["error"] == "SourceError"
    assert played["dump"]["outcome"]["status"] == "failure"
    assert "no such database" in played["dump"]["reason"]
    check_documented("database_backup", played["dump"])
    told = played["summary"]
    assert (told["status"], told["notice"]["kind"]) == ("partial", "problem")
    for needed in ("db1.shop.database on host db1", played["dump"]["reason"], played["dump"]["next_step"]):
        assert needed in told["notice"]["body"]
    schema = json.loads((CHECKOUT / "docs" / "status.schema.json").read_text())
    status = json.loads((installation.folder / "status" / "shop.json").read_text())
    jsonschema.validate(status, schema)
    assert (status["state"], status["last_success"]) == ("partial", None)
    metrics = (installation.folder / "metrics" / "dfr_continuity_shop.prom").read_text()
    assert 'dfr_continuity_backup_last_run_state{backup_set="shop",state="partial"} 1' in metrics
    events = [line.split()[1:3] for line in installation.log.splitlines()]
    assert events == [
        ["event=start", "action=file_backup"],
        ["event=success", "action=file_backup"],
        ["event=start", "action=database_backup"],
        ["event=failure", "action=database_backup"],
        ["event=start", "action=backup_summary"],
        ["event=failure", "action=backup_summary"],
    ]
    again = ansible.play(
        files(tree, backup_id=LATER), dump(database, connection, LATER), summary("files", "dump", backup_id=LATER)
    )
    assert again["summary"]["notice"]["kind"] == "recovered"
    assert again["files"]["facts"]["unchanged_files"] == 20
    jsonschema.validate(json.loads((installation.folder / "status" / "shop.json").read_text()), schema)


def test_a_store_that_is_gone_is_told_of_all_the_same(ansible, installation, tree):
    ansible.play(files(tree), summary("files"))
    shutil.move(installation.repository["location"], installation.repository["location"] + ".away")
    played = ansible.play(files(tree, backup_id=LATER), summary("files", backup_id=LATER))
    assert played["files"]["outcome"]["status"] == "failure"
    told = played["summary"]
    assert told["failed"]
    assert (told["status"], told["notice"]["needed"]) == ("failure", True)
    assert installation.repository["location"] in told["notice"]["body"]
    status = json.loads((installation.folder / "status" / "shop.json").read_text())
    assert (status["state"], status["last_success"]["backup_id"]) == ("failure", BACKUP)
    check_documented("backup_summary", told)


def test_a_store_that_goes_before_the_backup_is_closed(ansible, installation, tree):
    place = installation.repository["location"]

    def move(source, target):
        return {"name": f"move {target}", "ansible.builtin.command": {"argv": ["mv", source, target]}}

    played = ansible.play(
        files(tree),
        move(place, f"{place}.away"),
        summary("files"),
        move(f"{place}.away", place),
        {**summary("files"), "name": "closed later"},
        {"name": "structure", "dfr.continuity.backup_verify": {}},
    )
    told = played["summary"]
    assert told["failed"]
    assert (told["status"], told["notice"]["kind"]) == ("partial", "problem")
    assert place in told["notice"]["body"]
    assert "does not exist" in told["reason"]
    # What was stored before is not lost: closing it again is enough.
    later = played["closed later"]
    assert (later["status"], later["notice"]["kind"]) == ("success", "recovered")
    assert not played["structure"]["failed"]


def test_a_lost_pack_is_found_and_told(ansible, installation, tree):
    ansible.play(files(tree), summary("files"))
    shutil.rmtree(f"{installation.repository['location']}/packs")
    verify = {"name": "verify", "ignore_errors": True, "dfr.continuity.backup_verify": {"backup_set": "shop"}}
    played = ansible.play(verify, {"name": "info", "dfr.continuity.backup_info": {}})
    assert played["verify"]["failed"]
    assert played["verify"]["error"] == "IntegrityError"
    assert played["verify"]["problems"]
    assert played["verify"]["notice"]["kind"] == "problem"
    check_documented("backup_verify", played["verify"])
    assert (played["info"]["latest_success"], played["info"]["latest_valid"]) == (BACKUP, None)
    assert BACKUP in played["info"]["invalid"]


def test_a_database_is_restored_and_only_replaced_when_asked(
    ansible, installation, postgres, other_postgres, database, connection
):
    target = {
        "host": other_postgres.host,
        "port": other_postgres.port,
        "user": other_postgres.superuser,
        "password": other_postgres.password,
    }

    def restore(name, **more):
        options = {"recovery_key": installation.recovery_key, "part": "db1.shop.database", "connection": target}
        task = {"name": name, "ignore_errors": True}
        return {**task, "dfr.continuity.database_restore": {**options, "database": f"{database}_copy", **more}}

    ansible.play(dump(database, connection, checksums=True), summary("dump"))
    assert ansible.play(restore("planned"), options=["--check"])["planned"]["plan"]["exists"] is False
    assert f"{database}_copy" not in other_postgres.databases()
    played = ansible.play(
        restore("restored"),
        restore("refused"),
        restore("replaced", replace=True),
        restore("no such backup", backup_id=LATER, database="x"),
        restore("no such part", part="db1.shop.nothing", database="x"),
        restore("wrong passphrase", recovery_key={**installation.recovery_key, "passphrase": "wrong"}, database="x"),
    )
    assert played.code == 0
    assert played["restored"]["checks"] == {"objects": "equal", "rows": "equal"}
    assert played["restored"]["rows"] == 5000
    assert played["replaced"]["replaced"] is True
    assert {
        name: played[name]["error"] for name in ("refused", "no such backup", "no such part", "wrong passphrase")
    } == {
        "refused": "TargetError",
        "no such backup": "ObjectMissingError",
        "no such part": "ObjectMissingError",
        "wrong passphrase": "WrongKeyError",
    }
    rows = "SELECT md5(string_agg(id || text, ',' ORDER BY id)) FROM invoice"
    assert other_postgres.sql(rows, database=f"{database}_copy") == postgres.sql(rows, database=database)
    check_documented("database_restore", played["restored"])
    other_postgres.drop_database(f"{database}_copy")


def test_files_are_restored_and_what_is_there_is_left_alone(ansible, installation, tree, tmp_path):
    target = tmp_path / "restored"

    def restore(name, path=target, **more):
        options = {"recovery_key": installation.recovery_key, "part": "db1.shop.addons", "path": str(path)}
        return {"name": name, "ignore_errors": True, "dfr.continuity.file_restore": {**options, **more}}

    ansible.play(files(tree), summary("files"))
    planned = ansible.play(restore("planned"), options=["--check", "--diff"])["planned"]
    assert planned["changed"]
    assert planned["written"] > 20
    assert not target.exists()
    check_documented("file_restore", planned)
    played = ansible.play(
        restore("restored"),
        restore("again"),
        {"name": "damage", "ansible.builtin.file": {"path": f"{target}/module0/file0.py", "state": "absent"}},
        restore("mended"),
        restore("one file", path=tmp_path / "one", select=["module1/file1.py"]),
        restore("nothing of that name", path=tmp_path / "none", select=["module9"]),
    )
    assert played.code == 0
    assert (played["restored"]["changed"], played["again"]["changed"], played["mended"]["written"]) == (True, False, 1)
    for name in ("restored", "again", "mended", "one file"):
        check_documented("file_restore", played[name])
    read = lambda root: {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}  # noqa: E731
    assert read(target) == read(tree)
    assert [str(path) for path in read(tmp_path / "one")] == ["module1/file1.py"]
    assert played["nothing of that name"]["error"] == "InputError"
    assert not (tmp_path / "none").exists()


def test_a_single_file_is_backed_up_and_restored(ansible, installation, tmp_path):
    (tmp_path / "odoo.conf").write_text("[options]\n")
    restore = {
        "recovery_key": installation.recovery_key,
        "part": "db1.shop.config",
        "path": str(tmp_path / "copy" / "odoo.conf"),
    }
    played = ansible.play(
        files(tmp_path / "odoo.conf", "db1.shop.config", kind="file"),
        summary("files"),
        {"name": "restored", "dfr.continuity.file_restore": restore},
    )
    assert played.code == 0
    assert (tmp_path / "copy" / "odoo.conf").read_text() == "[options]\n"


def programs_using(database):
    """Processes whose arguments name a database."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"dbname='{database}'".encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
    return found


def test_interrupting_ansible_ends_the_backup_and_its_sessions(ansible, installation, postgres, database, connection):
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    with contextlib.closing(postgres.connect(database)) as blocker:
        blocker.cursor().execute("LOCK TABLE invoice IN ACCESS EXCLUSIVE MODE")
        command = ansible.command([dump(database, connection)])
        process = subprocess.Popen(
            command, cwd=ansible.directory, env=ansible.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        wait_until(lambda: postgres.sql(waiting, database) == [(1,)], "the backup's session")
        assert programs_using(database)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) != 0
        wait_until(lambda: not programs_using(database), "the end of the backup's programs")
    # A server notices that a client has gone when there is no lock to wait for any more.
    wait_until(lambda: postgres.sql(sessions, database) == [(0,)], "the end of the backup's sessions")
    wait_until(lambda: "stopped by StoppedBySignal" in installation.log, "the log of the interruption")
    assert 'reason="stopped by _Stopped"' not in installation.log
    played = ansible.play({"name": "info", "dfr.continuity.backup_info": {}})
    assert played["info"]["backups"] == []


def test_a_backup_id_is_used_once(ansible, installation, tree):
    played = ansible.play(files(tree), summary("files"), {**summary("files"), "name": "again"})
    assert played["again"]["failed"]
    assert "closed already" in played["again"]["msg"]
