# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Defaults of a plan that follow from other places of it: what a drill uses instead of the real thing, and the like."""

from __future__ import annotations

import typing as t

from .plan_shape import GATEWAY, HEALTH_PATHS

Document = dict[str, t.Any]
#: So much higher are the ports of a drill, unless the plan says otherwise.
DRILL_PORTS = 10000


def entries(plan: Document, section: str) -> t.Iterator[tuple[str, Document]]:
    """Yield path and entry of a list of dictionaries, without those that could not be read."""
    for number, entry in enumerate(plan.get(section) or ()):
        if entry is not None:
            yield f"{section}[{number}]", entry


def fill_in(plan: Document) -> None:
    """Fill in what was left out, in place; what cannot be told because of a fault stays None."""
    for _path, database in entries(plan, "databases"):
        database["database"] = database["database"] or database["name"]
    for _path, record in entries(plan, "traffic"):
        record["drill_record"] = record["drill_record"] or _drill_record(record["record"])
    for _path, service in entries(plan, "services"):
        _fill_in_service(service)
    if plan.get("drill") is not None:
        _fill_in_drill(plan, plan["drill"])


def _drill_record(record: str | None) -> str | None:
    """Return ``drill-shop.example.com`` for ``shop.example.com``; a wildcard has no such name."""
    return f"drill-{record}" if record and not record.startswith("*") else None


def _fill_in_service(service: Document) -> None:
    service["unit"] = service["unit"] or service["package"]
    for storage in service["storage"]:
        if storage is not None:
            storage["mount"] = storage["mount"] or storage["path"]
    ports = [port["port"] for port in service["ports"] if port is not None]
    health = service["health"]
    if health is not None:
        health["port"] = health["port"] or next(iter(ports), None)
        if health["port"] is not None:
            health["path"] = health["path"] or HEALTH_PATHS.get(service["kind"] or GATEWAY)


def _fill_in_drill(plan: Document, drill: Document) -> None:
    own = f"{plan['name']}-drill" if plan["name"] else None
    drill["network"] = drill["network"] or own
    drill["folder"] = drill["folder"] or (own and f"/srv/{own}")
    for _path, service in entries(plan, "services"):
        if service["name"]:
            _fill_in_drill_service(service, _entry(drill, "services", service["name"]))
    for _path, database in entries(plan, "databases"):
        if database["name"]:
            entry = _entry(drill, "databases", database["name"])
            entry["database"] = entry.get("database") or (database["database"] and f"{database['database']}_drill")
            entry["owner"] = entry.get("owner") or database["owner"]
    for _path, files in entries(plan, "files"):
        if files["name"]:
            entry = _entry(drill, "files", files["name"])
            entry["path"] = entry.get("path") or (drill["folder"] and f"{drill['folder']}/{files['name']}")
    for _path, objects in entries(plan, "objects"):
        if objects["name"] and objects["replica"]:
            entry = _entry(drill, "objects", objects["name"])
            bucket = objects["replica"]["bucket"]
            entry["bucket"] = entry.get("bucket") or (bucket and f"{bucket}-drill")


def _entry(drill: Document, section: str, name: str) -> Document:
    if drill[section].get(name) is None:
        drill[section][name] = {}
    return t.cast("Document", drill[section][name])


def _fill_in_drill_service(service: Document, entry: Document) -> None:
    entry["name"] = entry.get("name") or f"{service['name']}-drill"
    entry["image"] = entry.get("image") or service["image"]
    entry["environment"] = entry.get("environment") or {}
    ports = entry["ports"] = dict(entry.get("ports") or {})
    for port in service["ports"]:
        if port is not None and port["port"] is not None and not ports.get(str(port["port"])):
            higher = port["port"] + DRILL_PORTS
            # Above the last port there is none: the plan must name one, and the check of the plan says so.
            ports[str(port["port"])] = higher if higher <= 65535 else None
