# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of `stores/__init__.py`, on every kind of store and server."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    InputError,
    ObjectMissingError,
    SourceError,
)

MIB = 1 << 20
BLOCK = os.urandom(MIB)


def names(store, prefix=""):
    return [info.name for info in store.list(prefix)]


def test_what_is_put_is_got(store):
    assert store.put("packs/ab/abcd", [b"first ", b"", memoryview(b"second")]) == 12
    assert store.get("packs/ab/abcd") == b"first second"


def test_an_empty_object_is_an_object(store):
    assert store.put("empty", []) == 0
    assert store.get("empty") == b""
    assert store.get("empty", 0, 10) == b""
    assert store.stat("empty").size == 0
    assert names(store) == ["empty"]


def test_ranges(store):
    store.put("digits", [b"0123456789"])
    for offset, length, expected in [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (0, 4, b"0123"),
        (3, 4, b"3456"),
        (9, 1, b"9"),
        (8, 100, b"89"),
        (10, 5, b""),
        (10, None, b""),
        (50, 5, b""),
        (3, 0, b""),
    ]:
        assert store.get("digits", offset, length) == expected, (offset, length)


# The largest that goes in one request, the smallest that does not, and one without a shorter last part.
@pytest.mark.parametrize("size", [34 * MIB, 34 * MIB + 1, 64 * MIB])
def test_large_objects(store, size):
    pieces = [BLOCK] * (size // MIB) + [BLOCK[: size % MIB]]
    assert store.put("large", iter(pieces)) == size
    assert store.stat("large").size == size
    assert store.get("large") == b"".join(pieces)
    assert store.get("large", 32 * MIB - 3, 6) == BLOCK[-3:] + BLOCK[:3]


def test_pieces_may_share_a_buffer(store):
    def content():
        buffer = bytearray(4)
        for number in range(100):
            buffer[:] = b"%04d" % number
            yield memoryview(buffer)

    store.put("counted", content())
    assert store.get("counted") == b"".join(b"%04d" % number for number in range(100))


def test_putting_again_replaces(store):
    store.put("object", [b"old and longer"])
    store.put("object", [b"new"])
    assert store.get("object") == b"new"
    assert names(store) == ["object"]


def test_stat(store):
    before = time.time()
    store.put("object", [b"12345"])
    info = store.stat("object")
    assert (info.name, info.size) == ("object", 5)
    assert before - 5 < info.modified < time.time() + 5
    (listed,) = store.list("object")
    assert (listed.name, listed.size) == ("object", 5)
    assert abs(listed.modified - info.modified) < 1  # HTTP headers have whole seconds


def test_what_is_missing_is_named(store):
    store.put("a/present", [b""])
    for read in (store.get, store.stat):
        for name in ("a/missing", "missing/too"):
            with pytest.raises(ObjectMissingError, match=name):
                read(name)


def test_the_name_of_a_folder_is_no_object(store):
    store.put("folder/object", [b""])
    with pytest.raises(ObjectMissingError, match="folder"):
        store.stat("folder")
    with pytest.raises(ObjectMissingError, match="folder"):
        store.get("folder")


def test_deleting(store):
    store.put("a/one", [b"1"])
    store.put("a/two", [b"2"])
    store.delete("a/one")
    assert names(store) == ["a/two"]
    store.delete("a/one")
    store.delete("b/never/was")
    with pytest.raises(ObjectMissingError):
        store.get("a/one")


def test_lists_are_in_order_of_whole_names(store):
    # "-", "." and "+" sort before "/", digits and letters after it.
    wanted = sorted(["o/a", "o/b-b", "o/b/b", "o/b.b", "o/b0", "o/b/c/d", "o/b+", "o/b@", "o/b_", "o/B", "p"])
    for name in reversed(wanted):
        store.put(name, [name.encode()])
    assert names(store) == wanted
    assert names(store, "o/") == wanted[:-1]
    assert names(store, "o/b/") == ["o/b/b", "o/b/c/d"]
    assert names(store, "o/b/c") == ["o/b/c/d"]
    assert names(store, "o/b.") == ["o/b.b"]
    assert names(store, "q") == []
    assert names(store, "q/r/") == []


def test_long_names_and_every_permitted_character(store):
    name = "keys/20261122T050301Z-1f2e3d4c/" + "Az09._@+-" * 14
    store.put(name, [b"content"])
    assert names(store, "keys/") == [name]
    assert store.get(name) == b"content"


def test_other_names_are_refused(store):
    for name in ["", "/a", "a//b", "a/", "../a", "a/../b", ".", "a/.hidden", "ä", "a b", "a\nb", "a\0", "a" * 256]:
        for use in (lambda: store.put(name, [b""]), lambda: store.get(name), lambda: store.delete(name)):  # noqa: B023
            with pytest.raises(InputError, match="cannot be the name"):
                use()
    for prefix in ["/", "..", "a/../", "a//", "ä"]:
        with pytest.raises(InputError, match="cannot be the beginning"):
            list(store.list(prefix))


@pytest.mark.parametrize("size", [1, 40])
def test_content_that_fails_leaves_what_was_there(store, size):
    def content():
        yield from [BLOCK] * size
        raise SourceError("The source broke.", "Mend it.")

    store.put("object", [b"old"])
    for name in ("object", "another"):
        with pytest.raises(SourceError, match="The source broke"):
            store.put(name, content())
    assert store.get("object") == b"old"
    assert names(store) == ["object"]


def test_threads_share_a_store(store):
    everybody = threading.Barrier(8)

    def work(number):
        everybody.wait()
        for turn in range(5):
            name = f"packs/{number}/{turn}"
            store.put(name, [name.encode()] * 100)
            assert store.get(name) == name.encode() * 100
            store.put("contended", [b"%d" % number * 1000])
        return number

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == list(range(8))
    assert len(names(store, "packs/")) == 40
    contended = store.get("contended")
    assert contended in {b"%d" % number * 1000 for number in range(8)}


def test_more_objects_than_a_page_holds(store):
    wanted = [f"many/{number:05}" for number in range(1100)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: store.put(name, [b"x"]), wanted))
    assert names(store, "many/") == wanted
