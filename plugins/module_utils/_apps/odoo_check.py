# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an Odoo does what its users need: log in, read, look as it should, and have its files.

Odoo's own health page is green with the whole filestore gone and with a login page that is broken, so it is the least
of what is asked. What Odoo shows is compared with what PostgreSQL has.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import json
import random
import re
import typing as t
import urllib.parse
from dataclasses import dataclass, field

from .._drill.checks import Checks, Deadline, NotAsExpectedError, Seen, excerpt
from .._drill.http_check import HttpExpectation, look_at_http
from .._drill.web import Reach, Visitor, check_url
from .._postgres.connection import Connection
from .._postgres.programs import Client
from .._postgres.session import Row, Session
from .._repository.errors import ContinuityError, InputError
from .odoo_rpc import OdooServer, OdooUser

HEALTH, LOGIN, SENTINEL, CUSTOMER, ASSETS, ATTACHMENTS, SITE = NAMES = (
    *("health", "login", "sentinel", "customer", "assets", "attachments", "site"),
)
#: Customers that are compared, and their columns: the same in 14 to 19, and plain text in all of them.
_CUSTOMERS = 20
_CUSTOMER_FIELDS = ("name", "email", "city")
#: Attachments looked at for each one that is to be compared, since a user may not read them all.
_CANDIDATES = 5
_BUNDLE = re.compile(r"""(?:href|src)=["'](/web/(?:assets|content)/[^"']+?\.(css|js))(?:\?[^"']*)?["']""")
_BUNDLE_TYPES = {"css": ("text/css",), "js": ("application/javascript", "text/javascript")}
#: What Odoo puts into a style sheet that it could not make.
_BROKEN_STYLE = b"A css error occured"


@dataclass(frozen=True)
class Sentinel:
    """A record that is known to be there: model, domain that finds it, and what its fields hold."""

    model: str
    domain: t.Sequence[t.Any]
    fields: t.Mapping[str, t.Any]


@dataclass(frozen=True)
class OdooCheckOptions:
    """What is checked, and how.

    :arg url: where users find it; ``reach`` says how that name leads there.
    :arg connection: the server that has ``database``.
    :arg samples: number of attachments that are fetched.
    :arg site: what tells this site from another one; None leaves that out.
    :arg optional: checks among :data:`NAMES` that need not pass.
    :arg wait: seconds that Odoo is given to become healthy.
    """

    url: str
    database: str
    connection: Connection
    user: OdooUser
    sentinel: Sentinel | None = None
    samples: int = 10
    site: HttpExpectation | None = None
    optional: t.Collection[str] = ()
    wait: float = 60.0
    reach: Reach = field(default_factory=Reach)
    service: str = "odoo"

    def check(self) -> None:
        """Raise :class:`~.._repository.errors.InputError` for values that cannot be meant."""
        parts = check_url(self.url)
        if parts.query or parts.fragment or parts.path not in ("", "/"):
            raise InputError(f"{self.url!r} is not where an Odoo is: it has a path.", "Leave the path out.")
        self.user.check()
        if self.samples < 1:
            raise InputError(f"{self.samples} attachments prove nothing.", "Have at least one compared.")
        for name in self.optional:
            if name not in NAMES:
                raise InputError(f"There is no check {name!r} of an Odoo.", f"Use some of these: {', '.join(NAMES)}.")
        if self.sentinel is not None and not self.sentinel.fields:
            raise InputError("No field of the sentinel record is to be compared.", "Give fields and their values.")
        if self.site is not None:
            self.site.check()


def check_odoo(options: OdooCheckOptions) -> Checks:
    """Make all checks; what fails is in their results.

    Raises :class:`~.._repository.errors.InputError` for options that cannot be meant.
    """
    options.check()
    return _Run(options).run()


