# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP proxy between a client and a real server, which harms connections on request."""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Fault:
    """What happens to one connection.

    :arg answer: is sent instead of passing the request on; then the connection is closed.
    :arg cut_after: the connection breaks after this many bytes of the server's answers.
    :arg stall: requests are taken and never answered.
    :arg deaf: the connection is made, and nothing is ever read from it.
    :arg before: called when the connection is made.
    """

    answer: bytes | None = None
    cut_after: int | None = None
    stall: bool = False
    deaf: bool = False
    before: t.Callable[[], object] | None = None


def error_answer(status: int, code: str, headers: t.Mapping[str, str] | None = None) -> bytes:
    """An S3 error as a server would send it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>said the proxy</Message></Error>".encode()
    lines = [f"HTTP/1.1 {status} Said so", "Content-Type: application/xml", f"Content-Length: {len(body)}"]
    lines += ["Connection: close", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Proxy:
    """Listens on the loopback address; each new connection meets the next of ``faults``, later ones none.

    :arg endpoint: URL of the server; its path is of no matter.
    :arg forever: meets every connection when ``faults`` are used up.
    """

    def __init__(self, endpoint: str, faults: t.Iterable[Fault] = (), forever: Fault | None = None) -> None:
        server = urlsplit(endpoint)
        self._server = (server.hostname or "", server.port or 0)
        self._faults = deque(faults)
        self._forever = forever
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._closed = threading.Event()
        self._losing: bytes | None = None
        self.endpoint = f"{server.scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        #: Connections accepted so far.
        self.connections = 0
        #: The head of every request, as far as it arrived in one piece.
        self.requests: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *exception: object) -> None:
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for connection in [self._listener, *self._sockets]:
            connection.close()

    def lose_answer_to(self, request: bytes) -> None:
        """Let the next request that contains these bytes reach the server, and its answer nobody."""
        self._losing = request

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                self.connections += 1
                self._sockets.append(client)
                fault = self._faults.popleft() if self._faults else self._forever or Fault()
                threading.Thread(target=self._handle, args=(client, fault), daemon=True).start()

    def _handle(self, client: socket.socket, fault: Fault) -> None:
        if fault.before is not None:
            fault.before()
        with contextlib.suppress(OSError), client:
            if fault.deaf:
                self._closed.wait()
            elif fault.stall:
                while client.recv(1 << 16):
                    pass
            elif fault.answer is not None:
                self._note(client.recv(1 << 16))
                client.sendall(fault.answer)
            else:
                with socket.create_connection(self._server) as server:
                    self._sockets.append(server)
                    self._pass_on(client, server, fault)

    def _pass_on(self, client: socket.socket, server: socket.socket, fault: Fault) -> None:
        swallowing = threading.Event()
        back = threading.Thread(target=self._answers, args=(server, client, fault, swallowing), daemon=True)
        back.start()
        while data := client.recv(1 << 16):
            self._note(data)
            if self._losing is not None and self._losing in data:
                self._losing = None
                swallowing.set()
            server.sendall(data)
        server.shutdown(socket.SHUT_RDWR)

    def _answers(self, server: socket.socket, client: socket.socket, fault: Fault, swallowing: threading.Event) -> None:
        left = fault.cut_after
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if swallowing.is_set():
                    break
                client.sendall(data if left is None else data[:left])
                if left is not None:
                    left -= len(data)
                    if left <= 0:
                        break
            client.shutdown(socket.SHUT_RDWR)

    def _note(self, data: bytes) -> None:
        head = data.split(b"\r\n\r\n", 1)[0]
        if head.split(b"\r\n", 1)[0].endswith(b" HTTP/1.1"):
            self.requests.append(head.decode())
