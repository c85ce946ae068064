# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locations and S3 options: what is accepted, and that a refusal names what is wrong and tells no secret."""

from __future__ import annotations

import sys

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    DependencyError,
    InputError,
    StoreError,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.directory import DirectoryStore
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.location import open_store
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.s3 import S3Store
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.s3_options import S3Options
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.spool import SpoolingStore

KEYS = {"access_key": "AKIDEXAMPLE", "secret_key": "wJalrXUtnFEMI"}


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/backup/continuity", "/backup/continuity"),
        ("/backup//continuity/", "/backup/continuity"),
        ("file:///backup/continuity", "/backup/continuity"),
        ("file://localhost/backup", "/backup"),
        ("file:///a%20b", "/a b"),
        ("/name with spaces/ä", "/name with spaces/ä"),
    ],
)
def test_directories(location, path):
    store = open_store({"location": location, "trust": ["other keys are not ours"], "s3": None})
    assert isinstance(store, DirectoryStore)
    assert store.location == path


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://bucket/a/b", "s3://bucket/a/b"),
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("s3://my.old_Bucket-1/x", "s3://my.old_Bucket-1/x"),
    ],
)
def test_buckets(location, shown):
    store = open_store({"location": location, "s3": {**KEYS, "region": None}})
    assert isinstance(store, S3Store)
    assert store.location == shown


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        (None, "missing or empty"),
        ("", "missing or empty"),
        (7, "missing or empty"),
        ("backup", "not an absolute path"),
        ("~/backup", "not an absolute path"),
        ("./backup", "not an absolute path"),
        (" /backup", "white space"),
        ("/backup\n", "white space"),
        ("/back\0up", "control characters"),
        ("file://server/backup", "not a URL of a local directory"),
        ("file:backup", "not a URL of a local directory"),
        ("file:///backup?x", "not a URL of a local directory"),
        ("sftp://host/backup", "no kind of store for sftp"),
        ("S3://bucket", "no kind of store for s3"),
        ("s3:bucket", "does not name a bucket"),
        ("s3://", "does not name a bucket"),
        ("s3:///prefix", "does not name a bucket"),
        ("s3://bucket:9000/x", "does not name a bucket"),
        ("s3://bu cket/x", "does not name a bucket"),
        ("s3://bucket/x?versionId=1", "does not name a bucket"),
        ("s3://bucket/a//b", "prefix 'a//b'"),
        ("s3://bucket/../b", "prefix '../b'"),
        ("s3://bucket/ä", "prefix 'ä'"),
        ("s3://bucket/" + "x" * 200, "longer than"),
        ("s3://[bucket/x", "not a URL"),
    ],
)
def test_locations_that_cannot_be(location, reason):
    with pytest.raises(InputError, match="location") as caught:
        open_store({"location": location})
    assert reason in caught.value.message
    assert caught.value.next_step


def test_credentials_in_a_location_are_refused_and_not_repeated():
    with pytest.raises(InputError) as caught:
        open_store({"location": "s3://AKIDEXAMPLE:wJalrXUtnFEMI@bucket/x"})
    assert "wJalrXUtnFEMI" not in str(caught.value)
    assert "s3.secret_key" in caught.value.next_step


def test_s3_options_for_a_directory_are_a_mistake():
    with pytest.raises(InputError, match=r"s3\.region is given, but the location '/backup' is no bucket"):
        open_store({"location": "/backup", "s3": {"region": "eu-central-1"}})


def test_s3_options_that_are_no_dictionary():
    with pytest.raises(InputError, match="Option s3 is not a dictionary"):
        open_store({"location": "s3://bucket", "s3": "endpoint"})


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"endpoit": "x"}, "no option s3.endpoit. Did you mean endpoint?"),
        ({"xyz": "x"}, "no option s3.xyz."),
        ({"endpoint": "minio:9000"}, "s3.endpoint: 'minio:9000' is not an http or https URL"),
        ({"endpoint": "ftp://host"}, "s3.endpoint: 'ftp://host' is not an http or https URL"),
        ({"endpoint": "https://"}, "s3.endpoint: 'https://' is not"),
        ({"endpoint": "https://host:port"}, "s3.endpoint: 'https://host:port' is not a URL"),
        ({"endpoint": "https://host:70000"}, "s3.endpoint: 'https://host:70000' is not a URL"),
        ({"endpoint": "https://host/?x=1"}, "has a query"),
        ({"endpoint": 9000}, "s3.endpoint: 9000 is not a URL"),
        ({"region": "Frankfurt am Main"}, "s3.region: 'Frankfurt am Main'"),
        ({"region": ""}, "s3.region: ''"),
        ({"access_key": "A"}, "s3.secret_key is missing"),
        ({"secret_key": "S"}, "s3.access_key is missing"),
        ({"session_token": "T"}, "s3.session_token is given without"),
        ({"addressing": "dns"}, "s3.addressing: 'dns' is not one of the choices"),
        ({"checksums": True}, "s3.checksums: True is not one of the choices"),
        ({"ca_file": "ca.pem"}, "s3.ca_file: 'ca.pem' is not an absolute path"),
        ({"ca_file": "/no/such/ca.pem"}, "s3.ca_file: '/no/such/ca.pem' cannot be read: No such file"),
        ({"ca_file": "/dev/null"}, "s3.ca_file: '/dev/null' holds no certificates"),
        ({"deadline": 0}, "s3.deadline: 0 is not a number of seconds"),
        ({"deadline": True}, "s3.deadline: True is not"),
        ({"deadline": "60"}, "s3.deadline: '60' is not"),
        ({"deadline": float("nan")}, "s3.deadline: nan is not"),
    ],
)
def test_options_that_cannot_be(options, reason):
    with pytest.raises(InputError) as caught:
        open_store({"location": "s3://bucket", "s3": options})
    assert reason in caught.value.message
    assert caught.value.next_step


