# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AES256_GCM_HKDF_1MB streams: against Tink itself, and against every kind of damage."""

from __future__ import annotations

import random

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository import stream
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import IntegrityError
from ansible_collections.dfr.continuity.tests.unit.repository import tink_oracle

KEY = bytes(range(32))
PLACE = b"where it belongs"
FIRST, NEXT = stream.FIRST_PLAINTEXT, stream.SEGMENT_PLAINTEXT
SIZES = [0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + NEXT - 1, FIRST + NEXT, FIRST + NEXT + 1, 3_000_000]


def encrypted(plaintext: bytes) -> bytes:
    return b"".join(stream.encrypt(KEY, PLACE, plaintext))


@pytest.mark.parametrize("size", SIZES)
def test_tink_reads_what_we_write_and_we_read_what_tink_writes(size: int) -> None:
    plaintext = random.Random(size).randbytes(size)
    ours = encrypted(plaintext)
    assert len(ours) == stream.ciphertext_size(size)
    assert stream.plaintext_size(len(ours)) == size
    assert tink_oracle.decrypt_stream(KEY, PLACE, ours) == plaintext
    assert stream.decrypt(KEY, PLACE, tink_oracle.encrypt_stream(KEY, PLACE, plaintext), "x") == plaintext
    assert stream.decrypt(KEY, PLACE, ours, "x") == plaintext


@pytest.mark.parametrize("piece", [1000, FIRST - 1, FIRST, FIRST + 1, 1 << 20, 3 << 20])
def test_pieces_are_encrypted_as_if_they_were_one(piece: int) -> None:
    plaintext = random.Random(piece).randbytes(2 * FIRST + 5000)
    pieces = [plaintext[start : start + piece] for start in range(0, len(plaintext), piece)]
    ciphertext = list(stream.encrypt(KEY, PLACE, *pieces, b""))
    assert [len(segment) for segment in ciphertext[:-1]] == [stream.SEGMENT_SIZE] * 2
    assert stream.decrypt(KEY, PLACE, b"".join(ciphertext), "x") == plaintext


@pytest.mark.parametrize("cut", [0, 1, 39, 40, 55, 56, 1 << 20, (1 << 20) + 1, 2 << 20, (2 << 20) + 5])
def test_a_stream_cut_short_anywhere_is_refused(cut: int) -> None:
    whole = encrypted(bytes(2 * (1 << 20) + 100))
    with pytest.raises(IntegrityError, match="not what was written"):
        stream.decrypt(KEY, PLACE, whole[:cut], "x")


@pytest.mark.parametrize("position", [0, 1, 33, 39, 40, 1000, (1 << 20) - 1, 1 << 20, -1])
def test_one_flipped_bit_is_refused(position: int) -> None:
    damaged = bytearray(encrypted(bytes((1 << 20) + 100)))
    damaged[position] ^= 1
    with pytest.raises(IntegrityError):
        stream.decrypt(KEY, PLACE, damaged, "x")


def test_swapped_segments_and_added_bytes_are_refused() -> None:
    whole = encrypted(bytes(4 << 20))
    size = stream.SEGMENT_SIZE
    swapped = whole[:size] + whole[2 * size : 3 * size] + whole[size : 2 * size] + whole[3 * size :]
    for damaged in (swapped, whole + b"x", whole + whole):
        with pytest.raises(IntegrityError):
            stream.decrypt(KEY, PLACE, damaged, "x")


def test_another_key_or_another_place_does_not_open_it() -> None:
    whole = encrypted(b"secret")
    for key, place in ((bytes(32), PLACE), (KEY, b"elsewhere")):
        with pytest.raises(IntegrityError):
            stream.decrypt(key, place, whole, "x")


def test_segments_open_one_by_one() -> None:
    plaintext = random.Random(1).randbytes(3_000_000)
    whole = encrypted(plaintext)
    decryptor = stream.StreamDecryptor(KEY, PLACE, whole[: stream.HEADER_SIZE], len(whole), "x")
    for offset in (0, FIRST - 1, FIRST, 2_999_999):
        segment = stream.segment_of(offset)
        low, high = decryptor.span(segment)
        assert decryptor.open(segment, whole[low:high])[offset - stream.segment_start(segment)] == plaintext[offset]
