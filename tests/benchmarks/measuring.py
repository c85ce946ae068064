# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs programs and says what they took: wall time, processor time, peak memory.

The peak of a process starts with what its parent had when it forked, so this file is also the small program that
starts what is measured; it imports only the standard library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """What one run took: seconds of wall and processor time; the largest process's peak memory in bytes."""

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


def _run(pipeline: list[list[str]]) -> dict[str, t.Any]:
    begin = time.perf_counter()
    processes: list[subprocess.Popen[bytes]] = []
    for number, command in enumerate(pipeline):
        source = processes[-1].stdout if processes else subprocess.DEVNULL
        processes.append(subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE))
        if number:
            processes[-2].stdout.close()  # type: ignore[union-attr]
    last = processes[-1].stdout
    output = last.read() if last is not None else b""
    cpu, peak, failed = 0.0, 0, []
    for process in processes:
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss * 1024)
        if process.returncode:
            failed.append(f"{process.args} ended with {process.returncode}")
    wall = time.perf_counter() - begin
    if failed:
        sys.exit("; ".join(failed) + output.decode(errors="replace")[-2000:])
    return {"wall": wall, "cpu": cpu, "peak": peak, "output": output.decode(errors="replace")[-2000:]}


if __name__ == "__main__":
    json.dump(_run(json.loads(sys.argv[1])), sys.stdout)
