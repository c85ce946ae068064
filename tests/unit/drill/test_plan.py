# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as data: one faulty place at a time, all of them at once, defaults, and what identifies a plan."""

from __future__ import annotations

import copy
import json
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.dfr.continuity.plugins.module_utils._drill.fault import PlanError
from ansible_collections.dfr.continuity.plugins.module_utils._drill.plan import (
    differences,
    examine_plan,
    plan_digest,
    read_plan,
)
from ansible_collections.dfr.continuity.plugins.module_utils._drill.shapes import duration_seconds

EXAMPLE = Path(__file__).parents[3] / "inventories" / "example" / "dr_plan.yml"
HOSTS = ["odoo.example.com", "db.example.com", "dr1.example.com", "dr2.example.com"]
Place = t.Any


@pytest.fixture
def plan() -> Place:
    """The plan of the example inventory."""
    return yaml.safe_load(EXAMPLE.read_text())["dr_plan"]


def put(plan: Place, path: str, value: t.Any) -> None:
    """Set a place such as ``services.0.host``; ``...`` removes it."""
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in way:
        plan = plan[step]
    if value is ...:
        del plan[last]
    else:
        plan[last] = value


def test_the_example_is_valid_and_reading_it_again_changes_nothing(plan: Place) -> None:
    before = copy.deepcopy(plan)
    read = read_plan(plan, HOSTS)
    assert plan == before
    assert read_plan(read.document, HOSTS).document == read.document
    assert read_plan(json.loads(json.dumps(read.document))).sha256 == read.sha256


