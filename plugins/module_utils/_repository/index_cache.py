# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index on local disk, so that it is fetched once and never held in memory.

A SQLite database a repository, brought up to date from the index objects in the store. It can be deleted at any
time. Memory is bounded by SQLite's page cache, however many chunks there are.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import typing as t
from dataclasses import dataclass

from .errors import TargetError
from .index import IndexedPack, IndexObject
from .pack import PackEntry

_SCHEMA_VERSION = 1
#: So many chunks are looked for by one statement; SQLite takes 999 parameters everywhere.
_ASKED_AT_ONCE = 500
_SCHEMA = """
CREATE TABLE objects (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE packs (
    number INTEGER PRIMARY KEY, id BLOB UNIQUE NOT NULL, size INTEGER NOT NULL,
    epoch INTEGER NOT NULL, scope TEXT NOT NULL
);
CREATE TABLE chunks (
    id BLOB PRIMARY KEY, pack INTEGER NOT NULL,
    position INTEGER NOT NULL, stored INTEGER NOT NULL, size INTEGER NOT NULL
) WITHOUT ROWID;
"""
#: Chunks on their way in, gathered from many index objects: the tree of chunks grows fast only in the order of ids.
_INCOMING = """
CREATE TEMP TABLE incoming (
    id BLOB NOT NULL, pack BLOB NOT NULL,
    position INTEGER NOT NULL, stored INTEGER NOT NULL, size INTEGER NOT NULL
)
"""
_SORTED = """
SELECT incoming.id, packs.number, position, stored, incoming.size
FROM incoming JOIN packs ON packs.id = incoming.pack ORDER BY incoming.id
"""
# A later epoch can be opened by more recipients, so it replaces an earlier place.
_INSERT = """
INSERT INTO chunks VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    pack = excluded.pack, position = excluded.position, stored = excluded.stored, size = excluded.size
WHERE (SELECT epoch FROM packs WHERE number = excluded.pack) > (SELECT epoch FROM packs WHERE number = chunks.pack)
"""
# A pack that was found without an index object has no epoch until one names it.
_INSERT_PACK = """
INSERT INTO packs (id, size, epoch, scope) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch WHERE excluded.epoch > packs.epoch
"""
#: So many chunks are merged at once; they are held in memory meanwhile, about 200 bytes each.
_BATCH = 1 << 19


@dataclass(frozen=True)
class PackInfo:
    """Where a pack is and what opens it."""

    pack_id: bytes
    size: int
    scope: str


class ChunkLocation(t.NamedTuple):
    """Where a chunk is."""

    pack: PackInfo
    entry: PackEntry


