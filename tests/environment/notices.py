# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Receivers of notices: an SMTP server and an HTTP server that keep what they get."""

from __future__ import annotations

import contextlib
import email
import email.policy
import http.server
import threading
import typing as t
from dataclasses import dataclass
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from .processes import free_port, wait_until


class Mailbox:
    """Mail that arrived, in order."""

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []

    async def handle_DATA(self, server: t.Any, session: t.Any, envelope: Envelope) -> str:
        content = t.cast(bytes, envelope.original_content)
        self.recipients.append(list(envelope.rcpt_tos))
        self.messages.append(t.cast(EmailMessage, email.message_from_bytes(content, policy=email.policy.default)))
        return "250 Message accepted for delivery"

    def wait_for(self, count: int) -> list[EmailMessage]:
        """Wait until ``count`` messages have arrived, and return all there are."""
        wait_until(lambda: len(self.messages) >= count, f"message {count}")
        return self.messages


@contextlib.contextmanager
def smtp_server() -> t.Iterator[Mailbox]:
    """A running SMTP server that takes every message."""
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname=mailbox.host, port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: t.Mapping[str, str]
    body: bytes


class Webhook:
    """Requests that arrived, in order. ``status`` is what the next ones are answered with."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.status = 200
        self.url = ""

    def wait_for(self, count: int) -> list[Request]:
        """Wait until ``count`` requests have arrived, and return all there are."""
        wait_until(lambda: len(self.requests) >= count, f"request {count}")
        return self.requests


@contextlib.contextmanager
def http_server() -> t.Iterator[Webhook]:
    """A running HTTP server that takes every POST and PUT."""
    webhook = Webhook()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            webhook.requests.append(Request(self.command, self.path, dict(self.headers), body))
            self.send_response(webhook.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PUT = do_POST

        def log_message(self, format: str, *arguments: t.Any) -> None:
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        webhook.url = f"http://127.0.0.1:{server.server_address[1]}/"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield webhook
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def mailbox() -> t.Iterator[Mailbox]:
    with smtp_server() as made:
        yield made


@pytest.fixture
def webhook() -> t.Iterator[Webhook]:
    with http_server() as made:
        yield made
