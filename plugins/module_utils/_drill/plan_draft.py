# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A first plan, made from the parts of a backup: complete where that tells enough, with DECIDE where people must."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field

from .._status.text import size
from .plan_shape import HEALTH_PATHS, N8N, ODOO
from .shapes import DECIDE

Document = dict[str, t.Any]
_DATABASE = "database"
#: The first port of each kind; a second service of the kind gets the next one.
_PORTS = {ODOO: 8069, N8N: 5678}
_IMAGES = {ODOO: "docker.io/library/odoo:{series}", N8N: "docker.io/n8nio/n8n:2.40.7"}
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9._/@-]*( [A-Za-z0-9._/@-]+)*")
_WORDS_OF_YAML = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
#: Longer flow collections are written as blocks.
_LONGEST = 100


@dataclass(frozen=True)
class BackedUpPart:
    """A part of a backup, as its record describes it."""

    name: str
    host: str
    kind: str
    facts: t.Mapping[str, t.Any] = field(default_factory=dict)

    @property
    def system(self) -> str:
        """What the part belongs to: ``shop`` of ``db1.example.com.shop.database``."""
        return self._rest.rpartition(".")[0] or self._rest

    @property
    def _rest(self) -> str:
        return self.name.removeprefix(f"{self.host}.")

    @property
    def suffix(self) -> str:
        """What of it the part is: ``database`` of ``db1.example.com.shop.database``."""
        return self._rest.rpartition(".")[2]


@dataclass(frozen=True)
class Draft:
    """What a first plan is made from.

    :arg source: what backup of which repository it is, for people.
    :arg inventory: names of the inventory's hosts.
    :arg dr_hosts: hosts of the DR site; by default those of the inventory that have not been backed up.
    :arg addresses: addresses of hosts, as far as they are known.
    """

    name: str
    source: str
    parts: t.Sequence[BackedUpPart]
    inventory: t.Sequence[str] = ()
    dr_hosts: t.Sequence[str] = ()
    addresses: t.Mapping[str, str] = field(default_factory=dict)


def draft_plan(draft: Draft) -> tuple[str, Document]:
    """Return a first plan as YAML with comments, and as data. What it leaves open begins with ``DECIDE``."""
    maker = _Maker(draft)
    plan = maker.plan()
    head = (
        "---\n"
        f"# A first plan, made from {draft.source}.\n"
        f"# Read every line. {DECIDE} stands where only you know; the module dfr.continuity.dr_plan names what is\n"
        "# left to decide. docs/disaster-recovery.md explains every key. No secret belongs here, only names of some.\n"
        "\n"
    )
    return head + "\n".join(_lines({"dr_plan": plan}, maker.comments, "")) + "\n", plan