class IndexCache:
    """One open cache. Threads may share it; processes may share the file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._packs: dict[int, PackInfo] = {}
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            self._database = self._connect()
        except (OSError, sqlite3.OperationalError) as error:
            raise TargetError(
                f"The cache {path} cannot be opened: {error}.",
                "Make its directory writable for who runs this, free space there, or choose another cache_dir.",
            ) from error

    def _connect(self) -> sqlite3.Connection:
        try:
            return self._prepare(
                sqlite3.connect(self._path, timeout=120, check_same_thread=False, isolation_level=None)
            )
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            # Not a database, or a damaged one: everything in it can be fetched again.
            os.unlink(self._path)
            return self._prepare(
                sqlite3.connect(self._path, timeout=120, check_same_thread=False, isolation_level=None)
            )

    @staticmethod
    def _prepare(database: sqlite3.Connection) -> sqlite3.Connection:
        database.execute("PRAGMA journal_mode = WAL")
        # Losing the last transactions in a power cut only means fetching them again; WAL keeps the file whole.
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA cache_size = -65536")
        database.execute("BEGIN IMMEDIATE")
        if database.execute("PRAGMA user_version").fetchone()[0] != _SCHEMA_VERSION:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                database.execute(f"DROP TABLE {table}")
            for statement in _SCHEMA.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        database.execute("COMMIT")
        database.execute("PRAGMA temp_store = MEMORY")
        database.execute(_INCOMING)
        return database

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    def update(self, present: t.Collection[str], read: t.Callable[[str], IndexObject | None]) -> None:
        """Make the cache hold exactly the index objects named in ``present``.

        :arg read: fetches one; None for one that cannot be used now and is asked for again at the next time.
        """
        with self._lock:
            known = {name for (name,) in self._database.execute("SELECT name FROM objects")}
            if known - set(present):
                # A chunk may stand in several index objects but is kept once: start again.
                self._transaction(
                    lambda: [self._database.execute(f"DELETE FROM {x}") for x in ("objects", "packs", "chunks")]
                )
                self._packs.clear()
                known = set()
            self._take_in((name, read(name)) for name in sorted(set(present) - known))

    def add(self, name: str, index: IndexObject) -> None:
        """Take in an index object that this process has just written."""
        with self._lock:
            self._take_in([(name, index)])

    def add_unnamed(self, index: IndexObject) -> None:
        """Take in packs that no index object of the store names, until it names them or the cache is made anew."""
        with self._lock:
            self._take_in([("", index)])

    def _take_in(self, objects: t.Iterable[tuple[str, IndexObject | None]]) -> None:
        names: list[tuple[str]] = []
        packs: list[tuple[bytes, int, int, str]] = []
        chunks = 0
        for name, index in objects:
            if index is None:
                continue
            if name:
                names.append((name,))
            for pack in index.packs:
                packs.append((pack.pack_id, pack.size, index.epoch, index.scope))
                self._stage(pack)
                chunks += len(pack.entries)
            if chunks >= _BATCH:
                self._merge(names, packs)
                names, packs, chunks = [], [], 0
        if names or packs:
            self._merge(names, packs)

    def _transaction(self, work: t.Callable[[], object]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            work()
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _stage(self, pack: IndexedPack) -> None:
        rows = ((entry.chunk_id, pack.pack_id, *entry[1:]) for entry in pack.entries)
        self._database.executemany("INSERT INTO incoming VALUES (?, ?, ?, ?, ?)", rows)

    def _merge(self, names: list[tuple[str]], packs: list[tuple[bytes, int, int, str]]) -> None:
        def work() -> None:
            self._database.executemany("INSERT OR IGNORE INTO objects VALUES (?)", names)
            self._database.executemany(_INSERT_PACK, packs)
            # Row by row: SQLite would keep a journal of all that one statement changes, in memory.
            self._database.executemany(_INSERT, self._database.execute(_SORTED))
            self._database.execute("DELETE FROM incoming")

        self._transaction(work)

    def is_empty(self) -> bool:
        """Tell whether no chunk at all is known."""
        with self._lock:
            return self._database.execute("SELECT 1 FROM chunks LIMIT 1").fetchone() is None

    def pack_number(self, chunk_id: bytes, epoch: int) -> int | None:
        """Return the number of the pack that holds a chunk, if every recipient of ``epoch`` can open it."""
        with self._lock:
            row = self._database.execute(
                "SELECT pack FROM chunks WHERE id = ? AND (SELECT epoch FROM packs WHERE number = chunks.pack) >= ?",
                (chunk_id, epoch),
            ).fetchone()
            return row[0] if row else None

    def pack_numbers(self, chunk_ids: t.Sequence[bytes], epoch: int) -> dict[bytes, int]:
        """Do what :meth:`pack_number` does for many chunks; those that are not there are not in the answer."""
        rows = self._select(
            "chunks.id, pack FROM chunks JOIN packs ON packs.number = chunks.pack WHERE packs.epoch >= ?",
            chunk_ids,
            epoch,
        )
        return dict(rows)

    def _select(self, what: str, chunk_ids: t.Sequence[bytes], *parameters: t.Any) -> t.Iterator[t.Any]:
        """Yield rows of many chunks; ``what`` is a statement up to its condition, which has these parameters."""
        for start in range(0, len(chunk_ids), _ASKED_AT_ONCE):
            asked = chunk_ids[start : start + _ASKED_AT_ONCE]
            marks = ",".join("?" * len(asked))
            with self._lock:
                rows = self._database.execute(
                    f"SELECT {what} AND chunks.id IN ({marks})", (*parameters, *asked)
                ).fetchall()
            yield from rows

    def locate_all(self, chunk_ids: t.Sequence[bytes]) -> dict[bytes, ChunkLocation]:
        """Do what :meth:`locate` does for many chunks; those that are not there are not in the answer."""
        rows = self._select("id, pack, position, stored, size FROM chunks WHERE 1", chunk_ids)
        return {row[0]: ChunkLocation(self.pack(row[1]), PackEntry(row[0], *row[2:])) for row in rows}

    def locate(self, chunk_id: bytes) -> ChunkLocation | None:
        """Return where a chunk is, or None."""
        with self._lock:
            row = self._database.execute(
                "SELECT pack, position, stored, size FROM chunks WHERE id = ?", (chunk_id,)
            ).fetchone()
            return ChunkLocation(self.pack(row[0]), PackEntry(chunk_id, *row[1:])) if row else None

    def pack(self, number: int) -> PackInfo:
        """Return a pack by its number in this cache."""
        with self._lock:
            if number not in self._packs:
                row = self._database.execute("SELECT id, size, scope FROM packs WHERE number = ?", (number,)).fetchone()
                self._packs[number] = PackInfo(*row)
            return self._packs[number]

    def pack_by_id(self, pack_id: bytes) -> PackInfo | None:
        """Return a pack by its id, or None."""
        with self._lock:
            row = self._database.execute("SELECT id, size, scope FROM packs WHERE id = ?", (pack_id,)).fetchone()
            return PackInfo(*row) if row else None

    def is_indexed(self, pack_id: bytes) -> bool:
        """Tell whether an index object of the store names a pack."""
        with self._lock:
            row = self._database.execute("SELECT 1 FROM packs WHERE id = ? AND epoch > 0", (pack_id,)).fetchone()
            return row is not None
