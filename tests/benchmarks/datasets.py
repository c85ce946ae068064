# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data that is measured: an Odoo filestore and a PostgreSQL database, the same bytes on every machine.

Made once and kept in the cache. Sizes are given as fractions of the full ones, so that the memory needed for one
quarter, one half and the whole can be compared.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import shutil
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.dfr.continuity.tests.environment.postgres import SYSTEM_USER, Cluster, installed_versions
from ansible_collections.dfr.continuity.tests.environment.processes import cache_dir, locked, working_directory

#: Files in the full filestore, about 2.5 GB.
FILES = 50_000
#: Rows in the full database, about 3 GB with its indexes.
LINES, MESSAGES, BINARY_VALUES = 11_000_000, 620_000, 50_000
#: The parts of the full data whose memory needs are compared.
FRACTIONS = (0.25, 0.5, 1.0)
#: Changes with anything below that changes the data.
_VERSION = 1


def directory() -> Path:
    """Where data, results and programs of the benchmarks are kept."""
    path = cache_dir() / "bench"
    path.mkdir(exist_ok=True)
    return path


def filestore(fraction: float = 1.0) -> Path:
    """A filestore in Odoo's layout; three files of five are incompressible."""
    count = int(FILES * fraction)
    target = directory() / f"filestore-{_VERSION}-{count}"
    with locked("bench-filestore"):
        if not target.exists():
            print(f"[bench] making a filestore of {count:,} files", flush=True)
            unfinished = target.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            _make_filestore(unfinished, count)
            unfinished.rename(target)
    return target


def _make_filestore(root: Path, count: int) -> None:
    chance = random.Random(count)
    words = _words(chance)
    for number in range(256):
        (root / f"{number:02x}").mkdir(parents=True)
    for number in range(count):
        size = 100 + int(min(8e6, chance.lognormvariate(9.6, 1.55)))
        content = chance.randbytes(size) if number % 5 < 3 else _text(chance, words, size)
        name = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        (root / name[:2] / name).write_bytes(content)


def _words(chance: random.Random) -> list[bytes]:
    """65,536 words, of which 4,000 differ; like in a language, few of them are most of the text."""
    letters = b"abcdefghijklmnopqrstuvwxyz"
    words = [bytes(chance.choices(letters, k=chance.randint(2, 10))) for _ in range(4000)]
    return [words[int(4000 * (number / 65536) ** 2)] for number in range(65536)]