class _Maker:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._backed_up = sorted({part.host for part in draft.parts})
        self._dr = list(draft.dr_hosts) or [one for one in draft.inventory if one not in self._backed_up]
        self._names: dict[str, set[str]] = {}
        self._targets: set[str] = set()
        #: By the name of the part, how its database is called in the plan.
        self._databases: dict[str, str] = {}
        self.comments: dict[str, str] = {}

    def plan(self) -> Document:
        databases = [self._database(part) for part in self._parts(database=True)]
        files = [self._files(part) for part in self._parts(database=False)]
        for section, entries in (("databases", databases), ("files", files)):
            for number, (_entry, comment) in enumerate(entries):
                self.comments[f"dr_plan.{section}[{number}]"] = comment
        plan: Document = {
            "name": self._draft.name,
            "scenario": "The primary site is lost",
            "sites": {"primary": self._site(self._backed_up), "dr": self._site(self._dr)},
            "objectives": {"rto": "4h", "rpo": "15m"},
            "backup": {"backup_id": "latest", "verify": "structure"},
            "databases": [entry for entry, _comment in databases],
            "files": [entry for entry, _comment in files],
            "services": self._services(),
            "traffic": [self._traffic()],
            "drill": {"network": f"{self._draft.name}-drill", "folder": f"/srv/{self._draft.name}-drill"},
            "report": {"mail": [], "owner": f"{DECIDE} who sees to findings"},
        }
        self.comments |= {f"dr_plan.{key}": text for key, text in _SECTIONS.items()}
        return plan

    @property
    def _first_host(self) -> str:
        return self._dr[0] if self._dr else f"{DECIDE} a host of the DR site"

    def _parts(self, database: bool) -> list[BackedUpPart]:
        return [part for part in self._draft.parts if (part.kind == _DATABASE) is database]

    def _site(self, hosts: t.Sequence[str]) -> Document:
        known = self._draft.addresses
        described = [{"name": host, **({"address": known[host]} if host in known else {})} for host in hosts]
        return {"name": f"{DECIDE} what people call it", "hosts": described or [{"name": self._first_host}]}

    def _unique(self, section: str, *words: str) -> str:
        """Return a name that no other entry of a section has, made from words, none of them twice."""
        text = "-".join(dict.fromkeys(words)).lower()
        base = re.sub(r"[^a-z0-9_-]+", "-", text).strip("-_")[:36] or "part"
        names = self._names.setdefault(section, set())
        name, number = base, 2
        while name in names:
            name, number = f"{base}-{number}", number + 1
        names.add(name)
        return name

    def _database(self, part: BackedUpPart) -> tuple[Document, str]:
        facts = part.facts
        named = str(facts.get("database") or part.system)
        taken = named in self._targets
        self._targets.add(named)
        if taken:
            named = f"{DECIDE} another name than {named}, which is taken"
        name = self._databases[part.name] = self._unique("databases", part.system)
        entry = {"name": name, "part": part.name, "host": self._first_host, "database": named}
        told = [f"PostgreSQL {facts['server_version']}"] if facts.get("server_version") else []
        told += [size(facts["database_size"])] if facts.get("database_size") else []
        comment = (
            f"{', '.join(told) or 'A database'}. Owner and privileges stay as they were; owner: ROLE changes them."
        )
        return {**entry, "connection": {"run_as": "postgres"}}, comment

    def _files(self, part: BackedUpPart) -> tuple[Document, str]:
        name = self._unique("files", part.system, part.suffix)
        path = f"/srv/{self._draft.name}/{name}"
        told = [f"{part.facts['files']} files"] if part.facts.get("files") else []
        told += [size(part.facts["size"])] if part.facts.get("size") else []
        comment = f"{', '.join([part.kind, *told])}. Is that where it goes?"
        return {"name": name, "part": part.name, "host": self._first_host, "path": path}, comment

    # -- services ---------------------------------------------------------------------------------------------

    def _services(self) -> list[Document]:
        services = []
        used: dict[str, int] = {}
        for part in self._parts(database=True):
            kind = _kind_of(part)
            if kind:
                number = used[kind] = used.get(kind, -1) + 1
                services.append(self._service(kind, part, self._databases[part.name], _PORTS[kind] + number))
        return services or [self._unknown_service()]

    def _service(self, kind: str, part: BackedUpPart, database: str, port: int) -> Document:
        name = self._unique("services", part.system, kind)
        series = str((part.facts.get("odoo") or {}).get("series") or "19.0")
        secrets = (
            {"PASSWORD": DECIDE} if kind == ODOO else {"DB_POSTGRESDB_PASSWORD": DECIDE, "N8N_ENCRYPTION_KEY": DECIDE}
        )
        check: Document = {"name": f"{name}-works"[:40], "kind": kind}
        if kind == ODOO:
            check |= {"settings": {"login": f"{DECIDE} a user for drills"}, "secrets": {"password": DECIDE}}
        return {
            "name": name,
            "kind": kind,
            "host": self._first_host,
            "image": f"{DECIDE} for example {_IMAGES[kind].format(series=series)}",
            "database": database,
            "secrets": secrets,
            "ports": [port],
            "health": {"path": HEALTH_PATHS[kind]},
            "checks": [check],
        }

    def _unknown_service(self) -> Document:
        url = f"{DECIDE} a page that proves that it works"
        return {
            "name": self._unique("services", self._draft.name),
            "kind": "container",
            "host": self._first_host,
            "image": f"{DECIDE} what is to run",
            "checks": [{"name": self._unique("checks", self._draft.name, "works"), "kind": "http", "url": url}],
        }

    def _traffic(self) -> Document:
        known = self._draft.addresses
        old = [known[host] for host in self._backed_up if host in known][:1]
        new = [known[host] for host in self._dr if host in known][:1]
        return {
            "record": f"{DECIDE} the public name, for example shop.example.com",
            "provider": f"{DECIDE} rfc2136, route53, cloudflare, nginx or haproxy",
            "old": old or [DECIDE],
            "new": new or [DECIDE],
            "ttl": 60,
            "settings": {"zone": DECIDE},
        }


_SECTIONS = {
    "sites": "Where things run, by the names of the inventory.",
    "objectives": "How long it may take, and how much may be lost: agree on both with those whose business it is.",
    "backup": "latest, an id, or not_after: a moment. verify: structure, bytes or none.",
    "databases": "What is restored from the backup, and where to.",
    "services": "What is started. A check that is mandatory must pass, or the drill has failed.",
    "traffic": "The public names. old is what they lead to now, new is the DR site. A TSIG key goes under secrets.",
    "drill": "What a drill uses instead of the real thing. By default names get -drill, and ports are 10000 higher.",
    "report": "Who gets the report, and who sees to its findings.",
}


def _kind_of(part: BackedUpPart) -> str:
    """Return the kind of the service that a database belongs to, or an empty text."""
    if part.facts.get("odoo"):
        return ODOO
    if part.facts.get("n8n") or "n8n" in part.system.lower():
        return N8N
    return ""


# -- YAML -----------------------------------------------------------------------------------------------------


def _lines(document: t.Any, comments: t.Mapping[str, str], path: str, indent: str = "") -> t.Iterator[str]:
    """Write a dictionary or a list as YAML, each comment above what it is about."""
    entries: t.Iterable[tuple[t.Any, t.Any]] = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in entries:
        is_entry = isinstance(document, list)
        place = f"{path}[{key}]" if is_entry else f"{path}.{key}".lstrip(".")
        if place in comments:
            yield from ["", f"{indent}# {comments[place]}"] if not is_entry else [f"{indent}# {comments[place]}"]
        head = f"{indent}- " if is_entry else f"{indent}{_scalar(str(key))}:"
        flow = _flow(value)
        if len(head) + len(flow) <= _LONGEST and not _has_comments(place, comments) and not _is_big(value):
            yield f"{head}{flow}" if is_entry else f"{head} {flow}"
        elif is_entry:
            first, *rest = _lines(value, comments, place, indent + "  ")
            yield from [f"{head}{first.lstrip()}", *rest]
        else:
            yield head
            yield from _lines(value, comments, place, indent + "  ")


def _has_comments(place: str, comments: t.Mapping[str, str]) -> bool:
    return any(one.startswith((f"{place}.", f"{place}[")) for one in comments)


def _is_big(value: t.Any) -> bool:
    """Tell whether a collection holds others that hold something: it is written as a block."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(one, (dict, list)) and one for one in inner)


def _flow(value: t.Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(str(key))}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: t.Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML:
        return value
    # A JSON scalar is a YAML scalar.
    return json.dumps(value, ensure_ascii=False)
