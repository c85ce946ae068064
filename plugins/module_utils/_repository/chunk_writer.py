# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storing chunks: each once, compressed, in packs that are encrypted under the data key of one part."""

from __future__ import annotations

import hmac
import secrets
import threading
import typing as t
from abc import ABC, abstractmethod

from . import stream
from .chunk_claims import ChunkClaims
from .chunking import CHUNK_LIMIT
from .compression import compress
from .index import IndexedPack
from .naming import associated_data, pack_name
from .pack import PACK_TARGET, PackBuilder
from .references import ReferenceBuilder, StreamReference

if t.TYPE_CHECKING:
    from .repository import Repository

#: So many packs at most are encrypted and sent by one process at the same time, which bounds memory.
_PACKS_IN_FLIGHT = 3


class ChunkWriter(ABC):
    """Stores chunks of one part. All methods may be called by several threads.

    ``old_packs`` are the numbers, in the index cache, of packs written earlier that hold chunks of this part;
    ``new_bytes`` counts the bytes of chunks that were not there before.

    :arg scope: whose data key ``key`` is.
    :arg claims: chunks that this run is storing already, here or in another process.
    """

    def __init__(self, repository: Repository, scope: str, key: bytes, claims: ChunkClaims) -> None:
        self.repository = repository
        self.scope = scope
        self.key = key
        self.claims = claims
        self._lock = threading.Lock()
        self._pack = PackBuilder()
        self._sealing = threading.BoundedSemaphore(_PACKS_IN_FLIGHT)
        self._search_index = not repository.index.is_empty()
        self.old_packs: set[int] = set()
        self.new_bytes = 0

    @abstractmethod
    def pack_written(self, pack: IndexedPack) -> None:
        """Take note of a pack that is in the store and that the index does not know yet."""

    def missing(self, chunk_ids: t.Sequence[bytes]) -> set[bytes]:
        """Return those of many chunks that are not in the repository, and note that this part refers to the others."""
        missing = {chunk_id for chunk_id in chunk_ids if chunk_id not in self.claims}
        if missing and self._search_index:
            found = self.repository.index.pack_numbers(list(missing), self.repository.settings.epoch)
            self.old_packs.update(found.values())
            missing -= found.keys()
        return missing

    def store(self, chunk: bytes) -> bytes:
        """Make sure that a chunk of 1 to :data:`CHUNK_LIMIT` bytes is in the repository; return its id."""
        chunk_id = hmac.digest(self.repository.chunk_key, chunk, "sha256")
        if chunk_id in self.claims or self._is_indexed(chunk_id) or not self.claims.claim(chunk_id):
            return chunk_id
        if not 0 < len(chunk) <= CHUNK_LIMIT:
            raise ValueError(f"a chunk of {len(chunk)} bytes")
        self._append(chunk_id, compress(chunk, self.repository.settings.compression_level), len(chunk))
        return chunk_id

    def _is_indexed(self, chunk_id: bytes) -> bool:
        """Tell whether a chunk is in the repository already, and note that this part refers to it."""
        if not self._search_index:
            return False
        number = self.repository.index.pack_number(chunk_id, self.repository.settings.epoch)
        if number is None:
            return False
        self.old_packs.add(number)
        return True

    def reference(self, size: int, ids: t.Iterable[bytes]) -> StreamReference:
        """Return the reference to a stream whose chunks have been stored one by one."""
        builder = ReferenceBuilder(self.store)
        for chunk_id in ids:
            builder.add(chunk_id)
        return builder.finish(size)

    def _append(self, chunk_id: bytes, stored: bytes, size: int) -> None:
        full = None
        with self._lock:
            self.new_bytes += size
            self._pack.add(chunk_id, stored, size)
            if self._pack.size >= PACK_TARGET:
                full, self._pack = self._pack, PackBuilder()
        if full is not None:
            self._write_pack(full)

    def write_last_pack(self) -> None:
        """Store what has been gathered; nothing may be stored meanwhile."""
        with self._lock:
            last, self._pack = self._pack, PackBuilder()
        if last.entries:
            self._write_pack(last)

    def _write_pack(self, pack: PackBuilder) -> None:
        """Encrypt and store a pack, in the thread that filled it; the others go on meanwhile."""
        pack_id = secrets.token_bytes(16)
        name = pack_name(pack_id)
        place = associated_data(self.repository.repository_id, self.scope, name)
        with self._sealing:
            size = self.repository.store.put(name, stream.encrypt(self.key, place, *pack.take()))
        self.pack_written(IndexedPack(pack_id, size, pack.entries))
