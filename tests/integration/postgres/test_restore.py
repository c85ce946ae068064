# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores to real servers: the same, elsewhere; nothing changed when they fail."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time

import psycopg2
import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._postgres.restore import (
    RestoreOptions,
    plan_restore,
    restore_database,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    DependencyError,
    InputError,
    IntegrityError,
    TargetError,
)

from ...environment.containers import podman
from ...environment.processes import wait_until, working_directory
from .scene import BALLAST, BALLAST_ROWS, PART, ROWS, Meddling, Scene, children, furnish, reach

EQUAL = {"objects": "equal", "rows": "equal"}


@pytest.fixture(scope="module")
def saved(postgres, tmp_path_factory):
    """A backup of a database with a bit of everything, and of its owner's settings."""
    scene = Scene(tmp_path_factory.mktemp("saved"))
    scene.configure()
    owner, password = postgres.new_role()
    reader, _password = postgres.new_role()
    shop = furnish(postgres, owner)
    shop.sql(BALLAST)
    shop.sql(f"ALTER TABLE customer OWNER TO {owner}; GRANT SELECT ON customer TO {reader}")
    shop.sql(f"COMMENT ON DATABASE {shop.name} IS 'it''s ours'; REVOKE CONNECT ON DATABASE {shop.name} FROM PUBLIC")
    shop.sql(f'ALTER DATABASE {shop.name} SET search_path = public, "Mixed Case"')
    shop.sql(f"ALTER ROLE {owner} IN DATABASE {shop.name} SET work_mem = '7MB'")
    shop.sql(f"GRANT CONNECT ON DATABASE {shop.name} TO {reader}")
    backup_id, _record = scene.dump(reach(postgres), shop.name, checksums=True)
    return scene, backup_id, shop, owner, password, reader


@pytest.fixture
def owner_there(other_postgres):
    """A role on the server that is restored to."""
    return other_postgres.new_role()[0]


def fresh(server):
    """Return the name of a database that does not exist."""
    name = server.new_database()
    server.drop_database(name)
    return name


def test_under_another_name_and_owner_on_another_server(saved, other_postgres, owner_there):
    scene, backup_id, *_rest = saved
    name = fresh(other_postgres)
    result = scene.restore(backup_id, reach(other_postgres), name=name, owner=owner_there)
    assert (result.checks, result.replaced, result.rows) == (EQUAL, False, ROWS + BALLAST_ROWS)
    owners = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relname IN ('customer', 'event', 'glad')"
    assert other_postgres.sql(owners, database=name) == [(owner_there,)]
    described = "datdba::regrole::text, shobj_description(oid, 'pg_database'), datistemplate"
    found = other_postgres.sql(f"SELECT {described} FROM pg_database WHERE datname = %s", name)
    assert found == [(owner_there, "it's ours", False)]
    assert other_postgres.sql("SHOW search_path", database=name) == [('public, "Mixed Case"',)]
    assert other_postgres.sql("SELECT last_value FROM invoice_number", database=name) == [(4711,)]


