# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads one file and stores it: whole, or not at all, or with a word about what was wrong."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
import typing as t
from collections import deque
from concurrent.futures import Future

from .._repository.chunk_writer import ChunkWriter
from .._repository.chunking import CHUNK_LIMIT, Cutter
from .._repository.part_writer import PartWriter
from .._repository.references import INLINE, StreamReference
from .cache import MOST_CHUNKS, is_racy, make_record
from .directory import Directory
from .entries import FILE, Entry
from .extents import Extent, data_extents, gaps, may_have_holes
from .filestore import content_address
from .findings import CHANGED, CORRUPT, FAILED, INCOMPLETE, VANISHED
from .owners import OwnerTable
from .xattrs import Attributes, read_xattrs

#: A file that changes while it is read is read so many times.
_READINGS = 3
#: Seconds to wait between readings of a file whose content is not yet what its name says, if it changed lately.
_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8)
_LATELY = 60.0
_ENDLESS = 1 << 62


class Stored(t.NamedTuple):
    """What became of one thing in the tree.

    ``entry`` is its line, empty when it was not stored; ``record`` its line in the cache, empty when it must be read
    next time. ``findings`` are pairs of a kind and a reason. ``linked`` says that other names of it may follow,
    ``unchanged`` that it was stored last time already.
    """

    path: bytes
    type: str
    entry: bytes
    size: int = 0
    record: bytes = b""
    findings: tuple[tuple[str, str], ...] = ()
    linked: bool = False
    unchanged: bool = False


class _Reading(t.NamedTuple):
    """One reading of a file."""

    status: os.stat_result
    ids: list[bytes]
    size: int
    holes: tuple[Extent, ...]
    sha1: str
    xattrs: Attributes
    findings: tuple[tuple[str, str], ...]
    changed: bool


class _NotAFileError(Exception):
    """Something else has taken the file's place."""


class FileStorer:
    """Stores files of one tree. Its methods may be called by several threads.

    :arg started: when the scan began, in nanoseconds since the epoch.
    :arg checks_names: the tree is a filestore, where the content must be what the name says.
    """

    def __init__(self, chunks: ChunkWriter, owners: OwnerTable, started: int, *, checks_names: bool) -> None:
        self._chunks = chunks
        self._owners = owners
        self._started = started
        self._checks_names = checks_names

    def store(
        self,
        path: bytes,
        directory: Directory,
        name: bytes,
        *,
        linked: bool = False,
        pool: PartWriter | None = None,
    ) -> Stored:
        """Store the file ``name`` of ``directory``; never raises for what is wrong with the file itself.

        :arg linked: it has other names.
        :arg pool: the part whose threads store the chunks of a big file; only for a caller who is none of them.
        """
        wanted = content_address(path) if self._checks_names else None
        try:
            reading = self._read_until_good(directory, name, wanted, pool)
        except (FileNotFoundError, _NotAFileError):
            return Stored(path, FILE, b"", findings=((VANISHED, ""),), linked=linked)
        except OSError as error:
            return Stored(path, FILE, b"", findings=((FAILED, error.strerror or str(error)),), linked=linked)
        findings = reading.findings
        if wanted is not None and reading.sha1 != wanted:
            findings += ((CORRUPT, f"its SHA-1 is {reading.sha1}"),)
        elif reading.changed and wanted is None:
            findings += ((CHANGED, ""),)
        return self._stored(path, reading, findings)

    def _stored(self, path: bytes, reading: _Reading, findings: tuple[tuple[str, str], ...]) -> Stored:
        status = reading.status
        entry = Entry(
            path=path,
            type=FILE,
            mode=stat.S_IMODE(status.st_mode),
            uid=self._owners.user(status.st_uid),
            gid=self._owners.group(status.st_gid),
            mtime=status.st_mtime_ns,
            content=self._reference(reading),
            holes=reading.holes,
            xattrs=reading.xattrs,
        )
        line = entry.encode()
        late = is_racy(status, self._started)
        remembered = not (findings or reading.changed or len(reading.ids) > MOST_CHUNKS or late)
        record = make_record(path, status, reading.ids, line) if remembered else b""
        return Stored(path, FILE, line, entry.size, record, findings)

    def _reference(self, reading: _Reading) -> StreamReference:
        if len(reading.ids) <= INLINE:
            return StreamReference(reading.size, tuple(reading.ids))
        return self._chunks.reference(reading.size, reading.ids)

    def _read_until_good(
        self, directory: Directory, name: bytes, wanted: str | None, pool: PartWriter | None
    ) -> _Reading:
        """Read a file until it held still, or has the content it should have, or patience ends."""
        readings = 1
        while True:
            reading = self._read(directory, name, wanted is not None, pool)
            if wanted is None:
                if not reading.changed or readings >= _READINGS:
                    return reading
            elif reading.sha1 == wanted or readings > self._patience(reading):
                return reading
            else:
                time.sleep(_WAITS[readings - 1])
            readings += 1

    @staticmethod
    def _patience(reading: _Reading) -> int:
        """How many more readings a file deserves that is not what its name says: one, unless it is being written."""
        return len(_WAITS) if abs(time.time() - reading.status.st_ctime) < _LATELY else 1

    def _read(self, directory: Directory, name: bytes, hashed: bool, pool: PartWriter | None) -> _Reading:
        try:
            fd = directory.open_file(name)
        except OSError as error:
            # A symbolic link, or a socket.
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise _NotAFileError from error
            raise
        try:
            before = os.fstat(fd)
            if not stat.S_ISREG(before.st_mode):
                raise _NotAFileError
            chunks = _Chunks(self._chunks, hashed=hashed, pool=pool)
            holes = _copy(fd, before, chunks)
            ids = chunks.finish()
            xattrs: Attributes = ()
            findings: tuple[tuple[str, str], ...] = ()
            try:
                xattrs = read_xattrs(fd)
            except OSError as error:
                findings = ((INCOMPLETE, f"extended attributes: {error.strerror}"),)
            after = os.fstat(fd)
        finally:
            os.close(fd)
        changed = (before.st_size, before.st_mtime_ns, before.st_ctime_ns) != (
            after.st_size,
            after.st_mtime_ns,
            after.st_ctime_ns,
        )
        return _Reading(before, ids, chunks.size, holes, chunks.sha1(), xattrs, findings, changed)


