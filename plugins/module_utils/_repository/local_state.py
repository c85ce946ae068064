# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine remembers of a repository, so that the store cannot turn back time unnoticed."""

from __future__ import annotations

import fcntl
import json
import os
import typing as t
from contextlib import contextmanager

from .errors import TargetError, TrustError


class LocalState:
    """A small JSON file: the newest revision of the settings seen, and the newest summary of each signer.

    With a spool also ``spooled``, the number of the newest spooled object that the local index may rely on, and
    ``unclosed``, the backups that are closed when their parts have been delivered (:mod:`.deferred`).
    """

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, "seen.json")
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
        except OSError as error:
            raise TargetError(
                f"The cache directory {directory} cannot be made: {error.strerror}.",
                "Make its parent writable for who runs this, or choose another cache_dir.",
            ) from error

    @contextmanager
    def locked(self) -> t.Iterator[dict[str, t.Any]]:
        """Give the state to read and change; no other process of this machine has it meanwhile."""
        with open(self._path + ".lock", "a", encoding="ascii") as lock:
            os.fchmod(lock.fileno(), 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self._read()
            state: dict[str, t.Any] = json.loads(json.dumps(before))
            yield state
            if state != before:
                self._write(state)

    @contextmanager
    def closing(self) -> t.Iterator[None]:
        """Let one process at a time close backups: what it does takes longer than the state may be locked."""
        with open(self._path + ".closing", "a", encoding="ascii") as lock:
            os.fchmod(lock.fileno(), 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> dict[str, t.Any]:
        try:
            with open(self._path, encoding="utf-8") as file:
                state = json.load(file)
        except FileNotFoundError:
            state = {}
        except ValueError as error:
            raise TrustError(
                f"{self._path} is damaged ({error}): it cannot be told whether the store was turned back.",
                f"Check that `continuity list` shows the newest backup you know of, then remove {self._path}.",
            ) from error
        return {"revision": 0, "summaries": {}, "spooled": 0, "unclosed": [], **state}

    def _write(self, state: dict[str, t.Any]) -> None:
        temporary = self._path + ".new"
        with open(temporary, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            json.dump(state, file, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self._path)

    def check_revision(self, revision: int, location: str) -> None:
        """Remember the settings' revision; raise :class:`~.errors.TrustError` for one older than was seen before."""
        with self.locked() as state:
            if revision < state["revision"]:
                raise TrustError(
                    f"repository.json in {location} is revision {revision}, but revision {state['revision']} was seen "
                    "here before: an old one was put back, perhaps to bring back a removed key.",
                    "Look who wrote to the store, and have the administrator write the settings again.",
                )
            state["revision"] = revision
