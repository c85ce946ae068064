# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes whose end is always looked at.

The only place in this package that starts processes. Ansible's ``run_command`` keeps all output in memory and
cannot stream, and this package knows no Ansible; hence ``subprocess``.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import threading
import typing as t
from dataclasses import dataclass

#: Bytes of standard error that are kept: the last ones, since programs say at the end why they stop.
_STDERR_KEPT = 16 << 10
#: Size asked for the pipes to and from a child, so that neither side waits for the other at every 64 KiB.
PIPE_SIZE = 1 << 20
#: Seconds between asking a child to stop and making it.
_GRACE = 5.0


@dataclass(frozen=True)
class Outcome:
    """How a program ended. ``code`` is negative for the signal that killed it; ``stderr`` is its tail."""

    program: str
    code: int
    stderr: str

    @property
    def succeeded(self) -> bool:
        """Tell whether the exit code was 0."""
        return self.code == 0

    @property
    def ending(self) -> str:
        """Say in words how the program ended, for example "pg_dump was killed by signal 9 (SIGKILL)"."""
        number = -self.code if self.code < 0 else self.code - 128  # 128 + n is how shells and containers say it
        if 0 < number < signal.NSIG and (self.code < 0 or number in (signal.SIGKILL, signal.SIGTERM)):
            return f"{self.program} was killed by signal {number} ({signal.Signals(number).name})"
        return f"{self.program} ended with exit code {self.code}"


def _enlarge(pipe: t.IO[bytes] | None) -> None:
    if pipe is not None:
        # Refused where an unprivileged user has many pipes open: then the pipe is only slower.
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_SIZE)


class Child:
    """A running program, in a process group of its own. Use it in a ``with`` block.

    Leaving the block without :meth:`finish` (an error, a signal turned into an exception) stops the whole group.

    :arg arguments: the command; never holds a secret.
    :arg name: the program's name for messages; by default the command's.
    :arg stdin: whether the caller will write to it; otherwise it reads the end of file at once.
    :arg stdout: whether the caller will read it; otherwise it is thrown away.
    :arg user: operating system user to run as (needs root), or None.
    :arg open_files: descriptors that the child inherits under the same numbers.
    """

    def __init__(
        self,
        arguments: t.Sequence[str],
        *,
        name: str | None = None,
        stdin: bool = False,
        stdout: bool = True,
        environment: t.Mapping[str, str] | None = None,
        user: User | None = None,
        open_files: t.Sequence[int] = (),
    ) -> None:
        self.name = name or os.path.basename(arguments[0])
        self._finished = False
        identity: dict[str, t.Any] = {}
        if user is not None and user.uid != os.geteuid():
            identity = {"user": user.uid, "group": user.gid, "extra_groups": user.groups}
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            list(arguments),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=None if environment is None else dict(environment),
            cwd="/",  # the other user may have no right to be where we are
            start_new_session=True,  # a group to stop as one, and no terminal to ask for passwords on
            pass_fds=tuple(open_files),
            **identity,
        )
        _enlarge(self._process.stdin)
        _enlarge(self._process.stdout)
        self._stderr = bytearray()
        self._heard = threading.Condition()
        self._listener = threading.Thread(target=self._listen, name=f"{self.name} stderr", daemon=True)
        self._listener.start()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_exception: object) -> None:
        if not self._finished:
            self.stop()

    @property
    def pid(self) -> int:
        """The process id, which is its group's id too."""
        return self._process.pid

    @property
    def stdout(self) -> t.IO[bytes]:
        """Standard output, buffered, for line by line reading."""
        if self._process.stdout is None:
            raise ValueError("standard output was not asked for")
        return self._process.stdout

    def _listen(self) -> None:
        pipe = t.cast("t.IO[bytes]", self._process.stderr)
        while piece := os.read(pipe.fileno(), 1 << 16):
            with self._heard:
                self._stderr += piece
                del self._stderr[:-_STDERR_KEPT]
                self._heard.notify_all()

    def read(self, size: int = PIPE_SIZE) -> bytes:
        """Return what is there of standard output, at most ``size`` bytes; nothing at its end. Not with `stdout`."""
        return os.read(self.stdout.fileno(), size)

    def write(self, data: bytes | memoryview) -> bool:
        """Write all of ``data`` to standard input; False when the child reads no more: :meth:`finish` tells why."""
        if self._process.stdin is None:
            raise ValueError("standard input was not asked for")
        descriptor, rest = self._process.stdin.fileno(), memoryview(data)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except BrokenPipeError:
            return False
        return True

    def said_until(self, mark: str) -> str:
        """Return the end of what the child has written to standard error before a mark that it was told to write."""
        with self._heard:
            self._heard.wait_for(lambda: mark.encode() in self._stderr, _GRACE)
            return bytes(self._stderr).partition(mark.encode())[0].decode("utf-8", "replace")

    def end_input(self) -> None:
        """Close standard input: the child reads the end of file."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def finish(self, timeout: float | None = None) -> Outcome:
        """Close standard input, wait for the child (at most ``timeout`` seconds, then stop it), say how it ended."""
        self.end_input()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.stop()
        return self._conclude()

    def kill(self) -> None:
        """End the child and all that it started at once; :meth:`finish` then tells of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def stop(self) -> Outcome:
        """Stop the child and all that it started: politely, then not."""
        for what, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, None)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, what)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
                break
        return self._conclude()

    def _conclude(self) -> Outcome:
        self._finished = True
        self._listener.join(_GRACE)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None and not (pipe is self._process.stderr and self._listener.is_alive()):
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        return Outcome(self.name, self._process.returncode, self._stderr.decode("utf-8", "replace").strip())


@dataclass(frozen=True)
class User:
    """An operating system user to run a child as."""

    name: str
    uid: int
    gid: int
    home: str
    groups: tuple[int, ...]


def run(arguments: t.Sequence[str], **options: t.Any) -> tuple[Outcome, bytes]:
    """Run a program that says little to its end; return how it ended and its output."""
    with Child(arguments, **options) as child:
        pieces = []
        while piece := child.read():
            pieces.append(piece)
        return child.finish(), b"".join(pieces)


class Feeder:
    """Writes pieces to a child's standard input in a thread, for a child whose output the caller reads meanwhile."""

    def __init__(self, child: Child, pieces: t.Iterable[bytes]) -> None:
        self._child = child
        self._pieces = pieces
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=f"{child.name} stdin", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            for piece in self._pieces:
                if not self._child.write(piece):
                    break
        except BaseException as error:
            self._error = error
        finally:
            self._child.end_input()

    def join(self) -> None:
        """Wait until all is written; raise what reading the pieces raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
