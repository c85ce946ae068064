# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few calls of Cloudflare's API that the collection makes, as its documentation describes them.

Cloudflare is a service: there is no program of theirs that could run here. The modules call https://api.cloudflare.com
and no other address, so this is a proxy that answers for it, with a certificate that only these tests trust.
"""

from __future__ import annotations

import itertools
import json
import socketserver
import ssl
import threading
import typing as t
import urllib.parse
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from .processes import working_directory
from .tls import make_certificate

Record = dict[str, t.Any]
HOST = "api.cloudflare.com"
ZONE = "example.com"
_PREFIX = "/client/v4/zones"


class Cloudflare:
    """One zone and its records.

    :ivar requests: method and path of all that was asked.
    :ivar fail_at: method whose next request is answered with an error.
    """

    def __init__(self, authority: Path, token: str) -> None:
        self.token = token
        self.authority = authority
        self.records: list[Record] = []
        self.requests: list[tuple[str, str]] = []
        self.fail_at = ""
        self.proxy = ""
        self._numbers = itertools.count(1)

    def add(self, name: str, kind: str, content: str, **options: t.Any) -> Record:
        own = {"name": f"{name}.{ZONE}", "type": kind, "content": content, "ttl": 300, "proxied": False}
        record = {"comment": None, "tags": [], **own, **options, "id": f"{next(self._numbers):032x}"}
        self.records.append(record)
        return record

    def told(self, name: str) -> list[tuple[t.Any, ...]]:
        """Content, TTL, proxied, comment and tags of the records of a name, sorted."""
        fields = ("content", "ttl", "proxied", "comment", "tags")
        found = [record for record in self.records if record["name"] == f"{name}.{ZONE}"]
        return sorted(tuple(record[field] for field in fields) for record in found)

    def answer(self, method: str, path: str, body: Record | None, authorization: str) -> tuple[int, t.Any]:
        """Return status and result."""
        self.requests.append((method, path))
        if authorization != f"Bearer {self.token}":
            return 403, "Authentication error"
        if method == self.fail_at:
            self.fail_at = ""
            return 400, "it was told to fail"
        url = urllib.parse.urlsplit(path)
        query = dict(urllib.parse.parse_qsl(url.query))
        place = [part for part in url.path.removeprefix(_PREFIX).split("/") if part]
        if not place:
            return 200, [{"id": "zone", "name": ZONE, "name_servers": []}] if query["name"] == ZONE else []
        if method == "GET":
            return 200, [one for one in self.records if all(one[name] == value for name, value in query.items())]
        if method == "POST":
            name = t.cast("Record", body)["name"].removesuffix(f".{ZONE}")
            rest = {
                field: value
                for field, value in t.cast("Record", body).items()
                if field not in ("name", "type", "content")
            }
            return 200, self.add(name, t.cast("Record", body)["type"], t.cast("Record", body)["content"], **rest)
        (found,) = [one for one in self.records if one["id"] == place[-1]]
        if method == "DELETE":
            self.records.remove(found)
            return 200, {"id": found["id"]}
        found.update(t.cast("Record", body))
        return 200, found


def _handler(service: Cloudflare, context: ssl.SSLContext) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            if self.path != f"{HOST}:443":
                self.send_error(502, f"only {HOST} is here")
                return
            self.send_response(200)
            self.end_headers()
            self.connection = context.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb", 0)
            self.close_connection = False

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, result = service.answer(self.command, self.path, body, self.headers.get("Authorization") or "")
            document: Record = {"success": status == 200, "errors": [], "result": result}
            if status != 200:
                document = {"success": False, "errors": [{"code": 10000, "message": result}], "result": None}
            elif isinstance(result, list):
                document["result_info"] = {"page": 1, "total_pages": 1, "count": len(result)}
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _answer

        def log_message(self, format: str, *arguments: t.Any) -> None:
            pass

    return Handler


@pytest.fixture
def cloudflare() -> t.Iterator[Cloudflare]:
    """A zone at "Cloudflare", reached through the proxy ``.proxy`` by those who trust ``.authority``."""
    with working_directory("cloudflare") as folder:
        certificate = make_certificate(folder, HOST)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        service = Cloudflare(certificate.authority, "token-of-the-tests")
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _handler(service, context)) as server:
            server.daemon_threads = True
            service.proxy = f"http://127.0.0.1:{server.server_address[1]}"
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield service
            finally:
                server.shutdown()
                thread.join()
