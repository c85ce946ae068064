# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3 servers that refuse: credentials, permissions, buckets, certificates, addresses."""

from __future__ import annotations

import datetime
import email.utils
import re
import socket
import subprocess
import time
from dataclasses import replace

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    ContinuityError,
    ObjectMissingError,
    StoreDeniedError,
    StoreError,
    StoreUnreachableError,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores import s3_errors
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.location import open_store
from ansible_collections.dfr.continuity.tests.environment.processes import free_port
from ansible_collections.dfr.continuity.tests.integration.stores.conftest import open_bucket
from ansible_collections.dfr.continuity.tests.integration.stores.proxy import Fault, Proxy, error_answer

CALLS = {
    "put": lambda store: store.put("packs/new", [b"content"]),
    "put parts": lambda store: store.put("packs/newer", [bytes(1 << 20)] * 35),
    "get": lambda store: store.get("packs/x"),
    "stat": lambda store: store.stat("packs/x"),
    "list": lambda store: list(store.list("packs/")),
    "delete": lambda store: store.delete("packs/x"),
}


def failure(store, call, kind):
    """Make a call that must fail with exactly this class; return the error after the checks that all must pass."""
    with pytest.raises(ContinuityError) as caught:
        CALLS[call](store)
    error = caught.value
    assert type(error) is kind, error
    assert store.location in error.message
    assert error.next_step
    return error


@pytest.mark.parametrize("server", ["rclone", "ceph"])
@pytest.mark.parametrize("wrong", ["access_key", "secret_key"])
def test_wrong_credentials(request, server, wrong):
    server = request.getfixturevalue(server)
    value = "A1B2C3D4" * 4
    store = open_bucket(server, **{wrong: value})
    for call in CALLS:
        error = failure(store, call, StoreDeniedError)
        assert value not in str(error)
        assert server.secret_key not in str(error)
        if call != "stat":  # the answer to HEAD has no body that could tell
            assert "credentials were refused" in error.message
            assert f"s3.{wrong}" in error.next_step


def test_a_session_token_is_sent(rclone):
    token = "B" * 40
    with Proxy(rclone.endpoint) as proxy:
        open_bucket(rclone, endpoint=proxy.endpoint, session_token=token).put("packs/x", [b"content"])
    assert f"x-amz-security-token: {token}" in proxy.requests[0].lower().replace(token.lower(), token)


PERMISSIONS = {
    "s3:PutObject": {"put", "put parts"},
    "s3:GetObject": {"get", "stat"},
    "s3:ListBucket": {"list"},
    "s3:DeleteObject": {"delete"},
}


@pytest.mark.parametrize("granted", PERMISSIONS)
def test_one_permission_allows_what_it_says_and_no_more(ceph, granted):
    bucket, user = ceph.new_bucket(), ceph.new_user()
    prefix = "prefix"
    location = f"s3://{bucket}/{prefix}"
    open_store({"location": location, "s3": ceph.settings()}).put("packs/x", [b"content"])
    ceph.allow(user, bucket, granted)
    store = open_store({"location": location, "s3": user.settings()})
    for permission, calls in PERMISSIONS.items():
        for call in calls:
            if permission == granted:
                CALLS[call](store)
            else:
                error = failure(store, call, StoreDeniedError)
                assert "permission was denied" in error.message
                assert permission in error.next_step
                assert f"arn:aws:s3:::{bucket}" in error.next_step
    # Denied uploads leave nothing, neither objects nor parts.
    assert not ceph.client().list_multipart_uploads(Bucket=bucket).get("Uploads")


@pytest.mark.parametrize("call", CALLS)
def test_a_missing_bucket_is_no_missing_object(s3_server, call):
    error = failure(open_bucket(s3_server, bucket="no-such-bucket"), call, StoreError)
    assert "the bucket no-such-bucket does not exist" in error.message


def test_a_missing_object_is_known_without_permission_to_list(ceph):
    bucket, user = ceph.new_bucket(), ceph.new_user()
    ceph.allow(user, bucket, "s3:GetObject")
    store = open_store({"location": f"s3://{bucket}", "s3": user.settings()})
    for call in ("get", "stat"):
        # Ceph, as AWS, denies what it may not tell about; it must never count as missing.
        error = failure(store, call, StoreDeniedError)
        assert "denies what does not exist as well" in error.next_step
    ceph.allow(user, bucket, "s3:GetObject", "s3:ListBucket")
    for call in ("get", "stat"):
        failure(store, call, ObjectMissingError)


@pytest.mark.parametrize("call", ["put", "put parts"])
def test_a_quota_that_is_used_up(ceph, call):
    user = ceph.new_user()
    quota = ["radosgw-admin", "quota", "--quota-scope=user", f"--uid={user.access_key}"]
    for step in (["set", "--max-size=1048576"], ["enable"]):
        subprocess.run([*quota[:2], *step[:1], *quota[2:], *step[1:]], env=user.environment, check=True)
    store = open_bucket(user, bucket=user.new_bucket())
    store.put("packs/filler", [bytes(1 << 20)])
    error = failure(store, call, StoreError)
    assert "quota" in error.message


