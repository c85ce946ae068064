# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every key of a plan, what its value is, and its default. ``docs/disaster-recovery.md`` explains them to people."""

from __future__ import annotations

import typing as t

from .fault import Faults
from .phases import MODES, TITLES
from .shapes import (
    Field,
    Shape,
    address,
    choice,
    duration,
    flag,
    list_of,
    map_of,
    name,
    point_in_time,
    record,
    secret_name,
    setting,
    settings,
    text,
    variable_value,
    whole,
)

SCHEMA = "dfr.continuity/plan/1"
LATEST = "latest"
ODOO, N8N, GATEWAY, CONTAINER = "odoo", "n8n", "gateway", "container"
KINDS = (ODOO, N8N, GATEWAY, CONTAINER)
CHECK_KINDS = ("odoo", "n8n", "http", "sql")
PROVIDERS = ("rfc2136", "route53", "cloudflare", "nginx", "haproxy")
#: What the health check of a kind asks for, unless the plan says otherwise.
HEALTH_PATHS = {ODOO: "/web/health", N8N: "/healthz/readiness", GATEWAY: "/", CONTAINER: "/"}

_host = text("the name of an inventory host", "dr1.example.com", r"[^\s,:;]{1,253}")
_path = text("an absolute path", "/srv/shop", r"/[^\x00-\x1f\x7f]*")
_database = text("the name of a database", "shop", r"[^\x00-\x1f\x7f/]{1,63}")
_words = text("a text", "the data centre is gone")
_image = text("the name of a container image with its tag", "docker.io/library/odoo:19.0", r"[A-Za-z0-9][^\s]*")
_url = text("a URL", "https://shop.example.com/web/login", r"https?://[^\s]+")
_bucket = text("the name of a bucket", "shop-attachments", r"[a-z0-9A-Z][A-Za-z0-9._-]{1,62}")
_dns_name = text(
    "a name in the DNS", "shop.example.com", r"(?=.{1,253}$)(\*\.)?([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9-]{1,63}\.?"
)
_network = text("an address or a network", "192.0.2.53 or 192.0.2.0/24", r"[0-9A-Fa-f:.]+(/\d+)?")
_mail = text("a mail address", "ops@example.com", r"[^\s@]+@[^\s@]+")
_part = text("the name of a part of a backup", "db1.shop.database", r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
_backup_id = text("latest or the id of a backup", "20261122T050301Z-1f2e3d4c", r"latest|\d{8}T\d{6}Z-[0-9a-f]{8}")
_unit = text("the name of a package or unit", "odoo", r"[A-Za-z0-9][A-Za-z0-9@._+:-]*")
_variable = r"[A-Za-z_][A-Za-z0-9_]*"
_port = whole(1, 65535)
_environment = map_of(variable_value, _variable)
_secrets = map_of(secret_name, _variable)

_PORT_FIELDS = {
    "port": Field(_port),
    "target": Field(_port, None),
    "protocol": Field(choice("tcp", "udp"), "tcp"),
    "address": Field(address, "0.0.0.0"),
}


def _published_port(value: t.Any, path: str, faults: Faults) -> dict[str, t.Any] | None:
    """Read a published port: a number, or a dictionary; the port inside the container is the same by default."""
    found: dict[str, t.Any] | None = record(_PORT_FIELDS, "port")(value, path, faults)
    if found is not None and found["target"] is None:
        found["target"] = found["port"]
    return found


_host_of_site = record({"name": Field(_host), "address": Field(address, None)}, "name")
_site = record(
    {
        "name": Field(text("the name of a site", "Frankfurt")),
        "hosts": Field(list_of(_host_of_site)),
    }
)

_CHECK_FIELDS = {
    "name": Field(name),
    "kind": Field(choice(*CHECK_KINDS)),
    "mandatory": Field(flag, True),
    "url": Field(_url, None),
    "status": Field(whole(100, 599), 200),
    "contains": Field(_words, None),
    "database": Field(name, None),
    "query": Field(text("an SQL query", "SELECT count(*) FROM res_users", r"(?s:.+)"), None),
    "expect": Field(setting, None),
    "timeout": Field(duration, "1m"),
    "settings": Field(settings, {}),
    "secrets": Field(_secrets, {}),
}
_check_of_service = record(_CHECK_FIELDS)
_check = record({**_CHECK_FIELDS, "service": Field(name, None)})

_storage = record({"path": Field(_path), "mount": Field(_path, None), "owner": Field(_words, None)}, "path")
_health = record(
    {
        "path": Field(text("the path of a URL", "/web/health", r"/[^\s]*"), None),
        "port": Field(_port, None),
        "status": Field(whole(100, 599), 200),
        "timeout": Field(duration, "10m"),
    },
    "path",
)
_service = record(
    {
        "name": Field(name),
        "kind": Field(choice(*KINDS)),
        "host": Field(_host),
        "image": Field(_image, None),
        "package": Field(_unit, None),
        "unit": Field(_unit, None),
        "command": Field(list_of(text("an argument", "--workers=2")), []),
        "environment": Field(_environment, {}),
        "secrets": Field(_secrets, {}),
        "database": Field(name, None),
        "storage": Field(list_of(_storage), []),
        "ports": Field(list_of(_published_port), []),
        "health": Field(_health, {}),
        "checks": Field(list_of(_check_of_service), []),
        "depends_on": Field(list_of(name), []),
        "settings": Field(settings, {}),
    }
)

_database_entry = record(
    {
        "name": Field(name),
        "part": Field(_part),
        "host": Field(_host),
        "database": Field(_database, None),
        "owner": Field(_database, None),
        "connection": Field(settings, {}),
        "secrets": Field(_secrets, {}),
        "restore_roles": Field(flag, False),
        "recovery_point": Field(choice("snapshot", "heartbeat"), "snapshot"),
    }
)
_files_entry = record(
    {
        "name": Field(name),
        "part": Field(_part),
        "host": Field(_host),
        "path": Field(_path),
        "owner": Field(_words, None),
        "group": Field(_words, None),
        "service": Field(name, None),
    }
)

_bucket_place = record(
    {
        "bucket": Field(_bucket),
        "endpoint": Field(_url, None),
        "region": Field(_words, None),
        "credentials": Field(secret_name, None),
    }
)
_objects_entry = record(
    {
        "name": Field(name),
        "source": Field(_bucket_place),
        "replica": Field(_bucket_place),
        "missing_limit": Field(whole(0, 10**12), 0),
        "lag_limit": Field(duration, "15m"),
        "mandatory": Field(flag, True),
    }
)

_traffic_entry = record(
    {
        "record": Field(_dns_name),
        "type": Field(choice("A", "AAAA", "CNAME"), "A"),
        "provider": Field(choice(*PROVIDERS)),
        "old": Field(list_of(address)),
        "new": Field(list_of(address)),
        "ttl": Field(whole(1, 86400), 60),
        "drill_record": Field(_dns_name, None),
        "service": Field(name, None),
        "settings": Field(settings, {}),
        "secrets": Field(_secrets, {}),
    }
)

_hook = record(
    {
        "name": Field(name),
        "phase": Field(choice(*TITLES)),
        "when": Field(choice("before", "after"), "before"),
        "playbook": Field(text("the path of a playbook", "raise_dr.yml", r"[^\x00-\x1f\x7f]+\.ya?ml")),
        "modes": Field(list_of(choice(*MODES)), list(MODES)),
    }
)

_drill_service = record(
    {
        "name": Field(name, None),
        "image": Field(_image, None),
        "ports": Field(map_of(_port, r"\d{1,5}"), {}),
        "environment": Field(_environment, {}),
    }
)
_drill = record(
    {
        "network": Field(name, None),
        "folder": Field(_path, None),
        "allow": Field(
            list_of(text("an address or a network", "192.0.2.53 or 192.0.2.0/24", r"[0-9A-Fa-f:.]+(/\d+)?")), []
        ),
        "services": Field(map_of(_drill_service), {}),
        "databases": Field(
            map_of(record({"database": Field(_database, None), "owner": Field(_database, None)}, "database")), {}
        ),
        "files": Field(map_of(record({"path": Field(_path, None)}, "path")), {}),
        "objects": Field(map_of(record({"bucket": Field(_bucket, None)}, "bucket")), {}),
    }
)

PLAN: Shape = record(
    {
        "schema": Field(choice(SCHEMA), SCHEMA),
        "name": Field(name),
        "scenario": Field(_words, "The primary site is lost"),
        "sites": Field(record({"primary": Field(_site), "dr": Field(_site)})),
        "services": Field(list_of(_service)),
        "databases": Field(list_of(_database_entry), []),
        "files": Field(list_of(_files_entry), []),
        "objects": Field(list_of(_objects_entry), []),
        "traffic": Field(list_of(_traffic_entry), []),
        "checks": Field(list_of(_check), []),
        "objectives": Field(record({"rto": Field(duration, "4h"), "rpo": Field(duration, "15m")}), {}),
        "backup": Field(
            record(
                {
                    "backup_id": Field(_backup_id, LATEST),
                    "not_after": Field(point_in_time, None),
                    "verify": Field(choice("structure", "bytes", "none"), "structure"),
                },
                "backup_id",
            ),
            {},
        ),
        "drill": Field(_drill, {}),
        "hooks": Field(list_of(_hook), []),
        "report": Field(
            record(
                {
                    "mail": Field(list_of(_mail), []),
                    "owner": Field(text("who sees to findings", "Alice Example"), None),
                    "folder": Field(_path, "/var/lib/dfr-continuity/reports"),
                    "store": Field(flag, True),
                }
            ),
            {},
        ),
    }
)
