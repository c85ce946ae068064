# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading one part of a backup: every chunk is checked against its id before anyone sees it."""

from __future__ import annotations

import hashlib
import hmac
import threading
import typing as t
from collections import OrderedDict
from concurrent.futures import Future

from . import stream
from .compression import decompress
from .encoding import parse_json
from .errors import IntegrityError, ObjectMissingError, TrustError
from .index_cache import ChunkLocation, PackInfo
from .key_slots import commitment, read_data_key
from .keys import RecoveryKey
from .naming import associated_data, pack_name, part_object_name, scope_of
from .progress import Progress
from .references import StreamReference, expand
from .settings import ADMINISTRATOR
from .worker_pool import WorkerPool

if t.TYPE_CHECKING:
    from .repository import Repository

T = t.TypeVar("T")
_CACHED_SEGMENTS = 64
_CACHED_DECRYPTORS = 256


class PackSource:
    """Reads chunks out of packs, keeping the segments decrypted last."""

    def __init__(self, repository: Repository, recovery_key: RecoveryKey, cached: int) -> None:
        self._repository = repository
        self._recovery_key = recovery_key
        self._cached = cached
        self._lock = threading.Lock()
        self._keys: dict[str, bytes] = {}
        self._decryptors: OrderedDict[bytes, stream.StreamDecryptor] = OrderedDict()
        self._segments: OrderedDict[tuple[bytes, int], bytes] = OrderedDict()
        self._loading: dict[tuple[bytes, int], threading.Lock] = {}
        # Where a request has a price, several segments are read at a time.
        self._group = max(1, repository.store.read_ahead // stream.SEGMENT_SIZE)

    def data_key(self, scope: str) -> bytes:
        """Return the data key of a part, unwrapping it once."""
        with self._lock:
            if scope not in self._keys:
                self._keys[scope] = read_data_key(self._repository, scope, self._recovery_key)
            return self._keys[scope]

    def read(self, location: ChunkLocation) -> bytes:
        """Return a chunk, checked against its id."""
        pack, entry = location
        name = pack_name(pack.pack_id)
        chunk = decompress(self._stored(pack, entry.offset, entry.stored), entry.size, name)
        if not hmac.compare_digest(hmac.digest(self._repository.chunk_key, chunk, "sha256"), entry.chunk_id):
            raise IntegrityError(f"A chunk in {name} is not the one the index names.", "Choose another backup.")
        return chunk

    def _stored(self, pack: PackInfo, offset: int, size: int) -> bytes:
        pieces, position, end = [], offset, offset + size
        while position < end:
            segment = stream.segment_of(position)
            start = stream.segment_start(segment)
            plaintext = self._segment(pack, segment)
            piece = plaintext[position - start : end - start]
            if not piece:
                raise IntegrityError(
                    f"{pack_name(pack.pack_id)} is shorter than the index says.", "Choose another backup."
                )
            pieces.append(piece)
            position += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _segment(self, pack: PackInfo, segment: int) -> bytes:
        key = (pack.pack_id, segment)
        with self._lock:
            found = self._segments.get(key)
            if found is not None:
                self._segments.move_to_end(key)
                return found
            loading = self._loading.setdefault((pack.pack_id, segment // self._group), threading.Lock())
        with loading:
            # Another thread may have read it while this one waited.
            with self._lock:
                found = self._segments.get(key)
            return found if found is not None else self._load(pack, segment)

    def _load(self, pack: PackInfo, segment: int) -> bytes:
        first = segment // self._group * self._group
        decryptor = self._decryptor(pack)
        last = min(first + self._group, decryptor.segments) - 1
        start, end = decryptor.span(first)[0], decryptor.span(last)[1]
        data = memoryview(self._repository.store.get(pack_name(pack.pack_id), start, end - start))
        wanted = b""
        for number in range(first, last + 1):
            low, high = decryptor.span(number)
            plaintext = decryptor.open(number, data[low - start : high - start])
            if number == segment:
                wanted = plaintext
            self._keep((pack.pack_id, number), plaintext)
        with self._lock:
            self._loading.pop((pack.pack_id, segment // self._group), None)
        return wanted

    def _keep(self, key: tuple[bytes, int], plaintext: bytes) -> None:
        with self._lock:
            self._segments[key] = plaintext
            while len(self._segments) > self._cached:
                self._segments.popitem(last=False)

    def _decryptor(self, pack: PackInfo) -> stream.StreamDecryptor:
        with self._lock:
            found = self._decryptors.get(pack.pack_id)
        if found is not None:
            return found
        name = pack_name(pack.pack_id)
        key = self.data_key(pack.scope)
        place = associated_data(self._repository.repository_id, pack.scope, name)
        header = self._repository.store.get(name, 0, stream.HEADER_SIZE)
        decryptor = stream.StreamDecryptor(key, place, header, pack.size, name)
        with self._lock:
            self._decryptors[pack.pack_id] = decryptor
            while len(self._decryptors) > _CACHED_DECRYPTORS:
                self._decryptors.popitem(last=False)
        return decryptor


class ChunkReader:
    """Reads chunks that one part of a backup needs. Methods may be called by several threads.

    :arg cached: decrypted segments of a megabyte that are kept.
    """

    def __init__(
        self,
        repository: Repository,
        backup_id: str,
        part: str,
        recovery_key: RecoveryKey,
        progress: Progress,
        cached: int = _CACHED_SEGMENTS,
    ) -> None:
        self.repository = repository
        self.backup_id = backup_id
        self.part = part
        self.recovery_key = recovery_key
        self.progress = progress
        self._source = PackSource(repository, recovery_key, cached)

    def chunk_ids(self, reference: StreamReference) -> t.Iterator[bytes]:
        """Yield the ids of a stream's chunks in order."""
        return expand(reference, self.read_chunk)

    def read_chunk(self, chunk_id: bytes, location: ChunkLocation | None = None) -> bytes:
        """Return one chunk.

        :arg location: where it is, if that was looked up already.

        Raises :class:`~.errors.IntegrityError` when it is unknown, missing or not what was written.
        """
        location = location or self.repository.index.locate(chunk_id)
        if location is None:
            raise IntegrityError(
                f"The index does not know the chunk {chunk_id.hex()[:16]}… that {self.backup_id} {self.part} needs.",
                "Run `continuity verify` to see which backups are whole, and choose one of them.",
            )
        try:
            chunk = self._source.read(location)
        except ObjectMissingError as error:
            raise IntegrityError(
                f"The pack {pack_name(location.pack.pack_id)} that {self.backup_id} {self.part} needs is missing.",
                "Bring it back from a copy or an older version in the store, or choose another backup.",
            ) from error
        self.progress.add(stored=location.entry.stored)
        return chunk


class PartReader(ChunkReader):
    """One part being read. Use it in a ``with`` block. Methods may be called by several threads."""

    def __init__(
        self, repository: Repository, backup_id: str, part: str, recovery_key: RecoveryKey, progress: Progress
    ) -> None:
        super().__init__(repository, backup_id, part, recovery_key, progress)
        self.record = read_record(repository, backup_id, part)
        self.manifest = self._read_manifest()
        self.streams = {
            name: StreamReference.from_json(reference) for name, reference in self.manifest["streams"].items()
        }
        self._pool = WorkerPool()
        self.workers = self._pool.workers

    def __enter__(self) -> PartReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self._pool.close(cancel=kind is not None)

    def _read_manifest(self) -> dict[str, t.Any]:
        scope = scope_of(self.backup_id, self.part)
        name = part_object_name(scope, "manifest")
        data = self.repository.store.get(name)
        if hashlib.sha256(data).hexdigest() != self.record["manifest"]["sha256"]:
            raise IntegrityError(
                f"{name} is not the manifest that was signed.", "Bring it back from a copy, or choose another backup."
            )
        key = self._source.data_key(scope)
        if commitment(key) != self.record["commitment"]:
            raise IntegrityError(
                f"The key slots of {scope} hold another key than was signed.", "Choose another backup."
            )
        place = associated_data(self.repository.repository_id, scope, name)
        manifest: dict[str, t.Any] = parse_json(stream.decrypt(key, place, data, name), name)
        return manifest

    def submit(self, work: t.Callable[..., T], *arguments: t.Any) -> Future[T]:
        """Run ``work`` in the pool; waits while too much is under way. Not from within such work."""
        return self._pool.submit(work, *arguments)

    def read_stream(self, reference: StreamReference) -> t.Iterator[bytes]:
        """Yield a stream's content in order, read ahead by the pool.

        Raises :class:`~.errors.IntegrityError` at its end when it does not have the size that was written.
        """
        size = 0
        for chunk in self._pool.map_ordered(self.read_chunk, self.chunk_ids(reference)):
            size += len(chunk)
            yield chunk
        if size != reference.size:
            raise IntegrityError(
                f"A stream of {self.backup_id} {self.part} has {size} bytes instead of {reference.size}.",
                "Choose another backup.",
            )


def read_record(repository: Repository, backup_id: str, part: str) -> dict[str, t.Any]:
    """Return the signed record of a part, checked: signature, and that it says the same backup and part."""
    name = part_object_name(scope_of(backup_id, part), "record")
    try:
        signer, payload, _digest = repository.read_signed(name, backup_id)
    except ObjectMissingError as error:
        raise ObjectMissingError(
            f"The backup {backup_id} has no part {part!r} in {repository.store.location}.",
            "Look at its parts with `continuity info`.",
        ) from error
    record: dict[str, t.Any] = parse_json(payload, name)
    if (record.get("type"), record.get("backup"), record.get("part")) != ("part", backup_id, part):
        raise IntegrityError(f"{name} is the record of something else.", "Choose another backup.")
    if signer.name not in (ADMINISTRATOR, record["host"]):
        raise TrustError(
            f"{name} speaks for the host {record['host']} but is signed by {signer.name}.",
            "A host may sign its own parts only: look at what happened on that host before restoring.",
        )
    return record
