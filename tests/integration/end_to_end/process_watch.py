# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the arguments and the environment of every process of a container, all the while."""

from __future__ import annotations

import contextlib
import os
import threading
import typing as t
from pathlib import Path


class ProcessWatch:
    """Collects what anybody on the host could see of its processes."""

    def __init__(self, init_pid: int) -> None:
        self._namespace = os.readlink(f"/proc/{init_pid}/ns/pid")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.seen: set[bytes] = set()

    def __enter__(self) -> ProcessWatch:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            for process in self._processes():
                for kind in ("cmdline", "environ"):
                    with contextlib.suppress(OSError):
                        self.seen.add((process / kind).read_bytes())

    def _processes(self) -> t.Iterator[Path]:
        for name in os.listdir("/proc"):
            if name.isdigit():
                process = Path("/proc", name)
                with contextlib.suppress(OSError):
                    if os.readlink(process / "ns/pid") == self._namespace:
                        yield process

    def holding(self, text: bytes) -> list[bytes]:
        """Return the arguments and environments in which a text stands."""
        return [seen for seen in self.seen if text in seen]
