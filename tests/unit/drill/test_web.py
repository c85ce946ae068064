# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking web servers that answer as they should, late, wrongly or not at all; over TLS, by names that DNS lacks."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import ssl
import threading

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._drill.checks import NotAsExpectedError
from ansible_collections.dfr.continuity.plugins.module_utils._drill.http_check import HttpExpectation, look_at_http
from ansible_collections.dfr.continuity.plugins.module_utils._drill.web import Reach, UnansweredError, Visitor
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError
from ansible_collections.dfr.continuity.tests.environment.processes import free_port


class Site(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_GET(self):
        if self.path == "/moved":
            return self.answer(303, b"", {"Location": f"http://other.test:{self.server.server_port}/echo"})
        if self.path == "/round":
            return self.answer(302, b"", {"Location": "/round"})
        if self.path == "/broken":
            return self.answer(502, b"<h1>Bad\n gateway</h1>", {})
        if self.path == "/cookie":
            return self.answer(200, b"", {"Set-Cookie": "session=abc; Path=/; HttpOnly"})
        length = int(self.headers.get("Content-Length", "0"))
        asked = {name.lower(): value for name, value in self.headers.items()}
        said = {"method": self.command, "path": self.path, "headers": asked, "body": self.rfile.read(length).decode()}
        self.answer(200, json.dumps({"asked": said, "list": [1, True, None]}).encode(), {"X-Site": "dr"})

    do_POST = do_GET

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        """Keep quiet."""


@contextlib.contextmanager
def serving(context=None):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def port():
    with serving() as port:
        yield port


@pytest.fixture
def reach():
    return Reach(resolve={"odoo.test": "127.0.0.1", "other.test": "127.0.0.1"})


def test_a_public_name_that_does_not_lead_there_yet(port, reach):
    answer = Visitor(reach).ask(f"http://odoo.test:{port}/a?b=c")
    said = json.loads(answer.body)["asked"]
    assert (said["path"], said["headers"]["host"]) == ("/a?b=c", f"odoo.test:{port}")
    assert answer.address == f"127.0.0.1:{port}"


def test_a_name_unknown_to_dns(port):
    with pytest.raises(UnansweredError, match="not known to DNS"):
        Visitor(Reach()).ask(f"http://odoo.invalid:{port}/")


def test_secrets_are_not_taken_along_to_another_host(port, reach):
    visitor = Visitor(reach)
    headers = {"Authorization": "secret"}
    answer = visitor.ask(f"http://odoo.test:{port}/moved", headers=headers, follow=True)
    assert "authorization" not in json.loads(answer.body)["asked"]["headers"]
    assert answer.url == f"http://other.test:{port}/echo"
    assert visitor.ask(f"http://odoo.test:{port}/moved").status == 303


def test_cookies_are_kept_for_their_host(port, reach):
    visitor = Visitor(reach)
    visitor.ask(f"http://odoo.test:{port}/cookie")
    for host, expected in (("odoo.test", "session=abc"), ("other.test", None)):
        answer = visitor.ask(f"http://{host}:{port}/echo")
        assert json.loads(answer.body)["asked"]["headers"].get("cookie") == expected


def test_redirects_without_an_end(port, reach):
    with pytest.raises(UnansweredError, match="without an end"):
        Visitor(reach).ask(f"http://odoo.test:{port}/round", follow=True)


def test_tls_needs_the_right_authority_and_the_right_name(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    resolve = {"localhost": "127.0.0.1", "odoo.test": "127.0.0.1"}
    trusting = Reach(resolve=resolve, ca_file=str(certificate.authority))
    with serving(context) as port:
        assert Visitor(trusting).ask(f"https://localhost:{port}/").status == 200
        with pytest.raises(UnansweredError, match="not to be trusted: Hostname mismatch"):
            Visitor(trusting).ask(f"https://odoo.test:{port}/")
        with pytest.raises(UnansweredError, match="not to be trusted"):
            Visitor(Reach()).ask(f"https://localhost:{port}/")
        with pytest.raises(UnansweredError, match=r"something else than HTTP|cannot be reached"):
            Visitor(Reach()).ask(f"http://127.0.0.1:{port}/")
    with serving() as port, pytest.raises(UnansweredError, match="does not speak TLS"):
        Visitor(trusting).ask(f"https://localhost:{port}/")
    with pytest.raises(InputError, match="nowhere"):
        Visitor(Reach(ca_file="/nowhere")).ask("https://localhost:1/")


def test_nobody_listens():
    port = free_port()
    with pytest.raises(UnansweredError, match=f"port {port}\\) cannot be reached: Connection refused"):
        Visitor(Reach()).ask(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("drip", [b"", b"HTTP/1.1 200 OK\r\nX: "])
def test_a_server_that_never_comes_to_an_end(drip):
    """Each byte keeps a socket from timing out, so the whole request must."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _address = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(drip)
                while not stop.wait(0.05):
                    if drip:
                        connection.sendall(b"x")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with pytest.raises(UnansweredError, match=r"no whole answer within 0\.5 seconds"):
                Visitor(Reach(timeout=0.5)).ask(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        finally:
            stop.set()
            thread.join()


def test_what_is_no_http(port):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _address = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example.com ESMTP\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(UnansweredError, match="something else than HTTP"):
            Visitor(Reach()).ask(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join()


@pytest.mark.parametrize("url", ["", "odoo", "ftp://x/", "http://", "http://x:99999/", "http://x/a b", "http://x/\n"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(InputError, match="no URL"):
        Visitor(Reach()).ask(url)


def test_a_url_with_a_password_is_refused_without_showing_it():
    with pytest.raises(InputError, match="must not hold") as caught:
        Visitor(Reach()).ask("http://user:secret@x/")
    assert "secret" not in str(caught.value)


# -- what is expected of an answer --------------------------------------------------------------------------------


def look(port, path, **options):
    return look_at_http(Visitor(Reach()), HttpExpectation(f"http://127.0.0.1:{port}{path}", **options))


def test_an_answer_as_expected(port):
    seen = look(
        port,
        "/echo",
        method="post",
        headers={"X-Token": "t"},
        body=b"hello",
        pattern="hel+o",
        headers_expected={"x-site": "^dr$"},
        json_path="asked.method",
        json_value="POST",
    )
    assert seen.actual == 'status 200, header x-site: dr, text hello, asked.method "POST"'
    assert seen.evidence["status"] == 200
    assert len(seen.evidence["sha256"]) == 64


@pytest.mark.parametrize(
    ("path", "options", "actual"),
    [
        ("/broken", {}, "status 502: <h1>Bad gateway</h1>"),
        ("/echo", {"statuses": (201, 204)}, "status 200: "),
        ("/echo", {"pattern": "nowhere"}, "status 200: "),
        ("/echo", {"headers_expected": {"X-Site": "^primary$"}}, "the header X-Site: dr"),
        ("/echo", {"headers_expected": {"X-None": "."}}, "no header X-None"),
        ("/echo", {"json_path": "list.0", "json_value": 2}, "1"),
        ("/echo", {"json_path": "list.1", "json_value": 1}, "true"),
        ("/echo", {"json_path": "list.3", "json_value": None}, "nothing"),
        ("/echo", {"json_path": "asked.nothing", "json_value": None}, "nothing"),
        ("/cookie", {"json_path": "", "json_value": None}, ""),
    ],
)
def test_an_answer_that_is_another_one(port, path, options, actual):
    with pytest.raises(NotAsExpectedError) as caught:
        look(port, path, **options)
    assert caught.value.actual.startswith(actual)
    assert caught.value.evidence["bytes"] >= 0


@pytest.mark.parametrize(("path", "value"), [("list.2", None), ("list.-3", 1), ("list", [1, True, None])])
def test_values_in_json(port, path, value):
    look(port, "/echo", json_path=path, json_value=value)


@pytest.mark.parametrize(
    "options",
    [
        {"pattern": "("},
        {"headers_expected": {"X": "["}},
        {"method": "GET / HTTP/1.1"},
        {"headers": {"A B": "c"}},
        {"headers": {"A": "b\r\nC: d"}},
    ],
)
def test_what_cannot_be_meant_is_refused(options):
    with pytest.raises(InputError):
        HttpExpectation("http://127.0.0.1/", **options).check()