#: Change (place, value) and the faults it makes: path, and words of the reason or of what to write instead.
ONE_FAULT = [
    ("services.1.host", "dr9.example.com", "services[1].host", "no host of the DR site"),
    ("services.1.host", "dr2.exampel.com", "services[1].host", "Did you mean dr2.example.com?"),
    ("services.1.host", "odoo.example.com", "services[1].host", "primary site, which is what is lost"),
    ("databases.0.host", "nowhere", "databases[0].host", "no host of the DR site"),
    ("files.0.host", "nowhere", "files[0].host", "no host of the DR site"),
    ("sites.primary.hosts.1.name", "dbx.example.com", "sites.primary.hosts[1].name", "Did you mean db.example.com?"),
    ("sites.primary.hosts", [], "sites.primary.hosts", "has no host"),
    ("sites.primary.hosts.1.address", "192.0.2.300", "sites.primary.hosts[1].address", "neither an IP address"),
    ("sites.dr.hosts.1.address", "192.0.2.10", "sites.dr.hosts[1].address", "odoo.example.com at the primary"),
    ("services.2.depends_on", ["odoo", "n8m"], "services[2].depends_on[1]", "Did you mean n8n?"),
    ("services.0.depends_on", ["gateway"], "services[0].depends_on", "odoo → gateway → odoo"),
    ("services.0.depends_on", ["odoo"], "services[0].depends_on", "wait for each other"),
    ("services.0.database", "shopp", "services[0].database", "Did you mean shop?"),
    ("services.0.database", ..., "services[0].database", "An Odoo needs a database"),
    ("services.0.image", ..., "services[0].image", "Exactly one of image and package"),
    ("services.0.package", "odoo", "services[0].image", "Exactly one of image and package"),
    ("services.0.kind", "odo", "services[0].kind", "Write odoo, n8n, gateway or container"),
    ("services.0.name", "Big Shop", "services[0].name", "cannot be a name"),
    ("services.0.ports", [80690], "services[0].ports[0].port", "from 1 to 65535"),
    ("services.0.ports", ["web"], "services[0].ports[0].port", "from 1 to 65535"),
    ("services.2.ports", [443, 8069], "services[2].ports[1].port", "taken on dr1.example.com by services[0].ports[0]"),
    ("services.0.imgae", "x", "services[0].imgae", "Did you mean image?"),
    ("databses", [], "databses", "Did you mean databases?"),
    ("services.0.host", ..., "services[0].host", "It is missing"),
    ("services.0.host", "DECIDE", "services[0].host", "not decided yet"),
    ("services.0.storage", "x", "services[0].storage", "Write a list"),
    ("services.0.storage", ["var/lib"], "services[0].storage[0].path", "absolute path"),
    ("services.0", "odoo", "services[0]", "not a dictionary"),
    ("services.0.health", {"timeout": "soon"}, "services[0].health.timeout", "4h, 15m, 90s"),
    ("services.0.environment.PASSWORD", "x", "services[0].environment.PASSWORD", "looks like a secret"),
    ("services.0.secrets.HOST", "vault_x", "services[0].secrets.HOST", "environment has this variable too"),
    ("services.0.environment.HOST", "192.0.2.11", "services[0].environment.HOST", "db.example.com at the primary site"),
    ("services.0.environment.URL", "http://db.example.com:5432/x", "services[0].environment.URL", "at the primary"),
    ("databases.0.connection.host", "db.example.com", "databases[0].connection.host", "at the primary site"),
    ("databases.0.connection.password", "Pa55word!", "databases[0].connection.password", "looks like a secret"),
    ("databases.0.secrets", {"password": "not a name!"}, "databases[0].secrets.password", "name of the variable"),
    ("objects.0.source.credentials", "AKIA+x", "objects[0].source.credentials", "name of the variable"),
    ("databases.1.name", "shop", "databases[1].name", "of this name already, at databases[0]"),
    ("databases.1.database", "shop", "databases[1].database", "restored to the same place"),
    ("databases.0.part", "no part", "databases[0].part", "part of a backup"),
    ("objectives.rto", "4 hours", "objectives.rto", "4h, 15m, 90s"),
    ("objectives.rpo", 0, "objectives.rpo", "no length of time"),
    ("objectives.rpo", True, "objectives.rpo", "no length of time"),
    ("backup.backup_id", "newest", "backup.backup_id", "latest or the id of a backup"),
    ("backup.not_after", "2026-11-22 05:03", "backup.not_after", "with a time zone"),
    (
        "backup",
        {"backup_id": "20261122T050301Z-1f2e3d4c", "not_after": "2026-11-22T05:03Z"},
        "backup.not_after",
        "beside",
    ),
    ("backup.verify", "all", "backup.verify", "structure, bytes or none"),
    ("files.0.service", "oddo", "files[0].service", "Did you mean odoo?"),
    ("objects.0.replica.bucket", "b", "objects[0].replica.bucket", "name of a bucket"),
    ("objects.0.missing_limit", -1, "objects[0].missing_limit", "from 0"),
    ("traffic.0.new", ["192.0.2.10"], "traffic[0].new", "what the record has now"),
    ("traffic.0.new", [], "traffic[0].new", "leads nowhere"),
    ("traffic.0.new", ["2001:db8::1"], "traffic[0].new[0]", "record of type A"),
    ("traffic.0.provider", "bind", "traffic[0].provider", "rfc2136, route53"),
    ("traffic.0.settings.tsig_key", "c2VjcmV0", "traffic[0].settings.tsig_key", "looks like a secret"),
    ("traffic.0.ttl", 0, "traffic[0].ttl", "from 1"),
    ("services.0.checks.1.name", "odoo-login", "services[0].checks[1].name", "already, at services[0].checks[0]"),
    ("services.0.checks.1.query", ..., "services[0].checks[1].query", "kind sql needs it"),
    ("services.2.checks.0.kind", "odoo", "services[2].checks[0].kind", "gateway is of the kind gateway"),
    ("services.2.checks.0.mandatory", "yes", "services[2].checks[0].mandatory", "true or false"),
    ("hooks.0.phase", "activate", "hooks[0].phase", "activate_site"),
    ("hooks.0.playbook", "raise.sh", "hooks[0].playbook", "path of a playbook"),
    ("report.mail", ["ops"], "report.mail[0]", "mail address"),
    # A drill never touches production.
    ("drill.services.gateway.name", "odoo", "drill.services.gateway.name", "name of a real service"),
    ("drill.services.gateway.ports", {"443": 8069}, "drill.services.gateway.ports.443", "real port of odoo"),
    ("drill.services.gateway.ports", {"443": 443}, "drill.services.gateway.ports.443", "real port of gateway"),
    ("drill.services.gateway.ports", {"443": 18069}, "drill.services.gateway.ports.443", "In a drill it is taken"),
    ("drill.services.gateway.ports", {"443": 1443, "80": 1080}, "drill.services.gateway.ports.80", "has no port 80"),
    ("drill.services.gatewy", {}, "drill.services.gatewy", "Did you mean gateway?"),
    (
        "drill.services.odoo",
        {"environment": {"X": "192.0.2.11"}},
        "drill.services.odoo.environment.X",
        "at the primary",
    ),
    ("services.0.ports", [60000], "drill.services.odoo.ports.60000", "no port 10000 higher"),
    ("drill.databases.shop", "shop", "drill.databases.shop.database", "name of a real database"),
    ("drill.databases.shop", "n8n", "drill.databases.shop.database", "name of a real database"),
    ("drill.databases.shop", "n8n_drill", "drill.databases.n8n.database", "restored to it in a drill too"),
    ("drill.files.shop-filestore", "/srv/shop/drill", "drill.files.shop-filestore.path", "real data is at /srv/shop"),
    ("drill.files.shop-filestore", "/srv", "drill.files.shop-filestore.path", "real data is at /srv/shop"),
    ("drill.objects.attachments", "shop-attachments", "drill.objects.attachments.bucket", "real bucket"),
    ("drill.objects.attachments", "shop-attachments-replica", "drill.objects.attachments.bucket", "real bucket"),
    ("traffic.0.drill_record", "Shop.example.com.", "traffic[0].drill_record", "real record of traffic[0]"),
]


