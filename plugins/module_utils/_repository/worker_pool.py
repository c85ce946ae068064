# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads that share the work, with a bound on how much of it is under way."""

from __future__ import annotations

import os
import threading
import typing as t
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

T = t.TypeVar("T")
U = t.TypeVar("U")


def worker_count() -> int:
    """Return how many threads keep the processors of this machine busy while one or two wait for the store."""
    try:
        usable = len(os.sched_getaffinity(0))
    except AttributeError:
        usable = os.cpu_count() or 1
    return min(8, usable + 1)


class WorkerPool:
    """A pool whose :meth:`submit` waits while twice as many pieces as there are threads are under way."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or worker_count()
        self._executor = ThreadPoolExecutor(self.workers, thread_name_prefix="continuity")
        self._room = threading.BoundedSemaphore(2 * self.workers)

    def submit(self, work: t.Callable[..., T], *arguments: t.Any) -> Future[T]:
        """Run ``work(*arguments)`` in a thread. Must not be called by work that itself runs in the pool."""
        self._room.acquire()
        try:
            future = self._executor.submit(work, *arguments)
        except BaseException:
            self._room.release()
            raise
        future.add_done_callback(lambda _future: self._room.release())
        return future

    def map_ordered(self, work: t.Callable[[T], U], items: t.Iterable[T]) -> t.Iterator[U]:
        """Yield ``work(item)`` for each item in order, working ahead as far as there is room."""
        waiting: deque[Future[U]] = deque()
        try:
            for item in items:
                waiting.append(self.submit(work, item))
                while len(waiting) >= 2 * self.workers or (waiting and waiting[0].done()):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def close(self, cancel: bool = False) -> None:
        """Wait for the threads to end; with ``cancel``, drop what has not begun."""
        self._executor.shutdown(wait=True, cancel_futures=cancel)