class _Run:
    def __init__(self, options: OdooCheckOptions) -> None:
        self._options = options
        self._checks = Checks(options.service, {self._name(name) for name in options.optional})
        self._odoo = OdooServer(Visitor(options.reach), options.url, options.database, options.user)

    def _name(self, check: str) -> str:
        return f"{self._options.service}-{check}"

    def run(self) -> Checks:
        """Make the checks in the order in which one needs the other."""
        deadline = Deadline(self._options.wait)
        healthy = self._checks.run(self._name(HEALTH), "a green health page", self._health, deadline)
        down = "" if healthy else "Odoo does not answer."
        self._make(ASSETS, "the login page and all its style sheets and scripts, not empty", self._assets, down)
        logged_in = self._make(LOGIN, self._login_expected, self._login, down)
        outside = down or ("" if logged_in else "Nobody could log in.")
        sentinel = self._options.sentinel
        if sentinel is None:
            self._checks.skip(
                self._name(SENTINEL), "a record that is known to be there", "No such record is named.", "Give sentinel."
            )
        else:
            expected = f"{sentinel.model} with {excerpt(json.dumps(sentinel.fields, ensure_ascii=False, default=str))}"
            self._make(SENTINEL, expected, lambda: self._sentinel(sentinel), outside)
        self._make(CUSTOMER, "customers as PostgreSQL has them", self._customer, outside)
        self._make(ATTACHMENTS, "attachments whose SHA-1 is what PostgreSQL has", self._attachments, outside)
        site = self._options.site
        if site is not None:
            self._make(SITE, site.words, lambda: look_at_http(Visitor(self._options.reach), site), "")
        return self._checks

    def _make(self, check: str, expected: str, look: t.Callable[[], Seen], hindrance: str) -> bool:
        if hindrance:
            self._checks.skip(self._name(check), expected, hindrance, "Look at the checks that failed before.")
            return False
        return self._checks.run(self._name(check), expected, look)

    # -- from outside -----------------------------------------------------------------------------------------

    def _health(self) -> Seen:
        """Look at the health page. Before 15 there is none, so that any answer that only Odoo gives must do."""
        url = f"{self._odoo.url}/web/health"
        answer = self._odoo.visitor.ask(url)
        evidence = {"url": url, "address": answer.address, "status": answer.status}
        if answer.status == 404:
            return Seen(f"Odoo {self._odoo.version()}, which has no health page", evidence)
        if answer.status != 200 or not re.search(r'"status":\s*"pass"', answer.text):
            raise NotAsExpectedError(
                f"{url} answered with status {answer.status}.",
                "Look into Odoo's log, and into that of what is in front of it.",
                f"status {answer.status}: {excerpt(answer.text)}",
                evidence,
            )
        return Seen(f"pass, Odoo {self._odoo.version()}", evidence)

    def _assets(self) -> Seen:
        visitor = Visitor(self._options.reach)
        page_url = f"{self._odoo.url}/web/login?db={urllib.parse.quote(self._options.database)}"
        page = visitor.ask(page_url, follow=True)
        if page.status != 200:
            raise NotAsExpectedError(
                f"The login page answered with status {page.status}.", "Look into Odoo's log.", f"status {page.status}"
            )
        bundles = dict.fromkeys((html.unescape(path), kind) for path, kind in _BUNDLE.findall(page.text))
        if not bundles:
            raise NotAsExpectedError(
                "The login page names no style sheet or script of its own.",
                "Look which server answers under this name, and whether a CDN is set up in Odoo.",
                excerpt(page.text),
            )
        seen: list[dict[str, t.Any]] = []
        for path, kind in bundles:
            seen.append(_bundle(visitor, self._odoo.url, path, kind))
        return Seen(f"{len(seen)} files, {sum(item['bytes'] for item in seen)} bytes", {"files": seen})

    # -- as a user --------------------------------------------------------------------------------------------

    @property
    def _login_expected(self) -> str:
        user = self._options.user
        return f"{user.login or 'the user of the API key'} logs in to {self._options.database}"

    def _login(self) -> Seen:
        uid = self._odoo.log_in()
        way = "password" if self._odoo.opens_web_client else "API key"
        calls = "JSON-2" if self._odoo.speaks_json_2 else "JSON-RPC"
        return Seen(f"logged in as user {uid}", {"user_id": uid, "with": way, "calls": calls})

    def _sentinel(self, sentinel: Sentinel) -> Seen:
        names = list(sentinel.fields)
        found = self._odoo.call(
            sentinel.model, "search_read", domain=_plain(sentinel.domain), fields=["id", *names], limit=2
        )
        if len(found) != 1:
            many = "several records" if found else "no record"
            raise NotAsExpectedError(
                f"The domain of the sentinel finds {many} of {sentinel.model}.",
                "Look whether this is the backup you meant, and whether the domain names one record.",
                many,
            )
        (record,) = found
        evidence = {"model": sentinel.model, "id": record["id"]}
        actual = {name: record[name] for name in names}
        wrong = [name for name in names if not _equal(sentinel.fields[name], actual[name])]
        shown = excerpt(json.dumps(actual, ensure_ascii=False))
        if wrong:
            raise NotAsExpectedError(
                f"{sentinel.model} {record['id']} has another {' and '.join(wrong)} than expected.",
                "Look whether this is the backup you meant, and whether somebody has changed the record.",
                shown,
                evidence,
            )
        return Seen(shown, evidence)

    def _customer(self) -> Seen:
        """Compare without showing what is in the records: reports are for others than who may know customers."""
        columns = ", ".join(_CUSTOMER_FIELDS)
        with Session(Client(self._options.connection), self._options.database) as session:
            query = f"SELECT id, {columns} FROM public.res_partner WHERE active"
            newest = session.query(f"{query} ORDER BY write_date DESC NULLS LAST, id DESC LIMIT {_CUSTOMERS}")
            domain = [["id", "in", [row["id"] for row in newest]]]
            shown = self._odoo.call("res.partner", "search_read", domain=domain, fields=["id", *_CUSTOMER_FIELDS])
            # Users may have written meanwhile.
            after = session.query(f"{query} AND id = ANY (%s::int[])", [str(row["id"]) for row in newest])
        stored = [{row["id"]: _customer(row) for row in rows} for rows in (newest, after)]
        wrong = [row["id"] for row in shown if _customer(row) not in [rows.get(row["id"]) for rows in stored]]
        evidence = {"model": "res.partner", "ids": [row["id"] for row in shown], "fields": list(_CUSTOMER_FIELDS)}
        if wrong or not shown:
            raise NotAsExpectedError(
                f"Odoo shows customers otherwise than PostgreSQL has them: {', '.join(map(str, wrong))}."
                if wrong
                else f"Odoo shows none of the {len(newest)} newest customers that PostgreSQL has.",
                "Look whether Odoo uses this database, and whether the user may read customers.",
                f"{len(wrong)} of {len(shown)} differ",
                evidence,
            )
        return Seen(f"{len(shown)} equal", evidence)

    # -- attachments ------------------------------------------------------------------------------------------

    def _attachments(self) -> Seen:
        with Session(Client(self._options.connection), self._options.database) as session:
            rows = {row["id"]: row for row in self._candidates(session)}
        if not rows:
            raise NotAsExpectedError(
                "The database has no attachments with content, and every Odoo has some.",
                "Look whether it is the right database.",
                "no attachments",
            )
        found = self._odoo.call("ir.attachment", "search_read", domain=[["id", "in", list(rows)]], fields=["id"])
        readable = [record["id"] for record in found]
        newest = sorted(readable, reverse=True)[: (self._options.samples + 1) // 2]
        others = [number for number in readable if number not in newest]
        chosen = newest + random.sample(others, min(len(others), self._options.samples - len(newest)))
        if not chosen:
            raise NotAsExpectedError(
                f"The user may read none of {len(rows)} attachments.", "Use a user who may.", "none to be read"
            )
        seen = [self._attachment(rows[number]) for number in chosen]
        wrong = [item for item in seen if "wrong" in item]
        evidence = {"attachments": seen}
        if wrong:
            named = ", ".join(f"{item['id']} ({item['wrong']})" for item in wrong)
            raise NotAsExpectedError(
                f"Attachments are not what PostgreSQL says: {named}.",
                "Look whether the filestore of this backup was restored to where Odoo looks for it.",
                f"{len(wrong)} of {len(seen)} are wrong",
                evidence,
            )
        return Seen(f"{len(seen)} equal", evidence)

    def _candidates(self, session: Session) -> t.Iterator[Row]:
        """Return the newest attachments, which a backup lacks first, and some by chance.

        Style sheets and scripts are left out: Odoo makes them again when their files are missing.
        """
        few, many = self._options.samples, self._options.samples * _CANDIDATES
        query = (
            "SELECT id, checksum, file_size AS size FROM public.ir_attachment"
            " WHERE type = 'binary' AND checksum IS NOT NULL AND file_size > 0"
            " AND (url IS NULL OR url NOT LIKE '/web/%')"
        )
        return session.rows(f"({query} ORDER BY id DESC LIMIT {few}) UNION ({query} ORDER BY random() LIMIT {many})")

    def _attachment(self, row: Row) -> dict[str, t.Any]:
        described = {"id": row["id"], "expected": row["checksum"], "bytes": row["size"]}
        try:
            content = self._content(row["id"])
        except ContinuityError as error:
            return {**described, "wrong": error.message}
        actual = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        if actual != row["checksum"]:
            return {**described, "actual": actual, "wrong": f"{len(content)} bytes of another SHA-1"}
        return {**described, "actual": actual}

    def _content(self, number: int) -> bytes:
        """Fetch as a browser does; with an API key alone, as a program does."""
        if self._odoo.opens_web_client:
            answer = self._odoo.visitor.ask(f"{self._odoo.url}/web/content/{number}")
            if answer.status != 200:
                raise NotAsExpectedError(f"status {answer.status}", "Look into Odoo's log.")
            return answer.body
        (record,) = self._odoo.call("ir.attachment", "read", [number], fields=["datas"])
        try:
            return base64.b64decode(record["datas"] or "", validate=True)
        except binascii.Error as error:
            raise NotAsExpectedError("not base64", "Look into Odoo's log.") from error


def _bundle(visitor: Visitor, url: str, path: str, kind: str) -> dict[str, t.Any]:
    """Fetch a style sheet or script; raise NotAsExpectedError unless it is one."""
    answer = visitor.ask(url + path)
    evidence = {"path": path, "status": answer.status, "type": answer.content_type, "bytes": len(answer.body)}
    wrong = ""
    if answer.status != 200:
        wrong = f"answered with status {answer.status}"
    elif answer.content_type not in _BUNDLE_TYPES[kind]:
        wrong = f"is of the type {answer.content_type or 'none'}"
    elif not answer.body.strip():
        wrong = "is empty"
    elif _BROKEN_STYLE in answer.body:
        wrong = "could not be made by Odoo"
    if wrong:
        raise NotAsExpectedError(
            f"{path}, which the login page needs, {wrong}.",
            "Look whether the filestore was restored to where Odoo looks for it, and into Odoo's log.",
            wrong,
            evidence,
        )
    return {**evidence, "sha256": hashlib.sha256(answer.body).hexdigest()}


def _customer(row: Row) -> tuple[str, ...]:
    """Return what is compared of a customer; Odoo says false for what is NULL."""
    return tuple(row[name] or "" for name in _CUSTOMER_FIELDS)


def _plain(domain: t.Any) -> t.Any:
    return [list(item) if isinstance(item, (list, tuple)) else item for item in domain]


def _equal(expected: t.Any, actual: t.Any) -> bool:
    """Tell whether a field holds what is expected; of a many2one Odoo gives id and name, and either may be named."""
    if isinstance(actual, list) and len(actual) == 2 and isinstance(actual[1], str) and not isinstance(expected, list):
        return expected in (actual[0], actual[1])
    if actual is False:
        return expected in (False, None, "")
    if isinstance(expected, (int, float)) and isinstance(actual, (int, float)):
        return abs(expected - actual) <= 1e-9 * max(1.0, abs(expected))
    return bool(expected == actual)
