# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts: within their limits, the same however the bytes arrive, and found again after an insertion."""

from __future__ import annotations

import random

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.chunking import CHUNK_LIMIT, Cutter


def chunks(data: bytes, step: int) -> list[bytes]:
    cutter = Cutter()
    found = [chunk for start in range(0, len(data), step) for chunk in cutter.add(data[start : start + step])]
    return [*found, *cutter.rest()]


def binary(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def text(size: int) -> bytes:
    source = random.Random(size)
    words = [bytes(source.choices(b"abcdefghijklmnopqrstuvwxyz0123456789", k=7)) for _ in range(3000)]
    return b"\t".join(source.choices(words, k=size // 8))


@pytest.mark.parametrize("make", [binary, text])
def test_chunks_join_to_the_data_and_do_not_depend_on_how_it_arrives(make) -> None:
    data = make(8_000_000)
    whole = chunks(data, len(data))
    assert b"".join(whole) == data
    assert all(CHUNK_LIMIT // 2 <= len(chunk) <= CHUNK_LIMIT for chunk in whole[:-1])
    assert chunks(data, 65_537) == whole
    assert chunks(data, 3_000_001) == whole


@pytest.mark.parametrize("make", [binary, text])
def test_most_chunks_are_found_again_after_an_insertion(make) -> None:
    data = make(24_000_000)
    before = set(chunks(data, 1 << 20))
    after = chunks(data[:1000] + b"an inserted row" + data[1000:], 1 << 20)
    assert sum(chunk in before for chunk in after) > 0.8 * len(after)


@pytest.mark.parametrize("size", [0, 1, CHUNK_LIMIT - 1, CHUNK_LIMIT, CHUNK_LIMIT + 1])
def test_data_without_any_mark_is_cut_at_the_limit(size: int) -> None:
    assert [len(chunk) for chunk in chunks(bytes(size), 10_000)] == [
        length for length in (min(size, CHUNK_LIMIT), size - CHUNK_LIMIT) if length > 0
    ]