def test_roles_come_back_with_their_passwords_and_rights(saved, make_cluster):
    scene, backup_id, shop, owner, password, reader = saved
    cluster = make_cluster()
    with pytest.raises(TargetError, match=f"missing on .*{owner}"):
        scene.restore(backup_id, reach(cluster))
    cluster.sql(f"CREATE ROLE {reader} NOLOGIN")
    result = scene.restore(backup_id, reach(cluster), restore_roles=True)
    assert owner in result.roles_created
    assert reader not in result.roles_created
    assert result.checks == EQUAL
    assert cluster.sql("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", reader) == [(False,)]
    with (
        contextlib.closing(cluster.connect(shop.name, user=owner, password=password)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT count(*), current_setting('work_mem') FROM customer")
        assert cursor.fetchone() == (20000, "7MB")
    rights = "SELECT has_table_privilege(%s, 'customer', 'SELECT'), has_database_privilege('public', %s, 'CONNECT')"
    assert cluster.sql(rights, reader, shop.name, database=shop.name) == [(True, False)]


def test_a_role_without_superuser_restores_what_is_its_own(scene, shop, other_postgres):
    name, password = other_postgres.new_role("LOGIN CREATEDB")
    backup_id, _record = scene.dump(reach(shop.server), shop.name, checksums=True)
    connection = reach(other_postgres, user=name, password=password)
    assert scene.restore(backup_id, connection, owner=name).checks == EQUAL
    with pytest.raises(TargetError, match="is no member of role postgres"):
        scene.restore(backup_id, connection, owner="postgres", name="another")


@pytest.mark.parametrize("jobs", [1, 3])
def test_in_parallel_through_a_file_without_a_name(saved, other_postgres, owner_there, tmp_path, jobs):
    scene, backup_id, *_rest = saved
    result = scene.restore(
        backup_id,
        reach(other_postgres),
        name=fresh(other_postgres),
        owner=owner_there,
        jobs=jobs,
        directory=str(tmp_path),
    )
    assert result.checks == EQUAL
    assert list(tmp_path.glob("*.dump")) == []


def test_into_a_newer_server_in_a_container_and_back_is_refused(saved, postgres_17, other_postgres):
    scene, backup_id, *_rest = saved
    name, _password = postgres_17.new_role()
    inside = reach(postgres_17, host=None, port=None, password=None, container=postgres_17.container_name)
    target = fresh(postgres_17)
    assert scene.restore(backup_id, inside, name=target, owner=name).checks == EQUAL
    newer, _record = scene.dump(inside, target)
    with pytest.raises(TargetError, match=r"dump is of PostgreSQL 17.* older 15"):
        scene.restore(newer, reach(other_postgres), owner="postgres")


def test_into_a_container_that_asks_for_a_password(saved, postgres_17):
    scene, backup_id, *_rest = saved
    inside = reach(postgres_17, host="127.0.0.1", port=5432, container=postgres_17.container_name)
    owner, _password = postgres_17.new_role()
    target = fresh(postgres_17)
    assert scene.restore(backup_id, inside, name=target, owner=owner).checks == EQUAL
    made = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'customer'"
    assert postgres_17.sql(made, database=target) == [(owner,)]


@pytest.mark.parametrize("where", ["host", "container"])
def test_extensions_that_only_a_superuser_may_create(scene, postgres, postgres_17, other_postgres, where):
    source, target = (postgres, other_postgres) if where == "host" else (postgres_17, postgres_17)
    inside = {"host": None, "port": None, "password": None, "container": getattr(source, "container_name", None)}
    connection = {} if where == "host" else inside
    name = source.new_database()
    source.sql(
        "CREATE SCHEMA tools; CREATE EXTENSION file_fdw SCHEMA tools; CREATE TABLE t AS SELECT 1 AS a", database=name
    )
    backup_id, _record = scene.dump(reach(source, **connection), name, checksums=True)
    owner = target.new_role()[0]
    restored = fresh(target)
    result = scene.restore(backup_id, reach(target, **connection), name=restored, owner=owner)
    assert result.checks == EQUAL
    assert target.sql(
        "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'tools'", database=restored
    ) == [(owner,)]


def test_an_index_on_what_odoo_declares_immutable(scene, postgres, other_postgres, owner_there):
    name = postgres.new_database()
    postgres.sql(
        "CREATE EXTENSION unaccent; ALTER FUNCTION unaccent(text) IMMUTABLE; CREATE TABLE t (a text);"
        "CREATE INDEX plain ON t (unaccent(a))",
        database=name,
    )
    backup_id, _record = scene.dump(reach(postgres), name)
    restored = fresh(other_postgres)
    result = scene.restore(backup_id, reach(other_postgres), name=restored, owner=owner_there)
    assert result.checks == {"objects": "equal", "rows": "not recorded"}
    volatility = "SELECT provolatile::text FROM pg_proc WHERE oid = 'unaccent(text)'::regprocedure"
    assert other_postgres.sql(volatility, database=restored) == [("i",)]


def test_an_extension_that_the_server_lacks_is_named(scene, postgres, postgres_17):
    name = postgres.new_database()
    postgres.sql("CREATE EXTENSION adminpack", database=name)  # it went away with version 17
    backup_id, _record = scene.dump(reach(postgres), name)
    inside = reach(postgres_17, host=None, port=None, password=None, container=postgres_17.container_name)
    with pytest.raises(TargetError, match=r"Extensions that the database needs are missing .*adminpack"):
        scene.restore(backup_id, inside)


@pytest.mark.parametrize(
    "clauses",
    [
        "ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'",
        "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
        "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'",
    ],
)
def test_locale_encoding_and_awkward_names(scene, postgres, other_postgres, clauses):
    name = "we\"ird 'db' = x\\é"
    quoted = '"' + name.replace('"', '""') + '"'
    postgres.sql(f"CREATE DATABASE {quoted} TEMPLATE template0 {clauses}")
    with contextlib.closing(postgres.connect(name)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a text); INSERT INTO t VALUES ('z'), (chr(196))")
        connection.commit()
    try:
        backup_id, _record = scene.dump(reach(postgres), name, checksums=True)
        assert scene.restore(backup_id, reach(other_postgres), owner="postgres").checks == EQUAL
        described = "pg_encoding_to_char(encoding), datcollate, datlocprovider::text, daticulocale"
        found = [
            server.sql(f"SELECT {described} FROM pg_database WHERE datname = %s", name)
            for server in (postgres, other_postgres)
        ]
        assert found[0] == found[1] != []
    finally:
        for server in (postgres, other_postgres):
            server.sql(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")


def test_a_locale_that_the_server_lacks_is_named(scene, postgres, other_postgres):
    name = postgres.new_database()
    postgres.sql("CREATE TABLE t AS SELECT 1 AS a", database=name)
    backup_id, _record = scene.dump(reach(postgres), name)
    with pytest.raises(TargetError, match="xx_YY"):
        scene.restore(backup_id, reach(other_postgres), locale="xx_YY.UTF-8")
    assert scene.restore(backup_id, reach(other_postgres), locale="C").name == name
    collation = "SELECT datcollate FROM pg_database WHERE datname = %s"
    assert other_postgres.sql(collation, name) == [("C",)]


class TestReplacing:
    """A database with the wanted name is there and in use."""

    @pytest.fixture
    def target(self, other_postgres):
        name = other_postgres.new_database()
        other_postgres.sql("CREATE TABLE precious AS SELECT 1 AS a", database=name)
        yield name
        for left in other_postgres.databases():
            if left.startswith(name):
                other_postgres.sql(f'ALTER DATABASE "{left}" IS_TEMPLATE false')
                other_postgres.drop_database(left)

    def untouched(self, server, name):
        """Tell whether the old database, and nothing beside it, is there."""
        assert {left for left in server.databases() if left.startswith(name)} == {name}
        return server.sql("SELECT a FROM precious", database=name) == [(1,)]

    def test_it_is_refused_unless_asked_for(self, saved, other_postgres, owner_there, target):
        scene, backup_id, *_rest = saved
        with pytest.raises(TargetError, match="exists already"):
            scene.restore(backup_id, reach(other_postgres), name=target, owner=owner_there)
        assert self.untouched(other_postgres, target)

    @pytest.mark.parametrize("keep", [False, True])
    def test_it_is_replaced_although_it_is_used(self, saved, other_postgres, owner_there, target, keep):
        scene, backup_id, *_rest = saved
        with contextlib.closing(other_postgres.connect(target)) as connection:
            result = scene.restore(
                backup_id, reach(other_postgres), name=target, owner=owner_there, replace=True, keep_replaced=keep
            )
            with pytest.raises(psycopg2.OperationalError):
                connection.cursor().execute("SELECT 1")
        assert (result.replaced, result.checks) == (True, EQUAL)
        assert other_postgres.sql("SELECT count(*) FROM customer", database=target) == [(20000,)]
        kept = {left for left in other_postgres.databases() if left.startswith(f"{target}_")}
        assert kept == ({result.kept_as} if keep else set())
        if keep:
            closed = "SELECT datallowconn FROM pg_database WHERE datname = %s"
            assert other_postgres.sql(closed, result.kept_as) == [(False,)]

    def test_what_it_would_do_changes_nothing(self, saved, other_postgres, owner_there, target):
        scene, backup_id, *_rest = saved
        options = RestoreOptions(name=target, owner=owner_there, replace=True)
        with scene.reading(backup_id) as reader:
            plan = plan_restore(reader, reach(other_postgres), options)
        assert (plan.exists, plan.jobs, plan.name) == (True, 1, target)
        assert self.untouched(other_postgres, target)

    def test_a_pg_restore_that_is_killed_leaves_the_old_one(self, saved, other_postgres, owner_there, target):
        scene, backup_id, *_rest = saved

        def kill():
            for pid in children("pg_restore"):
                os.kill(pid, signal.SIGKILL)

        with pytest.raises(TargetError, match="killed by signal 9"):
            scene.restore(
                backup_id,
                reach(other_postgres),
                name=target,
                owner=owner_there,
                replace=True,
                progress=Meddling(kill),
            )
        assert self.untouched(other_postgres, target)
        assert children("psql") == []

    def test_a_lost_connection_leaves_the_old_one(self, saved, other_postgres, owner_there, target):
        scene, backup_id, *_rest = saved

        def cut():
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ~ '_restoring_'"
            wait_until(lambda: bool(other_postgres.sql(ended)), "pg_restore's connection")

        with pytest.raises(TargetError, match="connection to the server was lost"):
            scene.restore(
                backup_id, reach(other_postgres), name=target, owner=owner_there, replace=True, progress=Meddling(cut)
            )
        assert self.untouched(other_postgres, target)

    def test_a_damaged_backup_leaves_the_old_one(self, saved, other_postgres, owner_there, target):
        scene, backup_id, *_rest = saved
        packs = sorted(scene.objects("packs/"), key=lambda path: path.stat().st_size)
        content = packs[-1].read_bytes()
        packs[-1].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        try:
            with pytest.raises(IntegrityError):
                scene.restore(backup_id, reach(other_postgres), name=target, owner=owner_there, replace=True)
        finally:
            packs[-1].write_bytes(content)
        assert self.untouched(other_postgres, target)

    def test_work_on_the_restored_one_that_fails_leaves_the_old_one(self, saved, other_postgres, owner_there, target):
        scene, backup_id, *_rest = saved
        seen = []

        def finish(_client, temporary):
            seen.append(other_postgres.sql("SELECT datistemplate FROM pg_database WHERE datname = %s", temporary))
            raise TargetError("The test interferes.", "Go on.")

        options = RestoreOptions(name=target, owner=owner_there, replace=True)
        with scene.reading(backup_id) as reader, pytest.raises(TargetError, match="interferes"):
            restore_database(reader, reach(other_postgres), options, finish)
        assert seen == [[(True,)]]  # so that Odoo does not see it
        assert self.untouched(other_postgres, target)

    def test_rows_that_differ_leave_the_old_one(self, saved, other_postgres, owner_there, target):
        scene, backup_id, *_rest = saved
        with scene.reading(backup_id) as reader:
            reader.manifest["checksums"]["public.customer"][0] += 1
            options = RestoreOptions(name=target, owner=owner_there, replace=True)
            with pytest.raises(IntegrityError, match=r"public\.customer: 20001 rows .* before, 20000 rows"):
                restore_database(reader, reach(other_postgres), options)
        assert self.untouched(other_postgres, target)

    def test_objects_that_are_missing_leave_the_old_one(self, saved, other_postgres, owner_there, target):
        scene, backup_id, *_rest = saved
        with scene.reading(backup_id) as reader:
            reader.manifest["database"]["objects"]["sequences"] = 3
            options = RestoreOptions(name=target, owner=owner_there, replace=True)
            with pytest.raises(IntegrityError, match="sequences: 3 before, 2 now"):
                restore_database(reader, reach(other_postgres), options)
        assert self.untouched(other_postgres, target)

    def test_another_restore_to_the_same_name_is_refused(self, saved, other_postgres, owner_there, target):
        scene, backup_id, *_rest = saved
        refused = []

        def again():
            with pytest.raises(TargetError, match="Another restore to database"):
                scene.restore(backup_id, reach(other_postgres), name=target, owner=owner_there, replace=True)
            refused.append(True)

        scene.restore(
            backup_id, reach(other_postgres), name=target, owner=owner_there, replace=True, progress=Meddling(again)
        )
        assert refused == [True]

    def restore_in_a_process(self, saved, server, owner, target, signal_name):
        """Run a restore that sends itself a signal; return its exit code."""
        scene, backup_id, *_rest = saved
        script = f"""
            import os, signal, sys
            from ansible_collections.dfr.continuity.plugins.module_utils._postgres.connection import Connection
            from ansible_collections.dfr.continuity.plugins.module_utils._postgres.restore import *
            from ansible_collections.dfr.continuity.plugins.module_utils._repository import keys
            from ansible_collections.dfr.continuity.plugins.module_utils._repository.repository import open_repository
            from ansible_collections.dfr.continuity.tests.integration.postgres.scene import Meddling
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
            key = keys.load_recovery_key({scene.recovery_key.to_pem()!r})
            connection = Connection(host="127.0.0.1", port={server.port}, user="postgres", password={server.password!r})
            progress = Meddling(lambda: os.kill(os.getpid(), signal.{signal_name}))
            with open_repository({scene.access(None)!r}, key) as repository, \\
                    repository.open_part({backup_id!r}, {PART!r}, key, progress=progress) as reader:
                restore_database(reader, connection, RestoreOptions({target!r}, {owner!r}, replace=True))
            """
        return subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False).returncode

    def test_a_restore_that_is_told_to_stop_cleans_up(self, saved, other_postgres, owner_there, target):
        assert self.restore_in_a_process(saved, other_postgres, owner_there, target, "SIGTERM") == 75
        assert self.untouched(other_postgres, target)

    def test_what_a_killed_restore_left_is_removed_by_the_next(self, saved, other_postgres, owner_there, target):
        scene, backup_id, *_rest = saved
        ended = self.restore_in_a_process(saved, other_postgres, owner_there, target, "SIGKILL")
        assert ended == -signal.SIGKILL
        left = [name for name in other_postgres.databases() if name.startswith(f"{target}_restoring_")]
        assert len(left) == 1
        deadline = time.monotonic() + 30
        connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'dfr.continuity'"
        while other_postgres.sql(connected) != [(0,)] and time.monotonic() < deadline:
            time.sleep(0.1)
        result = scene.restore(backup_id, reach(other_postgres), name=target, owner=owner_there, replace=True)
        assert result.checks == EQUAL
        assert {name for name in other_postgres.databases() if name.startswith(target)} == {target}


def test_a_disk_that_fills_up_leaves_nothing(scene, make_cluster, shop):
    shop.sql(BALLAST)
    backup_id, _record = scene.dump(reach(shop.server), shop.name)
    cluster = make_cluster()
    with working_directory("small", owner="postgres") as small:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=700,uid=postgres", "tmpfs", small], check=True)
        try:
            cluster.sql(f"CREATE TABLESPACE small LOCATION '{small}'")
            cluster.sql("ALTER DATABASE template0 SET TABLESPACE small")
            before = cluster.databases()
            with pytest.raises(TargetError, match="no space is left"):
                scene.restore(backup_id, reach(cluster), owner="postgres")
            assert cluster.databases() == before
            cluster.stop()
        finally:
            subprocess.run(["umount", small], check=True)


@pytest.mark.parametrize("where", ["host", "container"])
def test_a_disk_that_is_too_small_is_refused_beforehand(scene, shop, other_postgres, postgres_17, where):
    backup_id, _record = scene.dump(reach(shop.server), shop.name)
    socket = {"host": str(other_postgres.socket_dir), "password": None}
    inside = {"host": None, "port": None, "password": None, "container": postgres_17.container_name}
    connection = reach(other_postgres, **socket) if where == "host" else reach(postgres_17, **inside)
    with scene.reading(backup_id) as reader:
        reader.record["facts"]["database_size"] = 1 << 60
        with pytest.raises(TargetError, match=r"GB free, and the database took 1152921504\.61 GB"):
            plan_restore(reader, connection, RestoreOptions(owner="postgres"))
        plan = plan_restore(reader, connection, RestoreOptions(owner="postgres", check_space=False))
    assert plan.exists is False


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"name": "postgres"}, "server's own"),
        ({"name": "template1"}, "server's own"),
        ({"name": "x" * 64}, "cannot be a name"),
        ({"jobs": 2}, "directory"),
        ({"jobs": 0}, "0 jobs"),
    ],
)
def test_what_cannot_be_meant_is_refused(saved, other_postgres, options, reason):
    scene, backup_id, *_rest = saved
    before = other_postgres.databases()
    with pytest.raises(InputError, match=reason):
        scene.restore(backup_id, reach(other_postgres), **options)
    assert other_postgres.databases() == before