def _text(chance: random.Random, words: list[bytes], size: int) -> bytes:
    """Words separated by blanks; zstd makes a third of it."""
    picks = memoryview(chance.randbytes(2 * (size // 5 + 1))).cast("H")
    text = b" ".join(map(words.__getitem__, picks))
    return (text * (size // len(text) + 1))[:size]


_SCHEMA = """
CREATE TABLE corpus (content bytea);
ALTER TABLE corpus ALTER content SET STORAGE EXTERNAL;
CREATE TABLE message (
    id integer, document integer, author integer, created timestamp, subject text, body text
);
CREATE TABLE line (
    id integer, document integer, account integer, partner integer, date date, created timestamp, state text,
    name text, debit numeric, credit numeric, quantity numeric, price numeric, reference text
);
CREATE TABLE binary_value (id integer, name text, content bytea);
"""
_MESSAGES = """
INSERT INTO message
SELECT n, n / 3, hash % 500, timestamp '2020-01-01' + n * interval '97 s', 'Re: S' || lpad((n / 3)::text, 8, '0'),
       convert_from(substring(content FROM 1 + hash % 1000000 FOR 200 + hash % 1500), 'UTF8')
FROM corpus, generate_series(1, {messages}) AS n, LATERAL (SELECT hashint4(n) & 2147483647 AS hash) AS h
"""
_LINES = """
INSERT INTO line
SELECT n, n / 12, 1 + hash % 300, 1 + hash % 20000, date '2020-01-01' + n / 5000,
       timestamp '2020-01-01' + n * interval '15 s', CASE WHEN hash % 50 = 0 THEN 'draft' ELSE 'posted' END,
       convert_from(substring(content FROM 1 + hash % 1000000 FOR 20 + hash % 40), 'UTF8'),
       CASE WHEN n % 2 = 0 THEN (hash % 1000000) / 100.0 ELSE 0 END,
       CASE WHEN n % 2 = 1 THEN (hash % 1000000) / 100.0 ELSE 0 END,
       1 + hash % 20, (hash % 100000) / 100.0, 'INV/2020/' || lpad((n / 12)::text, 8, '0')
FROM corpus, generate_series(1, {lines}) AS n, LATERAL (SELECT hashint4(n) & 2147483647 AS hash) AS h
"""
_BINARY = """
INSERT INTO binary_value
SELECT n, 'image_' || n, (SELECT string_agg(sha512((n * 1000 + g)::text::bytea), '') FROM generate_series(1, 64) AS g)
FROM generate_series(1, {binaries}) AS n
"""
_INDEXES = """
ALTER TABLE message ADD PRIMARY KEY (id);
ALTER TABLE line ADD PRIMARY KEY (id);
ALTER TABLE binary_value ADD PRIMARY KEY (id);
CREATE INDEX ON line (document);
CREATE INDEX ON message (document);
"""


def _make_database(server: Cluster, name: str, fraction: float) -> None:
    chance = random.Random(1)
    corpus = _text(chance, _words(chance), 1 << 20)
    server.sql(f"CREATE DATABASE {name} TEMPLATE template0")
    server.sql(_SCHEMA + "INSERT INTO corpus VALUES (%s)", corpus, database=name)
    for statement, rows in ((_MESSAGES, MESSAGES), (_LINES, LINES), (_BINARY, BINARY_VALUES)):
        count = int(rows * fraction)
        server.sql(statement.format(messages=count, lines=count, binaries=count), database=name)
    server.sql(_INDEXES, database=name)
    server.sql("VACUUM ANALYZE", database=name)


def database_name(fraction: float = 1.0) -> str:
    """The name of the database that has this fraction of the full one's rows."""
    return f"bench_{int(1000 * fraction)}"


class _KeptCluster(Cluster):
    """A cluster that starts from the archive of an earlier one."""

    def _initialise(self, socket_authentication: str) -> None:
        if not _archive().exists():
            super()._initialise(socket_authentication)
            return
        print("[bench] unpacking the databases", flush=True)
        _through_tar(["zstd", "--decompress", "--stdout", _archive()], ["tar", "-x", "-C", self.directory])
        self.password = (self.directory / "kept-password").read_text()
        self.configure({"port": str(self.port), "unix_socket_directories": str(self.socket_dir)})

    def keep(self) -> None:
        """Archive the stopped cluster."""
        (self.directory / "kept-password").write_text(self.password)
        unfinished = _archive().with_suffix(".unfinished")
        unfinished.touch(mode=0o600)
        _through_tar(
            ["tar", "-c", "-C", self.directory, "data", "kept-password"],
            ["zstd", "-1", "-T0", "--quiet", "--force", "-o", unfinished],
        )
        unfinished.rename(_archive())


def _archive() -> Path:
    return directory() / f"postgres-{_VERSION}.{installed_versions()[0]}.tar.zst"


def _through_tar(first: list[str | Path], second: list[str | Path]) -> None:
    with subprocess.Popen(first, stdout=subprocess.PIPE) as source:
        subprocess.run(second, stdin=source.stdout, check=True)
    if source.returncode:
        raise RuntimeError(f"{first[0]} ended with {source.returncode}")


@contextlib.contextmanager
def database_server() -> t.Iterator[Cluster]:
    """A running cluster that holds the databases of all :data:`FRACTIONS`; the cluster is removed afterwards."""
    with locked("bench-cluster"), working_directory("bench", owner=SYSTEM_USER) as path:
        # Little WAL, since it would be kept too.
        server = _KeptCluster(path, socket_authentication="trust", settings={"max_wal_size": "256MB"})
        kept = _archive().exists()
        server.start()
        try:
            if not kept:
                for fraction in FRACTIONS:
                    print(f"[bench] making a database of {3 * fraction:.2g} GB", flush=True)
                    _make_database(server, database_name(fraction), fraction)
                server.stop()
                server.keep()
                server.start()
            yield server
        finally:
            server.stop()
