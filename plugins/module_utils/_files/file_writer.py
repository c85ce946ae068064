# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes files, directories and the rest from entries: under a temporary name, whole, with all that belongs to them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import itertools
import os
import re
import secrets
import stat
import typing as t
from dataclasses import dataclass

from .._repository.errors import IntegrityError, TargetError
from .._repository.index_cache import ChunkLocation
from .._repository.part_reader import ChunkReader
from .directory import Directory
from .entries import BLOCK, CHARACTER, DIRECTORY, FIFO, FILE, SYMLINK, Entry
from .extents import gaps
from .filestore import content_address
from .findings import CORRUPT, FAILED, INCOMPLETE, KEPT
from .owners import OwnerChoice
from .xattrs import DEFAULT_ACL, read_xattrs, write_xattrs

#: What became of an entry.
WRITTEN, UPDATED, UNCHANGED, NOT_TOUCHED = "written", "updated", "unchanged", "not_touched"

_TEMPORARY = re.compile(rb"\.continuity-restore\.[0-9a-f]{16}\.[0-9]+")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_SECOND = 1_000_000_000
_LENT = stat.S_ISUID | stat.S_ISGID
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MAKE_TYPE = {FIFO: stat.S_IFIFO, CHARACTER: stat.S_IFCHR, BLOCK: stat.S_IFBLK}

Finding = tuple[str, str]


class Spot(t.NamedTuple):
    """Where an entry goes: an open directory and a name in it.

    ``fresh``: the directory was made by this restore, so nothing is there yet. ``inherits``: what is made in it gets an
    ACL that has to be taken off again.
    """

    directory: Directory
    name: bytes
    fresh: bool
    inherits: bool

    def status(self) -> os.stat_result | None:
        """Return the status of what is there already."""
        return None if self.fresh else self.directory.status(self.name)


class Outcome(t.NamedTuple):
    """What became of one entry: its path, one of the words above, bytes written, findings."""

    path: bytes
    result: str
    size: int = 0
    findings: tuple[Finding, ...] = ()


def is_temporary(name: bytes) -> bool:
    """Tell whether a name is that of a file which an interrupted restore has left behind."""
    return _TEMPORARY.fullmatch(name) is not None


def inherits_acl(directory: Directory) -> bool:
    """Tell whether what is made in a directory gets an ACL from it."""
    return any(name == DEFAULT_ACL for name, _value in read_xattrs(directory.fd))


def fatal(error: OSError, label: str) -> TargetError | None:
    """Return the error for what makes going on pointless: no space left, or nothing can be written at all."""
    if error.errno in _FULL:
        return TargetError(
            f"{label} is full: {error.strerror}. What was restored completely stays.",
            "Make room, then run the restore again: it goes on where this one stopped.",
        )
    if error.errno == errno.EROFS:
        return TargetError(f"{label} is mounted read-only.", "Mount it for writing, or restore to another place.")
    return None


@dataclass(frozen=True)
class WriterOptions:
    """How files are written.

    :ivar label: what people call the target.
    :ivar overwrite: replace what is there and differs.
    :ivar verify: read what is there and compare it chunk by chunk, instead of believing size and modification time.
    :ivar checks_names: the tree is a filestore, where the content must be what the name says.
    """

    owners: OwnerChoice
    label: str
    overwrite: bool = True
    verify: bool = False
    checks_names: bool = False


