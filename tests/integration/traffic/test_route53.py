# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role traffic with Route 53, which moto plays: the API is real, and no DNS server stands behind it."""

from __future__ import annotations

import typing as t

import boto3
import pytest

from .conftest import Traffic

Record = dict[str, t.Any]
ZONE = "example.net"


class Zone:
    """A hosted zone of its own for each test."""

    def __init__(self, moto: t.Any) -> None:
        self.endpoint = moto.endpoint
        self.secret = moto.secret_key
        self.access = moto.access_key
        self.client = boto3.client(
            "route53",
            endpoint_url=moto.endpoint,
            region_name="us-east-1",
            aws_access_key_id=moto.access_key,
            aws_secret_access_key=moto.secret_key,
        )
        made = self.client.create_hosted_zone(Name=ZONE, CallerReference="test")
        self.id = made["HostedZone"]["Id"].rpartition("/")[2]

    def change(self, **record_set: t.Any) -> None:
        change = {"Action": "UPSERT", "ResourceRecordSet": record_set}
        self.client.change_resource_record_sets(HostedZoneId=self.id, ChangeBatch={"Changes": [change]})

    def simple(self, name: str, kind: str, ttl: int, *values: str, **options: t.Any) -> None:
        records = [{"Value": value} for value in values]
        self.change(Name=f"{name}.{ZONE}", Type=kind, TTL=ttl, ResourceRecords=records, **options)

    def all(self) -> list[t.Any]:
        return t.cast("list[t.Any]", self.client.list_resource_record_sets(HostedZoneId=self.id)["ResourceRecordSets"])

    def get(self, name: str) -> tuple[list[str], int]:
        (found,) = [one for one in self.all() if one["Name"] == f"{name}.{ZONE}."]
        return [one["Value"] for one in found["ResourceRecords"]], found["TTL"]


@pytest.fixture
def zone(moto: t.Any, traffic: Traffic) -> t.Iterator[Zone]:
    made = Zone(moto)
    traffic.secrets.append(made.secret)
    traffic.variables["traffic_credentials"] = {"aws": {"access_key": made.access, "secret_key": made.secret}}
    made.simple("shop", "A", 300, "192.0.2.1")
    made.simple("www", "CNAME", 120, "shop.example.net")
    yield made
    for one in made.all():
        if one["Type"] not in ("NS", "SOA"):
            changes = [{"Action": "DELETE", "ResourceRecordSet": one}]
            made.client.change_resource_record_sets(HostedZoneId=made.id, ChangeBatch={"Changes": changes})
    made.client.delete_hosted_zone(Id=made.id)


def _record(zone: Zone, name: str, *values: str, **options: t.Any) -> Record:
    own = {"record": f"{name}.{ZONE}", "zone": ZONE, "provider": "route53", "endpoint_url": zone.endpoint}
    return {**own, "values": list(values), "credentials": "aws", "verify": "api", **options}


def test_records_are_switched_and_back_to_exactly_what_they_were(zone, traffic):
    before = zone.all()
    records = [
        _record(zone, "shop", "192.0.2.9", "192.0.2.8", expected=["192.0.2.1"]),
        _record(zone, "www", "dr.example.net", type="CNAME"),
        _record(zone, "fresh", "192.0.2.9", ttl=30),
    ]
    result = traffic("switched", *records).worked().result
    assert (sorted(zone.get("shop")[0]), zone.get("shop")[1]) == (["192.0.2.8", "192.0.2.9"], 60)
    assert zone.get("www") == (["dr.example.net"], 60)
    assert zone.get("fresh") == (["192.0.2.9"], 30)
    assert [len(one["verified_at"]) for one in result["traffic"]] == [1, 1, 1]
    switched, kept = zone.all(), traffic.kept_values()
    assert not traffic("switched", *records).worked().changed
    assert (zone.all(), traffic.kept_values()) == (switched, kept)
    traffic("undone", *records).worked()
    assert zone.all() == before
    assert traffic.kept_values() == {}


def test_an_alias_comes_back_as_an_alias(zone, traffic):
    target = {"HostedZoneId": "Z35SXDOTRQ7X7K", "DNSName": "lb.example.org.", "EvaluateTargetHealth": True}
    zone.change(Name=f"alias.{ZONE}", Type="A", AliasTarget=target)
    before = zone.all()
    record = _record(zone, "alias", "192.0.2.9")
    traffic("switched", record).worked()
    assert zone.get("alias") == (["192.0.2.9"], 60)
    traffic("undone", record).worked()
    assert zone.all() == before


def test_what_somebody_else_changed_and_what_has_a_policy_is_left_alone(zone, traffic):
    zone.simple("shop", "A", 300, "203.0.113.5")
    zone.simple("split", "A", 60, "192.0.2.1", SetIdentifier="one", Weight=10)
    before = zone.all()
    said = "was expected to be 192.0.2.1 or 192.0.2.9, and is 203.0.113.5. It was left as it is."
    traffic("switched", _record(zone, "shop", "192.0.2.9", expected=["192.0.2.1"])).refused(said)
    traffic("switched", _record(zone, "split", "192.0.2.9")).refused("record sets with a routing policy")
    traffic("switched", {**_record(zone, "shop", "192.0.2.9"), "zone": "net"}).refused("net. does not exist")
    assert zone.all() == before
    assert traffic.kept_values() == {}


def test_servers_that_do_not_tell_the_value_fail_the_verification(zone, bind, traffic):
    """Verified by DNS as it is by default: moto's zone has no servers, so those given do not know it."""
    record = _record(zone, "shop", "192.0.2.9", verify="dns", servers=[bind.primary])
    traffic("switched", record, traffic_patience=0).refused(f"({bind.primary} port 53)", "zone example.net, REFUSED")
    assert len(traffic.kept_values()) == 1
