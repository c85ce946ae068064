# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local directory of a spool: objects in the order of writing, numbered without a gap.

Several processes share it. What one of them must tell the others is in files: which number was delivered last, and
when the store was last found to be away. The numbers make a loss visible: what waits always follows what was
delivered, so an object that somebody removed by hand leaves a gap.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import typing as t
from dataclasses import dataclass, replace

from ..errors import InputError, StoreError, StoreUnreachableError
from . import ObjectInfo
from .durable_file import DIRECTORY_FLAGS, explained, remove_abandoned, sync_directory, write_durably
from .names import check_name

# Stands for "/" in file names; not a character of object names.
_SLASH = "%"
_DELIVERED, _AWAY, _OWNER, _LOCK = ".delivered-", ".away", ".repository", ".lock"


@dataclass(frozen=True)
class Entry:
    """An object that waits. ``size`` in bytes, ``modified`` in seconds since the epoch."""

    sequence: int
    name: str
    file_name: str
    size: int
    modified: float

    @property
    def info(self) -> ObjectInfo:
        """The object as a store lists it."""
        return ObjectInfo(self.name, self.size, self.modified)


@dataclass(frozen=True)
class Away:
    """The store was found to be away: when the last try failed, and when one began last (seconds since the epoch)."""

    tried: float
    begun: float
    error: StoreUnreachableError

    def is_recent(self, seconds: float) -> bool:
        """Tell whether the last try is less than ``seconds`` old; a clock that was set back makes it an old one."""
        return 0 <= time.time() - max(self.tried, self.begun) < seconds


