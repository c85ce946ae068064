# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking web servers, through a public name that need not lead to them yet, and never longer than was allowed."""

from __future__ import annotations

import contextlib
import http.client
import http.cookies
import socket
import ssl
import threading
import time
import typing as t
import urllib.parse
from dataclasses import dataclass, field

from .._repository.errors import ContinuityError, InputError

#: Bytes of an answer that are read; what is longer is no answer to a check.
MOST = 64 << 20
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
#: How many addresses are followed in turn.
_MOST_REDIRECTS = 5


class UnansweredError(ContinuityError):
    """A server gave no answer, or none that is HTTP, within the time allowed."""


@dataclass(frozen=True)
class Reach:
    """How web servers are reached.

    :arg resolve: addresses of names, used instead of DNS; certificates are still checked for the name.
    :arg ca_file: file with the certificates of the authorities to trust instead of the system's.
    :arg timeout: seconds that one request may take as a whole.
    """

    resolve: t.Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None
    timeout: float = 20.0

    def context(self) -> ssl.SSLContext:
        """Return what TLS connections are made with; raise InputError for an unusable ``ca_file``."""
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise InputError(
                f"The file of certificates {self.ca_file} cannot be used: {error.strerror or error}.",
                "Give the path of a PEM file with the certificate of the authority.",
            ) from error

    def check(self) -> None:
        """Raise InputError for values that cannot be meant."""
        if self.timeout <= 0:
            raise InputError(f"A request cannot be given {self.timeout} seconds.", "Give more than 0.")
        if self.ca_file is not None:
            self.context()


@dataclass(frozen=True)
class Answer:
    """What a server answered. ``address`` is where it was reached; ``url`` what was asked last, after redirects."""

    url: str
    status: int
    headers: t.Mapping[str, str]
    body: bytes
    address: str

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def content_type(self) -> str:
        """The type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def check_url(url: str) -> urllib.parse.SplitResult:
    """Return the parts of a URL; raise InputError when it is none of HTTP, or holds a password."""
    try:
        parts = urllib.parse.urlsplit(url)
        usable = parts.scheme in _PORTS and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or any(character.isspace() or not character.isprintable() for character in url):
        raise InputError(f"{url!r} is no URL of a web server.", "Write it like https://odoo.example.com/path.")
    if parts.username is not None or parts.password is not None:
        raise InputError("A URL must not hold a user or password, since it is shown.", "Send them in a header.")
    return parts


class Visitor:
    """Someone who asks web servers and keeps the cookies of each host, as a browser does."""

    def __init__(self, reach: Reach) -> None:
        reach.check()
        self._reach = reach
        self._tls: ssl.SSLContext | None = None
        self._cookies: dict[str, dict[str, str]] = {}

    def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: t.Mapping[str, str] | None = None,
        body: bytes | None = None,
        follow: bool = False,
    ) -> Answer:
        """Ask for a URL and return the answer, whatever its status.

        Raises :class:`UnansweredError` when there is none within the time allowed.

        :arg follow: go where the server sends one; what was given is sent again, unless that is another host.
        """
        began = check_url(url)
        for _turn in range(_MOST_REDIRECTS + 1):
            answer = self._ask(url, method, headers or {}, body)
            place = answer.headers.get("location")
            if not follow or answer.status not in _REDIRECTS or not place:
                return answer
            url = urllib.parse.urljoin(url, place)
            parts = check_url(url)
            if answer.status in (301, 302, 303) and method not in ("GET", "HEAD"):
                method, body = "GET", None
            if parts.netloc != began.netloc:
                headers = {}  # they may hold secrets, which are nobody else's business
        raise UnansweredError(f"{url} leads from one address to the next without an end.", "Look at its redirects.")

    def _ask(self, url: str, method: str, headers: t.Mapping[str, str], body: bytes | None) -> Answer:
        parts = check_url(url)
        host = t.cast("str", parts.hostname)
        target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        sent = {"User-Agent": "dfr.continuity", "Accept": "*/*", **headers}
        if cookies := self._cookies.get(host):
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        watch = _Watch(self._reach.timeout)
        address = self._reach.resolve.get(host, host)
        port = parts.port or _PORTS[parts.scheme]
        try:
            with watch:
                connection = self._connect(parts, address, port, watch)
                with contextlib.closing(connection):
                    connection.request(method, target, body=body, headers=sent)
                    response = connection.getresponse()
                    content = response.read(MOST + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _unanswered(url, address, port, error, watch) from error
        if watch.over:
            raise _unanswered(url, address, port, TimeoutError(), watch)
        if len(content) > MOST:
            raise UnansweredError(f"{url} answered with more than {MOST} bytes.", "Check something smaller.")
        self._keep_cookies(host, response)
        answered = {name.lower(): value for name, value in response.getheaders()}
        return Answer(url, response.status, answered, content, f"{address}:{port}")

    def _connect(
        self, parts: urllib.parse.SplitResult, address: str, port: int, watch: _Watch
    ) -> http.client.HTTPConnection:
        """Connect to the address, and speak to whoever is there as if the name had led there."""
        host = t.cast("str", parts.hostname)
        raw = socket.create_connection((address, port), timeout=self._reach.timeout)
        watch.guard(raw)
        if parts.scheme == "https":
            if self._tls is None:
                self._tls = self._reach.context()
            raw = self._tls.wrap_socket(raw, server_hostname=host)
            watch.guard(raw)
        connection = http.client.HTTPConnection(parts.netloc, timeout=self._reach.timeout)
        connection.sock = raw
        return connection

    def _keep_cookies(self, host: str, response: http.client.HTTPResponse) -> None:
        kept = self._cookies.setdefault(host, {})
        for line in response.headers.get_all("Set-Cookie", []):
            jar: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
            with contextlib.suppress(http.cookies.CookieError):
                jar.load(line)
            kept.update({name: morsel.value for name, morsel in jar.items()})


class _Watch:
    """Ends a request when its time is over: a server may send one byte a second for ever."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._socket: socket.socket | None = None
        self._end = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._stop)
        self._timer.daemon = True

    @property
    def over(self) -> bool:
        """Tell whether the time is over."""
        return time.monotonic() >= self._end

    def guard(self, connection: socket.socket) -> None:
        """Take care of a connection."""
        self._socket = connection

    def _stop(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_exception: object) -> None:
        self._timer.cancel()


def _unanswered(url: str, address: str, port: int, error: Exception, watch: _Watch) -> UnansweredError:
    place = f"{url} (at {address}, port {port})"
    if isinstance(error, ssl.SSLCertVerificationError):
        return UnansweredError(
            f"The certificate of {place} is not to be trusted: {error.verify_message}.",
            "Give ca_file when the authority is your own; otherwise look which server it is.",
        )
    if isinstance(error, ssl.SSLError):
        return UnansweredError(f"{place} does not speak TLS as it should: {error.reason}.", "Look which port that is.")
    if watch.over or isinstance(error, TimeoutError):
        return UnansweredError(
            f"{place} gave no whole answer within {watch.seconds:g} seconds.", "Look whether the service is up."
        )
    if isinstance(error, socket.gaierror):
        return UnansweredError(
            f"The name in {url} is not known to DNS: {error.strerror}.", "Correct it, or give its address with resolve."
        )
    if isinstance(error, OSError):
        return UnansweredError(
            f"{place} cannot be reached: {error.strerror or error}.", "Look whether the service is up."
        )
    return UnansweredError(f"{place} answered with something else than HTTP.", "Look which port that is.")
