# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a query on a real PostgreSQL returns, compared with what is expected."""

from __future__ import annotations

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._apps.sql_check import SqlExpectation, look_at_sql
from ansible_collections.dfr.continuity.plugins.module_utils._drill.checks import NotAsExpectedError
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError, SourceError

from ..postgres.scene import reach


@pytest.fixture
def database(postgres):
    name = postgres.new_database()
    postgres.sql("CREATE TABLE orders (id int, name text); INSERT INTO orders VALUES (1, 'a'), (2, 'b')", database=name)
    yield name
    postgres.drop_database(name)


@pytest.fixture
def look(postgres, database):
    return lambda query, **expected: look_at_sql(reach(postgres), database, SqlExpectation(query, **expected))


@pytest.mark.parametrize(
    ("query", "expected", "actual"),
    [
        ("SELECT count(*) FROM orders;", {"value": "2"}, "2"),
        ("SELECT count(*) FROM orders", {"minimum": 2}, "2"),
        ("SELECT name, id FROM orders ORDER BY id", {"pattern": "^a$"}, "a"),
        ("WITH o AS (SELECT 1.5 AS x) SELECT x FROM o", {"minimum": 1.5}, "1.5"),
        ("SELECT true", {"value": "true"}, "true"),
        ("SELECT NULL", {"value": "null"}, "null"),
    ],
)
def test_as_expected(look, query, expected, actual):
    seen = look(query, **expected)
    assert seen.actual == actual
    assert seen.evidence["server"].startswith("the PostgreSQL at 127.0.0.1")


@pytest.mark.parametrize(
    ("query", "expected", "actual"),
    [
        ("SELECT count(*) FROM orders", {"value": "3"}, "2"),
        ("SELECT count(*) FROM orders", {"minimum": 3}, "2"),
        ("SELECT name FROM orders", {"pattern": "c"}, "a"),
        ("SELECT name FROM orders", {"minimum": 0}, "a"),
        ("SELECT true", {"minimum": 1}, "true"),
        ("SELECT NULL", {"minimum": 0}, "null"),
        ("SELECT name FROM orders WHERE id = 3", {"pattern": ""}, "no row"),
        ("SELECT name FROM missing", {"pattern": ""}, "an error"),
        ("SELECT pg_sleep(60)::text", {"pattern": "", "timeout": 0.2}, "an error"),
    ],
)
def test_not_as_expected(look, query, expected, actual):
    with pytest.raises(NotAsExpectedError) as caught:
        look(query, **expected)
    assert caught.value.actual == actual
    assert caught.value.next_step


def test_nothing_is_written(look, postgres, database):
    postgres.sql(
        "CREATE FUNCTION order_one() RETURNS text LANGUAGE sql AS"
        " $$ INSERT INTO orders VALUES (3, 'c') RETURNING name $$",
        database=database,
    )
    with pytest.raises(NotAsExpectedError, match="read-only transaction"):
        look("SELECT order_one()", pattern="")
    assert postgres.sql("SELECT count(*) FROM orders", database=database) == [(2,)]


def test_a_server_that_cannot_be_reached(postgres, database):
    with pytest.raises(SourceError, match="password"):
        look_at_sql(reach(postgres, password="wrong"), database, SqlExpectation("SELECT 1", value="1"))


@pytest.mark.parametrize(
    ("query", "expected", "reason"),
    [
        ("SELECT 1", {}, "Nothing says"),
        ("DELETE FROM orders", {"value": "1"}, "is no SELECT"),
        ("SELECT 1", {"pattern": "("}, "no regular expression"),
        ("SELECT 1", {"value": "1", "timeout": 0}, "0 seconds"),
    ],
)
def test_what_cannot_be_meant_is_refused(query, expected, reason):
    with pytest.raises(InputError, match=reason):
        SqlExpectation(query, **expected).check()
