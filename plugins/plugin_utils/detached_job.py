# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program for the target: runs a module detached from the connection that started it.

It is sent over standard input, followed by the module, so that neither the module nor the secrets among its arguments
touch a disk. It is never imported on the target, uses the standard library alone, and runs on Python 3.8.

It makes a *job directory* that only its user can read, prints its name and its own process id, and stays in the
background as the module's supervisor. The directory holds ``progress`` (written by the module), at the end ``done``
(exit code and output), ``seen``, touched by the controller when it looks, and ``stop`` when it has asked the module to
stop. Whoever asked for the work removes the directory when it has read ``done``; what nobody collects within an hour is
removed by the supervisor, and a module that nobody has looked at for a day is stopped.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time

PROGRESS_VARIABLE = "DFR_CONTINUITY_PROGRESS_FILE"
GRACE = 30.0
KEPT = 3600.0
UNSEEN = 86400.0
TICK = 0.1


def start(script: bytes, limit: float) -> None:
    """Start the supervisor and print the job directory; ``limit`` in seconds, 0 for none."""
    # /run is gone after a reboot, as the process is. Only root can write there; others get their own directory too.
    job = tempfile.mkdtemp(prefix="dfr-continuity-job-", dir="/run" if os.access("/run", os.W_OK) else None)
    reader, writer = os.pipe()
    if os.fork():
        # The connection may hang up on its process group as soon as this process ends, so wait for the new session.
        os.close(writer)
        sys.stdout.write(json.dumps({"job": job, "pid": int(os.read(reader, 20))}) + "\n")
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.write(writer, b"%d" % os.getpid())
    os.close(writer)
    os.close(reader)
    try:
        _supervise(job, script, limit)
    finally:
        shutil.rmtree(job, ignore_errors=True)
        os._exit(0)


def _supervise(job: str, script: bytes, limit: float) -> None:
    controller = _Controller(job)
    module = _run(job, script)
    deadline = time.monotonic() + limit if limit else None
    stopped = False
    status = _exit_status(module)
    while status is None:
        stopped = controller.has_enough()
        if stopped or (deadline is not None and time.monotonic() > deadline):
            status = _end(module)
            break
        time.sleep(TICK)
        status = _exit_status(module)
    if not stopped:
        _write_done(job, status)
        _await_collection(controller)


def _run(job: str, script: bytes) -> int:
    """Start the module as the leader of its own process group and feed it its own source; return its process id."""
    reader, writer = os.pipe()
    module = os.fork()
    if module:
        os.close(reader)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        # When it dies at once, its output tells why.
        with contextlib.suppress(BrokenPipeError), os.fdopen(writer, "wb") as channel:
            channel.write(script)
        return module
    try:
        os.setpgid(0, 0)
        os.dup2(reader, 0)
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(os.path.join(job, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), descriptor)
        os.environ[PROGRESS_VARIABLE] = os.path.join(job, "progress")
        os.execv(sys.executable, [sys.executable, "-"])
    finally:
        os._exit(127)


def _exit_status(module: int) -> int | None:
    """Return the exit code, negative for a signal, or None while the module runs."""
    ended, status = os.waitpid(module, os.WNOHANG)
    if not ended:
        return None
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _end(module: int) -> int:
    """Ask the module to end, so that it can clean up; after the grace period kill it and all it has started."""
    os.kill(module, signal.SIGTERM)
    patience = time.monotonic() + GRACE
    status = _exit_status(module)
    while status is None and time.monotonic() < patience:
        time.sleep(TICK)
        status = _exit_status(module)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(module, signal.SIGKILL)
    while status is None:
        time.sleep(TICK)
        status = _exit_status(module)
    return status


def _write_done(job: str, status: int) -> None:
    output = {"rc": status}
    for name in ("stdout", "stderr"):
        path = os.path.join(job, name)
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            output[name] = file.read()
        os.unlink(path)
    temporary = os.path.join(job, "done.part")
    with open(temporary, "w", encoding="ascii") as file:
        json.dump(output, file)
    os.rename(temporary, os.path.join(job, "done"))


def _await_collection(controller: _Controller) -> None:
    patience = time.monotonic() + KEPT
    while not controller.has_enough() and time.monotonic() < patience:
        time.sleep(1)


class _Controller:
    """Whoever asked for the work, as far as the job directory shows."""

    def __init__(self, job: str) -> None:
        self._seen, self._stop = os.path.join(job, "seen"), os.path.join(job, "stop")
        self._looked = 0
        self._since = time.monotonic()
        os.close(os.open(self._seen, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    def has_enough(self) -> bool:
        """Tell whether it has asked for an end, or has not looked for so long that it never will again."""
        try:
            looked = os.stat(self._seen).st_mtime_ns
        except FileNotFoundError:
            return True
        if looked != self._looked:
            # Times of files are compared with each other only: clocks are set, and machines sleep.
            self._looked, self._since = looked, time.monotonic()
        return os.path.exists(self._stop) or time.monotonic() - self._since > UNSEEN


if __name__ == "__main__":
    start(sys.stdin.buffer.read(), float(sys.argv[2]))
