# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3 servers and networks that fail: before, during and after; for a while, and for good."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    ObjectMissingError,
    SourceError,
    StoreError,
    StoreUnreachableError,
)
from ansible_collections.dfr.continuity.tests.environment.s3 import rclone_server
from ansible_collections.dfr.continuity.tests.integration.stores.conftest import open_bucket
from ansible_collections.dfr.continuity.tests.integration.stores.proxy import Fault, Proxy, error_answer

MIB = 1 << 20
BLOCK = os.urandom(MIB)
BUSY = Fault(answer=error_answer(503, "SlowDown"))


@pytest.fixture
def own_rclone():
    """A server for one test, which may stop it."""
    with rclone_server() as server:
        yield server


def through(proxy, server, **options):
    return open_bucket(server, endpoint=proxy.endpoint, **options)


def test_a_body_that_breaks_off_is_read_on_from_there(s3_server):
    content = os.urandom(3 * MIB)
    with Proxy(s3_server.endpoint, [Fault(), *[Fault(cut_after=MIB)] * 2]) as proxy:
        store = through(proxy, s3_server)
        store.put("object", [content])
        store.close()  # the next request makes a new connection
        assert store.get("object", 7, 2 * MIB + MIB // 2) == content[7 : 7 + 2 * MIB + MIB // 2]
    ranges = [line for head in proxy.requests for line in head.splitlines() if line.lower().startswith("range:")]
    assert len(ranges) == 3
    assert len(set(ranges)) == 3


def test_a_body_that_breaks_off_at_the_end_of_its_head(rclone):
    with Proxy(rclone.endpoint, [Fault(), Fault(cut_after=10)]) as proxy:
        store = through(proxy, rclone)
        store.put("object", [b"content"])
        store.close()
        assert store.get("object") == b"content"


def test_two_versions_of_an_object_are_never_mixed(s3_server):
    old, new = b"a" * 3 * MIB, b"b" * 2 * MIB
    direct = open_bucket(s3_server)
    bucket, prefix = direct.location.removeprefix("s3://").split("/", 1)
    client = s3_server.client()

    def replace_object():
        client.put_object(Bucket=bucket, Key=f"{prefix}/object", Body=new)

    direct.put("object", [old])
    with Proxy(s3_server.endpoint, [Fault(cut_after=MIB), Fault(before=replace_object)]) as proxy:
        store = through(proxy, s3_server)
        store._prefix = direct._prefix
        assert store.get("object") == new


def test_an_object_replaced_by_a_shorter_one_while_it_is_read(s3_server):
    direct = open_bucket(s3_server)
    direct.put("object", [b"a" * 3 * MIB])
    faults = [Fault(cut_after=MIB), Fault(before=lambda: direct.put("object", [b"short"]))]
    with Proxy(s3_server.endpoint, faults) as proxy:
        store = through(proxy, s3_server)
        store._prefix = direct._prefix
        assert store.get("object") == b"short"


def test_a_busy_server_is_asked_again(s3_server):
    with Proxy(s3_server.endpoint, [BUSY] * 3 + [Fault(answer=error_answer(500, "InternalError"))]) as proxy:
        store = through(proxy, s3_server)
        store.put("object", [b"content"])
        assert proxy.connections == 5
        assert store.get("object") == b"content"


@pytest.mark.parametrize("fault", [BUSY, Fault(stall=True), Fault(cut_after=0)], ids=["busy", "silent", "hanging up"])
def test_a_server_that_stays_in_trouble_is_given_up_at_the_deadline(rclone, fault):
    with Proxy(rclone.endpoint, [Fault()], forever=fault) as proxy:
        store = through(proxy, rclone, deadline=3)
        store.put("object", [b"content"])
        store.close()
        for use in (
            lambda: store.get("object"),
            lambda: store.put("object", [b"new"]),
            lambda: store.put("large", [BLOCK] * 36),
            lambda: list(store.list("")),
        ):
            with pytest.raises(StoreUnreachableError, match=r"tries in \d+ seconds") as caught:
                use()
            assert proxy.endpoint in caught.value.message
            assert caught.value.next_step


def test_what_arrives_damaged_is_sent_again_a_few_times_only(rclone):
    with Proxy(rclone.endpoint, forever=Fault(answer=error_answer(400, "BadDigest"))) as proxy:
        with pytest.raises(StoreError, match="what arrived there is not what was sent"):
            through(proxy, rclone, deadline=300).put("object", [b"content"])
        assert proxy.connections == 5


def test_a_lost_answer_to_an_upload(s3_server):
    with Proxy(s3_server.endpoint) as proxy:
        proxy.lose_answer_to(b"PUT /")
        store = through(proxy, s3_server)
        store.put("object", [b"content"])
        assert store.get("object") == b"content"
    assert sum(head.startswith("PUT /") for head in proxy.requests) == 2


@pytest.mark.parametrize("lost", [b"?uploads", b"partNumber=2", b"POST /%b?uploadId="])
def test_a_lost_answer_within_a_large_upload(s3_server, lost):
    content = [BLOCK] * 70
    with Proxy(s3_server.endpoint) as proxy:
        store = through(proxy, s3_server)
        if b"%b" in lost:
            path = f"{store.location.removeprefix('s3://')}/object"
            lost = lost % path.encode()
        proxy.lose_answer_to(lost)
        assert store.put("object", content) == 70 * MIB
        assert store.get("object") == b"".join(content)
    # Both the first answer and a second request were on the way.
    assert sum(lost.decode() in head for head in proxy.requests) >= 2


def test_failing_content_leaves_no_parts(s3_server):
    bucket = s3_server.new_bucket()

    def content():
        yield from [BLOCK] * 40
        raise SourceError("The source broke.", "Mend it.")

    with pytest.raises(SourceError):
        open_bucket(s3_server, bucket=bucket).put("object", content())
    assert not s3_server.client().list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_a_server_that_is_started_again_within_the_deadline(own_rclone):
    store = open_bucket(own_rclone)
    store.put("before", [b"content"])
    own_rclone.program.stop()
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(store.put, "during", [b"content"])
        with pytest.raises(FutureTimeoutError):
            upload.result(2)
        own_rclone.program.start()
        assert upload.result() == 7
    assert store.get("during") == store.get("before") == b"content"


@pytest.mark.parametrize("blocks", [3, 70])
def test_a_server_that_dies_during_an_upload(own_rclone, blocks):
    store = open_bucket(own_rclone, deadline=4)
    store.put("object", [b"old"])

    def content():
        yield from [BLOCK] * (blocks - 1)
        own_rclone.program.kill()
        yield BLOCK

    with pytest.raises(StoreUnreachableError, match="refused"):
        store.put("object", content())
    own_rclone.program.start()
    assert store.get("object") == b"old"
    assert [info.name for info in store.list("")] == ["object"]


def test_a_server_that_hangs(own_rclone):
    store = open_bucket(own_rclone, deadline=4)
    store.put("object", [b"content"])
    own_rclone.program.send(signal.SIGSTOP)
    try:
        for use in (lambda: store.get("object"), lambda: store.put("large", [BLOCK] * 30)):
            with pytest.raises(StoreUnreachableError, match="did not answer in time"):
                use()
    finally:
        own_rclone.program.send(signal.SIGCONT)
    assert store.get("object") == b"content"
    with pytest.raises(ObjectMissingError):
        store.get("never")


def test_a_server_that_takes_no_bytes(rclone):
    # A connection that takes a little and then nothing: neither connecting nor reading times out.
    with Proxy(rclone.endpoint, forever=Fault(deaf=True)) as proxy:
        store = through(proxy, rclone, deadline=4)
        store._has_answered = True
        with pytest.raises(StoreUnreachableError):
            store.put("object", [BLOCK] * 30)


_UPLOAD = """
import sys
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.location import open_store
from ansible_collections.dfr.continuity.tests.environment.processes import peak_memory
keys = dict(zip(("access_key", "secret_key"), sys.stdin.read().split()))
store = open_store({"location": sys.argv[1], "s3": {"endpoint": sys.argv[2], **keys}})
block = bytes(1 << 20)
store.put("small", [block])
before = peak_memory()
store.put("large", (block[:] + b"x" for _ in range(400)))
print(peak_memory() - before)
"""


def test_memory_does_not_grow_with_the_object(rclone):
    argv = [sys.executable, "-c", _UPLOAD, open_bucket(rclone).location, rclone.endpoint]
    done = subprocess.run(
        argv, input=f"{rclone.access_key} {rclone.secret_key}", capture_output=True, text=True, check=True
    )
    assert 0 < int(done.stdout) < 100 << 20  # one part, the pieces around it, and buffers; the object has 400 MiB


def test_content_damaged_on_its_way_is_sent_again(ceph):
    store = open_bucket(ceph)
    damage = [True]

    def tamper(request, **_event):
        if damage:
            damage.pop()
            request.body = b"x" * len(request.body)

    store._client.meta.events.register("before-send.s3.PutObject", tamper)
    store.put("object", [BLOCK])
    assert not damage
    assert store.get("object") == BLOCK
