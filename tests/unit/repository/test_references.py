# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""References to streams: short, however long the stream is."""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import IntegrityError
from ansible_collections.dfr.continuity.plugins.module_utils._repository.references import (
    INLINE,
    ReferenceBuilder,
    StreamReference,
    expand,
)


@pytest.mark.parametrize(
    ("count", "depth"), [(0, 0), (1, 0), (INLINE, 0), (INLINE + 1, 1), (32768, 1), (32769, 1), (100_000, 1)]
)
def test_ids_come_back_in_order(count: int, depth: int) -> None:
    stored: dict[bytes, bytes] = {}

    def store(chunk: bytes) -> bytes:
        chunk_id = hashlib.sha256(chunk).digest()
        stored[chunk_id] = chunk
        return chunk_id

    builder = ReferenceBuilder(store)
    ids = [hashlib.sha256(str(number).encode()).digest() for number in range(count)]
    for chunk_id in ids:
        builder.add(chunk_id)
    reference = StreamReference.from_json(builder.finish(count).to_json())
    assert reference.depth == depth
    assert len(reference.ids) <= INLINE
    assert all(len(chunk) <= 1 << 20 for chunk in stored.values())
    assert list(expand(reference, stored.__getitem__)) == ids


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"size": 1},
        {"size": "x", "chunks": []},
        {"size": 1, "chunks": ["zz"]},
        {"size": 1, "chunks": ["00"]},
        {"size": 1, "chunks": [], "depth": 5},
    ],
)
def test_malformed_references_are_refused(document: dict) -> None:
    with pytest.raises(IntegrityError):
        StreamReference.from_json(document)
