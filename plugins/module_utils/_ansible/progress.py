# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress of a running module, for the action plugin that watches it from the controller.

The action plugin names a file in the environment; a thread writes the newest snapshot there, once a second. Nobody
watches a module that runs without an action plugin, and then nothing is written.
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import asdict

from .._repository.progress import Progress
from .._status.atomic_file import write_atomically

VARIABLE = "DFR_CONTINUITY_PROGRESS_FILE"


class ProgressFile:
    """Writes snapshots of a :class:`Progress` to a file while a ``with`` block runs.

    :arg path: the file, or None for none; by default what the environment says.
    :arg interval: seconds between two snapshots.
    """

    def __init__(self, path: str | None = None, interval: float = 1.0) -> None:
        self._path = path or os.environ.get(VARIABLE)
        self._interval = interval
        self._progress = Progress()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Progress:
        if self._path:
            self._thread = threading.Thread(target=self._keep_writing, args=(self._path,), daemon=True)
            self._thread.start()
        return self._progress

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()

    def _keep_writing(self, path: str) -> None:
        while not self._ended.wait(self._interval):
            snapshot = {**asdict(self._progress.snapshot()), "now": time.time()}
            try:
                write_atomically(path, json.dumps(snapshot).encode(), 0o600, durable=False)
            except OSError:
                # Nobody watches any more, or the disk is full: the work matters, its progress display does not.
                return
