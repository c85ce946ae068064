# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command killed at random points of a database's backup, and two of it at once."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.tests.environment.postgres import Cluster
from ansible_collections.dfr.continuity.tests.environment.processes import wait_until
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

from .conftest import Program, server_options
from .trees import describe, make_tree

_RUNS = 6
_ROWS = "SELECT n, md5(n::text) || md5((n + 1)::text) AS hash FROM generate_series(1, 150000) n"
_SUM = "SELECT count(*), md5(string_agg(hash, '' ORDER BY n)) FROM number"


class Database(t.NamedTuple):
    """A database, and the options that reach it."""

    server: Cluster
    name: str
    options: list[str]

    def programs(self) -> list[str]:
        """Return the client programs that use it."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"dbname='{self.name}'".encode() in (process / "cmdline").read_bytes():
                    found.append((process / "comm").read_text())
        return found

    def sessions(self) -> int:
        """Return how many sessions the server has in it."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        return int(self.server.sql(query, self.name)[0][0])


@pytest.fixture
def database(postgres: Cluster, site: Site) -> t.Iterator[Database]:
    name = postgres.new_database()
    postgres.sql(f"CREATE TABLE number AS {_ROWS}", database=name)
    yield Database(postgres, name, server_options(postgres, site.root))
    postgres.drop_database(name)


@pytest.mark.parametrize("what", [signal.SIGTERM, signal.SIGKILL])
def test_a_database_backup_killed_anywhere_is_made_good_by_the_next(
    site: Site, program: Program, host: list[str], person: list[str], database: Database,
    other_postgres: Cluster, what: signal.Signals,
) -> None:  # fmt: skip
    command = ("backup", "database", database.name, *database.options, "--checksums", *host)
    started = time.monotonic()
    assert program.run(*command).code == 0
    how_long = time.monotonic() - started
    database.server.sql("INSERT INTO number VALUES (0, 'new')", database=database.name)
    for _run in range(_RUNS):
        process = subprocess.Popen(
            program.argv(*command), env=program.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        time.sleep(random.uniform(0.1, how_long))
        process.send_signal(what)
        _out, said = process.communicate()
        assert process.returncode in (0, -what, 128 + what)
        assert b"Traceback" not in said
        wait_until(lambda: not database.programs(), "the end of the programs")
        wait_until(lambda: database.sessions() == 0, "the end of the sessions")

    made = program.run(*command)
    assert made.code == 0, made.err
    assert program.run("verify", made.document["backup"], "--bytes", *person).code == 0
    restored = f"{database.name}_restored"
    reached = server_options(other_postgres, site.root)
    part = f"db1.{database.name}.database"
    try:
        ended = program.run("restore", "latest", part, "--database", restored, *reached, *person, "--json")
        assert ended.document["backup"] == made.document["backup"]
        source = database.server.sql(_SUM, database=database.name)
        assert other_postgres.sql(_SUM, database=restored) == source
    finally:
        other_postgres.drop_database(restored)


def test_two_backups_of_one_host_at_once_are_both_whole(
    site: Site, program: Program, host: list[str], person: list[str], database: Database
) -> None:
    tree = site.root / "tree"
    make_tree(tree)
    commands = [("backup", "files", tree), ("backup", "database", database.name, *database.options)]
    running = [
        subprocess.Popen(program.argv(*command, *host), env=program.environment, stdout=subprocess.PIPE)
        for command in (*commands, *commands)
    ]
    made = [json.loads(process.communicate()[0]) for process in running]
    assert [document["status"] for document in made] == ["success"] * 4
    assert len({document["backup"] for document in made}) == 4
    verified = program.run("verify", "all", "--bytes", *person, "--json").document
    assert [backup["valid"] for backup in verified["backups"]] == [True] * 4
    for number in (0, 2):
        target = site.root / f"restored-{number}"
        assert program.run("restore", made[number]["backup"], "db1.tree.tree", "--target", target, *person).code == 0
        assert describe(target) == describe(tree)
