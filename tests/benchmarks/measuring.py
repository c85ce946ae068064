# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs programs and says what they took: wall time, processor time, peak memory.

What a process takes is counted from its parent's fork on, so this file is also the small program that starts what is
measured; it imports only the standard library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """What one run took: seconds of wall and processor time; peak memory of all its processes together, in bytes."""

    wall: float
    cpu: float
    peak: int
    output: str = ""


def measure(*pipeline: t.Sequence[str | os.PathLike[str]], environment: t.Mapping[str, str] | None = None) -> Run:
    """Run commands connected by pipes; raise RuntimeError with their output when one of them fails.

    What they took is counted together; children are counted with their parents.
    """
    # So that nobody pays for what an earlier run left to be written.
    os.sync()
    words = [[os.fspath(word) for word in command] for command in pipeline]
    started = subprocess.run(
        [sys.executable, "-I", "-S", __file__, json.dumps(words)],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if started.returncode:
        raise RuntimeError(f"{words} failed:\n{started.stdout}{started.stderr}")
    report = json.loads(started.stdout)
    return Run(**report)


class _Memory(threading.Thread):
    """Looks every tenth of a second at the memory of all processes below this one.

    A process counts with what it has for itself and its share of what it has in common with others (PSS, proc(5)).
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(0.1):
            self.peak = max(self.peak, sum(map(_memory_of, _below(os.getpid()))))

    def stop(self) -> int:
        self._end.set()
        self.join()
        return self.peak


def _below(pid: int) -> t.Iterator[int]:
    """Yield the processes that a process has started, and those that they have started."""
    try:
        children = [_text(f"/proc/{pid}/task/{task}/children") for task in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return
    for child in " ".join(children).split():
        yield int(child)
        yield from _below(int(child))


def _text(path: str) -> str:
    with open(path) as file:
        return file.read()


def _memory_of(pid: int) -> int:
    try:
        lines = _text(f"/proc/{pid}/smaps_rollup").splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("Pss:")))
    except (OSError, StopIteration):
        return 0


def _run(pipeline: list[list[str]]) -> dict[str, t.Any]:
    memory = _Memory()
    memory.start()
    begin = time.perf_counter()
    processes: list[subprocess.Popen[bytes]] = []
    for number, command in enumerate(pipeline):
        source = processes[-1].stdout if processes else subprocess.DEVNULL
        processes.append(subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE))
        if number:
            processes[-2].stdout.close()  # type: ignore[union-attr]
    last = processes[-1].stdout
    output = last.read() if last is not None else b""
    cpu, failed = 0.0, []
    for process in processes:
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu += usage.ru_utime + usage.ru_stime
        if process.returncode:
            failed.append(f"{process.args} ended with {process.returncode}")
    wall = time.perf_counter() - begin
    if failed:
        sys.exit("; ".join(failed) + output.decode(errors="replace")[-2000:])
    return {"wall": wall, "cpu": cpu, "peak": memory.stop(), "output": output.decode(errors="replace")[-2000:]}


if __name__ == "__main__":
    json.dump(_run(json.loads(sys.argv[1])), sys.stdout)
