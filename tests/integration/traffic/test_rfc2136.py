# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role traffic with RFC 2136 updates, on two real BIND servers; answers are those that dig prints."""

from __future__ import annotations

import os
import signal
import subprocess
import typing as t

import pytest

from ansible_collections.dfr.continuity.tests.environment.dns import ZONE, Bind
from ansible_collections.dfr.continuity.tests.environment.processes import free_port, wait_until

from .conftest import Traffic

Record = dict[str, t.Any]


@pytest.fixture
def record(bind: Bind, traffic: Traffic) -> t.Callable[..., Record]:
    """Describes a record of the zone; its servers are found by the zone's NS records."""
    traffic.secrets.append(bind.secret)
    traffic.variables["traffic_credentials"] = {"dns": {"key_name": bind.key_name, "key_secret": bind.secret}}
    traffic.variables["traffic_discovery"] = [bind.secondary]

    def describe(name: str, *values: str, **options: t.Any) -> Record:
        own = {"record": f"{name}.{ZONE}", "zone": ZONE, "provider": "rfc2136", "server": bind.primary}
        return {**own, "values": list(values), "credentials": "dns", **options}

    return describe


def _both(bind: Bind, name: str, kind: str = "A") -> list[list[tuple[str, int]]]:
    return [bind.ask(name, kind, server) for server in (bind.primary, bind.secondary)]


def test_records_are_switched_at_every_server_and_back_to_exactly_what_they_were(bind, traffic, record):
    records = [
        record("shop", "192.0.2.9", expected=["192.0.2.1"]),
        record("pair", "192.0.2.9", "192.0.2.8"),
        record("six", "2001:DB8:0::9", type="AAAA"),
        record("www", "dr.example.com.", type="CNAME", ttl=30),
        record("fresh", "192.0.2.9"),
    ]
    traffic.environment["ANSIBLE_PIPELINING"] = "false"
    names = {"shop": "A", "pair": "A", "six": "AAAA", "www": "CNAME", "fresh": "A"}
    before = {name: bind.ask(name, kind) for name, kind in names.items()}
    result = traffic("switched", *records).worked().result
    after: dict[str, list[tuple[str, int]]] = {
        "shop": [("192.0.2.9", 60)],
        "pair": [("192.0.2.8", 60), ("192.0.2.9", 60)],
        "six": [("2001:db8::9", 60)],
        "www": [("dr.example.com.", 30)],
        "fresh": [("192.0.2.9", 60)],
    }
    for name, kind in names.items():
        assert _both(bind, name, kind) == [after[name]] * 2
    shop = result["traffic"][0]
    assert (shop["record"], shop["provider"], shop["undone"]) == ("shop.example.com", "rfc2136", False)
    assert (shop["old"], shop["old_ttl"], shop["new"], shop["new_ttl"]) == (["192.0.2.1"], 300, ["192.0.2.9"], 60)
    assert [line.split(":")[0] for line in shop["verified_at"]] == ["ns1.example.com", "ns2.example.com"]
    assert {(one["address"], one["port"]) for one in shop["servers"]} == {(bind.primary, 53), (bind.secondary, 53)}

    # Once more: nothing changes, and what was kept stays.
    kept, zone = traffic.kept_values(), bind.zone()
    assert not traffic("switched", *records).worked().changed
    assert traffic.kept_values() == kept
    assert bind.zone() == zone
    assert kept["shop.example.com"]["old"]["values"] == ["192.0.2.1"]
    assert [path.stat().st_mode & 0o777 for path in traffic.kept.glob("*")] == [0o600] * 5

    result = traffic("undone", *records).worked().result
    for name, kind in names.items():
        assert _both(bind, name, kind) == [before[name]] * 2
    assert [one["undone"] for one in result["traffic"]] == [True] * 5
    assert traffic.kept_values() == {}
    zone = bind.zone()
    assert not traffic("undone", *records).worked().changed
    assert bind.zone() == zone


@pytest.mark.parametrize("changed_by", ["nobody before the switch", "somebody after the switch"])
def test_a_record_that_somebody_else_changed_is_left_alone(bind, traffic, record, changed_by):
    one = record("shop", "192.0.2.9", expected=["192.0.2.1"])
    state = "switched"
    if "after" in changed_by:
        traffic("switched", one).worked()
        state = "undone"
    bind.change_by_hand(f"delete shop.{ZONE} A", f"add shop.{ZONE} 77 A 203.0.113.5")
    zone, kept = bind.zone(), traffic.kept_values()
    said = "expected to be 192.0.2.1 or 192.0.2.9, and is 203.0.113.5. It was left as it is."
    traffic(state, one, record("www", "dr.example.com", type="CNAME")).refused(said, "Find out who changed it.")
    assert bind.zone() == zone
    assert traffic.kept_values() == kept