@pytest.mark.parametrize("name", ["access_key", "secret_key", "session_token"])
@pytest.mark.parametrize("value", ["", "secret\n", " secret", "sëcret", 7])
def test_secrets_that_were_copied_badly(name, value):
    with pytest.raises(InputError, match=f"s3.{name}") as caught:
        open_store({"location": "s3://bucket", "s3": {**KEYS, name: value}})
    assert "cret" not in str(caught.value).replace("s3.secret_key", "")


def test_credentials_in_an_endpoint_are_refused_and_not_repeated():
    with pytest.raises(InputError) as caught:
        open_store({"location": "s3://bucket", "s3": {"endpoint": "https://me:hidden@host"}})
    assert "hidden" not in str(caught.value)


def test_options_do_not_show_their_secrets():
    options = S3Options.from_settings({**KEYS, "session_token": "FwoGZXIvYXdz", "deadline": 60})
    assert options.deadline == 60.0
    for secret in ("AKIDEXAMPLE", "wJalrXUtnFEMI", "FwoGZXIvYXdz"):
        assert secret in options.secrets
        assert secret not in repr(options)


def test_without_boto3_the_interpreter_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    with pytest.raises(DependencyError, match=sys.executable) as caught:
        open_store({"location": "s3://bucket", "s3": KEYS})
    assert "boto3" in caught.value.next_step


def test_a_directory_is_created_only_when_asked_and_only_the_last_one(tmp_path):
    location = str(tmp_path / "repository")
    open_store({"location": location})
    assert not (tmp_path / "repository").exists()
    open_store({"location": location}, create=True)
    assert (tmp_path / "repository").stat().st_mode & 0o777 == 0o700
    open_store({"location": location}, create=True)
    with pytest.raises(StoreError, match=f"{tmp_path}/a does not exist"):
        open_store({"location": str(tmp_path / "a/b")}, create=True)


@pytest.mark.parametrize(
    ("limit", "taken"),
    [
        ("20GiB", 20 << 30),
        ("500 MB", 500 * 10**6),
        ("1.5TB", 1_500_000_000_000),
        (1 << 30, 1 << 30),
        ("70000000", 7 * 10**7),
    ],
)
def test_a_spool(limit, taken, tmp_path):
    store = open_store({"location": "/backup", "spool": {"path": str(tmp_path / "spool"), "limit": limit}})
    assert isinstance(store, SpoolingStore)
    assert (store.location, store._queue._limit) == ("/backup", taken)
    # Only somebody who writes needs it.
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize("spool", [None, {}, {"path": None, "limit": None}])
def test_no_spool(spool):
    assert isinstance(open_store({"location": "/backup", "spool": spool}), DirectoryStore)


GOOD = {"path": "/var/spool/x", "limit": "1GiB"}


@pytest.mark.parametrize(
    ("spool", "message", "step"),
    [
        ("/var/spool/x", "Option spool is not a dictionary", "path and limit"),
        ({**GOOD, "limits": 1}, "no option spool.limits. Did you mean limit?", "path, limit"),
        ({"path": "/x"}, "Option spool.limit is missing", "20GiB"),
        ({"limit": "1GiB"}, "Option spool.path is missing", "/var/spool"),
        ({**GOOD, "path": "spool"}, "spool.path: 'spool' is not an absolute path", "/var/spool"),
        ({**GOOD, "path": 5}, "spool.path: 5 is not an absolute path", "/var/spool"),
        ({**GOOD, "path": "/"}, "spool.path: '/' cannot be kept", "/var/spool"),
        ({**GOOD, "path": "/backup/x/../spool"}, "the repository /backup are one within the other", "elsewhere"),
        ({**GOOD, "path": "/backup"}, "one within the other", "elsewhere"),
        ({**GOOD, "limit": "lots"}, "spool.limit: 'lots' is not a size", "20GiB"),
        ({**GOOD, "limit": "20G"}, "spool.limit: '20G' is not a size", "20GiB"),
        ({**GOOD, "limit": -5}, "spool.limit: -5 is not a size", "20GiB"),
        ({**GOOD, "limit": True}, "spool.limit: True is not a size", "20GiB"),
        ({**GOOD, "limit": 1.5}, "spool.limit: 1.5 is not a size", "20GiB"),
        ({**GOOD, "limit": "0"}, "spool.limit: '0' is less than 64MiB", "20GiB"),
        ({**GOOD, "limit": "10MiB"}, "spool.limit: '10MiB' is less than 64MiB", "20GiB"),
    ],
)
def test_spools_that_cannot_be(spool, message, step):
    with pytest.raises(InputError) as caught:
        open_store({"location": "/backup", "spool": spool})
    assert message in caught.value.message
    assert step in caught.value.next_step


def test_a_bucket_of_the_same_name_elsewhere_has_a_spool_of_its_own(tmp_path):
    spool = {"path": str(tmp_path), "limit": "1GiB"}
    one, other = (
        open_store({"location": "s3://bucket/p", "s3": {**KEYS, "endpoint": f"https://{host}"}, "spool": spool})
        for host in ("one.example.org", "other.example.org")
    )
    assert one.path != other.path
