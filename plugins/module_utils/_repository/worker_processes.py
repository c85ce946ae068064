# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python processes that share work of many short steps.

Threads of one interpreter take turns at every call into the system. With files of a few kilobytes that costs more than
the work itself; with chunks of a megabyte it does not matter. So small files are given to processes by the batch.

Each process is a new interpreter, not a copy of this one, whose threads, pipes and locks it would inherit. It is told
over a socket where its modules are and what to do, secrets included: nothing stands in its arguments or environment.
It ends when the socket does, so when this process ends in whatever way.
"""

from __future__ import annotations

import array
import pickle
import queue
import signal
import socket
import struct
import subprocess
import sys
import traceback
import typing as t

from .errors import ContinuityError

_SIZE = struct.Struct(">Q")
#: Descriptors in one message; the kernel takes 253 (SCM_MAX_FD).
MOST_DESCRIPTORS = 250
#: The program of a process until it is told where its modules are.
BOOTSTRAP = """\
import pickle, socket, struct, sys
connection = socket.socket(fileno=int(sys.argv[1]))
size, = struct.unpack(">Q", connection.recv(8, socket.MSG_WAITALL))
sys.path[:], module = pickle.loads(connection.recv(size, socket.MSG_WAITALL))
__import__(module)
sys.modules[module].serve(connection)
"""
_GRACE = 10.0


class Worker(t.Protocol):
    """What does the work in a process. It is made there, from what the starting process hands over."""

    def work(self, request: t.Any, descriptors: t.Sequence[int]) -> t.Any:
        """Do a share; ``descriptors`` belong to the worker."""

    def finish(self) -> t.Any:
        """Do what is left to do at the end, and return what the starting process needs to know of it."""


class WorkerLostError(ContinuityError):
    """A process ended before its work was done."""


class WorkerProcesses:
    """A number of processes, each with a worker of its own. Methods but :meth:`close` may be called by several threads.

    :arg make: called in each process to make its :class:`Worker`; a class or function that can be imported there.
    :arg setup: its argument. It may hold secrets.
    :arg descriptors: open files that ``make`` gets as its second argument.

    Raises :class:`OSError` when the interpreter cannot be started.
    """

    def __init__(
        self, count: int, make: t.Callable[..., Worker], setup: t.Any, descriptors: t.Sequence[int] = ()
    ) -> None:
        self._processes: list[_Process] = []
        self._idle: queue.LifoQueue[_Process] = queue.LifoQueue()
        try:
            for _number in range(count):
                self._processes.append(_Process())
        except OSError:
            self.close()
            raise
        for process in self._processes:
            # They start at the same time; what goes wrong is told with the first answer.
            process.send((make, setup), descriptors)
            self._idle.put(process)

    def work(self, request: t.Any, descriptors: t.Sequence[int] = ()) -> t.Any:
        """Have one process do ``request``; wait for it and return its result.

        Raises what the worker raised if it is a :class:`~.errors.ContinuityError`, and :class:`WorkerLostError`.
        """
        process = self._idle.get()
        try:
            return process.ask(request, descriptors)
        finally:
            self._idle.put(process)

    def finish(self) -> list[t.Any]:
        """Let every worker finish and return their last words. No request may be under way, and none may follow."""
        for process in self._processes:
            process.send(None)
        return [process.answer() for process in self._processes]

    def close(self) -> None:
        """End all processes. A request that is under way is finished first."""
        for process in self._processes:
            process.hang_up()
        for process in self._processes:
            process.wait()


class _Process:
    """One process, seen from the one that started it."""

    def __init__(self) -> None:
        own, other = socket.socketpair()
        self._channel = _Channel(own)
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", BOOTSTRAP, str(other.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
                # A Ctrl-C is for the process that started this one, which then ends it in good order.
                start_new_session=True,
            )
        self.send([[path for path in sys.path if path], __name__])

    def send(self, message: t.Any, descriptors: t.Sequence[int] = ()) -> None:
        try:
            self._channel.send(message, descriptors)
        except OSError as error:
            raise self._lost() from error

    def ask(self, request: t.Any, descriptors: t.Sequence[int]) -> t.Any:
        self.send((request,), descriptors)
        return self.answer()

    def answer(self) -> t.Any:
        """Wait for an answer and return it, or raise the error that it is."""
        try:
            answer: _Answer = self._channel.receive()[0]
        except (OSError, EOFError) as error:
            raise self._lost() from error
        if answer.error is not None:
            raise answer.error
        if answer.trace:
            raise RuntimeError(f"a worker process failed:\n{answer.trace}")
        return answer.result

    def _lost(self) -> WorkerLostError:
        code = self._process.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return WorkerLostError(
            f"A worker process of this run {how}.",
            "Look into the system's log, for example for the kernel ending it for lack of memory; then run this again.",
        )

    def hang_up(self) -> None:
        self._channel.close()

    def wait(self) -> None:
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class _Channel:
    """Messages with descriptors, over a stream socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def send(self, message: t.Any, descriptors: t.Sequence[int] = ()) -> None:
        body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        attached = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        self._socket.sendmsg([_SIZE.pack(len(body))], attached, socket.MSG_NOSIGNAL)
        self._socket.sendall(body, socket.MSG_NOSIGNAL)

    def receive(self) -> tuple[t.Any, list[int]]:
        """Return a message and what came with it; raise EOFError when there are no more."""
        room = socket.CMSG_SPACE(MOST_DESCRIPTORS * 4)
        head, attached, _flags, _address = self._socket.recvmsg(
            _SIZE.size, room, socket.MSG_WAITALL | socket.MSG_CMSG_CLOEXEC
        )
        descriptors = array.array("i")
        for level, kind, data in attached:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        if len(head) < _SIZE.size:
            raise EOFError
        (size,) = _SIZE.unpack(head)
        body = bytearray(size)
        view = memoryview(body)
        while view:
            count = self._socket.recv_into(view)
            if not count:
                raise EOFError
            view = view[count:]
        return pickle.loads(body), list(descriptors)

    def close(self) -> None:
        self._socket.close()


class _Answer(t.NamedTuple):
    """What became of a request: a result, an error of ours, or the trace of a bug."""

    result: t.Any = None
    error: ContinuityError | None = None
    trace: str = ""


def _attempt(work: t.Callable[..., t.Any], *arguments: t.Any) -> _Answer:
    try:
        return _Answer(work(*arguments))
    except ContinuityError as error:
        return _Answer(error=error)
    except Exception:
        return _Answer(trace=traceback.format_exc())


def serve(connection: socket.socket) -> None:
    """Be a worker process: make the worker, then do what is asked until the socket is closed."""
    channel = _Channel(connection)
    try:
        (make, setup), descriptors = channel.receive()
        made = _attempt(make, setup, descriptors)
        while True:
            request, descriptors = channel.receive()
            if made.result is None:
                answer = made
            elif request is None:
                answer = _attempt(made.result.finish)
            else:
                answer = _attempt(made.result.work, request[0], descriptors)
            channel.send(answer)
    except (EOFError, OSError):
        # Whoever wanted the answer is gone.
        return
