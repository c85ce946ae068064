# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that could not be delivered wait on the local disk, in order, for the store to come back.

They are what a store would have been given, encrypted already. A repository relies on the order of writing (a record
comes after the packs it needs), so while anything waits, everything else waits behind it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import heapq
import itertools
import os
import threading
import time
import typing as t
from dataclasses import dataclass

from ..errors import InputError, StoreError, StoreUnreachableError
from . import ObjectInfo, Store
from .durable_file import DIRECTORY_FLAGS, explained, remove_abandoned, sync_directory, write_durably
from .names import check_name, check_prefix

#: Seconds after an unreachable store was last tried before a ``put`` tries it again.
RETRY_AFTER = 300.0
#: Bytes of an object that are kept while it is sent, to be spooled when that fails; larger than any pack.
REPLAY_LIMIT = 64 << 20

# Stands for "/" in file names; not a character of object names.
_SLASH = "%"


@dataclass(frozen=True)
class Spooled:
    """What waits for delivery: number of objects, their size in bytes, and the oldest one's age in seconds."""

    objects: int
    bytes: int
    age: float


@dataclass(frozen=True)
class _Entry:
    sequence: int
    name: str
    file_name: str
    size: int
    modified: float

    @property
    def info(self) -> ObjectInfo:
        return ObjectInfo(self.name, self.size, self.modified)


