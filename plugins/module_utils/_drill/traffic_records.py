# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records by which public names lead to a site: checked as a whole, before anything is looked at or changed."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import dataclass

from .._repository.errors import ContinuityError, InputError
from .dns_client import TYPES, Server, canonical

Settings = t.Mapping[str, t.Any]

_ALWAYS = {"record", "provider", "values", "expected", "credentials"}
_DNS = _ALWAYS | {"zone", "type", "ttl", "servers", "verify"}
_PROXY = _ALWAYS - {"credentials"} | {
    "host",
    "path",
    "lines",
    "server_options",
    "check",
    "reload",
    "service",
    "url",
    "answer",
}
#: What each provider takes.
OPTIONS = {
    "rfc2136": _DNS | {"server", "port"},
    "route53": _DNS | {"hosted_zone_id", "private_zone", "region", "endpoint_url", "profile", "wait"},
    "cloudflare": _DNS | {"proxied"},
    "nginx": _PROXY | {"upstream"},
    "haproxy": _PROXY | {"backend"},
}
PROXIES = ("nginx", "haproxy")
_NEEDED = {
    "rfc2136": ("zone", "server"),
    "route53": ("zone",),
    "cloudflare": ("zone", "credentials"),
    "nginx": ("path", "upstream"),
    "haproxy": ("path", "backend"),
}
#: What each provider's entry in traffic_credentials may have, and what it must have one of.
_CREDENTIALS = {
    "rfc2136": ({"key_name", "key_secret", "key_algorithm"}, [{"key_name", "key_secret"}]),
    "route53": ({"access_key", "secret_key", "session_token"}, [{"access_key", "secret_key"}]),
    "cloudflare": (
        {"api_token", "account_api_key", "account_email"},
        [{"api_token"}, {"account_api_key", "account_email"}],
    ),
}
_SECRETS = frozenset(name for options in _CREDENTIALS.values() for name in options[0])
_DEFAULT_TTL = 60
_LONGEST_TTL = 2**31 - 1  # RFC 2181, 8
#: Cloudflare's own: 1 is "automatic", others are between these.
_CLOUDFLARE_TTL = (60, 86400)
_ENDPOINT = re.compile(r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$")
_WORD = re.compile(r"^[A-Za-z0-9._-]+$")


@dataclass(frozen=True)
class Guard:
    """What keeps a drill from touching production's names.

    :ivar names: a drill may switch these names and those under them.
    :ivar confirmation: what was typed; other names are allowed when it is the site's name.
    """

    drill: bool = False
    names: tuple[str, ...] = ()
    site: str = ""
    confirmation: str = ""

    def fault(self, record: str) -> str:
        """Say why a record must not be switched, or nothing."""
        if not self.drill or (self.site and self.confirmation == self.site):
            return ""
        name = canonical("CNAME", record)
        allowed = [canonical("CNAME", suffix) for suffix in self.names]
        if any(name == suffix or name.endswith(f".{suffix}") for suffix in allowed):
            return ""
        return (
            f"{record} is none of the names that a drill may switch (traffic_drill_names: "
            f"{', '.join(self.names) or 'none'})"
        )


def check_records(
    records: t.Sequence[Settings], credentials: t.Mapping[str, t.Sequence[str]], guard: Guard
) -> list[dict[str, t.Any]]:
    """Return the records with defaults filled in and an ``id`` each; raises :class:`InputError` with every fault.

    :arg credentials: what is known by each name; option names only, no secrets.
    """
    faults: list[str] = []
    checked = [_checked(record, number, credentials, faults) for number, record in enumerate(records, 1)]
    for record in checked:
        if record and (fault := guard.fault(record["record"])):
            faults.append(fault)
    whole = [record for record in checked if record]
    ids = [record["id"] for record in whole]
    faults += [f"{record['record']} is there twice" for n, record in enumerate(whole) if record["id"] in ids[:n]]
    if faults:
        next_step = "Correct traffic_records and traffic_credentials; nothing was changed."
        if guard.drill and any("traffic_drill_names" in fault for fault in faults):
            next_step = (
                "Use drill names; or, when the drill really is to switch the public name, give the name of the site as "
                "traffic_confirmation. Nothing was changed."
            )
        raise InputError(f"{'; '.join(faults)}.", next_step)
    return whole


def _checked(
    record: Settings, number: int, credentials: t.Mapping[str, t.Sequence[str]], faults: list[str]
) -> dict[str, t.Any] | None:
    name = str(record.get("record") or f"record number {number}")
    provider = str(record.get("provider") or "")
    if provider not in OPTIONS:
        faults.append(f"{name} has the provider {provider or 'none'}, which is not one of {', '.join(OPTIONS)}")
        return None
    found = [f"{name} has no {option}" for option in ("record", "values", *_NEEDED[provider]) if not record.get(option)]
    for option in sorted(set(record) - OPTIONS[provider]):
        secret = option in _SECRETS
        remedy = ", which belongs into traffic_credentials" if secret else f", which {provider} does not take"
        found.append(f"{name} has the option {option}{remedy}")
    if not found:
        found += _credential_faults(record, provider, credentials)
        made = {**record, "provider": provider}
        try:
            made.update(_proxy(record) if provider in PROXIES else _dns(record, provider))
        except (ContinuityError, ValueError, TypeError) as error:
            found.append(f"{name}: {error.message.rstrip('.') if isinstance(error, ContinuityError) else error}")
        else:
            made["id"] = _identity(made)
    faults.extend(found)
    return None if found else made


def _credential_faults(record: Settings, provider: str, credentials: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    name = record.get("credentials")
    if not name:
        return []
    if name not in credentials:
        return [f"{record['record']} uses the credentials {name}, which traffic_credentials does not have"]
    known, needed = _CREDENTIALS[provider]
    has = set(credentials[name])
    if unknown := has - known:
        return [f"the credentials {name} have {', '.join(sorted(unknown))}, which {provider} does not take"]
    if not any(one <= has for one in needed):
        return [f"the credentials {name} lack {' or '.join(' and '.join(sorted(one - has)) for one in needed)}"]
    return []


def _list_of_text(record: Settings, option: str) -> list[str]:
    values = record.get(option) or []
    if isinstance(values, str) or not all(isinstance(value, str) and value for value in values):
        raise InputError(f"{option} is no list of texts.", "Write it as a list.")
    return list(values)


def _dns(record: Settings, provider: str) -> dict[str, t.Any]:
    kind = str(record.get("type") or "A").upper()
    if kind not in TYPES:
        raise InputError(f"its type {kind} is not one of {', '.join(TYPES)}.", "Correct type.")
    name, zone = canonical("CNAME", str(record["record"])), canonical("CNAME", str(record["zone"]))
    if name != zone and not name.endswith(f".{zone}"):
        raise InputError(f"it is not in its zone {zone}.", "Give the whole name of the record.")
    if kind == "CNAME" and name == zone:
        raise InputError("the name of a zone cannot be a CNAME.", "Use A and AAAA.")
    values = [canonical(kind, value) for value in _list_of_text(record, "values")]
    if kind == "CNAME" and len(values) != 1:
        raise InputError(f"a CNAME has one value, not {len(values)}.", "Give one.")
    made: dict[str, t.Any] = {
        "record": name,
        "zone": zone,
        "type": kind,
        "values": values,
        "ttl": _ttl(record, provider),
        "verify": str(record.get("verify") or ("api" if record.get("proxied") else "dns")),
    }
    if made["verify"] not in ("dns", "api") or (provider == "rfc2136" and made["verify"] == "api"):
        raise InputError(f"verify is {made['verify']}.", "Use dns; or api with a provider that has one.")
    if record.get("expected") is not None:
        made["expected"] = [canonical(kind, value) for value in _list_of_text(record, "expected")]
    if record.get("servers"):
        made["servers"] = [vars(Server.from_settings(server)) for server in record["servers"]]
    return made


def _ttl(record: Settings, provider: str) -> int:
    ttl = int(record.get("ttl") or _DEFAULT_TTL)
    least, most = (1, _LONGEST_TTL) if provider != "cloudflare" or ttl == 1 else _CLOUDFLARE_TTL
    if not least <= ttl <= most:
        raise InputError(f"its TTL {ttl} is not between {least} and {most} seconds.", "Correct ttl.")
    return ttl


def _proxy(record: Settings) -> dict[str, t.Any]:
    values = _list_of_text(record, "values")
    for value in values:
        if not _ENDPOINT.match(value):
            raise InputError(f"{value} is no server of a proxy.", "Give host and port, such as 192.0.2.9:8069.")
    name = str(record.get("upstream") or record.get("backend"))
    if not _WORD.match(name):
        raise InputError(f"{name!r} is no name of an upstream or backend.", "Use letters, digits, dashes and dots.")
    made: dict[str, t.Any] = {
        "record": canonical("CNAME", str(record["record"])),
        "type": "",
        "values": values,
        "ttl": None,
    }
    for option in ("expected", "lines", "check", "reload"):
        if record.get(option) is not None:
            made[option] = _list_of_text(record, option)
    return made


def _identity(record: Settings) -> str:
    """A name for what is kept of a record, the same in every run; safe as a file's name."""
    where = [
        str(record.get(option) or "")
        for option in ("provider", "record", "type", "zone", "hosted_zone_id", "host", "path")
    ]
    readable = re.sub(r"[^a-z0-9._-]", "_", f"{record['record']}.{record['type'] or record['provider']}")[:120]
    return f"{readable}-{hashlib.sha256(json.dumps(where).encode()).hexdigest()[:12]}"