def test_the_server_itself_refuses_when_somebody_is_faster(bind):
    """Between the look and the update: the old value given is not what the server has any more."""
    from ansible_collections.dfr.continuity.plugins.module_utils._drill import dns_client

    question = dns_client.Question(ZONE, f"shop.{ZONE}", "A")
    server, key = dns_client.Server("ns1", bind.primary), dns_client.Key(bind.key_name, bind.secret)
    zone = bind.zone()
    for old in ((), ("192.0.2.2",), ("192.0.2.1", "192.0.2.2")):
        with pytest.raises(dns_client.RecordChangedError, match=r"and is 192\.0\.2\.1\."):
            dns_client.replace_record(
                question, server, dns_client.RecordSet(old), dns_client.RecordSet(("192.0.2.9",), 60), key=key
            )
    assert bind.zone() == zone


def test_killed_between_update_and_verification_and_then_undone(bind, traffic, record):
    # The hanging secondary cannot be asked for NS records either.
    one = record("shop", "192.0.2.9", servers=[bind.primary, bind.secondary])
    bind.pause("secondary")
    command = traffic.command("switched", [one], traffic_patience=600)
    run = subprocess.Popen(
        command, cwd=traffic.folder, env=traffic.settings(), stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_until(lambda: bind.ask("shop") == [("192.0.2.9", 60)], "the update")
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        bind.resume("secondary")
    assert traffic.kept_values()["shop.example.com"]["old"]["ttl"] == 300
    traffic("undone", one).worked()
    assert _both(bind, "shop") == [[("192.0.2.1", 300)]] * 2


def test_a_secondary_that_stays_behind_is_named_and_the_old_value_stays_kept(bind, traffic, record):
    one = record("shop", "192.0.2.9", servers=[{"name": "ns1", "address": bind.primary}, bind.secondary])
    bind.pause("secondary")
    try:
        refused = traffic("switched", one, traffic_patience=1)
    finally:
        bind.resume("secondary")
    refused.refused(
        f"The DNS server {bind.secondary} ({bind.secondary} port 53) did not answer about the zone {ZONE} within",
        "or bring the old values back with traffic_state: undone.",
    )
    (entry,) = refused.result["traffic"]
    assert [one["ok"] for one in entry["servers"]] == [True, False]
    assert len(entry["verified_at"]) == 1
    assert traffic.kept_values()["shop.example.com"]["old"]["values"] == ["192.0.2.1"]
    # Nothing is to be changed any more; the secondary has caught up.
    assert not traffic("switched", one).worked().changed
    traffic("undone", one).worked()
    assert _both(bind, "shop") == [[("192.0.2.1", 300)]] * 2


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ({"key_name": "nobody"}, ["refused the key nobody (hmac-sha256) for the zone example.com", "(BADKEY)"]),
        ({"key_secret": "bm90IHRoZSByaWdodCBvbmUsIHN1cmVseQ=="}, ["refused the key failover", "(BADSIG)", "the vault"]),
        ({"key_algorithm": "hmac-sha512"}, ["the key failover (hmac-sha512)", "(BADKEY)", "Correct key_name"]),
        (
            {"key_name": "reader"},
            ["does not allow this with the key reader", "REFUSED", "update-policy or allow-update"],
        ),
        ({"key_secret": "no base64!"}, ["The secret of the TSIG key failover is not base64."]),
    ],
)
def test_a_wrong_key_is_told_beforehand_and_changes_nothing(bind, traffic, record, key, said):
    zone = bind.zone()
    good = traffic.variables["traffic_credentials"]["dns"]
    traffic.secrets.append(key.get("key_secret", bind.secret))
    wrong = {"traffic_credentials": {"dns": {**good, **key}}}
    one = record("shop", "192.0.2.9")
    traffic("switched", one, **wrong).refused(*said)
    traffic("verified", one, **wrong).refused(*said)
    assert bind.zone() == zone
    assert traffic.kept_values() == {}


def test_a_clock_that_is_wrong_is_told(bind, monkeypatch):
    import time
    from types import SimpleNamespace

    import dns.message

    from ansible_collections.dfr.continuity.plugins.module_utils._drill import dns_client

    # This side's clock is an hour late; the server's is right.
    monkeypatch.setattr(dns.message, "time", SimpleNamespace(time=lambda: time.time() - 3600))
    question = dns_client.Question(ZONE, f"shop.{ZONE}", "A")
    key = dns_client.Key(bind.key_name, bind.secret)
    with pytest.raises(dns_client.DnsError, match="its clock and the clock of this host differ") as caught:
        dns_client.ask(question, dns_client.Server("ns1", bind.primary), key=key)
    assert "BADTIME" in caught.value.message
    assert "synchronised" in caught.value.next_step