def test_an_owner_that_does_not_exist_is_named(saved, other_postgres):
    scene, backup_id, *_rest = saved
    with pytest.raises(TargetError, match="role nobody_such"):
        scene.restore(backup_id, reach(other_postgres), owner="nobody_such")


def test_a_role_that_may_not_create_databases_is_told_so(saved, other_postgres):
    scene, backup_id, *_rest = saved
    name, password = other_postgres.new_role()
    with pytest.raises(TargetError, match="may not create databases"):
        scene.restore(backup_id, reach(other_postgres, user=name, password=password), owner=name)


@pytest.fixture
def older_from_inside(postgres_17, make_cluster):
    """A server of version 15, reached with the programs of version 17 that are in a container."""
    cluster = make_cluster(settings={"listen_addresses": "*"})
    with open(cluster.data / "pg_hba.conf", "a") as file:
        file.write("host all all all scram-sha-256\n")
    cluster.sql("SELECT pg_reload_conf()")
    gateway = podman("inspect", "--format", "{{.NetworkSettings.Gateway}}", postgres_17.container_name)
    return cluster, reach(cluster, host=gateway, container=postgres_17.container_name)


def test_programs_newer_than_the_server(scene, older_from_inside):
    """Version 17's pg_restore sets a parameter that 15 does not know."""
    cluster, connection = older_from_inside
    made = furnish(cluster)
    backup_id, record = scene.dump(connection, made.name, checksums=True)
    assert record["facts"]["pg_dump_version"].startswith("17.")
    result = scene.restore(backup_id, connection, name="again", owner="postgres")
    assert result.checks == EQUAL
    with pytest.raises(DependencyError, match="dump was made by 17"):
        scene.restore(backup_id, reach(cluster), name="once_more", owner="postgres")
