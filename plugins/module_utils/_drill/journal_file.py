# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a journal: lines of JSON that are only ever added, each on disk before anybody acts upon it.

Every line names the SHA-256 of the one before, so that a line that is lost, changed or slipped in is noticed. A process
that is killed while it writes leaves a last line that is torn; nobody was told of it, so it counts as not written, and
the next writer cuts it off.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import typing as t

from .._repository.encoding import canonical_json
from .._repository.errors import IntegrityError, ObjectMissingError, TargetError

FILE = "journal"
Event = dict[str, t.Any]
_START = "0" * 64


class JournalFile:
    """The journal of one run, in a folder of its own."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.path = os.path.join(folder, FILE)

    def create(self) -> None:
        """Make the folder (0700) and an empty journal (0600), durably."""
        try:
            make_folder(self.folder)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            os.close(descriptor)
            _sync_folder(self.folder)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def read(self) -> list[Event]:
        """Return the events, oldest first; see :meth:`locked` for what is raised."""
        with self.locked() as journal:
            return journal.events

    @contextlib.contextmanager
    def locked(self) -> t.Iterator[OpenJournal]:
        """Give the journal to read and to add to; no other process has it meanwhile.

        Raises :class:`~.._repository.errors.ObjectMissingError` when there is none, and
        :class:`~.._repository.errors.IntegrityError` when it is damaged.
        """
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError as error:
            raise ObjectMissingError(
                f"There is no journal {self.path}.", "Check the state folder and the id."
            ) from error
        except OSError as error:
            raise _unwritable(self.path, error) from error
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield OpenJournal(self.path, file)


class OpenJournal:
    """A journal that is locked."""

    def __init__(self, path: str, file: t.IO[bytes]) -> None:
        self._path = path
        self._file = file
        self._last = _START
        self._whole = 0
        self.events: list[Event] = []
        content = file.read()
        for line in content.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            self._take(line)
        self._torn = len(content) > self._whole

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            fits = event["previous"] == self._last and event["number"] == len(self.events) + 1
        except (ValueError, KeyError, TypeError):
            fits = False
        if not fits:
            raise IntegrityError(
                f"The journal {self._path} is damaged: line {len(self.events) + 1} is not what was written there.",
                "Restore the folder of the run from a copy; or move it out of the state folder, which forgets the run, "
                "and see by hand to what it has left behind.",
            )
        self.events.append(event)
        self._last = hashlib.sha256(line).hexdigest()
        self._whole += len(line)

    def add(self, event: Event) -> Event:
        """Add an event and return it as it was written; it is on disk when this returns."""
        written = {**event, "number": len(self.events) + 1, "previous": self._last}
        line = canonical_json(written) + b"\n"
        try:
            if self._torn:
                os.ftruncate(self._file.fileno(), self._whole)
                self._torn = False
            self._write(line)
        except OSError as error:
            # What was written of it is a torn line to the next reader.
            self._torn = True
            raise _unwritable(self._path, error) from error
        self._take(line)
        return written

    def _write(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(self._file.fileno(), rest) :]
        os.fsync(self._file.fileno())


def make_folder(path: str) -> None:
    """Make a folder (0700) and those above it that are missing, durably. Raises :class:`OSError`."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(os.path.abspath(path))
    make_folder(above)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    _sync_folder(above)


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: str, error: OSError) -> TargetError:
    return TargetError(
        f"The journal {path} cannot be written: {error.strerror}.",
        "See to the disk and to the permissions of its folder, or choose another state folder; then resume the run.",
    )
