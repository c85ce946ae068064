# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of real databases: what is in them, and every way in which one fails."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time

import psycopg2
import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._postgres.programs import Client
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.snapshot import open_snapshot
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import DependencyError, SourceError

from .scene import BALLAST, BALLAST_ROWS, PART, ROWS, Meddling, children, furnish, reach


@pytest.fixture
def large(shop):
    """A database whose dump does not fit into pipes and buffers."""
    shop.sql(BALLAST)
    return shop


def test_a_dump_says_what_it_holds(scene, shop):
    backup_id, record = scene.dump(reach(shop.server), shop.name, checksums=True)
    facts = record["facts"]
    assert facts["database"] == shop.name
    assert facts["server_major"] == shop.server.version
    assert facts["pg_dump_version"].split(".")[0] == str(shop.server.version)
    assert facts["globals"] == "with passwords"
    assert facts["extensions"] == {"pg_trgm": "1.6"}
    assert facts["rows"] == ROWS
    assert record["warnings"] == []
    with scene.reading(backup_id) as reader:
        assert b"".join(reader.read_stream(reader.streams["dump"])).startswith(b"PGDMP")
        assert b"CREATE ROLE" in b"".join(reader.read_stream(reader.streams["globals"]))
        assert reader.manifest["checksums"]["public.customer"][0] == 20000
        objects = reader.manifest["database"]["objects"]
    assert objects == {
        "tables": 3,
        "partitioned tables": 1,
        "views": 1,
        "materialized views": 1,
        "sequences": 2,
        "indexes": 2,
        "constraints": 2,
        "functions": 1,
        "domains and enumerations": 2,
        "extensions": 2,
        "large objects": 1,
    }


def test_an_unchanged_database_costs_next_to_nothing_the_second_time(scene, large):
    _id, first = scene.dump(reach(large.server), large.name)
    _id, second = scene.dump(reach(large.server), large.name)
    assert second["bytes"]["new"] < first["bytes"]["new"] / 5


def test_what_is_committed_after_the_snapshot_is_not_in_the_dump(scene, large):
    def commit():
        large.sql("INSERT INTO customer (name) VALUES ('brand-new-row')")
        large.sql("DELETE FROM event")

    backup_id, record = scene.dump(reach(large.server), large.name, Meddling(commit), checksums=True)
    assert large.sql("SELECT count(*) FROM event") == [(0,)]
    with scene.reading(backup_id) as reader:
        assert reader.manifest["checksums"]["public.event_2026"][0] == 100
        assert b"brand-new-row" not in b"".join(reader.read_stream(reader.streams["dump"]))
    assert record["facts"]["rows"] == ROWS + BALLAST_ROWS


@pytest.mark.parametrize("statement", ["DROP TABLE ballast", "TRUNCATE ballast", "ALTER TABLE ballast DROP n"])
def test_tables_stay_as_they_are_while_they_are_dumped(scene, large, statement):
    """A TRUNCATE between snapshot and dump would leave the table empty in the dump, without any error."""
    with open_snapshot(Client(reach(large.server)), large.name, 60) as snapshot:
        with contextlib.closing(large.server.connect(large.name)) as connection, connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                cursor.execute(statement)
        assert snapshot.session.value("SELECT count(*) AS n FROM public.ballast") == BALLAST_ROWS


def test_a_table_dropped_during_the_dump_is_in_it(scene, large):
    waiting = threading.Thread(target=lambda: large.sql("DROP TABLE ballast"))
    backup_id, _record = scene.dump(reach(large.server), large.name, Meddling(waiting.start), checksums=True)
    waiting.join()
    assert large.sql("SELECT to_regclass('ballast')") == [(None,)]
    with scene.reading(backup_id) as reader:
        assert reader.manifest["checksums"]["public.ballast"][0] == BALLAST_ROWS


def test_a_table_that_stays_locked_is_told_with_who_locks_it(scene, shop):
    with contextlib.closing(shop.server.connect(shop.name, application_name="night job")) as connection:
        connection.cursor().execute("LOCK TABLE customer IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SourceError, match=r"locked for more than 1 seconds.*night job"):
            scene.dump(reach(shop.server), shop.name, lock_timeout=1)


def failing(scene, connection, database, progress, match):
    """Expect a dump to fail, and nothing of its part to be there afterwards."""
    with pytest.raises(SourceError, match=match) as caught:
        scene.dump(connection, database, progress)
    assert scene.objects("backups/") == []
    assert caught.value.next_step.endswith(".")
    return caught.value


@pytest.mark.parametrize(
    ("how", "reason"), [(signal.SIGKILL, "killed by signal 9"), (signal.SIGTERM, "told it to stop")]
)
def test_a_pg_dump_that_is_killed_is_no_backup(scene, large, how, reason):
    def kill():
        for pid in children("pg_dump"):
            os.kill(pid, how)

    failing(scene, reach(large.server), large.name, Meddling(kill), reason)
    assert children("pg_dump") == []
    assert children("psql") == []


@pytest.fixture
def ending(tmp_path):
    """Make PostgreSQL's programs, with a ``pg_dump`` that passes on what the real one writes and ends otherwise."""

    def make(server, passing_on, end):
        folder = tmp_path / "programs"
        folder.mkdir()
        for program in server.bin.iterdir():
            (folder / program.name).symlink_to(program)
        (folder / "pg_dump").unlink()
        real = server.bin / "pg_dump"
        (folder / "pg_dump").write_text(
            f'#!/bin/sh\n[ "$1" != --version ] || exec {real} --version\n{real} "$@" | {passing_on}\n{end}\n'
        )
        (folder / "pg_dump").chmod(0o755)
        return str(folder)

    return make


@pytest.mark.parametrize("passing_on", ["head --bytes=0", "head --bytes=3", "head --bytes=100000", "cat"])
@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("kill -KILL $$", "killed by signal 9"),
        ("kill -TERM $$", "killed by signal 15|told it to stop"),
        ("exit 1", "code 1"),
    ],
)
def test_a_pg_dump_that_ends_badly_after_any_part_of_its_output_is_no_backup(
    scene, large, ending, passing_on, end, reason
):
    """Also after the last byte: then the output is whole, and only the exit code says that something was wrong."""
    connection = reach(large.server, programs=ending(large.server, passing_on, end))
    failing(scene, connection, large.name, None, reason)
    assert children("pg_dump") == []