@pytest.mark.parametrize(("place", "value", "path", "words"), ONE_FAULT)
def test_a_fault_names_its_place_its_reason_and_what_to_write(
    plan: Place, place: str, value: t.Any, path: str, words: str
) -> None:
    put(plan, place, value)
    found = examine_plan(plan, HOSTS).faults
    assert path in [fault.path for fault in found], found
    fault = next(one for one in found if one.path == path)
    assert words in f"{fault.reason} {fault.instead}"
    assert fault.reason.endswith(".")
    assert fault.instead.endswith((".", "?"))
    # What merely follows from it (a service that is gone is missed elsewhere) may be told too; nothing else.
    related = [one for one in found if one.path != path]
    assert len(related) <= 4, related


def test_all_faults_are_told_at_once(plan: Place) -> None:
    put(plan, "services.1.host", "dr9.example.com")
    put(plan, "objectives.rto", "soon")
    put(plan, "drill.databases.shop", "shop")
    put(plan, "repprt", {})
    with pytest.raises(PlanError) as raised:
        read_plan(plan, HOSTS)
    assert {fault.path for fault in raised.value.faults} == {
        "services[1].host",
        "objectives.rto",
        "drill.databases.shop.database",
        "repprt",
    }
    assert "4 faults" in raised.value.message
    assert "services[1].host = 'dr9.example.com': It is no host of the DR site." in raised.value.message
    assert raised.value.next_step


def test_a_host_on_both_sites(plan: Place) -> None:
    put(plan, "sites.primary.hosts.1", "dr2.example.com")
    reasons = [str(fault) for fault in examine_plan(plan, HOSTS).faults]
    assert any("sites.dr.hosts[1].name" in reason and "drill would run on production" in reason for reason in reasons)


def test_nothing_that_could_never_pass_is_accepted(plan: Place) -> None:
    for service in plan["services"]:
        for check in service["checks"]:
            check["mandatory"] = False
    put(plan, "databases", [])
    put(plan, "files", [])
    paths = [fault.path for fault in examine_plan(plan, HOSTS).faults]
    assert {"checks", "databases"} <= set(paths)


@pytest.mark.parametrize("given", [None, [], "plan", 7, {}, {"sites": None}, {"sites": []}, {"services": {}}])
def test_what_is_no_plan_at_all_is_a_fault_and_no_crash(given: t.Any) -> None:
    assert examine_plan(given, HOSTS).faults


