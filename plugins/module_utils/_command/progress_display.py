# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Showing how far the work has come: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import os
import shutil
import threading
import time
import typing as t
from dataclasses import asdict

from .._repository.progress import Progress, ProgressSnapshot
from .._status.text import ProgressText

#: Seconds between two plain lines: people are promised one every ten seconds at least.
PLAIN_INTERVAL = 8.0
_BAR_INTERVAL = 0.2
_BAR_WIDTH = 20
_ERASE_LINE = "\r\x1b[K"


def is_terminal(stream: t.TextIO) -> bool:
    """Tell whether lines on this stream can be written over."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class ProgressDisplay:
    """Shows a :class:`~.._repository.progress.Progress` on a stream while a ``with`` block runs.

    :arg stream: standard error; standard output belongs to the result.
    :arg quiet: show nothing.
    :arg interval: seconds between two plain lines.
    """

    def __init__(self, stream: t.TextIO, *, quiet: bool = False, interval: float = PLAIN_INTERVAL) -> None:
        self._stream = stream
        self._bar = is_terminal(stream)
        self._interval = _BAR_INTERVAL if self._bar else interval
        self._progress = Progress()
        self._text = ProgressText()
        self._shown = False
        self._ended = threading.Event()
        self._thread = None if quiet else threading.Thread(target=self._keep_showing, daemon=True)

    def __enter__(self) -> Progress:
        if self._thread:
            self._thread.start()
        return self._progress

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()
            if self._bar:
                self._write(_ERASE_LINE)
            elif self._shown or self._progress.snapshot().done:
                # The last state, so that work that was quick has a line too.
                self._show()

    def _keep_showing(self) -> None:
        while not self._ended.wait(self._interval):
            self._show()

    def _show(self) -> None:
        snapshot = self._progress.snapshot()
        numbers = self._text.line({**asdict(snapshot), "phase": ""}, time.time())
        if not (snapshot.done or snapshot.items or snapshot.total or snapshot.items_total):
            # Nothing can be counted in this phase; its name is all there is to tell.
            numbers = ""
        self._shown = True
        if self._bar:
            # The numbers first: a narrow terminal cuts the end off.
            told = " ".join(part for part in (draw_bar(snapshot), numbers, snapshot.phase) if part)
            self._write(_ERASE_LINE + told[: shutil.get_terminal_size().columns - 1])
        else:
            self._write(" ".join(part for part in (snapshot.phase, numbers) if part) + "\n")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody looks any more; the work matters, its display does not.
            self._ended.set()


def draw_bar(snapshot: ProgressSnapshot) -> str:
    """Draw how much is done, with the percentage; without a known total, nothing that pretends to know it."""
    done, total = snapshot.done, snapshot.total
    if not total:
        done, total = snapshot.items, snapshot.items_total
    if not total or done > total:
        return "[" + "-" * _BAR_WIDTH + "]     "
    filled = _BAR_WIDTH * done // total
    return "[" + "#" * filled + "-" * (_BAR_WIDTH - filled) + f"] {100 * done // total:3d}%"
