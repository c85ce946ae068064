# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies of uploads: cut exactly, read from anywhere, read again."""

from __future__ import annotations

import io
import random
import zlib

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.upload_body import Body, Cutter

CONTENT = random.Random(1).randbytes(10_000)


def pieces_of(content, seed):
    """Cut content at random, with some empty pieces."""
    chance = random.Random(seed)
    position = 0
    while position < len(content):
        size = chance.choice([0, 1, 7, 100, 1000])
        yield content[position : position + size]
        position += size


def whole(body):
    return b"".join(iter(lambda: bytes(body.read(64)), b""))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("size", [1, 999, 1000, 5000, 10_000, 10_001])
def test_parts_have_the_size_asked_for(seed, size):
    cutter = Cutter(pieces_of(CONTENT, seed))
    parts = []
    last = False
    while not last:
        last = cutter.fits(size)
        parts.append(whole(cutter.take(size)))
    assert b"".join(parts) == CONTENT
    assert {len(part) for part in parts[:-1]} <= {size}
    assert 0 < len(parts[-1]) <= size


def test_no_more_is_read_than_needed_to_know():
    taken = []

    def content():
        for number in range(100):
            taken.append(number)
            yield b"x" * 10

    cutter = Cutter(content())
    assert not cutter.fits(25)
    assert taken == [0, 1, 2]
    assert len(cutter.take(20)) == 20
    assert taken == [0, 1, 2]


def test_nothing():
    cutter = Cutter([])
    assert cutter.fits(0)
    assert len(cutter.take(10)) == 0
    assert Cutter([b"", b""]).fits(0)


def test_a_body_reads_and_seeks_as_a_file_does():
    body = Body([memoryview(piece) for piece in pieces_of(CONTENT, 3) if piece])
    file = io.BytesIO(CONTENT)
    chance = random.Random(2)
    assert len(body) == len(CONTENT)
    for _ in range(500):
        offset = chance.randrange(len(CONTENT) + 1)
        assert body.seek(offset) == file.seek(offset) == body.tell()
        found = bytes(body.read(50))
        assert file.read(len(found)) == found
        assert found or offset == len(CONTENT)
        assert body.tell() == file.tell()
    assert body.seek(0, 2) == len(CONTENT)
    assert body.read(1) == b""
    assert body.seek(-5, 1) == len(CONTENT) - 5
    assert body.read() == CONTENT[-5:]
    body.seek(0)
    assert body.read() == CONTENT


def test_the_checksum_is_that_of_the_whole():
    body = Body([memoryview(piece) for piece in pieces_of(CONTENT, 4)])
    assert body.crc32() == zlib.crc32(CONTENT).to_bytes(4, "big")


def test_reading_stops_at_the_deadline():
    body = Body([memoryview(CONTENT)])
    body.deadline = 0.0
    with pytest.raises(TimeoutError):
        body.read(1)