def _places(node: t.Any, way: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    if way:
        yield way
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, inner in items:
        yield from _places(inner, (*way, key))


@pytest.mark.parametrize("rubbish", [None, 7, -1, True, "", "x y\n", [], {}, [None], {"x": None}, [[]], 1.5])
def test_rubbish_at_any_place_never_crashes(plan: Place, rubbish: t.Any) -> None:
    whole = read_plan(plan, HOSTS).document
    for way in list(_places(whole)):
        broken = copy.deepcopy(whole)
        node = broken
        for step in way[:-1]:
            node = node[step]
        node[way[-1]] = rubbish
        reading = examine_plan(broken, HOSTS)
        if not reading.faults:
            # Taken as it is or as its default: then reading it again must change nothing.
            assert examine_plan(reading.document, HOSTS).document == reading.document


@pytest.mark.parametrize(
    ("place", "secret"),
    [
        ("services.0.environment.DB_PASSWORD", "hunter2-hunter2"),
        ("services.0.secrets.PASSWORD", "correct horse battery staple"),
        ("services.0.environment.URL", "postgres://odoo:s3cr3t-word@db/x"),
        ("traffic.0.settings.note", "-----BEGIN PRIVATE KEY-----\nMC4CAQ"),
        ("report.owner", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc"),
        ("objects.0.replica.credentials", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ],
)
def test_a_secret_is_refused_and_never_repeated(plan: Place, place: str, secret: str) -> None:
    put(plan, place, secret)
    reading = examine_plan(plan, HOSTS)
    assert reading.faults
    assert secret in reading.secrets
    assert all(secret not in str(fault) for fault in reading.faults)
    with pytest.raises(PlanError) as raised:
        read_plan(plan, HOSTS)
    assert secret not in str(raised.value)


def test_secrets_must_be_variables_that_exist_when_those_are_known(plan: Place) -> None:
    [*_, fault] = examine_plan(plan, HOSTS, {"vault_s3_reader"}).faults
    named = {one.value for one in examine_plan(plan, HOSTS, {"vault_s3_reader"}).faults}
    assert "'vault_dns_key'" in named
    assert "'vault_s3_reader'" not in named
    assert "no such variable" in fault.reason


def test_defaults() -> None:
    document = read_plan(
        {
            "name": "shop",
            "sites": {"primary": {"name": "A", "hosts": ["a"]}, "dr": {"name": "B", "hosts": ["b"]}},
            "databases": [{"name": "shop", "part": "a.shop.database", "host": "b"}],
            "services": [
                {
                    "name": "odoo",
                    "kind": "odoo",
                    "host": "b",
                    "image": "odoo:19",
                    "database": "shop",
                    "ports": [8069],
                    "checks": [{"name": "login", "kind": "odoo"}],
                }
            ],
            "traffic": [{"record": "shop.example.com", "provider": "nginx", "old": [], "new": ["192.0.2.1"]}],
        }
    ).document
    assert document["objectives"] == {"rto": 14400, "rpo": 900}
    assert document["backup"] == {"backup_id": "latest", "not_after": None, "verify": "structure"}
    assert document["databases"][0]["database"] == "shop"
    assert document["drill"]["databases"]["shop"] == {"database": "shop_drill", "owner": None}
    assert document["drill"]["services"]["odoo"]["ports"] == {"8069": 18069}
    assert document["drill"]["services"]["odoo"]["name"] == "odoo-drill"
    assert document["drill"]["network"] == "shop-drill"
    assert document["traffic"][0]["drill_record"] == "drill-shop.example.com"
    assert document["traffic"][0]["ttl"] == 60
    assert document["services"][0]["health"] == {"path": "/web/health", "port": 8069, "status": 200, "timeout": 600}
    assert document["services"][0]["checks"][0]["mandatory"] is True


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("4h", 14400), ("15m", 900), ("90s", 90), ("1h30m", 5400), ("1d", 86400), ("1.5h", 5400), ("90", 90), (90, 90)],
)
def test_lengths_of_time(text: t.Any, seconds: int) -> None:
    assert duration_seconds(text) == seconds


def test_the_digest_tells_plans_apart_and_not_the_order_of_their_keys(plan: Place) -> None:
    first = read_plan(plan)
    assert read_plan(dict(reversed(plan.items()))).sha256 == first.sha256
    put(plan, "services.0.image", "docker.io/library/odoo:19.1")
    put(plan, "objectives.rpo", "14m")
    second = read_plan(plan)
    assert second.sha256 != first.sha256
    assert differences(first.document, second.document) == [
        "drill.services.odoo.image",
        "objectives.rpo",
        "services[0].image",
    ]
    # SHA-256 of canonical JSON, so that others can compute it.
    assert plan_digest({"b": 1, "a": "ä"}) == "78892fb919682f85e08161f2cd8e0e904520a093cd75421077a1c865e59e90c6"
