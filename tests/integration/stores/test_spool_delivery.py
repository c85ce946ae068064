# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The spool before a real server that goes and comes back, and among several processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import StoreUnreachableError
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.directory import DirectoryStore
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.spool import SpoolingStore
from ansible_collections.dfr.continuity.tests.environment.s3 import rclone_server
from ansible_collections.dfr.continuity.tests.integration.stores.conftest import open_bucket

MIB = 1 << 20
LIMIT = 1 << 30


def test_a_server_that_goes_during_a_run_and_is_back_for_the_next(tmp_path):
    packs = [os.urandom(MIB) * 33 for _ in range(3)]
    with rclone_server() as server:
        bucket = open_bucket(server, deadline=3)
        store = SpoolingStore(bucket, str(tmp_path), LIMIT)
        store.put("keys/a", [b"key"])

        def content():
            yield packs[0]
            server.program.kill()

        assert store.put("packs/0", content()) == 33 * MIB
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda number: store.put(f"packs/{number}", [packs[number]]), (1, 2)))
        store.put("backups/record", [b"record"])
        assert (store.spooled.objects, store.spooled.bytes) == (4, 99 * MIB + 6)
        with pytest.raises(StoreUnreachableError):
            store.deliver()
        assert store.spooled.objects == 4

        server.program.start()
        assert [info.name for info in bucket.list("")] == ["keys/a"]
        later = SpoolingStore(bucket, str(tmp_path), LIMIT)
        later.deliver()
        later.put("keys/b", [b"key of the next run"])
        assert later.spooled.objects == 0
        assert [info.name for info in bucket.list("")] == [
            "backups/record",
            "keys/a",
            "keys/b",
            "packs/0",
            "packs/1",
            "packs/2",
        ]
        assert [bucket.get(f"packs/{number}") for number in range(3)] == packs


_PROGRAM = """
import sys
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.directory import DirectoryStore
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.spool import SpoolingStore
store = SpoolingStore(DirectoryStore(sys.argv[1]), sys.argv[2], 1 << 30)
if sys.argv[3] == "deliver":
    print(store.deliver())
else:
    print(flush=True)
    for number in range(int(sys.argv[4])):
        store.put(f"packs/{sys.argv[3]}/{number:04}", [b"%04d" % number] * 1000)
"""


def program(*arguments):
    argv = [sys.executable, "-c", _PROGRAM, *map(str, arguments)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def test_several_processes_spool_and_deliver(tmp_path):
    place, spool = tmp_path / "store", tmp_path / "spool"
    writers = [program(place, spool, name, 40) for name in ("a", "b", "c")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    store = SpoolingStore(DirectoryStore(str(place)), str(spool), LIMIT)
    assert (store.spooled.objects, store.spooled.bytes) == (120, 120 * 4000)

    place.mkdir()
    deliverers = [program(place, spool, "deliver") for _ in range(3)]
    assert sum(int(deliverer.communicate()[0]) for deliverer in deliverers) == 120
    assert store.spooled.objects == 0
    for info in store.list("packs/"):
        assert store.get(info.name) == info.name[-4:].encode() * 1000
    assert len(list(store.list("packs/"))) == 120


def test_a_process_killed_while_it_spools_or_delivers(tmp_path):
    place, spool = tmp_path / "store", tmp_path / "spool"
    for turn in range(6):
        writer = program(place, spool, turn, 100_000)
        writer.stdout.readline()
        while not list(spool.glob(f"*/*%{turn}%{20 * turn:04}")):
            assert writer.poll() is None
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    store = SpoolingStore(DirectoryStore(str(place)), str(spool), LIMIT)
    waiting = store.spooled.objects
    assert waiting > 100

    place.mkdir()
    deliverer = program(place, spool, "deliver")
    while not list(place.glob("packs/*/*")):
        assert deliverer.poll() is None
    deliverer.send_signal(signal.SIGKILL)
    deliverer.communicate()
    store.deliver()
    delivered = list(DirectoryStore(str(place)).list("packs/"))
    assert len(delivered) == waiting
    assert {info.size for info in delivered} == {4000}
    # In the order of writing, nothing is missing before the last one of each process.
    for turn in range(6):
        numbers = [int(info.name[-4:]) for info in delivered if info.name.startswith(f"packs/{turn}/")]
        assert numbers == list(range(len(numbers)))
