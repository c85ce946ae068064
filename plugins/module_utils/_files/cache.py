# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was stored of each file last time, on local disk, so that an unchanged file costs one look at its status.

A text file, in the order of the scan, read along with it: a header; a line a file; a last line with totals and the
SHA-256 of all before it. It can be deleted at any time. Whether a file is unchanged is decided here alone:

* size, modification time, change time and inode number are the same. The change time cannot be set by programs;
* it was not changed within :data:`RACY` seconds before the earlier scan began, or after: clocks of file systems are
  coarse, and a second change within one tick would leave the same times.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import typing as t

from .._repository.errors import TargetError
from .._repository.references import ID_SIZE
from .entries import order

#: Nanoseconds.
RACY = 2_000_000_000
_FORMAT = 1
#: A file of more chunks than this (some 64 GiB of them) is read each time rather than remembered in one line.
MOST_CHUNKS = 1 << 16
_TRAILER_LIMIT = 4096


def _prefix(path: bytes, status: os.stat_result) -> bytes:
    """Return the beginning of a file's line: its path, and what must be equal for it to be unchanged.

    No path holds ``//``, so that stands for a newline in one.
    """
    return b"%s\0%d %d %d %d\0" % (
        path.replace(b"\n", b"//"),
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
    )


def make_record(path: bytes, status: os.stat_result, ids: t.Sequence[bytes], entry: bytes) -> bytes:
    """Return a line of the cache: path, status, chunk ids in hexadecimal and entry, separated by NUL."""
    return b"%s%s\0%s\n" % (_prefix(path, status), b"".join(ids).hex().encode(), entry)


def is_racy(status: os.stat_result, started: int) -> bool:
    """Tell whether a file changed so late that a further change might not show; such a file is not remembered.

    :arg started: when the scan began, in nanoseconds since the epoch.
    """
    return status.st_ctime_ns >= started - RACY


class Known:
    """A file as it was last time. ``record`` is its line in the cache."""

    __slots__ = ("_start", "record")

    def __init__(self, record: bytes, start: int) -> None:
        self.record = record
        self._start = start

    @property
    def ids(self) -> list[bytes]:
        """The ids of its chunks."""
        packed = bytes.fromhex(self.record[self._start : self.record.index(b"\0", self._start)].decode())
        return [packed[i : i + ID_SIZE] for i in range(0, len(packed), ID_SIZE)]

    @property
    def entry(self) -> bytes:
        """Its entry's line."""
        return self.record[self.record.index(b"\0", self._start) + 1 : -1]


class CacheReader:
    """The cache of the last run, asked for one path after the other in the order of the scan."""

    def __init__(self, path: str, identity: t.Mapping[str, t.Any]) -> None:
        """Open the cache at ``path``; one that is missing, damaged or of another ``identity`` is an empty one."""
        #: What the last run met, in all: files and bytes; 0 when unknown.
        self.files = self.bytes = 0
        self._lines: t.Iterator[bytes] = iter(())
        self._file: t.BinaryIO | None = None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            self._open(path, identity)
        self._record = next(self._lines, b"")

    def _open(self, path: str, identity: t.Mapping[str, t.Any]) -> None:
        self._file = file = open(path, "rb")  # noqa: SIM115 - closed by close()
        header = file.readline(_TRAILER_LIMIT)
        if json.loads(header) != _header(identity):
            return
        size = os.fstat(file.fileno()).st_size
        file.seek(max(len(header), size - _TRAILER_LIMIT))
        trailer = file.read().rstrip(b"\n").rpartition(b"\n")[2]
        totals = json.loads(trailer)
        if totals["sha256"] != _digest(file, size - len(trailer) - 1):
            return
        self.files, self.bytes = int(totals["files"]), int(totals["bytes"])
        file.seek(len(header))
        self._lines = itertools.islice(file, int(totals["lines"]))

    def find(self, path: bytes, status: os.stat_result) -> Known | None:
        """Return what was stored of a file last time if it is unchanged since. Paths must come in order."""
        prefix = _prefix(path, status)
        record = self._record
        if not record.startswith(prefix):
            wanted = order(path)
            while record and order(_path_of(record)) < wanted:
                record = next(self._lines, b"")
            self._record = record
            if not record.startswith(prefix):
                return None
        self._record = next(self._lines, b"")
        return Known(record, len(prefix))

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


def _path_of(record: bytes) -> bytes:
    return record[: record.index(b"\0")].replace(b"//", b"\n")


def _header(identity: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {"format": _FORMAT, **identity}


def _digest(file: t.BinaryIO, end: int) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while end > 0:
        block = file.read(min(end, 1 << 20))
        if not block:
            break
        digest.update(block)
        end -= len(block)
    return digest.hexdigest()


class CacheWriter:
    """The cache for the next run. Only :meth:`commit` makes it take the old one's place."""

    def __init__(self, path: str, identity: t.Mapping[str, t.Any]) -> None:
        self._path = path
        self._temporary = path + ".new"
        self._digest = hashlib.sha256()
        self._waiting: list[bytes] = []
        self._lines = 0
        self._file = self._create()
        self._write([json.dumps(_header(identity), sort_keys=True).encode() + b"\n"])

    def _create(self) -> t.BinaryIO | None:
        """Open the temporary file. A crash leaves it behind, and the next run uses it again."""
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            fd = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise TargetError(
                f"The cache {self._temporary} cannot be written: {error.strerror}.",
                "Make cache_dir writable for who runs this, or choose another one.",
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            # Another run backs up the same part now. Its cache is as good as ours.
            os.close(fd)
            return None
        os.ftruncate(fd, 0)
        return open(fd, "wb")

    def add(self, record: bytes) -> None:
        """Append a line made by :func:`make_record`, in the order of the scan."""
        self._waiting.append(record)
        if len(self._waiting) >= 256:
            self._flush()

    def _flush(self) -> None:
        lines, self._waiting = self._waiting, []
        self._lines += len(lines)
        self._write(lines)

    def _write(self, lines: list[bytes]) -> None:
        if self._file is None:
            return
        data = b"".join(lines)
        self._digest.update(data)
        try:
            self._file.write(data)
        except OSError:
            # A full disk costs the next run some time, and this one nothing.
            self.discard()

    def commit(self, files: int, size: int) -> None:
        """Put the new cache in the old one's place; ``files`` and ``size`` (bytes) are the totals of this run."""
        self._flush()
        if self._file is None:
            return
        totals = {"bytes": size, "files": files, "lines": self._lines, "sha256": self._digest.hexdigest()}
        try:
            self._file.write(json.dumps(totals, sort_keys=True).encode() + b"\n")
            self._file.flush()
            # No fsync: a cache cut short by a power failure is found out by its digest.
            os.replace(self._temporary, self._path)
            self._file.close()
        except OSError:
            self.discard()

    def discard(self) -> None:
        """Drop what was written."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)
            with contextlib.suppress(OSError):
                file.close()
