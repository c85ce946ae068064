# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing one part of a backup: chunks go in, a signed record comes out."""

from __future__ import annotations

import hashlib
import secrets
import time
import typing as t
from collections import deque
from concurrent.futures import Future

from . import stream
from .chunk_claims import ChunkClaims
from .chunk_writer import ChunkWriter
from .chunking import Cutter
from .encoding import canonical_json
from .index import IndexedPack, IndexObject
from .key_slots import commitment, write_data_key
from .naming import associated_data, part_object_name, scope_of
from .progress import Progress
from .references import ReferenceBuilder, StreamReference
from .worker_pool import WorkerPool

if t.TYPE_CHECKING:
    from .repository import Repository

T = t.TypeVar("T")

#: An index object is written after so many packs, so that an interrupted run keeps what it has stored.
_PACKS_PER_INDEX = 64


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class PartWriter(ChunkWriter):
    """One part being written. Use it in a ``with`` block; only :meth:`finish` makes the part exist.

    All methods but :meth:`finish` may be called by several threads.
    """

    def __init__(self, repository: Repository, backup_id: str, part: str, kind: str, progress: Progress) -> None:
        super().__init__(repository, scope_of(backup_id, part), secrets.token_bytes(stream.KEY_SIZE), ChunkClaims())
        self.backup_id = backup_id
        self.part = part
        self.kind = kind
        self.progress = progress
        self._started = _now()
        self._unindexed: list[IndexedPack] = []
        self._own_packs: list[tuple[bytes, int]] = []
        self._bytes_stored = 0
        self._pool = WorkerPool()
        self.workers = self._pool.workers

    def __enter__(self) -> PartWriter:
        write_data_key(self.repository, self.scope, self.key)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self._pool.close(cancel=kind is not None)
        self.claims.close()

    def submit(self, work: t.Callable[..., T], *arguments: t.Any) -> Future[T]:
        """Run ``work`` in the pool; waits while too much is under way. Not from within such work."""
        return self._pool.submit(work, *arguments)

    def pack_written(self, pack: IndexedPack) -> None:
        """Count a pack of this part that is in the store, and write the index when it is due."""
        self.progress.add(stored=pack.size)
        due: list[IndexedPack] = []
        with self._lock:
            self._bytes_stored += pack.size
            self._own_packs.append((pack.pack_id, pack.size))
            self._unindexed.append(pack)
            if len(self._unindexed) >= _PACKS_PER_INDEX:
                due, self._unindexed = self._unindexed, []
        self._write_index(due)

    def _write_index(self, packs: list[IndexedPack]) -> None:
        if packs:
            self.repository.write_index(IndexObject(self.repository.settings.epoch, self.scope, packs))
            self._search_index = True

    def open_stream(self) -> StreamWriter:
        """Start a stream of bytes whose length need not be known."""
        return StreamWriter(self)

    def finish(
        self,
        *,
        streams: t.Mapping[str, StreamReference],
        facts: t.Mapping[str, t.Any],
        manifest: t.Mapping[str, t.Any] | None = None,
        warnings: t.Sequence[str] = (),
        source: int = 0,
    ) -> dict[str, t.Any]:
        """Make the part exist: last pack, index, manifest, and the signed record, which is returned.

        :arg streams: the part's streams by name.
        :arg facts: what whoever holds the repository key may know: sizes, versions, counts.
        :arg manifest: what only recovery keys may open.
        :arg source: bytes of source data that are in none of the streams themselves, such as the files of a tree.
        """
        self.write_last_pack()
        with self._lock:
            due, self._unindexed = self._unindexed, []
        self._write_index(due)
        body = {**(manifest or {}), "streams": {name: reference.to_json() for name, reference in streams.items()}}
        manifest_digest = self._write_manifest(canonical_json(body))
        record = {
            "type": "part",
            "backup": self.backup_id,
            "part": self.part,
            "kind": self.kind,
            "host": self.repository.host,
            "started": self._started,
            "finished": _now(),
            "bytes": {
                "source": source + sum(reference.size for reference in streams.values()),
                "new": self.new_bytes,
                "stored": self._bytes_stored,
            },
            "facts": dict(facts),
            "warnings": list(warnings),
            "manifest": manifest_digest,
            "packs": self._write_pack_list(),
            "commitment": commitment(self.key),
        }
        self.repository.write_signed(part_object_name(self.scope, "record"), canonical_json(record))
        return record

    def _write_manifest(self, body: bytes) -> dict[str, t.Any]:
        """Store the manifest under the data key; return size and SHA-256 of the object."""
        name = part_object_name(self.scope, "manifest")
        place = associated_data(self.repository.repository_id, self.scope, name)
        data = b"".join(stream.encrypt(self.key, place, body))
        self.repository.store.put(name, [data])
        return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def _write_pack_list(self) -> dict[str, t.Any]:
        """Store which packs this part needs, old ones included: retention and verification live on it."""
        packs = dict(self._own_packs)
        for number in self.old_packs:
            info = self.repository.index.pack(number)
            packs[info.pack_id] = info.size
        body = b"".join(pack_id + packs[pack_id].to_bytes(8, "big") for pack_id in sorted(packs))
        digest = self.repository.write_metadata(part_object_name(self.scope, "packs"), body)
        return {"count": len(packs), "size": sum(packs.values()), "sha256": digest}


class StreamWriter:
    """A stream being written; chunks are stored by the pool, in order. Used by one thread."""

    def __init__(self, part: PartWriter) -> None:
        self._part = part
        self._cutter = Cutter()
        self._builder = ReferenceBuilder(part.store)
        self._waiting: deque[Future[bytes]] = deque()
        self.size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes, which may be reused by the caller afterwards."""
        self.size += len(data)
        for chunk in self._cutter.add(data):
            self._store(chunk)

    def _store(self, chunk: bytes) -> None:
        self._waiting.append(self._part.submit(self._part.store, chunk))
        while self._waiting and self._waiting[0].done():
            self._builder.add(self._waiting.popleft().result())

    def close(self) -> StreamReference:
        """Store what is left and return the reference."""
        for chunk in self._cutter.rest():
            self._store(chunk)
        while self._waiting:
            self._builder.add(self._waiting.popleft().result())
        return self._builder.finish(self.size)
