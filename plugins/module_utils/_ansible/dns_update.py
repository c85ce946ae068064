# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes one record on a DNS server, only if it is what it was expected to be."""

from __future__ import annotations

from .._drill.dns_client import (
    ALGORITHMS,
    DnsError,
    Key,
    Question,
    RecordSet,
    Server,
    ask,
    canonical,
    canonical_set,
    changed_error,
    replace_record,
    told,
)
from .._repository.errors import InputError
from .argument_spec import Spec
from .running import Result, Work

KEY: Spec = {
    # A name, no secret.
    "key_name": {"type": "str", "no_log": False},
    "key_secret": {"type": "str", "no_log": True},
    "key_algorithm": {"type": "str", "choices": list(ALGORITHMS), "default": ALGORITHMS[0], "no_log": False},
}


def given_key(work: Work) -> Key | None:
    """Return the TSIG key of a module's parameters, or none."""
    name, secret = work.params["key_name"], work.params["key_secret"]
    return Key(name, secret, work.params["key_algorithm"]) if name else None


def dns_update(work: Work) -> Result:
    """Do what the module ``dns_update`` promises."""
    params, key = work.params, given_key(work)
    kind = params["type"]
    question = Question(canonical("CNAME", params["zone"]), canonical("CNAME", params["record"]), kind)
    server = Server.from_settings(params["server"], params["port"])
    timeout = params["timeout"]
    old = ask(question, server, key=key, timeout=timeout).found
    new = _wanted(work, old)
    changed = new != old
    expected = params["expected"]
    if changed and expected is not None and old.values not in (canonical_set(kind, expected), new.values):
        raise changed_error(question.record, kind, str(server), old.values, [expected, new.values])
    # Without a change the prerequisites alone are sent: they tell whether the server takes updates with this key.
    dry_run = work.check_mode or not changed
    replace_record(question, server, old, new, key=key, dry_run=dry_run, timeout=timeout)
    if not dry_run:
        _look_again(question, server, new, key, timeout)
    result: Result = {"changed": changed, "before": _describe(old), "after": _describe(new)}
    if work.module._diff:
        result["diff"] = {"before": result["before"], "after": result["after"]}
    return result


def _wanted(work: Work, old: RecordSet) -> RecordSet:
    params = work.params
    if params["state"] == "read":
        return old
    if params["state"] == "absent":
        return RecordSet(())
    if not params["values"]:
        raise InputError("values is empty, but the record is to be present.", "Give values, or state: absent.")
    return RecordSet(canonical_set(params["type"], params["values"]), params["ttl"])


def _look_again(question: Question, server: Server, new: RecordSet, key: Key | None, timeout: float) -> None:
    """Servers ignore some updates without an error (RFC 2136, 3.4.2.2), such as a value beside a CNAME."""
    found = ask(question, server, key=key, timeout=timeout).found
    if found != new:
        raise DnsError(
            f"The DNS server {server} took the update of {question.record} {question.kind} to {told(new.values)} "
            f"without an error, and yet tells {told(found.values)} with the TTL {found.ttl}.",
            "Look whether the name has records of another kind, or whether somebody else changes it as well.",
        )


def _describe(record_set: RecordSet) -> Result:
    return {"values": list(record_set.values), "ttl": record_set.ttl}
