# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of a server: what is refused, and what client programs are told."""

from __future__ import annotations

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._postgres.connection import Connection
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.naming import (
    replaced_name,
    temporary_name,
    temporary_prefix,
)
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.process import Outcome, run
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.programs import Client
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.session import identifier, literal
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import DependencyError, InputError


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"sslmode": "yes"}, "sslmode"),
        ({"engine": "lxc", "container": "x"}, "engine"),
        ({"engine": "podman"}, "without a container"),
        ({"password": "secret\n"}, "line break"),
        ({"hots": "db"}, "'hots'"),
        ({"run_as": "no_such_user"}, "no_such_user"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings, reason):
    with pytest.raises(InputError, match=reason) as caught:
        Client(Connection.from_settings(settings))
    assert "secret" not in str(caught.value)


def test_connection_strings_are_quoted_and_hold_no_password():
    conninfo = Connection(user="o'brien\\", password="secret").conninfo("my db")
    assert r"user='o\'brien\\'" in conninfo
    assert "dbname='my db'" in conninfo
    assert "secret" not in conninfo


def test_password_files_are_escaped():
    assert Connection(password="a:b\\c").password_line() == b"*:*:*:*:a\\:b\\\\c\n"


@pytest.mark.parametrize(
    ("value", "sql"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (7, "7"),
        ("it's", "'it''s'"),
        ("a\\'b", "E'a\\\\''b'"),
        (["x"], "ARRAY['x']::text[]"),
    ],
)
def test_literals(value, sql):
    assert literal(value) == sql


@pytest.mark.parametrize("name", ["", "x" * 64, "é" * 32, "nul\0"])
def test_names_that_postgresql_would_change_are_refused(name):
    with pytest.raises(InputError):
        identifier(name)


@pytest.mark.parametrize("name", ["shop", "x" * 63, "é" * 31])
def test_derived_names_fit(name):
    assert temporary_name(name).startswith(temporary_prefix(name))
    assert temporary_name(name) != temporary_name(name)
    for derived in (temporary_name(name), replaced_name(name)):
        assert len(derived.encode()) <= 63
        assert derived != name


@pytest.fixture
def programs(tmp_path):
    """Makes directories of programs that only tell their version."""

    def make(*versions):
        for version in versions:
            path = tmp_path / "pg_dump"
            path.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version} (Debian)'\n")
            path.chmod(0o755)
        return Client(Connection(programs=str(tmp_path)))

    return make


def test_a_program_that_is_too_old_is_named_with_the_package(programs):
    with pytest.raises(DependencyError) as caught:
        programs("14.3").suitable("pg_dump", 16)
    assert "16" in caught.value.message
    assert "14.3" in caught.value.message
    assert "postgresql-client-16" in caught.value.next_step


def test_a_program_of_the_servers_version_or_newer_serves(programs):
    client = programs("16.4")
    assert client.suitable("pg_dump", 16).version == "16.4"
    assert client.suitable("pg_dump", 13).version == "16.4"
    with pytest.raises(DependencyError, match="dump was made by 17"):
        client.suitable("pg_dump", 13, 17)


def test_a_program_that_is_not_there_is_named(programs):
    with pytest.raises(DependencyError, match="pg_restore"):
        programs("16.4").suitable("pg_restore", 13)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "pg_dump ended with exit code 1"),
        (-9, "pg_dump was killed by signal 9 (SIGKILL)"),
        (137, "pg_dump was killed by signal 9 (SIGKILL)"),
        (255, "pg_dump ended with exit code 255"),
    ],
)
def test_endings_in_words(code, words):
    assert Outcome("pg_dump", code, "").ending == words


def test_only_the_end_of_what_a_program_says_is_kept():
    outcome, output = run(["sh", "-c", "seq 100000 >&2; echo out; exit 3"])
    assert (outcome.code, output) == (3, b"out\n")
    assert outcome.stderr.endswith("100000")
    assert len(outcome.stderr) <= 16 << 10
