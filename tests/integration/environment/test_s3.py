# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test bed's S3 servers are what they claim to be."""

from __future__ import annotations

import datetime

import botocore.exceptions
import pytest


def _error_code(raised: pytest.ExceptionInfo[botocore.exceptions.ClientError]) -> str:
    return raised.value.response["Error"]["Code"]


def test_stores_and_returns_an_object(s3_server):
    bucket = s3_server.new_bucket()
    client = s3_server.client()
    client.put_object(Bucket=bucket, Key="packs/ab/cd", Body=b"\x00" * 70_000)
    assert client.get_object(Bucket=bucket, Key="packs/ab/cd")["Body"].read() == b"\x00" * 70_000


@pytest.mark.parametrize("name", ["rclone", "ceph"])
def test_refuses_a_wrong_secret_key(name, request):
    server = request.getfixturevalue(name)
    client = type(server)(**{**vars(server), "secret_key": "0" * 40}).client()
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        client.list_buckets()
    assert _error_code(raised) == "SignatureDoesNotMatch"


def test_https_needs_the_authority(rclone_https):
    rclone_https.new_bucket()
    stranger = type(rclone_https)(**{**vars(rclone_https), "ca_file": None})
    with pytest.raises(botocore.exceptions.SSLError):
        stranger.client().list_buckets()


def test_ceph_keeps_what_is_locked(ceph):
    bucket = ceph.new_bucket(ObjectLockEnabledForBucket=True)
    client = ceph.client()
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
    version = client.put_object(Bucket=bucket, Key="locked", Body=b"x", **lock)["VersionId"]
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        client.delete_object(Bucket=bucket, Key="locked", VersionId=version)
    assert _error_code(raised) == "AccessDenied"


def test_a_ceph_user_may_do_only_what_is_allowed(ceph):
    bucket = ceph.new_bucket()
    ceph.client().put_object(Bucket=bucket, Key="theirs", Body=b"x")
    reader = ceph.new_user()
    ceph.allow(reader, bucket, "s3:GetObject", "s3:ListBucket")
    assert reader.client().get_object(Bucket=bucket, Key="theirs")["Body"].read() == b"x"
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        reader.client().put_object(Bucket=bucket, Key="mine", Body=b"x")
    assert _error_code(raised) == "AccessDenied"
