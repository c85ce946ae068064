# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with each record, and the old values, which are kept before anything is changed.

Compare and swap: a record is changed only when it is what it was when its value was kept (or what the inventory
expects), or already what it shall become. Anything else has been done by somebody else meanwhile, and is left alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import time
import typing as t
from dataclasses import dataclass

from .._repository.errors import InputError, TargetError
from .._status.atomic_file import write_atomically
from .._status.text import utc
from .dns_client import canonical_set, changed_error, told
from .traffic_records import PROXIES

SCHEMA = "dfr.continuity/traffic/1"
SWITCHED, UNDONE, VERIFIED = STATES = ("switched", "undone", "verified")
Document = dict[str, t.Any]

_NGINX_SERVER = re.compile(r"^[ \t]*server[ \t]+([^\s;]+)", re.MULTILINE)
_HAPROXY_SERVER = re.compile(r"^[ \t]*server[ \t]+\S+[ \t]+(\S+)", re.MULTILINE)


class Kept:
    """The folder of old values: one file for each record, on disk before the record is changed."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def path(self, identity: str) -> str:
        """Where the old value of a record is kept."""
        return os.path.join(self.folder, f"{identity}.json")

    def read(self, identity: str) -> Document | None:
        """Return what is kept of a record, or none; raises :class:`TargetError` when it cannot be read."""
        path = self.path(identity)
        try:
            with open(path, "rb") as file:
                document = json.loads(file.read())
            if document["schema"] != SCHEMA or not {"old", "new"} <= document.keys():
                raise ValueError(f"it is not of the schema {SCHEMA}")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TargetError(
                f"The kept old value {path} cannot be read: {error}.",
                "Look into the file, set the record by hand, and remove the file. Nothing was changed.",
            ) from error
        return t.cast("Document", document)

    def write(self, identity: str, document: Document) -> None:
        """Keep a document; it is on disk when this returns."""
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            write_atomically(self.path(identity), json.dumps(document, indent=1).encode() + b"\n", 0o600)
        except OSError as error:
            raise TargetError(
                f"The old value of {document['record']} cannot be kept in {self.folder}: {error.strerror}.",
                "Correct traffic_state_folder, or make room there. Nothing was changed.",
            ) from error

    def remove(self, identity: str) -> None:
        """Forget an old value that is in force again."""
        try:
            os.unlink(self.path(identity))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise TargetError(f"{self.path(identity)} cannot be removed: {error.strerror}.", "Remove it.") from error


def read_current(record: Document, given: t.Mapping[str, t.Any]) -> Document:
    """Bring what a provider told of a record into one form: ``values``, ``ttl``, and ``details`` to restore it."""
    if record["provider"] not in PROXIES:
        values = _set(record, given.get("values") or [])
        ttl = given.get("ttl")
        return {"values": list(values), "ttl": None if ttl is None else int(ttl), "details": given.get("details") or {}}
    try:
        content = base64.b64decode(given.get("content") or "", validate=True)
    except binascii.Error as error:
        raise InputError(f"The content of {record['path']} is not base64.", "Report this.") from error
    pattern = _NGINX_SERVER if record["provider"] == "nginx" else _HAPROXY_SERVER
    values = tuple(dict.fromkeys(pattern.findall(content.decode("utf-8", "replace"))))
    details = {name: given.get(name) for name in ("exists", "content", "mode", "owner", "group")}
    return {"values": list(values), "ttl": None, "details": {**details, "sha256": hashlib.sha256(content).hexdigest()}}


@dataclass
class Step:
    """What is to be done with a record.

    :ivar target: values, ttl and details it shall have; what it has already where nothing is to be done.
    :ivar old: what is or will be kept of it, or none.
    :ivar current: what it has now.
    """

    record: Document
    needed: bool
    target: Document
    current: Document
    old: Document | None
    keep: bool = False

    def to_json(self) -> Document:
        """Return it as the module returns it."""
        return {
            "id": self.record["id"],
            **{name: getattr(self, name) for name in ("record", "needed", "target", "current", "old")},
        }


def decide(record: Document, current: Document, kept: Document | None, state: str) -> Step:
    """Say what is to be done; raises :class:`~.dns_client.RecordChangedError` for a record that others changed."""
    new = {"values": record["values"], "ttl": record["ttl"], "details": _new_details(record, current)}
    if state == UNDONE:
        return _undo(record, current, kept)
    if kept is None:
        if record.get("expected") is not None:
            _compare(record, current, [record["expected"], new["values"]])
        needed = not _same(record, current, new)
        old = current if needed else None
    else:
        if _set(record, kept["new"]["values"]) != _set(record, new["values"]):
            raise InputError(
                f"{record['record']} was switched to {told(kept['new']['values'])} by an earlier run, which kept "
                f"the old value, and is now to become {told(new['values'])}.",
                "Bring the old value back first, with traffic_state: undone.",
            )
        _compare(record, current, [kept["old"]["values"], new["values"]], partly=True)
        needed, old = not _same(record, current, new) or _was_interrupted(record, kept), kept["old"]
    if state == VERIFIED:
        return Step(record, False, current, current, kept["old"] if kept else None)
    return Step(record, needed, new if needed else current, current, old, keep=needed and kept is None)


def _undo(record: Document, current: Document, kept: Document | None) -> Step:
    if kept is None:
        return Step(record, False, current, current, None)
    old = kept["old"]
    _compare(record, current, [old["values"], kept["new"]["values"]], partly=True)
    # A proxy that has its old file already was perhaps not reloaded: what is kept proves an unfinished run.
    return Step(record, not _same(record, current, old) or record["provider"] in PROXIES, old, current, old)


def _was_interrupted(record: Document, kept: Document) -> bool:
    """Whether a proxy may have the new file without having read it."""
    return record["provider"] in PROXIES and not kept.get("switched_at")


def _new_details(record: Document, current: Document) -> Document:
    return {"proxied": bool(record.get("proxied"))} if record["provider"] == "cloudflare" else {}


def _set(record: Document, values: t.Sequence[str]) -> tuple[str, ...]:
    if record["provider"] in PROXIES:
        return tuple(values)
    try:
        return canonical_set(record["type"], values)
    except InputError:  # an alias of Route 53: a name in the place of addresses
        return tuple(values)


def _compare(record: Document, current: Document, accepted: list[list[str]], *, partly: bool = False) -> None:
    found = _set(record, current["values"])
    sets = [_set(record, values) for values in accepted]
    if found in sets:
        return
    # Cloudflare's API changes one value at a time: a run that was interrupted leaves some of both.
    if (
        partly
        and record["provider"] == "cloudflare"
        and found
        and set(found) <= {one for values in sets for one in values}
    ):
        return
    where = (
        f"{record['path']} on {record.get('host') or 'this host'}"
        if record["provider"] in PROXIES
        else record["provider"]
    )
    raise changed_error(record["record"], record["type"] or "upstream", where, found, accepted)


def _same(record: Document, one: Document, other: Document) -> bool:
    if _set(record, one["values"]) != _set(record, other["values"]):
        return False
    if record["provider"] in PROXIES:
        # Other lines than those of servers count when an old file is brought back; its digest is known only then.
        digest = other["details"].get("sha256")
        return digest is None or (one["details"]["sha256"], one["details"]["exists"]) == (
            digest,
            other["details"]["exists"],
        )
    if one["values"] and one["ttl"] != other["ttl"]:
        return False
    proxied = other["details"].get("proxied")
    return proxied is None or one["details"].get("proxied") == proxied


def keep_old(step: Step, kept: Kept) -> None:
    """Write the old value of a record down before it is changed."""
    record = step.record
    names = ("record", "type", "provider", "zone", "hosted_zone_id", "host", "path")
    place = {name: record[name] for name in names if record.get(name)}
    document = {"schema": SCHEMA, **place, "kept_at": utc(time.time()), "old": step.current, "new": step.target}
    kept.write(record["id"], document)


def note_switched(identity: str, kept: Kept) -> None:
    """Write down that a record was seen to be switched."""
    document = kept.read(identity)
    if document is not None and not document.get("switched_at"):
        kept.write(identity, {**document, "switched_at": utc(time.time())})


def seen_again(step: Document, given: t.Mapping[str, t.Any]) -> Document:
    """Judge what a provider, asked once more, tells of a record: an entry such as servers have.

    :arg step: one as :meth:`Step.to_json` made it.
    """
    record, current = step["record"], read_current(step["record"], given)
    well = _same(record, current, step["target"])
    where = f"{record['provider']} on {record['host']}" if record.get("host") else record["provider"]
    reason = (
        f"{where} tells {told(current['values'])} of {record['record']} instead of {told(step['target']['values'])}."
    )
    return {
        "server": where,
        "ok": well,
        "values": current["values"],
        "ttl": current["ttl"],
        "at": utc(time.time()),
        "reason": "" if well else reason,
        "next_step": "" if well else "Look whether somebody else changes it as well.",
    }


def ttl_finding(step: Step, limit: int) -> Document | None:
    """A finding when resolvers will keep the present value longer than ``limit`` seconds."""
    ttl = step.current["ttl"]
    if ttl is None or ttl <= limit:
        return None
    record = step.record
    return {
        "severity": "medium",
        "title": f"The TTL of {record['record']} {record['type']} is {ttl} seconds, more than {limit}",
        "detail": f"Resolvers may send users to the old site for {ttl} seconds after traffic was switched.",
        "remedy": f"Set the TTL to {limit} seconds or less, at least {ttl} seconds before the next switch.",
        "phase": "switch_traffic",
    }


def entry(step: Document, evidence: t.Sequence[Document], *, undone: bool) -> Document:
    """Describe a record as the run document's list ``traffic`` does."""
    record = step["record"]
    return {
        "record": record["record"],
        "type": record["type"],
        "provider": record["provider"],
        "old": (step["old"] or step["current"])["values"],
        "old_ttl": (step["old"] or step["current"])["ttl"],
        "new": record["values"],
        "new_ttl": record["ttl"],
        "changed": step["needed"],
        "verified_at": [f"{one['server']}: {one['at']}" for one in evidence if one["ok"]],
        "servers": list(evidence),
        "undone": undone,
    }
