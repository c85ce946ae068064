# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases to back up, a repository to keep them, servers to restore to: what the tests here start from."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.dfr.continuity.plugins.module_utils._postgres.connection import Connection
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.dump import DumpOptions, backup_database
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.restore import (
    RestoreOptions,
    RestoreResult,
    restore_database,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.encoding import new_backup_id
from ansible_collections.dfr.continuity.plugins.module_utils._repository.part_reader import PartReader
from ansible_collections.dfr.continuity.plugins.module_utils._repository.progress import Progress
from ansible_collections.dfr.continuity.tests.environment.postgres import Server
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

PART = "db1.shop.database"

#: A bit of everything that a dump can lose.
FURNISH = """
CREATE EXTENSION pg_trgm;
CREATE SCHEMA "Mixed Case";
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE customer (id serial PRIMARY KEY, name text NOT NULL, feeling mood DEFAULT 'glad', born date, data bytea);
INSERT INTO customer (name, born, data)
  SELECT md5(n::text), DATE '2000-01-01' + n % 9000, decode(md5(n::text), 'hex') FROM generate_series(1, 20000) n;
CREATE INDEX customer_name ON customer USING gin (name gin_trgm_ops);
CREATE TABLE "Mixed Case"."od""d" ("r" positive, ratio float8, paid numeric, js json, at timestamptz);
INSERT INTO "Mixed Case"."od""d" VALUES (1, 0.1, 1.10, E'{"a":\\n 1}', now()), (2, 'NaN', 'NaN', NULL, 'infinity');
CREATE TABLE event (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO event SELECT n, DATE '2026-01-01' + n FROM generate_series(1, 100) n;
CREATE VIEW glad AS SELECT * FROM customer WHERE feeling = 'glad';
CREATE MATERIALIZED VIEW names AS SELECT name FROM customer LIMIT 5;
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';
CREATE SEQUENCE invoice_number START 4711;
SELECT nextval('invoice_number');
SELECT lo_from_bytea(0, decode(repeat('c0ffee', 5000), 'hex'));
"""
#: Rows in it.
ROWS = 20000 + 2 + 100 + 1

BALLAST_ROWS = 120000
#: Makes a dump too large for pipes and buffers, so that a test can meddle while it is under way.
BALLAST = (
    "CREATE TABLE ballast AS"
    f" SELECT n, md5(n::text) || md5((n + 1)::text) AS text FROM generate_series(1, {BALLAST_ROWS}) n"
)


class Furnished(t.NamedTuple):
    """A database on a server."""

    server: Server
    name: str

    def sql(self, statement: str, *arguments: t.Any) -> list[tuple[t.Any, ...]]:
        """Execute statements in it as superuser; return the last one's rows."""
        return self.server.sql(statement, *arguments, database=self.name)


def furnish(server: Server, owner: str = "postgres") -> Furnished:
    """Make a database with a bit of everything."""
    name = server.new_database(owner)
    server.sql(FURNISH, database=name)
    return Furnished(server, name)


def reach(server: Server, **changes: t.Any) -> Connection:
    """Return how to reach a server over TCP as its superuser."""
    settings = {"host": server.host, "port": server.port, "user": "postgres", "password": server.password}
    return Connection.from_settings({**settings, **changes})


class Scene(Site):
    """A repository with what backs up into it and restores from it."""

    def dump(
        self, connection: Connection, database: str, progress: Progress | None = None, **options: t.Any
    ) -> tuple[str, dict[str, t.Any]]:
        """Back up a database; return the backup's id and the part's record."""
        backup_id = new_backup_id()
        with (
            self.open() as repository,
            repository.write_part(backup_id, PART, kind="database", progress=progress) as part,
        ):
            return backup_id, backup_database(part, connection, database, DumpOptions(**options))

    @contextmanager
    def reading(self, backup_id: str, part: str = PART, progress: Progress | None = None) -> t.Iterator[PartReader]:
        """Open a part with the recovery key."""
        with (
            self.open(None) as repository,
            repository.open_part(backup_id, part, self.recovery_key, progress=progress) as reader,
        ):
            yield reader

    def restore(
        self,
        backup_id: str,
        connection: Connection,
        *,
        progress: Progress | None = None,
        part: str = PART,
        **options: t.Any,
    ) -> RestoreResult:
        """Restore a database."""
        with self.reading(backup_id, part, progress) as reader:
            return restore_database(reader, connection, RestoreOptions(**options))

    def has_record(self, backup_id: str) -> bool:
        """Tell whether the part exists."""
        return any(path.name == "record" for path in self.objects(f"backups/{backup_id}/"))


def children(name: str) -> list[int]:
    """Return the process ids of this process's children of that name."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        command, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        if command == name and rest[1] == str(Path("/proc/self").resolve().name):
            found.append(int(path.parent.name))
    return found


class Meddling(Progress):
    """Does something once, as soon as some of the data has gone by."""

    def __init__(self, deed: t.Callable[[], object]) -> None:
        super().__init__()
        self._deed: t.Callable[[], object] | None = deed

    def add(self, done: int = 0, stored: int = 0, items: int = 0) -> None:
        """Count, and meddle."""
        super().add(done, stored, items)
        if done and self._deed is not None:
            deed, self._deed = self._deed, None
            deed()
