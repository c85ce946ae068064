# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting real programs for tests, and stopping them again, by their process id."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import typing as t
from pathlib import Path

#: Seconds a program gets to become ready, and to end when asked to.
PATIENCE = 60.0


def cache_dir() -> Path:
    """The folder kept between runs and shared by all checkouts (``tests/environment/run`` sets it)."""
    path = os.environ.get("CONTINUITY_CACHE")
    if path is None:
        raise RuntimeError("CONTINUITY_CACHE is not set: run the tests through `make` or `tests/environment/run`.")
    return Path(path)


@contextlib.contextmanager
def locked(name: str) -> t.Iterator[None]:
    """Hold a lock shared by all test processes of this machine, for building something in the cache once."""
    with open(cache_dir() / f"{name}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def announce(text: str) -> None:
    """Say what takes long; seen with `make images`, and with the output of a test that fails."""
    print(f"[environment] {text}", flush=True)


def peak_memory() -> int:
    """The most memory that this process has had since its program began, in bytes.

    Unlike what getrusage(2) tells, it does not begin with what the process that started this one had.
    """
    status = Path("/proc/self/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise RuntimeError("this system does not tell the peak memory of a process")
    return int(found[1]) * 1024


class ProcessWatch(threading.Thread):
    """Collects the command lines of all processes of this machine that it sees while a block of work runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self._end = threading.Event()

    def __enter__(self) -> ProcessWatch:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._end.set()
        self.join()

    def run(self) -> None:
        while not self._end.wait(0.02):
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    self.seen.add(process.read_bytes())


def free_port() -> int:
    """A TCP port of the loopback address on which nothing listens at this moment.

    Taken from below the range that the kernel gives to clients, at random: two test processes hardly ever meet.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def accepts_connections(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something listens on a port."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, port)) == 0


def wait_until(condition: t.Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Wait for a condition; raise :class:`TimeoutError` naming ``what`` after ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} was not ready after {patience:.0f} seconds")
        time.sleep(0.1)


@contextlib.contextmanager
def working_directory(prefix: str, owner: str | None = None) -> t.Iterator[Path]:
    """A directory below /tmp, removed afterwards. pytest's own are closed to users such as ``postgres``."""
    path = Path(tempfile.mkdtemp(prefix=f"{own_name(prefix)}-"))
    try:
        if owner is not None and os.geteuid() == 0:
            shutil.chown(path, owner, owner)
        path.chmod(0o755)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def own_name(what: str) -> str:
    """A name that tells which process made something, so that what it leaves when killed can be removed."""
    return f"dfr-continuity-{what}-{os.getpid()}"


def is_left_over(name: str) -> bool:
    """Whether something named by :func:`own_name` was made by a process that is no more."""
    match = re.match(r"dfr-continuity-.+?-(\d+)-", name)
    return match is not None and not Path("/proc", match[1]).exists()


class Program:
    """A program that runs until it is stopped.

    :arg argv: what to run.
    :arg log: file that takes its output.
    :arg ready: asked until it is true; the program has started then.
    :arg user: run it as this user.
    :arg stop_signal: how to ask it to end.
    :arg patience: seconds it gets to become ready.
    """

    def __init__(
        self,
        argv: t.Sequence[str | os.PathLike[str]],
        log: Path,
        ready: t.Callable[[], bool],
        *,
        user: str | None = None,
        cwd: Path | None = None,
        env: t.Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        patience: float = PATIENCE,
    ) -> None:
        self.argv = [os.fspath(word) for word in argv]
        self.log = log
        self._ready = ready
        self._user = user
        self._cwd = cwd
        self._env = None if env is None else dict(env)
        self._stop_signal = stop_signal
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; raises AssertionError when the program does not run."""
        assert self._process is not None, f"{self.argv[0]} is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait until ready. Raises RuntimeError with the log's end when it ends instead."""
        with open(self.log, "ab") as output:
            self._process = subprocess.Popen(
                # The kernel ends the program should the test process be killed.
                [
                    "setpriv",
                    "--pdeathsig",
                    self._stop_signal.name.removeprefix("SIG"),
                    *self._as_user(),
                    "--",
                    *self.argv,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._cwd,
                env=self._env,
                start_new_session=True,
            )
        try:
            wait_until(self._ready_or_dead, self.argv[0], self._patience)
        except BaseException:
            self.stop()
            raise
        if not self.running:
            raise RuntimeError(f"{self.argv[0]} ended with {self._process.returncode}:\n{self.log_end()}")

    def _as_user(self) -> list[str]:
        if self._user is None or os.geteuid() != 0:
            return []
        return ["--reuid", self._user, "--regid", self._user, "--init-groups"]

    def _ready_or_dead(self) -> bool:
        return not self.running or self._ready()

    def send(self, signal_number: signal.Signals) -> None:
        os.kill(self.pid, signal_number)

    def stop(self) -> None:
        """Ask the program to end, and kill it when it does not. Nothing happens when it has ended already."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(self._stop_signal)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End the program as a power failure would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def log_end(self, lines: int = 40) -> str:
        """The last lines the program wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
