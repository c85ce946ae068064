# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker processes: what is asked and answered, and every way in which they fail."""

from __future__ import annotations

import os
import signal
import threading
import typing as t

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import TargetError
from ansible_collections.dfr.continuity.plugins.module_utils._repository.worker_processes import (
    WorkerLostError,
    WorkerProcesses,
)


class Echo:
    """Does what the request says; imported by the processes from this file."""

    def __init__(self, setup: str, descriptors: t.Sequence[int]) -> None:
        if setup == "cannot":
            raise TargetError("There is no room.", "Make some.")
        self.setup = setup
        self.given = [os.read(descriptor, 100) for descriptor in descriptors]
        self.done = 0

    def work(self, request: t.Any, descriptors: t.Sequence[int]) -> t.Any:
        self.done += 1
        if request == "error":
            raise TargetError("The disk is full.", "Free some of it.")
        if request == "bug":
            raise ZeroDivisionError("a bug")
        if request == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if request == "leave":
            os._exit(3)
        contents = [os.read(descriptor, 100) for descriptor in descriptors]
        return (self.setup, self.given, request, contents, os.getpid())

    def finish(self) -> int:
        return self.done


@pytest.fixture
def processes() -> t.Iterator[WorkerProcesses]:
    made = WorkerProcesses(2, Echo, "setup")
    yield made
    made.close()


def pipe_with(content: bytes) -> int:
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    return reading


def test_requests_descriptors_and_last_words() -> None:
    descriptor = pipe_with(b"for the worker")
    made = WorkerProcesses(1, Echo, "setup", [descriptor])
    several = [pipe_with(b"%d" % number) for number in range(100)]
    assert made.work({"a": b"\0" * 300_000}, several)[:4] == (
        "setup",
        [b"for the worker"],
        {"a": b"\0" * 300_000},
        [b"%d" % number for number in range(100)],
    )
    assert made.work(None)[2] is None
    assert made.finish() == [2]
    made.close()
    for number in (descriptor, *several):
        os.close(number)


def test_several_threads_are_served_by_several_processes(processes: WorkerProcesses) -> None:
    seen: set[int] = set()
    threads = [threading.Thread(target=lambda: seen.add(processes.work(1)[4])) for _number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.getpid() not in seen
    assert sum(processes.finish()) == 20


def test_an_error_of_ours_arrives_as_it_was(processes: WorkerProcesses) -> None:
    with pytest.raises(TargetError) as raised:
        processes.work("error")
    assert (raised.value.message, raised.value.next_step) == ("The disk is full.", "Free some of it.")
    assert processes.work(1)[2] == 1


def test_a_bug_arrives_with_its_trace(processes: WorkerProcesses) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)Traceback.*in work.*ZeroDivisionError: a bug"):
        processes.work("bug")


def test_a_worker_that_cannot_be_made_tells_why_with_the_first_answer() -> None:
    made = WorkerProcesses(1, Echo, "cannot")
    with pytest.raises(TargetError, match="no room"):
        made.work(1)
    with pytest.raises(TargetError, match="no room"):
        made.finish()
    made.close()


@pytest.mark.parametrize(("request_", "how"), [("die", "was killed by SIGKILL"), ("leave", "ended with exit code 3")])
def test_a_process_that_is_gone_is_told_of(processes: WorkerProcesses, request_: str, how: str) -> None:
    with pytest.raises(WorkerLostError, match=how):
        processes.work(request_)
    with pytest.raises(WorkerLostError, match=how):
        processes.finish()