class SpoolQueue:
    """One directory with what waits for one store.

    :arg directory: absolute path; it and its parent are made with mode 0700 by the first write. A directory that does
        not exist is an empty queue.
    :arg limit_bytes: bytes that may wait at most.
    """

    def __init__(self, directory: str, limit_bytes: int) -> None:
        self.path = directory
        self._limit = limit_bytes

    def prepare(self) -> None:
        """Make the directory, refuse one that others may write in, and clear away what killed writers left."""
        _make_private(os.path.dirname(self.path))
        _make_private(self.path)
        with self._opened() as directory:
            remove_abandoned(directory)

    def entries(self) -> t.Sequence[Entry]:
        """Return what waits, oldest first."""
        return self._look()[1]

    @property
    def last(self) -> int:
        """The number of the newest object that ever was in the queue; 0 when there was none."""
        if not os.path.isdir(self.path):
            return 0
        with self.locked(_LOCK):
            delivered, waiting = self._look()
        return waiting[-1].sequence if waiting else delivered

    def is_whole_since(self, sequence: int) -> bool:
        """Tell whether everything up to now, and at least up to ``sequence``, was delivered or waits."""
        if not os.path.isdir(self.path):
            return sequence == 0
        with self.locked(_LOCK):
            delivered, waiting = self._look()
        last = delivered + len(waiting)
        return [entry.sequence for entry in waiting] == list(range(delivered + 1, last + 1)) and last >= sequence

    def append(self, name: str, content: t.Iterable[bytes]) -> int:
        """Write an object behind all others, durably; return its size.

        Raises :class:`~..errors.StoreError` when there is no room within the limit, or on the disk.
        """
        with self.locked(_LOCK), self._opened() as directory:
            delivered, waiting = self._look()
            sequence = (waiting[-1].sequence if waiting else delivered) + 1
            file_name = f"{sequence:016d}{_SLASH}{check_name(name).replace('/', _SLASH)}"
            bounded = self._within_limit(name, content, sum(entry.size for entry in waiting))
            return write_durably(directory, file_name, bounded, self._file(file_name))

    def _within_limit(self, name: str, pieces: t.Iterable[bytes], used: int) -> t.Iterator[bytes]:
        total = used
        for piece in pieces:
            total += len(piece)
            if total > self._limit:
                raise StoreError(
                    f"the spool {self.path} holds {used} bytes of at most {self._limit}, and has no room for {name}.",
                    "Bring the store back so that the next run delivers what waits, or raise the spool's limit.",
                )
            yield piece

    def read(self, entry: Entry) -> t.Iterator[bytes]:
        """Yield the content of an object that waits."""
        with explained("read", self._file(entry.file_name)), open(self._file(entry.file_name), "rb") as file:
            while piece := file.read(1 << 20):
                yield piece

    def read_range(self, entry: Entry, offset: int, length: int | None) -> bytes | None:
        """Return bytes of an object; None when it was delivered meanwhile."""
        with explained("read", self._file(entry.file_name)):
            try:
                with open(self._file(entry.file_name), "rb") as file:
                    file.seek(offset)
                    return file.read(-1 if length is None else length)
            except FileNotFoundError:
                return None

    def remove_delivered(self, entry: Entry) -> None:
        """Take out the oldest object, which is in the store now."""
        # Its number is kept as a name, and its content given back afterwards: that needs no room on a full disk, and a
        # process that dies in between leaves the one or the other.
        mark = self._file(f"{_DELIVERED}{entry.sequence:016d}")
        with self.locked(_LOCK), explained("rename", self._file(entry.file_name)), self._opened() as directory:
            older = [name for name in os.listdir(directory) if name.startswith(_DELIVERED)]
            os.rename(self._file(entry.file_name), mark)
            sync_directory(directory)
            os.truncate(mark, 0)
            for name in older:
                os.unlink(self._file(name))

    def find(self, name: str) -> Entry | None:
        """Return the newest object of that name that waits."""
        check_name(name)
        return next((entry for entry in reversed(self.entries()) if entry.name == name), None)

    # What processes tell each other

    @property
    def away(self) -> Away | None:
        """What is known of the store being away; None when nothing is."""
        try:
            with open(self._file(_AWAY), encoding="utf-8") as file:
                told = json.load(file)
            error = StoreUnreachableError(told["message"], told["next_step"])
            return Away(float(told["tried"]), float(told["begun"]), error)
        except (OSError, ValueError, KeyError, TypeError):
            # It only spares a try.
            return None

    def note_away(self, error: StoreUnreachableError) -> None:
        """Tell all processes that the store was tried just now, in vain."""
        now = time.time()
        self._write_away(Away(now, now, error))

    def _write_away(self, away: Away) -> None:
        told: dict[str, t.Any] = {"tried": away.tried, "begun": away.begun}
        told |= {"message": away.error.message, "next_step": away.error.next_step}
        # On a full disk they have to find out for themselves.
        with contextlib.suppress(StoreError), self._opened() as directory:
            write_durably(directory, _AWAY, [json.dumps(told).encode()], self._file(_AWAY))

    def forget_away(self) -> None:
        """Tell all processes that the store has answered."""
        self._unlink(_AWAY)

    def claim_try(self, pause: float) -> StoreUnreachableError | None:
        """Return why the store should not be tried now; None when it may be, to one process at a time.

        :arg pause: seconds that must have passed since the last try.
        """
        if not os.path.exists(self._file(_AWAY)):
            return None
        with self.locked(_LOCK):
            away = self.away
            if away is None:
                return None
            if away.is_recent(pause):
                return away.error
            self._write_away(replace(away, begun=time.time()))
            return None

    def bind(self, repository_id: str) -> None:
        """Reserve the queue for one repository.

        Raises :class:`~..errors.InputError` while objects of another one wait: a new repository in the same place must
        not be given them.
        """
        with self.locked(_LOCK), self._opened() as directory:
            path = self._file(_OWNER)
            with explained("read", path):
                owner = open(path, encoding="utf-8").read() if os.path.exists(path) else ""  # noqa: SIM115
            if owner == repository_id:
                return
            if self.entries():
                raise InputError(
                    f"In the spool {self.path} objects wait for another repository ({owner or 'unknown'}) that was in "
                    "the same place.",
                    "Move that directory away; keep it if that repository may come back.",
                )
            write_durably(directory, _OWNER, [repository_id.encode()], path)

    @contextlib.contextmanager
    def locked(self, file_name: str) -> t.Iterator[None]:
        """Hold a lock among threads and processes, which the kernel gives back when its holder dies."""
        path = self._file(file_name)
        with explained("lock", path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with explained("lock", path):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _look(self) -> tuple[int, t.Sequence[Entry]]:
        """Return the number delivered last, and what waits; both are certain only while the queue is locked."""
        waiting, delivered = [], 0
        with explained("list", self.path):
            try:
                with os.scandir(self.path) as files:
                    for file in files:
                        if file.name.startswith(_DELIVERED):
                            delivered = max(delivered, int(file.name[len(_DELIVERED) :]))
                        elif (entry := _read_entry(file)) is not None:
                            waiting.append(entry)
            except FileNotFoundError:
                return 0, ()
        ordered = sorted(waiting, key=lambda entry: entry.sequence)
        return delivered, [entry for entry in ordered if entry.sequence > delivered]

    def _file(self, file_name: str) -> str:
        return os.path.join(self.path, file_name)

    def _unlink(self, file_name: str) -> None:
        with explained("delete", self._file(file_name)), contextlib.suppress(FileNotFoundError):
            os.unlink(self._file(file_name))

    @contextlib.contextmanager
    def _opened(self) -> t.Iterator[int]:
        with explained("open", self.path):
            descriptor = os.open(self.path, DIRECTORY_FLAGS)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _read_entry(file: os.DirEntry[str]) -> Entry | None:
    sequence, _slash, name = file.name.partition(_SLASH)
    if not sequence.isdigit() or not name:
        return None
    try:
        facts = file.stat(follow_symlinks=False)
    except FileNotFoundError:  # delivered meanwhile
        return None
    return Entry(int(sequence), name.replace(_SLASH, "/"), file.name, facts.st_size, facts.st_mtime)


def _make_private(path: str) -> None:
    """Make a directory that only this user can write in; refuse one that others could slip objects into."""
    try:
        with explained("create", path):
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)
                parent = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    sync_directory(parent)
                finally:
                    os.close(parent)
            facts = os.stat(path)
    except StoreError as error:
        # No failure of the store, and so of another kind.
        missing = isinstance(error.__cause__, FileNotFoundError)
        step = f"Create {os.path.dirname(path)}, or choose another path for the spool." if missing else error.next_step
        raise InputError(f"The spool cannot be used. {error.message}", step) from error
    if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise InputError(
            f"The spool {path} belongs to another user, or others may write in it.",
            "Give a directory of this user's own, with mode 0700.",
        )
