# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a long piece of work has come. The work counts; whoever shows it looks at a snapshot when it likes."""

from __future__ import annotations

import threading
import time
import typing as t
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class ProgressSnapshot:
    """State of the work at one moment; sizes in bytes, times in seconds since the epoch."""

    phase: str = ""
    started: float = 0.0
    done: int = 0
    total: int | None = None
    stored: int = 0
    items: int = 0
    items_total: int | None = None


class Progress:
    """Counters that worker threads add to.

    ``done`` counts bytes of source data dealt with, ``stored`` bytes newly written to (or read from) the store,
    ``items`` files or parts. ``total`` may be unknown (None) or an estimate.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = ProgressSnapshot(started=time.time())
        self._done = self._stored = self._items = 0

    def begin(self, phase: str, total: int | None = None, items_total: int | None = None) -> None:
        """Start a named phase; ``done`` and ``items`` start again from zero."""
        with self._lock:
            self._now = ProgressSnapshot(phase, time.time(), total=total, items_total=items_total)
            self._done = self._items = 0

    def expect(self, total: int | None, items_total: int | None = None) -> None:
        """Say how much there is to do, once known."""
        with self._lock:
            self._now = replace(self._now, total=total, items_total=items_total)

    def add(self, done: int = 0, stored: int = 0, items: int = 0) -> None:
        """Count work that has just been finished; cheap, since it is called for every chunk."""
        with self._lock:
            self._done += done
            self._stored += stored
            self._items += items

    def snapshot(self) -> ProgressSnapshot:
        """Return the state of this moment."""
        with self._lock:
            return replace(self._now, done=self._done, stored=self._stored, items=self._items)


class Watcher(t.Protocol):
    """Something that shows a :class:`Progress` while a block of work runs."""

    def __enter__(self) -> Progress: ...

    def __exit__(self, *exception: object) -> None: ...