class FileWriter:
    """Makes what entries describe. Its methods may be called by several threads."""

    def __init__(self, reader: ChunkReader, options: WriterOptions) -> None:
        self._reader = reader
        self._owners = options.owners
        self._label = options.label
        self._overwrite = options.overwrite
        self._verify = options.verify
        self._checks_names = options.checks_names
        self._run = secrets.token_hex(8).encode()
        self._numbers = itertools.count()

    def restore_all(self, files: t.Sequence[tuple[Entry, Spot]]) -> list[Outcome]:
        """Do what :meth:`restore` does for many entries, whose chunks are looked up together."""
        contents = [entry.content for entry, _spot in files if entry.content is not None]
        ids = [chunk_id for content in contents if content.depth == 0 for chunk_id in content.ids]
        locations = self._reader.repository.index.locate_all(ids)
        return [self.restore(entry, spot, self._read(entry, locations)) for entry, spot in files]

    def _read(self, entry: Entry, locations: t.Mapping[bytes, ChunkLocation]) -> t.Iterator[bytes]:
        for chunk_id in self._reader.chunk_ids(entry.data):
            yield self._reader.read_chunk(chunk_id, locations.get(chunk_id))

    # One entry

    def restore(self, entry: Entry, spot: Spot, pieces: t.Iterable[bytes] = ()) -> Outcome:
        """Make a file, symbolic link or special file, or bring what is there to what the entry says.

        Never raises for what is wrong with this entry alone; raises :class:`~.._repository.errors.TargetError` when
        the target is full, and what the store raises when it does not answer.

        :arg pieces: the content of a file.
        """
        try:
            present = spot.status()
            if present is not None and self._is_same(entry, spot, present):
                return self._adjust(entry, spot, present)
            if present is not None and not self._overwrite:
                return Outcome(entry.path, NOT_TOUCHED, findings=((KEPT, ""),))
            if entry.type == FILE:
                return self._write_file(entry, spot, pieces)
            return self._make_special(entry, spot)
        except OSError as error:
            stop = fatal(error, self._label)
            if stop is not None:
                raise stop from error
            return Outcome(entry.path, NOT_TOUCHED, findings=((FAILED, error.strerror or str(error)),))
        except IntegrityError as error:
            return Outcome(entry.path, NOT_TOUCHED, findings=((FAILED, error.message),))

    def is_same_at_a_glance(self, entry: Entry, present: os.stat_result) -> bool:
        """Tell whether what is there looks like the entry: type, and for a file size and modification time."""
        if entry.type == FILE:
            return (
                stat.S_ISREG(present.st_mode)
                and present.st_size == entry.size
                and same_time(present.st_mtime_ns, entry.mtime)
            )
        if entry.type == SYMLINK:
            return stat.S_ISLNK(present.st_mode) and present.st_size == len(entry.target)
        if stat.S_IFMT(present.st_mode) != _MAKE_TYPE[entry.type]:
            return False
        return entry.type == FIFO or (os.major(present.st_rdev), os.minor(present.st_rdev)) == entry.device

    def _is_same(self, entry: Entry, spot: Spot, present: os.stat_result) -> bool:
        if not self.is_same_at_a_glance(entry, present):
            return False
        if entry.type == SYMLINK:
            return os.readlink(spot.name, dir_fd=spot.directory.fd) == entry.target
        return entry.type != FILE or not self._verify or self._has_content(entry, spot)

    def _has_content(self, entry: Entry, spot: Spot) -> bool:
        """Read a file that is there and compare it with the ids of the entry's chunks."""
        key, index = self._reader.repository.chunk_key, self._reader.repository.index
        ids = self._reader.chunk_ids(entry.data)
        fd = spot.directory.open_file(spot.name)
        with open(fd, "rb", buffering=0) as file:
            ranges = [list(extent) for extent in gaps(entry.holes, entry.size)]
            for chunk_id in ids:
                location = index.locate(chunk_id)
                if location is None:
                    return False
                content = b"".join(_take(file.fileno(), ranges, location.entry.size))
                if not hmac.compare_digest(hmac.digest(key, content, "sha256"), chunk_id):
                    return False
            return all(_is_zero(file.fileno(), *hole) for hole in entry.holes)

    def _write_file(self, entry: Entry, spot: Spot, pieces: t.Iterable[bytes]) -> Outcome:
        wanted = content_address(entry.path) if self._checks_names else None
        sha1 = hashlib.sha1(usedforsecurity=False) if wanted is not None else None
        temporary = self._temporary_name()
        try:
            fd = os.open(temporary, _NEW_FILE, 0o600, dir_fd=spot.directory.fd)
            try:
                _fill(fd, entry, pieces, sha1.update if sha1 is not None else None)
                findings = self._give(fd, entry, fresh=not spot.inherits)
            finally:
                os.close(fd)
            _take_place(temporary, spot)
        except BaseException:
            _drop(temporary, spot)
            raise
        if sha1 is not None and sha1.hexdigest() != wanted:
            findings += ((CORRUPT, f"its SHA-1 is {sha1.hexdigest()}"),)
        return Outcome(entry.path, WRITTEN, entry.data.size, findings)

    def _make_special(self, entry: Entry, spot: Spot) -> Outcome:
        directory = spot.directory.fd
        with self._replacing(spot) as temporary:
            if entry.type == SYMLINK:
                os.symlink(entry.target, temporary, dir_fd=directory)
                findings = self._give_symlink(temporary, entry, spot.directory)
            else:
                os.mknod(temporary, _MAKE_TYPE[entry.type] | 0o600, os.makedev(*entry.device), dir_fd=directory)
                fd = os.open(temporary, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
                try:
                    findings = self._give(b"/proc/self/fd/%d" % fd, entry, fresh=not spot.inherits)
                finally:
                    os.close(fd)
        return Outcome(entry.path, WRITTEN, findings=findings)

    def link(self, path: bytes, spot: Spot, source: Directory, source_name: bytes) -> Outcome:
        """Give a file another name."""
        try:
            first = os.stat(source_name, dir_fd=source.fd, follow_symlinks=False)
            present = spot.status()
            if present is not None and (present.st_dev, present.st_ino) == (first.st_dev, first.st_ino):
                return Outcome(path, UNCHANGED)
            if present is not None and not self._overwrite:
                return Outcome(path, NOT_TOUCHED, findings=((KEPT, ""),))
            with self._replacing(spot) as temporary:
                os.link(
                    source_name, temporary, src_dir_fd=source.fd, dst_dir_fd=spot.directory.fd, follow_symlinks=False
                )
        except OSError as error:
            stop = fatal(error, self._label)
            if stop is not None:
                raise stop from error
            return Outcome(path, NOT_TOUCHED, findings=((FAILED, f"hard link: {error.strerror}"),))
        return Outcome(path, WRITTEN)

    @contextlib.contextmanager
    def _replacing(self, spot: Spot) -> t.Iterator[bytes]:
        """Give a temporary name beside the final one, which it takes at the end; after an error it is gone."""
        temporary = self._temporary_name()
        try:
            yield temporary
            _take_place(temporary, spot)
        except BaseException:
            _drop(temporary, spot)
            raise

    def _temporary_name(self) -> bytes:
        return b".continuity-restore.%s.%d" % (self._run, next(self._numbers))

    # What belongs to an entry besides its content

    def finish_directory(self, entry: Entry, directory: Directory, *, fresh: bool, inherited: bool) -> Outcome:
        """Give a directory what its entry says, after all that is in it has been made."""
        try:
            present = os.fstat(directory.fd)
            if not fresh and self._is_adjusted(entry, present, directory.fd):
                return Outcome(entry.path, UNCHANGED)
            findings = self._give(directory.fd, entry, fresh=fresh and not inherited)
        except OSError as error:
            stop = fatal(error, self._label)
            if stop is not None:
                raise stop from error
            return Outcome(entry.path, NOT_TOUCHED, findings=((INCOMPLETE, error.strerror or str(error)),))
        return Outcome(entry.path, WRITTEN if fresh else UPDATED, findings=findings)

    def _adjust(self, entry: Entry, spot: Spot, present: os.stat_result) -> Outcome:
        """Bring what belongs to an existing file, besides its content, to what the entry says."""
        if self._is_adjusted(entry, present, spot.directory.place(spot.name)):
            return Outcome(entry.path, UNCHANGED)
        if not self._overwrite:
            return Outcome(entry.path, NOT_TOUCHED, findings=((KEPT, ""),))
        if entry.type == SYMLINK:
            return Outcome(entry.path, UPDATED, findings=self._give_symlink(spot.name, entry, spot.directory))
        fd = os.open(spot.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=spot.directory.fd)
        try:
            now = os.fstat(fd)
            if (now.st_dev, now.st_ino) != (present.st_dev, present.st_ino):
                raise FileNotFoundError(errno.ENOENT, "Somebody else changes the target")
            return Outcome(entry.path, UPDATED, findings=self._give(b"/proc/self/fd/%d" % fd, entry, fresh=False))
        finally:
            os.close(fd)

    def _is_adjusted(self, entry: Entry, present: os.stat_result, place: int | bytes) -> bool:
        if self._owners.changes_owners:
            uid, gid = self._owners.find(entry.uid, entry.gid)
            if uid not in (-1, present.st_uid) or gid not in (-1, present.st_gid):
                return False
        if not same_time(present.st_mtime_ns, entry.mtime):
            return False
        if entry.type != SYMLINK and stat.S_IMODE(present.st_mode) != self._mode(entry):
            return False
        return read_xattrs(place) == entry.xattrs

    def _mode(self, entry: Entry) -> int:
        """Return the permission bits to give: a file of another owner must not lend that one's rights."""
        if (
            entry.mode & _LENT
            and entry.type != DIRECTORY
            and not (self._owners.changes_owners and -1 not in self._owners.find(entry.uid, entry.gid))
        ):
            return entry.mode & ~_LENT
        return entry.mode

    def _give(self, place: int | bytes, entry: Entry, *, fresh: bool) -> tuple[Finding, ...]:
        """Set owner, permissions, attributes and time, in the order in which they do not undo each other."""
        reasons = []
        if self._owners.changes_owners:
            try:
                os.chown(place, *self._owners.find(entry.uid, entry.gid))
            except OSError as error:
                reasons.append(f"owner: {error.strerror}")
        os.chmod(place, entry.mode & 0o1777 if reasons else self._mode(entry))
        if entry.xattrs or not fresh:
            reasons += write_xattrs(place, entry.xattrs, follow=True)
        os.utime(place, ns=(entry.mtime, entry.mtime))
        return tuple((INCOMPLETE, reason) for reason in reasons) if reasons else ()

    def _give_symlink(self, name: bytes, entry: Entry, directory: Directory) -> tuple[Finding, ...]:
        reasons = []
        if self._owners.changes_owners:
            try:
                os.chown(name, *self._owners.find(entry.uid, entry.gid), dir_fd=directory.fd, follow_symlinks=False)
            except OSError as error:
                reasons.append(f"owner: {error.strerror}")
        if entry.xattrs:
            reasons += write_xattrs(directory.place(name), entry.xattrs, follow=False)
        os.utime(name, ns=(entry.mtime, entry.mtime), dir_fd=directory.fd, follow_symlinks=False)
        return tuple((INCOMPLETE, reason) for reason in reasons)


def same_time(present: int, wanted: int) -> bool:
    """Tell whether two times are the same, in nanoseconds, on a file system that may keep whole seconds only."""
    return present == wanted or (present % _SECOND == 0 and present // _SECOND == wanted // _SECOND)


def _take_place(temporary: bytes, spot: Spot) -> None:
    """Give a finished file its name."""
    os.rename(temporary, spot.name, src_dir_fd=spot.directory.fd, dst_dir_fd=spot.directory.fd)


def _drop(temporary: bytes, spot: Spot) -> None:
    """Remove an unfinished file."""
    with contextlib.suppress(OSError):
        os.unlink(temporary, dir_fd=spot.directory.fd)


def _fill(fd: int, entry: Entry, pieces: t.Iterable[bytes], hashed: t.Callable[[bytes], None] | None) -> None:
    """Write a file's content, leaving its holes."""
    write = _HoleWriter(fd, entry).write if entry.holes else lambda piece: _write(fd, piece)
    written = 0
    for piece in pieces:
        written += len(piece)
        if hashed is not None:
            hashed(piece)
        write(piece)
    if written != entry.data.size:
        raise IntegrityError(f"its chunks have {written} bytes instead of {entry.data.size}", "")


def _write(fd: int, piece: bytes) -> None:
    done = os.write(fd, piece)
    while done < len(piece):
        done += os.write(fd, memoryview(piece)[done:])


class _HoleWriter:
    """Writes the content of a file around its holes."""

    def __init__(self, fd: int, entry: Entry) -> None:
        self._fd = fd
        self._ranges = [list(extent) for extent in gaps(entry.holes, entry.size)]
        os.ftruncate(fd, entry.size)

    def write(self, piece: bytes) -> None:
        """Write what comes next; more than the file has room for is left to be noticed by its size."""
        rest = memoryview(piece)
        while rest and self._ranges:
            offset, length = self._ranges[0]
            done = os.pwrite(self._fd, rest[:length], offset)
            rest = rest[done:]
            self._ranges[0] = [offset + done, length - done]
            if done == length:
                del self._ranges[0]


def _take(fd: int, ranges: list[list[int]], size: int) -> t.Iterator[bytes]:
    """Read the next ``size`` bytes out of ``ranges``, which shrink."""
    while size and ranges:
        offset, length = ranges[0]
        piece = os.pread(fd, min(size, length), offset)
        if not piece:
            return
        yield piece
        size -= len(piece)
        ranges[0] = [offset + len(piece), length - len(piece)]
        if len(piece) == length:
            del ranges[0]


def _is_zero(fd: int, offset: int, length: int) -> bool:
    """Tell whether a range reads as zeros; what is a hole there too is not read."""
    end = offset + length
    while offset < end:
        try:
            offset = os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return True
        if offset >= end:
            break
        piece = os.pread(fd, min(1 << 20, end - offset), offset)
        if not piece or piece.count(0) != len(piece):
            return False
        offset += len(piece)
    return True
