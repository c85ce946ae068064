# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether every server of a zone, and then every resolver, tells the same of a record."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from .._repository.errors import ContinuityError
from .._status.text import utc
from .dns_client import Key, Question, RecordSet, Server, ask, told

#: Seconds between two questions to a server that does not have the answer yet.
_INTERVAL = 1.0


@dataclass
class Seen:
    """What one server told at last.

    :ivar at: when, in UTC.
    :ivar seconds: since the first question to it.
    """

    server: Server
    ok: bool = False
    values: tuple[str, ...] = ()
    ttl: int | None = None
    at: str = ""
    seconds: float = 0.0
    tries: int = 0
    reason: str = ""
    next_step: str = ""

    def to_json(self) -> dict[str, t.Any]:
        """Return it as the module returns it."""
        fields = ("ok", "ttl", "at", "seconds", "tries", "reason", "next_step")
        return {
            "server": self.server.name,
            "address": self.server.address,
            "port": self.server.port,
            "values": list(self.values),
            **{name: getattr(self, name) for name in fields},
        }


@dataclass(frozen=True)
class Wanted:
    """What a record should be. Without values any will do, as long as all servers tell the same.

    :ivar resolvers: whether those that are asked are resolvers, the TTL of which counts down.
    """

    question: Question
    values: tuple[str, ...] | None = None
    ttl: int | None = None
    resolvers: bool = False
    key: Key | None = field(default=None, repr=False)


def check_servers(wanted: Wanted, servers: t.Sequence[Server], patience: float, timeout: float = 5) -> list[Seen]:
    """Ask each server until it tells what is wanted, or ``patience`` seconds have passed. Raises nothing."""
    seen = [Seen(server) for server in servers]
    began = time.monotonic()
    while True:
        for one in seen:
            if not one.ok:
                _look(wanted, one, timeout)
                one.seconds = round(time.monotonic() - began, 3)
        if wanted.values is None:
            _compare(seen)
        left = patience - (time.monotonic() - began)
        if all(one.ok for one in seen) or left <= 0:
            return seen
        time.sleep(min(_INTERVAL, left))


def _look(wanted: Wanted, seen: Seen, timeout: float) -> None:
    seen.tries += 1
    seen.at = utc(time.time())
    try:
        found = ask(wanted.question, seen.server, key=wanted.key, recursive=wanted.resolvers, timeout=timeout).found
    except ContinuityError as error:
        seen.ok, seen.reason, seen.next_step = False, error.message, error.next_step
        return
    seen.values, seen.ttl = found.values, found.ttl
    seen.reason, seen.next_step = _difference(wanted, seen.server, found)
    seen.ok = not seen.reason


def _difference(wanted: Wanted, server: Server, found: RecordSet) -> tuple[str, str]:
    question = wanted.question
    if wanted.values is not None and found.values != wanted.values:
        reason = f"{server} tells {found} of {question.record} {question.kind} instead of {told(wanted.values)}."
        if wanted.resolvers:
            return reason, "Its cache may keep the old value until the old TTL has passed; wait, or flush it."
        return reason, (
            f"Compare its SOA serial with that of the primary of {question.zone}; "
            "look into its log for failed transfers."
        )
    if wanted.ttl is not None and not wanted.resolvers and found.values and found.ttl != wanted.ttl:
        return (
            f"{server} tells the TTL {found.ttl} of {question.record} {question.kind} instead of {wanted.ttl}.",
            f"Compare its SOA serial with that of the primary of {question.zone}.",
        )
    return "", ""


def _compare(seen: t.Sequence[Seen]) -> None:
    """Where any value will do, all must tell the same."""
    answers = {one.values for one in seen if one.tries and not one.reason}
    if len(answers) < 2:
        return
    everyone = "; ".join(f"{one.server}: {told(one.values)}" for one in seen)
    for one in seen:
        if not one.reason:
            one.ok = False
            one.reason = f"The servers do not tell the same: {everyone}."
            one.next_step = "Look whether a secondary fails to transfer the zone."