class SpoolingStore(Store):
    """A store whose writes go to a local directory while it cannot be reached.

    :arg store: where objects belong.
    :arg directory: absolute path of the spool, shared by any number of stores and processes of one user; made with
        mode 0700 when missing.
    :arg limit_bytes: bytes that may wait for this store at most.

    Only :class:`~..errors.StoreUnreachableError` leads to the spool: a refusal must be seen at once. When the spool
    cannot take an object, that same error is raised and tells both reasons. Reading finds waiting objects first.
    """

    def __init__(self, store: Store, directory: str, limit_bytes: int) -> None:
        if not os.path.isabs(directory):
            raise InputError(f"The spool {directory!r} is not an absolute path.", "Give a local directory.")
        if limit_bytes <= 0:
            raise InputError(f"The limit of the spool, {limit_bytes} bytes, is not positive.", "Give a size in bytes.")
        self._store = store
        self.location = store.location
        self.read_ahead = store.read_ahead
        self._limit = limit_bytes
        # Objects waiting for one store must never be delivered to another.
        self._path = os.path.join(directory, hashlib.sha256(store.location.encode()).hexdigest()[:16])
        self._thread_lock = threading.Lock()
        self._trouble: StoreUnreachableError | None = None
        self._retry_at = 0.0
        _make_private(directory)
        _make_private(self._path)
        with self._opened() as spool:
            remove_abandoned(spool)

    @property
    def spooled(self) -> Spooled:
        """What waits at this moment."""
        entries, now = self._entries(), time.time()
        age = max((now - entry.modified for entry in entries), default=0.0)
        return Spooled(len(entries), sum(entry.size for entry in entries), max(0.0, age))

    def deliver(self) -> int:
        """Send everything that waits, in order, and return the number of objects.

        Raises what the store raises; objects that were delivered until then no longer wait. A process that finds
        another one delivering waits for it.
        """
        delivered = 0
        with self._locked(".delivery"):
            while entries := self._entries():
                for entry in entries:
                    self._deliver_one(entry)
                    delivered += 1
        return delivered

    def put(self, name: str, content: t.Iterable[bytes | memoryview]) -> int:
        replay = _Replay(content)
        trouble = self._known_trouble()
        if trouble is None:
            try:
                if self._entries():
                    self.deliver()
                size = self._store.put(name, replay.first())
            except StoreUnreachableError as error:
                if replay.is_spoilt:
                    raise
                trouble = error
                self._note(error)
            else:
                self._note(None)
                return size
        return self._spool(name, replay, trouble)

    def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        entry = self._find(name)
        if entry is not None:
            with contextlib.suppress(FileNotFoundError), open(self._file(entry), "rb") as file:
                file.seek(offset)
                return file.read(-1 if length is None else length)
        return self._store.get(name, offset, length)

    def stat(self, name: str) -> ObjectInfo:
        entry = self._find(name)
        return self._store.stat(name) if entry is None else entry.info

    def list(self, prefix: str) -> t.Iterator[ObjectInfo]:
        waiting = {entry.name: entry.info for entry in self._entries() if entry.name.startswith(check_prefix(prefix))}
        last = None
        # On equal names the waiting one comes first: it is the newer.
        both = heapq.merge(sorted(waiting.values(), key=_by_name), self._store.list(prefix), key=_by_name)
        for found in both:
            if found.name != last:
                yield found
            last = found.name

    def delete(self, name: str) -> None:
        check_name(name)
        with self._locked(".lock"):
            for entry in self._entries():
                if entry.name == name:
                    self._remove(entry)
        self._store.delete(name)

    def close(self) -> None:
        self._store.close()

    def _known_trouble(self) -> StoreUnreachableError | None:
        """Return why the store should not be tried now: one thread at a time finds out whether it is back."""
        with self._thread_lock:
            if self._trouble is None:
                return None
            if time.monotonic() < self._retry_at:
                return self._trouble
            self._retry_at = time.monotonic() + RETRY_AFTER
            return None

    def _note(self, trouble: StoreUnreachableError | None) -> None:
        with self._thread_lock:
            self._trouble, self._retry_at = trouble, time.monotonic() + RETRY_AFTER

    def _spool(self, name: str, replay: _Replay, trouble: StoreUnreachableError) -> int:
        if not replay.is_complete:
            raise StoreUnreachableError(
                f"{trouble.message} {name} is too large to be spooled after a failed try.", trouble.next_step
            ) from trouble
        try:
            with self._locked(".lock"), self._opened() as spool:
                return self._write(spool, name, replay)
        except StoreError as error:
            if replay.is_spoilt:
                raise
            raise StoreUnreachableError(
                f"{trouble.message} It was not spooled either: {error.message}", error.next_step
            ) from error

    def _write(self, spool: int, name: str, replay: _Replay) -> int:
        entries = self._entries()
        sequence = max((entry.sequence for entry in entries), default=0) + 1
        file_name = f"{sequence:016d}{_SLASH}{check_name(name).replace('/', _SLASH)}"
        content = self._within_limit(name, replay.again(), sum(entry.size for entry in entries))
        return write_durably(spool, file_name, content, os.path.join(self._path, file_name))

    def _within_limit(self, name: str, pieces: t.Iterable[bytes], used: int) -> t.Iterator[bytes]:
        total = used
        for piece in pieces:
            total += len(piece)
            if total > self._limit:
                raise StoreError(
                    f"the spool {self._path} holds {used} bytes of at most {self._limit}, and has no room for {name}.",
                    "Bring the store back so that the next run delivers what waits, or raise the spool's limit.",
                )
            yield piece

    def _deliver_one(self, entry: _Entry) -> None:
        try:
            self._store.put(entry.name, self._content(entry))
        except StoreUnreachableError as error:
            self._note(error)
            raise
        self._note(None)
        self._remove(entry)

    def _content(self, entry: _Entry) -> t.Iterator[bytes]:
        with explained("read", self._file(entry)), open(self._file(entry), "rb") as file:
            while piece := file.read(1 << 20):
                yield piece

    def _remove(self, entry: _Entry) -> None:
        with explained("delete", self._file(entry)), contextlib.suppress(FileNotFoundError):
            os.unlink(self._file(entry))

    def _find(self, name: str) -> _Entry | None:
        check_name(name)
        return next((entry for entry in reversed(self._entries()) if entry.name == name), None)

    def _entries(self) -> t.Sequence[_Entry]:
        """What waits, oldest first."""
        with explained("list", self._path), os.scandir(self._path) as files:
            found = [entry for file in files if (entry := _read_entry(file)) is not None]
        return sorted(found, key=lambda entry: entry.sequence)

    def _file(self, entry: _Entry) -> str:
        return os.path.join(self._path, entry.file_name)

    @contextlib.contextmanager
    def _opened(self) -> t.Iterator[int]:
        with explained("open", self._path):
            descriptor = os.open(self._path, DIRECTORY_FLAGS)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _locked(self, file_name: str) -> t.Iterator[None]:
        """Hold a lock among threads and processes, which the kernel gives back when its holder dies."""
        path = os.path.join(self._path, file_name)
        with explained("lock", path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with explained("lock", path):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


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


def _read_entry(file: os.DirEntry[str]) -> _Entry | None:
    sequence, _slash, name = file.name.partition(_SLASH)
    if not sequence.isdigit() or not name:
        return None
    try:
        facts = file.stat(follow_symlinks=False)
    except FileNotFoundError:  # delivered meanwhile
        return None
    return _Entry(int(sequence), name.replace(_SLASH, "/"), file.name, facts.st_size, facts.st_mtime)


def _make_private(path: str) -> None:
    """Make a directory that only this user can write in; refuse one that others could slip objects into."""
    with explained("create", path):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
            parent = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                sync_directory(parent)
            finally:
                os.close(parent)
        facts = os.stat(path)
    if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise InputError(
            f"The spool {path} belongs to another user, or others may write in it.",
            "Give a directory of this user's own, with mode 0700.",
        )
