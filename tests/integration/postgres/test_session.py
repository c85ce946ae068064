# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions with a real server, and every way in which they cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._postgres.failures import QueryError
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.programs import Client
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.session import Session
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import SourceError

from ...environment.processes import free_port
from .scene import reach

AWKWARD = "back\\slash 'quote' \"double\" :ERROR :'SQLSTATE' \\echo $1 %s\n\ttab €"


@pytest.fixture
def session(postgres):
    with Session(Client(reach(postgres)), "postgres") as made:
        yield made


def test_values_come_back_as_they_went(session):
    row = session.query(
        "SELECT %s AS text, %s AS number, %s AS truth, %s AS nothing, %s AS list",
        AWKWARD,
        -7,
        True,
        None,
        ["a", AWKWARD],
    )
    assert row == [{"text": AWKWARD, "number": -7, "truth": True, "nothing": None, "list": ["a", AWKWARD]}]


def test_json_columns_with_newlines_stay_one_row(session):
    assert session.query("""SELECT '{"a":\n\n1}'::json AS js""") == [{"js": {"a": 1}}]


def test_many_rows_stream(session):
    rows = session.rows("SELECT n, repeat('x', 100) AS text FROM generate_series(1, 100000) n")
    assert sum(row["n"] for row in rows) == 100000 * 100001 // 2
    assert session.value("SELECT 1 AS one") == 1


def test_an_error_has_its_code_and_the_session_goes_on(session):
    with pytest.raises(QueryError, match="division by zero") as caught:
        session.query("SELECT 1/0 AS x")
    assert caught.value.sqlstate == "22012"
    assert session.value("SELECT 2 AS two") == 2


def test_an_error_among_the_rows_is_one_as_well(session):
    rows = session.rows("SELECT 10 / (n - 5) AS x FROM generate_series(1, 10) n")
    with pytest.raises(QueryError, match=r"broke off a statement among its rows: division by zero"):
        list(rows)
    assert session.value("SELECT 2 AS two") == 2
    with pytest.raises(QueryError, match='relation "missing" does not exist'):
        session.query("SELECT * FROM missing")
    with pytest.raises(QueryError, match="among its rows: division by zero"):
        session.query("SELECT 1 / (n - 2) AS x FROM generate_series(1, 2) n")


def test_an_error_does_not_repeat_what_may_be_secret(session):
    with pytest.raises(QueryError) as caught:
        session.execute("ALTER ROLE nobody_such WITH LOGIN PASSWORD 'SCRAM-SHA-256$secret'")
    assert "secret" not in str(caught.value)


def test_objects_of_users_do_not_stand_in_for_the_systems(postgres):
    name = postgres.new_database()
    postgres.sql(
        "CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT '0'::text $$",
        database=name,
    )
    postgres.sql(f"ALTER DATABASE {name} SET search_path = public, pg_catalog")
    with Session(Client(reach(postgres)), name) as session:
        assert session.major == postgres.version


def test_idle_limits_of_the_server_do_not_end_it(postgres):
    name = postgres.new_database()
    postgres.sql(f"ALTER DATABASE {name} SET idle_in_transaction_session_timeout = 50")
    postgres.sql(f"ALTER DATABASE {name} SET statement_timeout = 50")
    with Session(Client(reach(postgres)), name) as session:
        session.execute("BEGIN")
        session.execute("SELECT pg_sleep(0.1)")
        assert session.value("SELECT 1 AS one") == 1


def test_peer_authentication_as_another_user(make_cluster):
    cluster = make_cluster(socket_authentication="peer")
    socket = {"host": str(cluster.socket_dir), "password": None}
    with Session(Client(reach(cluster, **socket, run_as="postgres")), "postgres") as session:
        assert session.value("SELECT current_user AS me") == "postgres"
    with pytest.raises(SourceError, match="run_as"), Session(Client(reach(cluster, **socket)), "postgres"):
        pass


def test_a_password_for_another_user(postgres):
    """The password file in memory is opened anew by that user, who must have the right to."""
    with Session(Client(reach(postgres, run_as="nobody")), "postgres") as session:
        assert session.value("SELECT current_user AS me") == "postgres"


def test_awkward_passwords(postgres):
    name, _password = postgres.new_role()
    awkward = "co:lon back\\slash 'quote' \"d\" € #"
    postgres.sql(f"ALTER ROLE {name} PASSWORD %s", awkward)
    with Session(Client(reach(postgres, user=name, password=awkward)), "postgres") as session:
        assert session.value("SELECT current_user AS me") == name


def test_the_password_is_in_no_argument_and_no_environment(postgres):
    client = Client(reach(postgres))
    with Session(client, "postgres") as session:
        process = Path(f"/proc/{session._child.pid}")
        seen = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    assert b"PGPASSFILE=/proc/self/fd/" in seen
    assert postgres.password.encode() not in seen
    assert postgres.password not in repr(client.connection)


@pytest.mark.parametrize(
    ("changes", "database", "reason"),
    [
        ({"password": "wrong"}, "postgres", "password for role postgres is wrong"),
        ({"password": None}, "postgres", "none was given"),
        ({"user": "nobody_such"}, "postgres", "password for role nobody_such is wrong, or there is no such role"),
        ({}, "no_such_db", "there is no database no_such_db"),
        ({"port": 1}, "postgres", "no server answers"),
        ({"host": "/nowhere"}, "postgres", "no server answers"),
        ({"host": "no-such-host.invalid"}, "postgres", "cannot be resolved"),
        ({"sslmode": "require"}, "postgres", "sslmode"),
    ],
)
def test_no_connection_says_why(postgres, changes, database, reason):
    if changes.get("port"):
        changes = {"port": free_port()}
    with pytest.raises(SourceError, match=reason) as caught, Session(Client(reach(postgres, **changes)), database):
        pass
    assert "password retrieved" not in caught.value.message
    assert caught.value.next_step.endswith(".")


def test_the_callers_environment_does_not_lead_elsewhere(postgres, monkeypatch):
    monkeypatch.setenv("PGDATABASE", "no_such_db")
    monkeypatch.setenv("PGHOST", "/nowhere")
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=77kB")
    with Session(Client(reach(postgres)), "postgres") as session:
        assert session.value("SELECT current_setting('work_mem') AS v") != "77kB"


def test_a_session_that_the_server_ends_says_so(postgres):
    client = Client(reach(postgres))
    session = Session(client, "postgres")
    postgres.sql("SELECT pg_terminate_backend(%s)", session.value("SELECT pg_backend_pid() AS pid"))
    with pytest.raises(SourceError, match="connection to the server was lost"):
        session.query("SELECT 1 AS one")
