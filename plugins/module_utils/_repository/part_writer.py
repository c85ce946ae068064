# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing one part of a backup: chunks go in, a signed record comes out."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
import typing as t
from collections import deque
from concurrent.futures import Future

from . import stream
from .chunking import CHUNK_LIMIT, Cutter
from .compression import compress
from .encoding import canonical_json
from .index import IndexedPack, IndexObject
from .key_slots import commitment, write_data_key
from .naming import associated_data, pack_name, part_object_name, scope_of
from .pack import PACK_TARGET, PackBuilder
from .progress import Progress
from .references import ReferenceBuilder, StreamReference
from .worker_pool import WorkerPool

if t.TYPE_CHECKING:
    from .repository import Repository

T = t.TypeVar("T")

#: An index object is written after so many packs, so that an interrupted run keeps what it has stored.
_PACKS_PER_INDEX = 64
#: So many packs at most are encrypted and sent at the same time, which bounds memory.
_PACKS_IN_FLIGHT = 3


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class PartWriter:
    """One part being written. Use it in a ``with`` block; only :meth:`finish` makes the part exist.

    All methods but :meth:`finish` may be called by several threads.
    """

    def __init__(self, repository: Repository, backup_id: str, part: str, kind: str, progress: Progress) -> None:
        self.repository = repository
        self.backup_id = backup_id
        self.part = part
        self.kind = kind
        self.progress = progress
        self._scope = scope_of(backup_id, part)
        self._started = _now()
        self._key = secrets.token_bytes(stream.KEY_SIZE)
        self._lock = threading.Lock()
        self._pack = PackBuilder()
        self._sealing = threading.BoundedSemaphore(_PACKS_IN_FLIGHT)
        self._unindexed: list[IndexedPack] = []
        self._new: set[bytes] = set()
        self._own_packs: list[tuple[bytes, int]] = []
        self._old_packs: set[int] = set()
        self._bytes_new = 0
        self._bytes_stored = 0
        self._search_index = not repository.index.is_empty()
        self._pool = WorkerPool()
        self.workers = self._pool.workers

    def __enter__(self) -> PartWriter:
        write_data_key(self.repository, self._scope, self._key)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self._pool.close(cancel=kind is not None)

    def submit(self, work: t.Callable[..., T], *arguments: t.Any) -> Future[T]:
        """Run ``work`` in the pool; waits while too much is under way. Not from within such work."""
        return self._pool.submit(work, *arguments)

    def has(self, chunk_id: bytes) -> bool:
        """Tell whether a chunk is in the repository already, and note that this part refers to it."""
        if chunk_id in self._new:
            return True
        if not self._search_index:
            return False
        number = self.repository.index.pack_number(chunk_id, self.repository.settings.epoch)
        if number is None:
            return False
        self._old_packs.add(number)
        return True

    def missing(self, chunk_ids: t.Sequence[bytes]) -> set[bytes]:
        """Return those of many chunks that are not in the repository, and note that this part refers to the others."""
        missing = set(chunk_ids) - self._new
        if missing and self._search_index:
            found = self.repository.index.pack_numbers(list(missing), self.repository.settings.epoch)
            self._old_packs.update(found.values())
            missing -= found.keys()
        return missing

    def chunk_id(self, chunk: bytes) -> bytes:
        """Return the id of a chunk: HMAC-SHA-256 under the repository's chunk key."""
        return hmac.digest(self.repository.chunk_key, chunk, "sha256")

    def store(self, chunk: bytes) -> bytes:
        """Make sure that a chunk of 1 to :data:`CHUNK_LIMIT` bytes is in the repository; return its id."""
        chunk_id = hmac.digest(self.repository.chunk_key, chunk, "sha256")
        if self.has(chunk_id):
            return chunk_id
        if not 0 < len(chunk) <= CHUNK_LIMIT:
            raise ValueError(f"a chunk of {len(chunk)} bytes")
        self._append(chunk_id, compress(chunk, self.repository.settings.compression_level), len(chunk))
        return chunk_id

    def _append(self, chunk_id: bytes, stored: bytes, size: int) -> None:
        full = None
        with self._lock:
            if chunk_id in self._new:
                return
            self._new.add(chunk_id)
            self._bytes_new += size
            self._pack.add(chunk_id, stored, size)
            if self._pack.size >= PACK_TARGET:
                full, self._pack = self._pack, PackBuilder()
        if full is not None:
            self._write_pack(full)

    def _write_pack(self, pack: PackBuilder) -> None:
        """Encrypt and store a pack, in the thread that filled it; the others go on meanwhile."""
        pack_id = secrets.token_bytes(16)
        name = pack_name(pack_id)
        place = associated_data(self.repository.repository_id, self._scope, name)
        with self._sealing:
            size = self.repository.store.put(name, stream.encrypt(self._key, place, *pack.take()))
        self.progress.add(stored=size)
        due: list[IndexedPack] = []
        with self._lock:
            self._bytes_stored += size
            self._own_packs.append((pack_id, size))
            self._unindexed.append(IndexedPack(pack_id, size, pack.entries))
            if len(self._unindexed) >= _PACKS_PER_INDEX:
                due, self._unindexed = self._unindexed, []
        self._write_index(due)

    def _write_index(self, packs: list[IndexedPack]) -> None:
        if not packs:
            return
        index = IndexObject(self.repository.settings.epoch, self._scope, packs)
        self.repository.write_index(index)
        with self._lock:
            # What the index knows need not be kept in memory any more.
            self._search_index = True
            self._new.difference_update(entry.chunk_id for pack in packs for entry in pack.entries)

    def open_stream(self) -> StreamWriter:
        """Start a stream of bytes whose length need not be known."""
        return StreamWriter(self)

    def reference(self, size: int, ids: t.Iterable[bytes]) -> StreamReference:
        """Return the reference to a stream whose chunks have been stored one by one."""
        builder = ReferenceBuilder(self.store)
        for chunk_id in ids:
            builder.add(chunk_id)
        return builder.finish(size)

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
        with self._lock:
            last, self._pack = self._pack, PackBuilder()
        if last.entries:
            self._write_pack(last)
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
                "new": self._bytes_new,
                "stored": self._bytes_stored,
            },
            "facts": dict(facts),
            "warnings": list(warnings),
            "manifest": manifest_digest,
            "packs": self._write_pack_list(),
            "commitment": commitment(self._key),
        }
        self.repository.write_signed(part_object_name(self._scope, "record"), canonical_json(record))
        return record

    def _write_manifest(self, body: bytes) -> dict[str, t.Any]:
        """Store the manifest under the data key; return size and SHA-256 of the object."""
        name = part_object_name(self._scope, "manifest")
        place = associated_data(self.repository.repository_id, self._scope, name)
        data = b"".join(stream.encrypt(self._key, place, body))
        self.repository.store.put(name, [data])
        return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def _write_pack_list(self) -> dict[str, t.Any]:
        """Store which packs this part needs, old ones included: retention and verification live on it."""
        packs = dict(self._own_packs)
        for number in self._old_packs:
            info = self.repository.index.pack(number)
            packs[info.pack_id] = info.size
        body = b"".join(pack_id + packs[pack_id].to_bytes(8, "big") for pack_id in sorted(packs))
        digest = self.repository.write_metadata(part_object_name(self._scope, "packs"), body)
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
