# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory on real file systems that are full, read-only or gone, and writers that are killed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    StoreDeniedError,
    StoreError,
    StoreUnreachableError,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.directory import DirectoryStore
from ansible_collections.dfr.continuity.tests.environment.processes import working_directory

MIB = 1 << 20
BLOCK = os.urandom(MIB)
NOBODY = 65534


@contextlib.contextmanager
def mounted(place, *options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(["size=8m", *options]), "tmpfs", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place])


@pytest.fixture
def small(tmp_path):
    """A store on a file system of 8 MiB."""
    with mounted(tmp_path):
        store = DirectoryStore(str(tmp_path))
        yield store
        store.close()


@contextlib.contextmanager
def another_user():
    """Run a block without root's permission to everything."""
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def files_below(path):
    return sorted(str(found.relative_to(path)) for found in path.rglob("*") if not found.is_dir())


def test_a_full_disk(small, tmp_path):
    small.put("packs/a", [BLOCK] * 3)
    with pytest.raises(StoreError) as caught:
        small.put("packs/b", [BLOCK] * 20)
    message = caught.value.message
    assert f"Cannot write {tmp_path}/packs/b: No space left on device" in message
    free, needed = (
        int(word.split()[0]) for word in (message.split(". ")[1], message.split("at least ")[1].rstrip("."))
    )
    assert free <= 5 * MIB  # what the unfinished object took is free again
    assert needed == free // MIB * MIB + MIB
    assert files_below(tmp_path) == ["packs/a"]
    small.put("packs/c", [BLOCK] * 4)
    assert small.get("packs/c") == BLOCK * 4
    assert small.get("packs/a") == BLOCK * 3


def test_a_full_disk_keeps_what_was_to_be_replaced(small):
    small.put("object", [BLOCK] * 5)
    with pytest.raises(StoreError, match="No space left"):
        small.put("object", [BLOCK] * 5)
    assert small.get("object") == BLOCK * 5


def test_no_room_for_a_directory(tmp_path):
    with mounted(tmp_path, "nr_inodes=3"):
        store = DirectoryStore(str(tmp_path))
        with pytest.raises(StoreError, match="No space left on device"):
            store.put("packs/ab/x", [b""])
        store.close()


def test_a_read_only_file_system(small, tmp_path):
    small.put("object", [b"content"])
    subprocess.run(["mount", "-o", "remount,ro", tmp_path], check=True)
    for use in (lambda: small.put("new", [b""]), lambda: small.put("a/b", [b""]), lambda: small.delete("object")):
        with pytest.raises(StoreDeniedError, match="Read-only file system") as caught:
            use()
        assert "mount it for writing" in caught.value.next_step
    assert small.get("object") == b"content"


def test_a_file_system_that_is_unmounted_meanwhile(tmp_path):
    with mounted(tmp_path):
        store = DirectoryStore(str(tmp_path))
        store.put("packs/x", [b"content"])

        def content():
            yield b"some"
            subprocess.run(["umount", "--lazy", tmp_path], check=True)

        store.put("packs/y", content())  # it was on its way to the right place
        for use in (lambda: store.put("packs/z", [b""]), lambda: store.get("packs/x"), lambda: list(store.list(""))):
            with pytest.raises(StoreUnreachableError, match="unmounted, or it was replaced"):
                use()
        store.close()
        assert list(tmp_path.iterdir()) == []
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmp_path], check=True)


def test_permissions():
    with working_directory("denied") as place:
        store = DirectoryStore(str(place))
        store.put("packs/x", [b"content"])
        os.chmod(place / "packs", 0o755)
        with another_user():
            for use in (
                lambda: store.put("packs/new", [b""]),
                lambda: store.put("new", [b""]),
                lambda: store.put("a/new", [b""]),
                lambda: store.get("packs/x"),
                lambda: store.delete("packs/x"),
            ):
                with pytest.raises(StoreDeniedError, match=r"(Permission denied|not permitted)") as caught:
                    use()
                assert str(place) in caught.value.message
                assert f"user id {NOBODY}" in caught.value.next_step
            assert [info.name for info in store.list("")] == ["packs/x"]
        os.chmod(place / "packs", 0o700)
        with another_user(), pytest.raises(StoreDeniedError):
            list(store.list("packs/"))
        with another_user(), pytest.raises(StoreDeniedError):
            store.stat("packs/x")
        store.close()


def test_a_location_that_may_not_be_entered(tmp_path):
    (tmp_path / "store").mkdir()
    tmp_path.chmod(0o700)
    with another_user(), pytest.raises(StoreDeniedError, match=f"Cannot open {tmp_path}/store"):
        DirectoryStore(str(tmp_path / "store")).get("x")


_WRITER = """
import hashlib, os, sys
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.directory import DirectoryStore
store = DirectoryStore(sys.argv[1])
print(flush=True)
while True:
    content = os.urandom(1 << 20) * 4
    name = f"packs/{os.urandom(1).hex()}/{hashlib.sha256(content).hexdigest()}"
    store.put(name, (content[start : start + 65536] for start in range(0, len(content), 65536)))
"""


def test_a_writer_killed_at_any_moment_leaves_whole_objects_only(tmp_path):
    chance = random.Random()
    whole = 0
    for _ in range(15):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        writer.stdout.readline()
        time.sleep(chance.uniform(0, 0.3))
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        store = DirectoryStore(str(tmp_path))
        for info in list(store.list("")):
            content = store.get(info.name)
            assert hashlib.sha256(content).hexdigest() == info.name.rsplit("/", 1)[1]
            assert info.size == len(content)
            store.delete(info.name)
            whole += 1
        store.close()
    assert whole
    assert all("/.unfinished-" in f"/{name}" for name in files_below(tmp_path))
