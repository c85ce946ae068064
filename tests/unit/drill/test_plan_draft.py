# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A first plan from the parts of a backup: readable, what it says in both its forms, and valid once it is decided."""

from __future__ import annotations

import copy
import typing as t

import pytest
import yaml

from ansible_collections.dfr.continuity.plugins.module_utils._drill.plan import examine_plan, read_plan
from ansible_collections.dfr.continuity.plugins.module_utils._drill.plan_draft import BackedUpPart, Draft, draft_plan

ODOO_FACTS = {"database": "shop_live", "server_version": "15.4", "database_size": 3 * 10**9, "odoo": {"series": "17.0"}}
PARTS = [
    BackedUpPart("a.example.com.shop.database", "a.example.com", "database", ODOO_FACTS),
    BackedUpPart("a.example.com.shop.filestore", "a.example.com", "filestore", {"files": 10, "size": 2000}),
    BackedUpPart("b.example.com.shop.database", "b.example.com", "database", ODOO_FACTS),
    BackedUpPart("b.example.com.n8n.database", "b.example.com", "database", {"database": "n8n"}),
    BackedUpPart("b.example.com.yes", "b.example.com", "tree", {}),
]
HOSTS = ["a.example.com", "b.example.com", "dr1.example.com"]
#: By the last key of a path, what a person writes there.
DECISIONS = {
    "record": "shop.example.com",
    "provider": "rfc2136",
    "owner": "Alice",
    "image": "odoo:17.0",
    "login": "drill",
    "zone": "example.com",
    "url": "https://shop.example.com/",
    "host": "dr1.example.com",
    "old": "192.0.2.1",
    "new": "192.0.2.2",
    "database": "shop_other",
}


def decided(node: t.Any, key: str = "name") -> t.Any:
    if isinstance(node, dict):
        return {one: decided(value, one) for one, value in node.items()}
    if isinstance(node, list):
        return [decided(value, key) for value in node]
    if isinstance(node, str) and node.startswith("DECIDE"):
        return DECISIONS.get(key, "vault_something")
    return node


@pytest.mark.parametrize("addresses", [{}, {"a.example.com": "192.0.2.7", "dr1.example.com": "192.0.2.8"}])
@pytest.mark.parametrize("parts", [PARTS, PARTS[:2], PARTS[1:2], PARTS[3:4]])
def test_a_draft_is_valid_once_people_have_decided(parts: list[BackedUpPart], addresses: dict[str, str]) -> None:
    text, plan = draft_plan(Draft("shop", "a backup", parts, HOSTS, ["dr1.example.com"], addresses))
    assert yaml.safe_load(text) == {"dr_plan": plan}
    assert {fault.reason for fault in examine_plan(plan, HOSTS).faults} == {"It is not decided yet."}
    whole = read_plan(decided(copy.deepcopy(plan)), HOSTS).document
    restored = [entry["part"] for section in ("databases", "files") for entry in whole[section]]
    assert sorted(restored) == sorted(part.name for part in parts)


def test_what_the_backup_tells_is_in_the_draft() -> None:
    text, plan = draft_plan(Draft("shop", "the backup X in /backup", PARTS, HOSTS, [], {}))
    assert [host["name"] for host in plan["sites"]["dr"]["hosts"]] == ["dr1.example.com"]
    assert [entry["name"] for entry in plan["databases"]] == ["shop", "shop-2", "n8n"]
    assert [entry["database"] for entry in plan["databases"]] == [
        "shop_live",
        "DECIDE another name than shop_live, which is taken",
        "n8n",
    ]
    assert [(one["kind"], one["database"], one["ports"]) for one in plan["services"]] == [
        ("odoo", "shop", [8069]),
        ("odoo", "shop-2", [8070]),
        ("n8n", "n8n", [5678]),
    ]
    assert "odoo:17.0" in plan["services"][0]["image"]
    for words in (
        "the backup X in /backup",
        "# PostgreSQL 15.4, 3.0 GB",
        "# filestore, 10 files, 2.0 kB.",
        "# The public",
    ):
        assert words in text
    assert max(map(len, text.splitlines())) <= 160


def test_without_hosts_of_a_dr_site_people_must_name_one() -> None:
    _text, plan = draft_plan(Draft("shop", "a backup", PARTS))
    paths = [fault.path for fault in examine_plan(plan).faults]
    assert "sites.dr.hosts[0].name" in paths
    assert "databases[0].host" in paths
