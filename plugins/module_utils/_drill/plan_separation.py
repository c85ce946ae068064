# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill never touches production: nothing that it uses may be what the plan uses for real."""

from __future__ import annotations

import typing as t

from .fault import Faults
from .plan_defaults import DRILL_PORTS, Document, entries
from .shapes import nearest

_OWN = "A drill must have its own."


def check_drill(plan: Document, faults: Faults) -> None:
    """Note what in a drill is taken from production, taken twice, or belongs to nothing in the plan."""
    drill = plan.get("drill")
    if not drill:
        return
    for section in ("services", "databases", "files", "objects"):
        known = {entry["name"] for _path, entry in entries(plan, section) if entry["name"]}
        for name in drill[section]:
            if name not in known:
                faults.add(
                    f"drill.{section}.{name}", None, f"The plan has no such entry in {section}.", nearest(name, known)
                )
    _check_services(plan, drill["services"], faults)
    _check_ports(plan, drill["services"], faults)
    _check_databases(plan, drill["databases"], faults)
    _check_files(plan, drill, faults)
    _check_buckets(plan, drill["objects"], faults)
    _check_records(plan, faults)


def _pairs(plan: Document, section: str, drill: Document) -> t.Iterator[tuple[Document, Document]]:
    """Yield each entry of a section that has a name, and what a drill uses in its place."""
    for _path, entry in entries(plan, section):
        own = drill.get(entry["name"] or "")
        if own is not None:
            yield entry, own


def _check_services(plan: Document, drill: Document, faults: Faults) -> None:
    real = {entry["name"] for _path, entry in entries(plan, "services")}
    seen: dict[str, str] = {}
    for entry, own in _pairs(plan, "services", drill):
        path = f"drill.services.{entry['name']}.name"
        if own["name"] in real:
            faults.add(path, own["name"], f"It is the name of a real service. {_OWN}", f"Write {own['name']}-drill.")
        elif own["name"] in seen:
            faults.add(path, own["name"], f"The service {seen[own['name']]} has this name in a drill.", "Rename one.")
        elif own["name"]:
            seen[own["name"]] = entry["name"]


def _check_ports(plan: Document, drill: Document, faults: Faults) -> None:
    real: dict[tuple[str, int], str] = {}
    for _path, service in entries(plan, "services"):
        for _inner, port in entries(service, "ports"):
            if service["host"] and port["port"]:
                real[service["host"], port["port"]] = service["name"]
    seen: dict[tuple[str, int], str] = {}
    for service, own in _pairs(plan, "services", drill):
        published = {str(port["port"]) for _inner, port in entries(service, "ports")}
        for port, instead in own["ports"].items():
            path, key = f"drill.services.{service['name']}.ports.{port}", (service["host"], instead)
            if port not in published:
                faults.add(path, instead, f"The service has no port {port}.", nearest(port, published))
            elif instead is None and int(port) + DRILL_PORTS > 65535:
                faults.add(
                    path, None, f"There is no port {DRILL_PORTS} higher, which is the default.", "Write a free port."
                )
            elif key in real:
                faults.add(
                    path, instead, f"It is the real port of {real[key]} on {service['host']}. {_OWN}", "Change it."
                )
            elif key in seen:
                faults.add(path, instead, f"In a drill it is taken on {service['host']} by {seen[key]}.", "Change it.")
            elif instead is not None:
                seen[key] = service["name"]


def _check_databases(plan: Document, drill: Document, faults: Faults) -> None:
    # By name alone: which server a connection really leads to is not known here.
    real = {entry["database"] for _path, entry in entries(plan, "databases")}
    seen: dict[tuple[str, str], str] = {}
    for entry, own in _pairs(plan, "databases", drill):
        value, path = own["database"], f"drill.databases.{entry['name']}.database"
        if value in real:
            faults.add(path, value, f"It is the name of a real database. {_OWN}", f"Write {value}_drill.")
        elif value and len(value.encode()) > 63:
            faults.add(path, value, "It is longer than PostgreSQL's 63 bytes.", "Write a shorter name.")
        elif (entry["host"], value) in seen:
            faults.add(path, value, f"{seen[entry['host'], value]} is restored to it in a drill too.", "Rename one.")
        elif value:
            seen[entry["host"], value] = entry["name"]


def _check_files(plan: Document, drill: Document, faults: Faults) -> None:
    real = [(entry["host"], entry["path"]) for _path, entry in entries(plan, "files")]
    for _path, service in entries(plan, "services"):
        real += [(service["host"], storage["path"]) for _inner, storage in entries(service, "storage")]
    seen: dict[tuple[str, str], str] = {}
    for entry, own in _pairs(plan, "files", drill["files"]):
        value, path = own["path"], f"drill.files.{entry['name']}.path"
        clash = next((one for host, one in real if host == entry["host"] and _overlap(one, value)), None)
        if clash:
            instead = f"Write a path outside of it, such as {drill['folder']}/{entry['name']}."
            faults.add(path, value, f"The real data is at {clash}. {_OWN}", instead)
        elif (entry["host"], value) in seen:
            faults.add(path, value, f"{seen[entry['host'], value]} is restored to it in a drill too.", "Change one.")
        elif value:
            seen[entry["host"], value] = entry["name"]


def _overlap(one: str | None, other: str | None) -> bool:
    """Tell whether one path is the other or lies in it."""
    if not one or not other:
        return False
    first, second = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return first.startswith(second) or second.startswith(first)


def _check_buckets(plan: Document, drill: Document, faults: Faults) -> None:
    real: dict[str, str] = {}
    for path, entry in entries(plan, "objects"):
        source, replica = entry["source"] or {}, entry["replica"] or {}
        real.update({place["bucket"]: path for place in (source, replica) if place.get("bucket")})
        same = source.get("bucket") and all(
            source.get(key) == replica.get(key) for key in ("bucket", "endpoint", "region")
        )
        if same:
            faults.add(f"{path}.replica.bucket", replica["bucket"], "It is the source itself.", "Name the replica.")
    for entry, own in _pairs(plan, "objects", drill):
        if own["bucket"] in real:
            path = f"drill.objects.{entry['name']}.bucket"
            faults.add(path, own["bucket"], f"It is a real bucket, of {real[own['bucket']]}. {_OWN}", "Name another.")


def _check_records(plan: Document, faults: Faults) -> None:
    def plain(name: str | None) -> str:
        return (name or "").rstrip(".").lower()

    real = {plain(entry["record"]): path for path, entry in entries(plan, "traffic") if entry["record"]}
    seen: dict[str, str] = {}
    for path, entry in entries(plan, "traffic"):
        value = entry["drill_record"]
        if plain(value) in real:
            where = real[plain(value)]
            faults.add(
                f"{path}.drill_record", value, f"It is the real record of {where}. {_OWN}", f"Write drill-{value}."
            )
        elif value is None and entry["record"]:
            faults.add(f"{path}.drill_record", None, "A wildcard has no drill record by default.", "Write one.")
        elif plain(value) in seen:
            faults.add(
                f"{path}.drill_record", value, f"It is the drill record of {seen[plain(value)]} too.", "Change one."
            )
        elif value:
            seen[plain(value)] = path