def _copy(fd: int, status: os.stat_result, chunks: _Chunks) -> tuple[Extent, ...]:
    """Hand the content of a file to ``chunks`` and return its holes.

    No more is read than the file had at first, so that one that grows all the time comes to an end.
    """
    size = status.st_size
    if not may_have_holes(status):
        if 0 < size <= CHUNK_LIMIT:
            data = os.read(fd, size)
            chunks.write_whole(data if len(data) == size else data + _read_range(fd, len(data), size))
            return ()
        # Files of /proc and of some FUSE file systems have a size of 0 and content all the same.
        _copy_range(fd, Extent(0, size or _ENDLESS), chunks)
        return ()
    read, extents = 0, data_extents(fd, size)
    for extent in extents:
        copied = _copy_range(fd, extent, chunks)
        read = extent.offset + copied
        if copied < extent.length:
            # Cut short meanwhile: the holes behind are gone too.
            return gaps([Extent(0, 0), *_up_to(extents, read)], read)
    return gaps(extents, size)


def _up_to(extents: t.Sequence[Extent], end: int) -> list[Extent]:
    return [Extent(one.offset, min(one.end, end) - one.offset) for one in extents if one.offset < end]


def _read_range(fd: int, start: int, end: int) -> bytes:
    pieces = []
    while start < end and (data := os.pread(fd, end - start, start)):
        pieces.append(data)
        start += len(data)
    return b"".join(pieces)


def _copy_range(fd: int, extent: Extent, chunks: _Chunks) -> int:
    """Copy one range; return how many bytes of it there were."""
    position = extent.offset
    while position < extent.end:
        data = os.pread(fd, min(CHUNK_LIMIT, extent.end - position), position)
        if not data:
            break
        chunks.write(data)
        position += len(data)
    return position - extent.offset


class _Chunks:
    """The chunks of one file: cut, stored by this thread or (for a big file) by those of the pool, in order."""

    def __init__(self, writer: ChunkWriter, *, hashed: bool, pool: PartWriter | None) -> None:
        self._writer = writer
        self._pool = pool
        self._cutter: Cutter | None = None
        self._sha1 = hashlib.sha1(usedforsecurity=False) if hashed else None
        self._ids: list[bytes] = []
        self._waiting: deque[Future[bytes]] = deque()
        self.size = 0

    def write_whole(self, data: bytes) -> None:
        """Take all of a file that fits into one chunk."""
        self.size = len(data)
        if self._sha1 is not None:
            self._sha1.update(data)
        if data:
            self._ids.append(self._writer.store(data))

    def write(self, data: bytes) -> None:
        """Take more of the file."""
        self.size += len(data)
        if self._sha1 is not None:
            self._sha1.update(data)
        if self._cutter is None:
            self._cutter = Cutter()
        for chunk in self._cutter.add(data):
            self._store(chunk)

    def _store(self, chunk: bytes) -> None:
        if self._pool is None:
            self._ids.append(self._writer.store(chunk))
            return
        self._waiting.append(self._pool.submit(self._writer.store, chunk))
        self._pool.progress.add(done=len(chunk))
        while self._waiting and self._waiting[0].done():
            self._ids.append(self._waiting.popleft().result())

    def finish(self) -> list[bytes]:
        """Store what is left and return the ids of all chunks."""
        for chunk in self._cutter.rest() if self._cutter is not None else ():
            self._store(chunk)
        while self._waiting:
            self._ids.append(self._waiting.popleft().result())
        return self._ids

    def sha1(self) -> str:
        """Return the SHA-1 of what was written, in hexadecimal; empty when it was not asked for."""
        return "" if self._sha1 is None else self._sha1.hexdigest()
