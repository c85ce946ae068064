# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a plan fit together, and fit the inventory? Every name that is used must exist, and exist once."""

from __future__ import annotations

import re
import typing as t

from .fault import Faults
from .plan_defaults import Document, entries
from .plan_shape import LATEST, N8N, ODOO
from .shapes import is_ip, nearest

Checker = t.Callable[[Document, Faults], None]


def check_references(plan: Document, faults: Faults, inventory: t.Collection[str] | None) -> None:
    """Note everything in which the plan contradicts itself or the inventory.

    :arg inventory: names of the inventory's hosts; not looked at when None.
    """
    if inventory is not None:
        _check_inventory(plan, faults, inventory)
    for check in _CHECKS:
        check(plan, faults)


# -- sites and hosts ----------------------------------------------------------------------------------------------


def hosts_of(plan: Document, site: str) -> list[tuple[str, Document]]:
    """Return path and entry of the hosts of a site, as far as they could be read."""
    found = (plan.get("sites") or {}).get(site)
    if not found:
        return []
    return [(f"sites.{site}.{path}", host) for path, host in entries(found, "hosts") if host["name"]]


def _check_inventory(plan: Document, faults: Faults, inventory: t.Collection[str]) -> None:
    for site in ("primary", "dr"):
        for path, host in hosts_of(plan, site):
            if host["name"] not in inventory:
                faults.add(
                    f"{path}.name", host["name"], "The inventory has no such host.", nearest(host["name"], inventory)
                )


def _check_sites(plan: Document, faults: Faults) -> None:
    primary = hosts_of(plan, "primary")
    for site in ("primary", "dr"):
        if (plan.get("sites") or {}).get(site) and not plan["sites"][site]["hosts"]:
            faults.add(f"sites.{site}.hosts", None, "The site has no host.", "Name at least one host of the inventory.")
        _unique(hosts_of(plan, site), "name", "host", faults)
    names = {host["name"] for _path, host in primary}
    addresses = {host["address"]: host["name"] for _path, host in primary if host["address"]}
    for path, host in hosts_of(plan, "dr"):
        if host["name"] in names:
            faults.add(
                f"{path}.name",
                host["name"],
                "It is a host of the primary site too: a drill would run on production.",
                "Name another host, or take it off the other site.",
            )
        elif host["address"] in addresses:
            owner = addresses[host["address"]]
            faults.add(
                f"{path}.address", host["address"], f"It is the address of {owner} at the primary site.", "Correct it."
            )


def _check_hosts(plan: Document, faults: Faults) -> None:
    known = {host["name"] for _path, host in hosts_of(plan, "dr")}
    primary = {host["name"] for _path, host in hosts_of(plan, "primary")}
    for section in ("services", "databases", "files"):
        for path, entry in entries(plan, section):
            host = entry["host"]
            if host and host not in known:
                reason = (
                    "It is a host of the primary site, which is what is lost."
                    if host in primary
                    else "It is no host of the DR site."
                )
                faults.add(f"{path}.host", host, reason, nearest(host, known))


# -- names --------------------------------------------------------------------------------------------------------


def all_checks(plan: Document) -> list[tuple[str, Document]]:
    """Return path and entry of every functional check, those of services with the key ``service`` added."""
    found = []
    for path, service in entries(plan, "services"):
        for inner, check in entries(service, "checks"):
            found.append((f"{path}.{inner}", {**check, "service": service["name"]}))
    return found + list(entries(plan, "checks"))


def _check_names(plan: Document, faults: Faults) -> None:
    for section, what in (("services", "service"), ("databases", "database"), ("files", "entry"), ("objects", "entry")):
        _unique(list(entries(plan, section)), "name", what, faults)
    _unique(list(entries(plan, "hooks")), "name", "hook", faults)
    _unique(list(entries(plan, "traffic")), "record", "record", faults)
    _unique(all_checks(plan), "name", "check", faults)


def _unique(found: t.Sequence[tuple[str, Document]], key: str, what: str, faults: Faults) -> None:
    seen: dict[str, str] = {}
    for path, entry in found:
        value = entry[key]
        if value in seen:
            faults.add(
                f"{path}.{key}", value, f"There is a {what} of this name already, at {seen[value]}.", "Rename one."
            )
        elif value:
            seen[value] = path


