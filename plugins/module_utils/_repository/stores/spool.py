# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that could not be delivered wait on the local disk, in order, for the store to come back.

They are what a store would have been given, encrypted already. A repository relies on the order of writing (a record
comes after the packs it needs), so while anything waits, everything else waits behind it.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import os
import time
import typing as t
from dataclasses import dataclass

from ..errors import InputError, ObjectMissingError, StoreError, StoreUnreachableError
from . import ObjectInfo, Store
from .names import check_name, check_prefix
from .spool_queue import Away, Entry, SpoolQueue

#: Seconds after a store that is away was last tried before a ``put`` tries it again.
RETRY_AFTER = 300.0
#: Bytes of an object that are kept while it is sent, to be spooled when that fails; larger than any pack.
REPLAY_LIMIT = 64 << 20

_DELIVERY = ".delivery"


@dataclass(frozen=True)
class Spooled:
    """What waits for delivery: number of objects, their size in bytes, and the oldest one's age in seconds."""

    objects: int
    bytes: int
    age: float


class SpoolingStore(Store):
    """A store whose writes go to a local directory while it cannot be reached.

    :arg store: where objects belong.
    :arg directory: absolute path of the spool, shared by any number of stores and processes of one user; made with
        mode 0700 by the first write.
    :arg limit_bytes: bytes that may wait for this store at most.
    :arg marker: name of an object that the store surely has. A place without it is not the store, such as the
        directory that an unmounted file system leaves behind, and nothing is written there.

    Only :class:`~..errors.StoreUnreachableError` leads to the spool: a refusal must be seen at once. When the spool
    cannot take an object, that same error is raised and tells both reasons. Reading finds waiting objects first.
    """

    def __init__(self, store: Store, directory: str, limit_bytes: int, marker: str | None = None) -> None:
        if not os.path.isabs(directory):
            raise InputError(f"The spool {directory!r} is not an absolute path.", "Give a local directory.")
        if limit_bytes <= 0:
            raise InputError(f"The limit of the spool, {limit_bytes} bytes, is not positive.", "Give a size in bytes.")
        self.store = store
        self.location = store.location
        self.read_ahead = store.read_ahead
        self._marker = marker
        self._is_prepared = False
        self._is_confirmed = marker is None
        # Objects waiting for one store must never be delivered to another.
        self.server = store.server
        self.directory = directory
        self.path = os.path.join(
            directory, hashlib.sha256(f"{store.server} {store.location}".encode()).hexdigest()[:16]
        )
        self._queue = SpoolQueue(self.path, limit_bytes)

    @property
    def spooled(self) -> Spooled:
        """What waits at this moment."""
        entries, now = self._queue.entries(), time.time()
        age = max((now - entry.modified for entry in entries), default=0.0)
        return Spooled(len(entries), sum(entry.size for entry in entries), max(0.0, age))

    @property
    def away(self) -> Away | None:
        """When the store was last tried in vain, by whatever process; None once it has answered since."""
        return self._queue.away

    @property
    def is_away(self) -> bool:
        """Whether the store was tried in vain so recently that it is not worth another try."""
        away = self._queue.away
        return away is not None and away.is_recent(RETRY_AFTER)

    @property
    def last(self) -> int:
        """The number of the newest object that was ever spooled."""
        return self._queue.last

    def is_whole_since(self, sequence: int) -> bool:
        """Tell whether no spooled object was lost, up to that number at least."""
        return self._queue.is_whole_since(sequence)

    def waits(self, name: str) -> bool:
        """Tell whether an object waits for delivery."""
        return self._queue.find(name) is not None

    def bind(self, repository_id: str) -> None:
        """Reserve the spool for one repository; see :meth:`~.spool_queue.SpoolQueue.bind`."""
        self._prepare()
        self._queue.bind(repository_id)

    def note_away(self, error: StoreUnreachableError) -> None:
        """Tell all processes that share the spool that the store was tried just now, in vain."""
        self._prepare()
        self._queue.note_away(error)

    def deliver(self, on_object: t.Callable[[int], object] | None = None) -> int:
        """Send everything that waits, in order, and return the number of objects.

        :arg on_object: told the size of each object that was sent.

        Raises what the store raises; objects that were delivered until then no longer wait. A process that finds
        another one delivering waits for it, and takes its failure for its own.
        """
        if not self._queue.entries() and self._queue.away is None:
            return 0
        self._prepare()
        began, delivered = time.time(), 0
        with self._queue.locked(_DELIVERY):
            away = self._queue.away
            if away is not None and away.tried > began:
                raise away.error
            try:
                self._confirm()
                while entries := self._whole_queue():
                    for entry in entries:
                        size = self.store.put(entry.name, self._queue.read(entry))
                        self._queue.remove_delivered(entry)
                        if not delivered:
                            # From now on others wait for their turn, instead of spooling as fast as the disk allows.
                            self._queue.forget_away()
                        delivered += 1
                        if on_object is not None:
                            on_object(size)
            except StoreUnreachableError as error:
                self._is_confirmed = self._marker is None
                self._queue.note_away(error)
                raise
            self._queue.forget_away()
        return delivered

    def put(self, name: str, content: t.Iterable[bytes | memoryview]) -> int:
        check_name(name)
        self._prepare()
        replay = _Replay(content)
        was_away = self._queue.away is not None
        trouble = self._queue.claim_try(RETRY_AFTER)
        if trouble is None:
            try:
                if self._queue.entries():
                    self.deliver()
                self._confirm()
                size = self.store.put(name, replay.first())
            except StoreUnreachableError as error:
                if replay.is_spoilt:
                    raise
                trouble = error
                self._queue.note_away(error)
            else:
                if was_away:
                    self._queue.forget_away()
                return size
        return self._spool(name, replay, trouble)

    def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        entry = self._queue.find(name)
        found = None if entry is None else self._queue.read_range(entry, offset, length)
        return self.store.get(name, offset, length) if found is None else found

    def stat(self, name: str) -> ObjectInfo:
        entry = self._queue.find(name)
        return self.store.stat(name) if entry is None else entry.info

    def list(self, prefix: str) -> t.Iterator[ObjectInfo]:
        check_prefix(prefix)
        waiting = {entry.name: entry.info for entry in self._queue.entries() if entry.name.startswith(prefix)}
        last = None
        # On equal names the waiting one comes first: it is the newer.
        both = heapq.merge(sorted(waiting.values(), key=_by_name), self.store.list(prefix), key=_by_name)
        for found in both:
            if found.name != last:
                yield found
            last = found.name

    def delete(self, name: str) -> None:
        check_name(name)
        # What waits is never taken out of its turn: the numbers tell that nothing was lost.
        self.deliver()
        self.store.delete(name)

    def close(self) -> None:
        self.store.close()

    def _prepare(self) -> None:
        if not self._is_prepared:
            self._queue.prepare()
            self._is_prepared = True

    def _confirm(self) -> None:
        """Make sure that what is in the store's place is the store."""
        if self._is_confirmed or self._marker is None:
            return
        try:
            self.store.stat(self._marker)
        except ObjectMissingError as error:
            raise StoreUnreachableError(
                f"{self.location} is there, but has no {self._marker}: it is not the repository.",
                "Mount the file system that the repository is on, or correct the location.",
            ) from error
        self._is_confirmed = True

    def _whole_queue(self) -> t.Sequence[Entry]:
        entries = self._queue.entries()
        if not self._queue.is_whole_since(0):
            raise StoreError(
                f"Objects are missing from the spool {self.path}: somebody removed them before they were delivered.",
                f"Bring them back, or remove {self.path} with all that is in it; the next backup then stores again "
                "what is lost.",
            )
        return entries

    def _spool(self, name: str, replay: _Replay, trouble: StoreUnreachableError) -> int:
        if not replay.is_complete:
            raise StoreUnreachableError(
                f"{trouble.message} {name} is too large to be spooled after a failed try.", trouble.next_step
            ) from trouble
        try:
            return self._queue.append(name, replay.again())
        except StoreError as error:
            if replay.is_spoilt:
                raise
            raise StoreUnreachableError(
                f"{trouble.message} It was not spooled either: {error.message}", error.next_step
            ) from error


class _Replay:
    """Content that can be had a second time, as long as not more than ``REPLAY_LIMIT`` bytes of it were taken."""

    def __init__(self, content: t.Iterable[bytes | memoryview]) -> None:
        self._source = iter(content)
        self._kept: list[bytes] = []
        self._size = 0
        #: Whether the content itself failed, so that the rest of it cannot be had.
        self.is_spoilt = False

    @property
    def is_complete(self) -> bool:
        return self._size <= REPLAY_LIMIT

    def first(self) -> t.Iterator[bytes]:
        for piece in self._rest():
            self._size += len(piece)
            if self.is_complete:
                self._kept.append(piece)
            else:
                self._kept.clear()
            yield piece

    def again(self) -> t.Iterator[bytes]:
        return itertools.chain(self._kept, self._rest())

    def _rest(self) -> t.Iterator[bytes]:
        while True:
            try:
                piece = next(self._source, None)
            except BaseException:
                self.is_spoilt = True
                raise
            if piece is None:
                return
            yield bytes(piece)


def _by_name(info: ObjectInfo) -> str:
    return info.name