def test_servers_that_do_not_answer_are_named(bind, traffic, record):
    zone, port = bind.zone(), free_port()
    one = record("shop", "192.0.2.9")
    traffic("switched", {**one, "port": port}).refused(
        f"({bind.primary} port {port}) cannot be reached", "Check that it runs"
    )
    traffic("switched", {**one, "zone": "org", "record": "shop.org"}).refused("(zone org, REFUSED)", "failover")
    # A secondary does not take updates, and is never changed.
    traffic("switched", {**one, "server": bind.secondary}).refused(
        f"The DNS server {bind.secondary} ({bind.secondary} port 53) does not allow this", "zone example.com, REFUSED"
    )
    assert bind.zone() == bind.zone(bind.secondary) == zone


def test_a_name_of_another_type_is_refused(bind, traffic, record):
    zone = bind.zone()
    traffic("switched", record("www", "192.0.2.9")).refused(
        "www.example.com is a CNAME of shop.example.com, and not of type A"
    )
    traffic("switched", record("shop", "dr.example.com", type="CNAME")).refused("expected to be no record")
    assert bind.zone() == zone


def test_a_drill_switches_drill_names_only_unless_the_site_is_typed(bind, traffic, record):
    zone = bind.zone()
    drill = {"traffic_drill": True, "traffic_drill_names": [f"drill.{ZONE}"], "traffic_site": "shop"}
    names = [record("odoo.drill", "192.0.2.9"), record("shop", "192.0.2.9")]
    said = "shop.example.com is none of the names that a drill may switch (traffic_drill_names: drill.example.com)"
    for confirmation in ("", "Shop", "yes"):
        traffic("switched", *names, traffic_confirmation=confirmation, **drill).refused(said, "traffic_confirmation")
    # A suffix of the text is not one of the name, and a site without a name confirms nothing.
    traffic("switched", record("notdrill", "192.0.2.9"), **drill).refused("notdrill.example.com is none of")
    traffic("switched", *names, **{**drill, "traffic_site": ""}).refused(said)
    assert bind.zone() == zone
    traffic("switched", names[0], **drill).worked()
    assert bind.ask("odoo.drill") == [("192.0.2.9", 60)]
    traffic("switched", *names, traffic_confirmation="shop", **drill).worked()
    assert bind.ask("shop") == [("192.0.2.9", 60)]
    # Bringing back is never refused.
    traffic("undone", *names, **drill).worked()
    assert bind.ask("shop") == [("192.0.2.1", 300)]


def test_verified_changes_nothing_and_tells_long_ttls(bind, traffic, record):
    zone = bind.zone()
    verified = traffic("verified", record("late", "192.0.2.9"), record("shop", "192.0.2.9")).worked()
    assert not verified.changed
    (finding,) = verified.result["findings"]
    assert finding["title"] == "The TTL of late.example.com A is 86400 seconds, more than 300"
    assert "at least 86400 seconds before" in finding["remedy"]
    assert verified.result["traffic"][0]["servers"][1]["values"] == ["192.0.2.1"]
    assert bind.zone() == zone
    assert traffic.kept_values() == {}


def test_check_mode_tries_the_key_and_changes_nothing(bind, traffic, record):
    zone = bind.zone()
    assert traffic("switched", record("shop", "192.0.2.9"), options=["--check"]).worked().changed
    assert bind.zone() == zone
    assert traffic.kept_values() == {}


def test_a_resolver_is_asked_until_its_cache_has_the_new_value(bind, traffic, record):
    # The secondary is a resolver for other zones and speaks for this one; what it tells comes without a cache.
    resolver = {"name": "office", "address": bind.secondary}
    result = traffic("switched", record("shop", "192.0.2.9"), traffic_resolvers=[resolver]).worked().result
    assert [one["server"] for one in result["traffic"][0]["servers"]] == [
        "ns1.example.com",
        "ns2.example.com",
        "office",
    ]


def test_every_fault_of_the_records_is_told_at_once(traffic):
    records = [
        {"record": "a.example.com", "provider": "bind", "values": ["192.0.2.9"]},
        {"record": "b.example.com", "zone": ZONE, "provider": "rfc2136", "server": "ns1", "values": ["192.0.2.900"]},
        {"record": "c.example.org", "zone": ZONE, "provider": "route53", "values": ["192.0.2.9"]},
        {
            "record": "d.example.com",
            "zone": ZONE,
            "provider": "cloudflare",
            "values": ["192.0.2.9"],
            "credentials": "cf",
        },
        {
            "record": "e.example.com",
            "provider": "nginx",
            "values": ["192.0.2.9"],
            "path": "/x",
            "upstream": "e",
            "colour": 1,
        },
    ]
    said = traffic("switched", *records, traffic_credentials={"cf": {"token": "t"}})
    said.refused(
        "a.example.com has the provider bind",
        "b.example.com: 192.0.2.900 is no value of a record of type A",
        "c.example.org: it is not in its zone example.com",
        "the credentials cf have token, which cloudflare does not take",
        "e.example.com has the option colour, which nginx does not take",
        "nothing was changed",
    )