def _check_links(plan: Document, faults: Faults) -> None:
    services = {entry["name"] for _path, entry in entries(plan, "services") if entry["name"]}
    databases = {entry["name"] for _path, entry in entries(plan, "databases") if entry["name"]}
    for path, service in entries(plan, "services"):
        _known(f"{path}.database", service["database"], databases, "database", faults)
        for number, other in enumerate(service["depends_on"]):
            _known(f"{path}.depends_on[{number}]", other, services, "service", faults)
    for section in ("files", "traffic", "checks"):
        for path, entry in entries(plan, section):
            _known(f"{path}.service", entry["service"], services, "service", faults)
    for path, check in all_checks(plan):
        _known(f"{path}.database", check["database"], databases, "database", faults)


def _known(path: str, value: str | None, known: t.Collection[str], what: str, faults: Faults) -> None:
    if value and value not in known:
        faults.add(path, value, f"The plan has no {what} of this name.", nearest(value, known))


def _check_cycles(plan: Document, faults: Faults) -> None:
    needs = {entry["name"]: [one for one in entry["depends_on"] if one] for _p, entry in entries(plan, "services")}
    paths = {entry["name"]: path for path, entry in entries(plan, "services")}
    told: set[str] = set()
    for start in needs:
        cycle = _cycle(start, needs)
        if cycle and not told.intersection(cycle):
            told.update(cycle)
            circle = " → ".join([*cycle, cycle[0]])
            faults.add(
                f"{paths[start]}.depends_on",
                ", ".join(needs[start]),
                f"The services wait for each other: {circle}.",
                "Leave out one of these dependencies.",
            )


