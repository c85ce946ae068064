# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks every server of a zone, or resolvers, for a record."""

from __future__ import annotations

import typing as t

from .._drill.dns_check import Seen, Wanted, check_servers
from .._drill.dns_client import DnsError, Question, Server, authoritative_servers, canonical, canonical_set
from .dns_update import given_key
from .running import FailureWithResultError, Result, Work


def dns_check(work: Work) -> Result:
    """Do what the module ``dns_check`` promises."""
    params = work.params
    kind, values = params["type"], params["values"]
    question = Question(canonical("CNAME", params["zone"]), canonical("CNAME", params["record"]), kind)
    resolvers = [Server.from_settings(server) for server in params["resolvers"]]
    servers = [Server.from_settings(server) for server in params["servers"]]
    if not servers and not resolvers:
        servers = authoritative_servers(question.zone, [Server.from_settings(one) for one in params["discovery"]])
    wanted = None if values is None else canonical_set(kind, values)
    seen: list[Seen] = []
    for asked, are_resolvers in ((servers, False), (resolvers, True)):
        want = Wanted(question, wanted, params["ttl"], are_resolvers, None if are_resolvers else given_key(work))
        seen += check_servers(want, asked, params["patience"], params["timeout"]) if asked else []
    result: Result = {
        "changed": False,
        "passed": all(one.ok for one in seen),
        "servers": [one.to_json() for one in seen],
    }
    if not result["passed"] and params["fail"]:
        raise FailureWithResultError(_error(seen), result)
    return result


def _error(seen: t.Sequence[Seen]) -> DnsError:
    failed = [one for one in seen if not one.ok]
    return DnsError(" ".join(dict.fromkeys(one.reason for one in failed)), failed[0].next_step)
