# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role traffic with Cloudflare, whose API a small server of the tests speaks."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.dfr.continuity.tests.environment.cloudflare import ZONE, Cloudflare

from .conftest import Traffic

Record = dict[str, t.Any]


@pytest.fixture
def zone(cloudflare: Cloudflare, traffic: Traffic) -> Cloudflare:
    traffic.secrets.append(cloudflare.token)
    traffic.variables["traffic_credentials"] = {"cf": {"api_token": cloudflare.token}}
    for name in ("https_proxy", "HTTPS_PROXY"):
        traffic.environment[name] = cloudflare.proxy
    traffic.environment |= {"SSL_CERT_FILE": str(cloudflare.authority), "no_proxy": "", "NO_PROXY": ""}
    cloudflare.add("shop", "A", "192.0.2.1", proxied=True, ttl=1, comment="the shop", tags=["team:web"])
    cloudflare.add("pair", "A", "192.0.2.1")
    cloudflare.add("pair", "A", "192.0.2.2")
    cloudflare.add("www", "CNAME", "shop.example.com", ttl=120)
    return cloudflare


def _record(name: str, *values: str, **options: t.Any) -> Record:
    own = {"record": f"{name}.{ZONE}", "zone": ZONE, "provider": "cloudflare", "credentials": "cf", "verify": "api"}
    return {**own, "values": list(values), **options}


def _records() -> list[Record]:
    return [
        _record("shop", "192.0.2.9", proxied=True, ttl=1, expected=["192.0.2.1"]),
        _record("pair", "192.0.2.9", "192.0.2.2"),
        _record("www", "dr.example.com", type="CNAME"),
        _record("fresh", "192.0.2.9"),
    ]


_NAMES = ("shop", "pair", "www", "fresh")


def _writes(zone: Cloudflare) -> list[str]:
    return [method for method, _path in zone.requests if method != "GET"]


def test_records_are_switched_and_back_to_exactly_what_they_were(zone, traffic):
    before = {name: zone.told(name) for name in _NAMES}
    traffic("switched", *_records()).worked()
    assert zone.told("shop") == [("192.0.2.9", 1, True, "the shop", ["team:web"])]
    assert [one[:2] for one in zone.told("pair")] == [("192.0.2.2", 60), ("192.0.2.9", 60)]
    assert zone.told("www") == [("dr.example.com", 60, False, None, [])]
    assert zone.told("fresh") == [("192.0.2.9", 60, False, None, [])]
    zone.requests.clear()
    kept = traffic.kept_values()
    assert not traffic("switched", *_records()).worked().changed
    assert _writes(zone) == []
    assert traffic.kept_values() == kept
    traffic("undone", *_records()).worked()
    assert {name: zone.told(name) for name in _NAMES} == before
    assert traffic.kept_values() == {}


def test_there_is_an_answer_at_every_moment_and_half_a_change_is_undone(zone, traffic):
    before = zone.told("shop")
    zone.fail_at = "DELETE"
    traffic("switched", _records()[0]).refused("it was told to fail")
    # Added first, removed later: interrupted in between, there are both.
    assert [one[0] for one in zone.told("shop")] == ["192.0.2.1", "192.0.2.9"]
    traffic("undone", _records()[0]).worked()
    assert zone.told("shop") == before


def test_what_is_refused_changes_nothing(zone, traffic):
    zone.records[0]["content"] = "203.0.113.5"
    said = "was expected to be 192.0.2.1 or 192.0.2.9, and is 203.0.113.5. It was left as it is."
    traffic("switched", *_records()).refused(said)
    bad = {"cf": {"api_token": "another-token"}}
    traffic.secrets.append("another-token")
    traffic("switched", _record("pair", "192.0.2.9"), traffic_credentials=bad).refused(
        "Cloudflare refused the credentials cf for the zone example.com (HTTP 403)", "Make a token"
    )
    other = {**_record("pair", "192.0.2.9"), "zone": "example.org", "record": "pair.example.org"}
    traffic("switched", other).refused("Cloudflare has no zone example.org that the credentials cf may see")
    assert _writes(zone) == []
    assert traffic.kept_values() == {}