def test_the_programs_of_the_test_before_can_also_end_well(scene, large, ending):
    connection = reach(large.server, programs=ending(large.server, "cat", "exit 0"))
    backup_id, _record = scene.dump(connection, large.name)
    assert scene.has_record(backup_id)


def test_a_connection_lost_during_the_dump_is_no_backup(scene, large):
    def cut():
        ours = "application_name ~ 'dfr.continuity' AND query ~ 'COPY'"
        large.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")

    failing(scene, reach(large.server), large.name, Meddling(cut), "connection to the server was lost")


def test_a_server_that_crashes_during_the_dump_is_no_backup(scene, make_cluster):
    cluster = make_cluster()
    made = furnish(cluster)
    made.sql(BALLAST)
    failing(scene, reach(cluster), made.name, Meddling(cluster.program.kill), "connection to the server was lost")


def test_a_store_that_fails_during_the_dump_leaves_no_program_behind(scene, large, monkeypatch):
    def fail():
        raise SourceError("The test interferes.", "Go on.")

    failing(scene, reach(large.server), large.name, Meddling(fail), "The test interferes")
    assert children("pg_dump") == []
    deadline = time.monotonic() + 30
    busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'dfr.continuity' AND datname = %s"
    while large.server.sql(busy, large.name) != [(0,)] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert large.server.sql(busy, large.name) == [(0,)]


def test_a_table_that_may_not_be_read_fails_the_dump(scene, shop):
    name, password = shop.server.new_role()
    connection = reach(shop.server, user=name, password=password)
    failing(scene, connection, shop.name, None, rf"permission denied .*role {name}")


def test_rows_hidden_by_row_security_fail_the_dump(scene, postgres):
    owner, _password = postgres.new_role()
    name, password = postgres.new_role()
    database = postgres.new_database(owner)
    postgres.sql(
        "CREATE TABLE secret (who text); ALTER TABLE secret ENABLE ROW LEVEL SECURITY;"
        f"CREATE POLICY own ON secret USING (who = current_user); GRANT SELECT ON secret TO {name}",
        database=database,
    )
    failing(scene, reach(postgres, user=name, password=password), database, None, "row security hides rows of secret")


def test_a_role_that_may_not_see_passwords_gets_a_warning(scene, postgres):
    name, password = postgres.new_role()
    database = postgres.new_database(name)
    _id, record = scene.dump(reach(postgres, user=name, password=password), database)
    assert record["facts"]["globals"] == "without passwords"
    assert len(record["warnings"]) == 1
    assert "Passwords of roles are not in the backup: permission denied" in record["warnings"][0]


def test_a_pg_dump_older_than_the_server_is_refused(scene, postgres_17):
    with pytest.raises(DependencyError) as caught:
        scene.dump(reach(postgres_17), postgres_17.new_database())
    assert "server has version 17" in caught.value.message
    assert "/usr/lib/postgresql/15/bin/pg_dump" in caught.value.message
    assert "postgresql-client-17" in caught.value.next_step


def test_a_database_in_a_container_with_nothing_installed_inside(scene, postgres_17):
    made = furnish(postgres_17)
    connection = reach(postgres_17, host=None, port=None, password=None, container=postgres_17.container_name)
    backup_id, record = scene.dump(connection, made.name, checksums=True)
    assert record["facts"]["server_major"] == 17
    assert record["facts"]["rows"] == ROWS
    with scene.reading(backup_id) as reader:
        assert b"".join(reader.read_stream(reader.streams["dump"])).startswith(b"PGDMP")


def test_a_password_inside_a_container_shows_nowhere(scene, postgres_17):
    made = furnish(postgres_17)
    made.sql(BALLAST)
    connection = reach(postgres_17, host="127.0.0.1", port=5432, container=postgres_17.container_name)
    seen = []

    def look():
        script = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'"
        seen.append(postgres_17.container.run("sh", "-c", script, check=False).stdout)

    _id, record = scene.dump(connection, made.name, Meddling(look))
    assert "--format=custom" in seen[0]
    assert postgres_17.password not in seen[0]
    assert record["facts"]["globals"] == "with passwords"
    wrong = reach(postgres_17, host="127.0.0.1", port=5432, container=postgres_17.container_name, password="wrong")
    with pytest.raises(SourceError, match="password for role postgres is wrong"):
        scene.dump(wrong, made.name)


def test_a_dump_given_up_in_a_container_ends_there_too(scene, postgres_17):
    made = furnish(postgres_17)
    made.sql(BALLAST)
    connection = reach(postgres_17, host=None, port=None, password=None, container=postgres_17.container_name)

    def fail():
        raise SourceError("The test interferes.", "Go on.")

    with pytest.raises(SourceError, match="interferes"):
        scene.dump(connection, made.name, Meddling(fail))
    deadline = time.monotonic() + 30
    busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'dfr.continuity'"
    while postgres_17.sql(busy) != [(0,)] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert postgres_17.sql(busy) == [(0,)]


def test_part_names_are_the_streams_home(scene, shop):
    backup_id, record = scene.dump(reach(shop.server), shop.name)
    assert record["part"] == PART
    assert scene.has_record(backup_id)