def _cycle(start: str, needs: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """Return the services of a circle that leads back to ``start``, or nothing."""
    ways = [[start]]
    seen = set()
    while ways:
        way = ways.pop(0)
        for following in needs.get(way[-1], ()):
            if following == start:
                return way
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []


# -- what services and checks need --------------------------------------------------------------------------------


def _check_services(plan: Document, faults: Faults) -> None:
    if plan.get("services") == []:
        faults.add("services", None, "There is no service, so nothing could be tested.", "Add at least one.")
    for path, service in entries(plan, "services"):
        if bool(service["image"]) == bool(service["package"]):
            faults.add(
                f"{path}.image",
                service["image"],
                "Exactly one of image and package must be given.",
                "Write image for a container, or package for one from the host's distribution.",
            )
        if service["kind"] == ODOO and not service["database"]:
            faults.add(f"{path}.database", None, "An Odoo needs a database.", "Name an entry of databases.")
        for twice in sorted(set(service["environment"]) & set(service["secrets"])):
            faults.add(
                f"{path}.secrets.{twice}", None, "The environment has this variable too.", "Leave out one of them."
            )


def _check_checks(plan: Document, faults: Faults) -> None:
    kinds = {service["name"]: service["kind"] for _path, service in entries(plan, "services")}
    found = all_checks(plan)
    for path, check in found:
        _check_needs(path, check, faults)
        if check["kind"] in (ODOO, N8N):
            service = check["service"]
            if not service:
                faults.add(
                    f"{path}.service", None, "This check needs to know its service.", f"Name the {check['kind']}."
                )
            elif kinds.get(service) not in (check["kind"], None):
                faults.add(f"{path}.kind", check["kind"], f"{service} is of the kind {kinds[service]}.", "Correct one.")
    if plan.get("services") and not any(check["mandatory"] for _path, check in found):
        faults.add(
            "checks",
            None,
            "No functional check is mandatory, so a run could never pass.",
            "Add a check that proves that users can work, to a service or here.",
        )


def _check_needs(path: str, check: Document, faults: Faults) -> None:
    for key in {"http": ("url",), "sql": ("database", "query", "expect")}.get(check["kind"] or "", ()):
        if check[key] is None:
            faults.add(f"{path}.{key}", None, f"A check of the kind {check['kind']} needs it.", f"Add {key}.")


def _check_data(plan: Document, faults: Faults) -> None:
    if plan.get("databases") == [] and plan.get("files") == []:
        faults.add(
            "databases",
            None,
            "Nothing is restored: there is neither a database nor a tree of files, so there is no recovery point.",
            "Add the parts of the backup that the services need.",
        )
    backup = plan.get("backup")
    if backup and backup["not_after"] and backup["backup_id"] not in (LATEST, None):
        faults.add(
            "backup.not_after",
            backup["not_after"],
            "It says nothing beside the id of a backup.",
            "Leave out backup_id or not_after.",
        )


# -- ports and targets --------------------------------------------------------------------------------------------


def _check_ports(plan: Document, faults: Faults) -> None:
    taken: dict[tuple[str, str, int], str] = {}
    for path, service in entries(plan, "services"):
        for inner, port in entries(service, "ports"):
            if not service["host"] or not port["port"]:
                continue
            key = (service["host"], port["protocol"] or "tcp", port["port"])
            if key in taken:
                faults.add(
                    f"{path}.{inner}.port",
                    port["port"],
                    f"It is taken on {key[0]} by {taken[key]}.",
                    "Choose a free port.",
                )
            taken.setdefault(key, f"{path}.{inner}")


def _check_targets(plan: Document, faults: Faults) -> None:
    seen: dict[tuple[str, ...], str] = {}
    for path, database in entries(plan, "databases"):
        if database["host"] and database["database"]:
            place = _server(database)
            _free((*place, database["database"]), f"{path}.database", database["database"], seen, faults)
    for path, files in entries(plan, "files"):
        if files["host"] and files["path"]:
            _free(("path", files["host"], files["path"].rstrip("/")), f"{path}.path", files["path"], seen, faults)


def _server(database: Document) -> tuple[str, ...]:
    """What tells the server of a database from others: the container, or host and port as seen from the DR host."""
    connection = database["connection"]
    names = ("host", "port", "container")
    return ("database", database["host"], *(str(connection.get(one) or "") for one in names))


def _free(key: tuple[str, ...], path: str, value: str, seen: dict[tuple[str, ...], str], faults: Faults) -> None:
    if key in seen:
        faults.add(path, value, f"{seen[key]} is restored to the same place.", "Choose another.")
    seen.setdefault(key, path.rpartition(".")[0])


def _check_traffic(plan: Document, faults: Faults) -> None:
    versions = {"A": 4, "AAAA": 6}
    for path, record in entries(plan, "traffic"):
        for key in ("old", "new"):
            for number, value in enumerate(record[key] or ()):
                kind = record["type"]
                if value and kind in versions and not is_ip(value, versions[kind]):
                    faults.add(
                        f"{path}.{key}[{number}]",
                        value,
                        f"It cannot stand in a record of type {kind}.",
                        "Correct either.",
                    )
                elif value and kind == "CNAME" and is_ip(value):
                    faults.add(f"{path}.{key}[{number}]", value, "A CNAME holds a name.", "Write a name, or type: A.")
        if record["new"] == []:
            faults.add(f"{path}.new", None, "It leads nowhere.", "Write the address of the DR site.")
        old, new = (sorted(filter(None, record[key] or ())) for key in ("old", "new"))
        if new and new == old:
            faults.add(f"{path}.new", ", ".join(new), "It is what the record has now.", "Correct it.")


def _check_primary_is_left_alone(plan: Document, faults: Faults) -> None:
    """Nothing at the DR site may be told of a host of the primary site."""
    primary = {}
    for _path, host in hosts_of(plan, "primary"):
        primary.update({value: host["name"] for value in (host["name"], host["address"]) if value})
    for path, value in _told_to_services(plan):
        for word in re.split(r"[\s,;/@=]+|:(?=\d{1,5}\b)", value):
            if word in primary:
                faults.add(
                    path,
                    value,
                    f"It leads to {primary[word]} at the primary site.",
                    "Write the address of what takes its place at the DR site.",
                )
                break


def _told_to_services(plan: Document) -> t.Iterator[tuple[str, str]]:
    for path, service in entries(plan, "services"):
        for key, value in service["environment"].items():
            yield f"{path}.environment.{key}", value or ""
    for path, database in entries(plan, "databases"):
        yield f"{path}.connection.host", str(database["connection"].get("host") or "")
    for path, record in entries(plan, "traffic"):
        for number, value in enumerate(record["new"] or ()):
            yield f"{path}.new[{number}]", value or ""
    for name, service in ((plan.get("drill") or {}).get("services") or {}).items():
        for key, value in ((service or {}).get("environment") or {}).items():
            yield f"drill.services.{name}.environment.{key}", value or ""


_CHECKS: tuple[Checker, ...] = (
    _check_sites,
    _check_hosts,
    _check_names,
    _check_links,
    _check_cycles,
    _check_services,
    _check_checks,
    _check_data,
    _check_ports,
    _check_targets,
    _check_traffic,
    _check_primary_is_left_alone,
)