def test_a_web_server_that_is_no_s3_service(rclone):
    page = b"<html><body>Not here</body></html>"
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
    with Proxy(rclone.endpoint, forever=Fault(answer=answer % (len(page), page))) as proxy:
        for call in CALLS:
            error = failure(open_bucket(rclone, endpoint=proxy.endpoint), call, StoreError)
            assert "does not exist there" in error.message or "not that of an S3 service" in error.message
    answer = answer.replace(b"404 Not Found", b"200 OK")
    with Proxy(rclone.endpoint, forever=Fault(answer=answer % (len(page), page))) as proxy:
        for call in CALLS.keys() - {"delete"}:
            error = failure(open_bucket(rclone, endpoint=proxy.endpoint), call, StoreError)
            assert "not that of an S3 service" in error.message


def test_a_clock_that_is_wrong(ceph, monkeypatch):
    store = open_bucket(ceph)
    store.put("packs/x", [b"content"])
    ahead = datetime.timedelta(hours=2)
    now = datetime.datetime.now
    monkeypatch.setattr(
        "botocore.auth.get_current_datetime",
        lambda remove_tzinfo=True: (now(datetime.timezone.utc) + ahead).replace(tzinfo=None),
    )
    real = time.time
    monkeypatch.setattr(s3_errors.time, "time", lambda: real() + ahead.total_seconds())
    for call in CALLS:
        error = failure(store, call, StoreDeniedError)
        assert re.search(r"7(19|20)\d seconds apart", error.message), error
        assert "NTP" in error.next_step


def test_a_clock_that_is_wrong_by_the_date_of_the_answer(rclone):
    date = email.utils.format_datetime(datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1))
    with Proxy(rclone.endpoint, forever=Fault(answer=error_answer(403, "AccessDenied", {"Date": date}))) as proxy:
        error = failure(open_bucket(rclone, endpoint=proxy.endpoint), "get", StoreDeniedError)
    assert "clock" in error.message


def test_an_untrusted_certificate(rclone_https, monkeypatch):
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    error = failure(open_bucket(replace(rclone_https, ca_file=None), bucket="any"), "get", StoreError)
    assert "certificate" in error.message
    assert "s3.ca_file" in error.next_step


def test_a_certificate_for_another_host(rclone_https, monkeypatch):
    resolve_everything_to_loopback(monkeypatch)
    server = replace(rclone_https, endpoint=rclone_https.endpoint.replace("127.0.0.1", "s3.test"))
    error = failure(open_bucket(server, bucket="any"), "get", StoreError)
    assert "certificate" in error.message
    assert "s3.test" in error.message


def test_https_asked_of_an_http_server(rclone):
    endpoint = rclone.endpoint.replace("http:", "https:")
    error = failure(open_bucket(rclone, endpoint=endpoint), "get", StoreError)
    assert "does not speak TLS" in error.message
    assert "http://" in error.next_step


def test_http_asked_of_an_https_server(rclone_https):
    endpoint = rclone_https.endpoint.replace("https:", "http:")
    with pytest.raises(StoreError) as caught:
        open_bucket(rclone_https, endpoint=endpoint).get("packs/x")
    # The server answers in plain text and hangs up, which arrives as one or the other.
    error = caught.value
    assert "HTTP 400" in error.message or "https://" in error.next_step


def test_nobody_listens(rclone):
    endpoint = f"http://127.0.0.1:{free_port()}"
    error = failure(open_bucket(rclone, endpoint=endpoint), "get", StoreUnreachableError)
    assert "connection was refused" in error.message
    assert endpoint in error.message


def test_a_host_name_that_does_not_exist(rclone):
    store = open_bucket(rclone, endpoint="http://no-such-host.invalid:9000")
    error = failure(store, "get", StoreUnreachableError)
    assert "cannot be resolved" in error.message


def test_no_credentials_at_all(rclone, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = open_bucket(rclone, access_key=None, secret_key=None)
    error = failure(store, "get", StoreDeniedError)
    assert "no credentials" in error.message


def test_credentials_of_the_machine(rclone, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", rclone.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", rclone.secret_key)
    # An endpoint there must not take the place of the one that was meant.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    store = open_bucket(rclone, access_key=None, secret_key=None)
    store.put("object", [b"content"])
    assert store.get("object") == b"content"


def test_virtual_addressing(ceph, monkeypatch):
    port = ceph.endpoint.rsplit(":", 1)[1]
    resolve_everything_to_loopback(monkeypatch)
    bucket = ceph.new_bucket()
    options = {**ceph.settings(), "endpoint": f"http://s3.test:{port}", "addressing": "virtual"}
    store = open_store({"location": f"s3://{bucket}/prefix", "s3": options})
    store.put("packs/x", [b"content"])
    assert store.get("packs/x") == b"content"
    assert [info.name for info in store.list("")] == ["packs/x"]
    # The same object by path, as "auto" does it for every service but AWS.
    options["addressing"] = "auto"
    by_path = open_store({"location": f"s3://{bucket}/prefix", "s3": options})
    assert by_path.get("packs/x") == b"content"


def resolve_everything_to_loopback(monkeypatch):
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1", *rest, **more))
