# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims of chunks: one gets a chunk, others are told; a full table forgets and never lies."""

from __future__ import annotations

import os
import secrets

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository import chunk_claims
from ansible_collections.dfr.continuity.plugins.module_utils._repository.chunk_claims import ChunkClaims


def test_a_chunk_is_claimed_once() -> None:
    claims = ChunkClaims()
    ids = [secrets.token_bytes(32) for _number in range(1000)]
    assert all(map(claims.claim, ids))
    assert not any(map(claims.claim, ids))
    assert all(chunk_id in claims for chunk_id in ids)
    assert secrets.token_bytes(32) not in claims
    claims.close()


def test_another_process_sees_what_was_claimed() -> None:
    claims = ChunkClaims()
    mine, theirs = secrets.token_bytes(32), secrets.token_bytes(32)
    claims.claim(mine)
    other = ChunkClaims(os.dup(claims.descriptor))
    assert not other.claim(mine)
    assert other.claim(theirs)
    assert not claims.claim(theirs)
    other.close()
    claims.close()


def test_ids_of_one_place_are_told_apart() -> None:
    claims = ChunkClaims()
    same_place = [bytes(8) + secrets.token_bytes(24) for _number in range(20)]
    assert all(map(claims.claim, same_place))
    # More of them than places are looked at: some are forgotten, none is taken for another.
    kept = [chunk_id in claims for chunk_id in same_place]
    assert 0 < sum(kept) < len(same_place)
    assert bytes(8) + secrets.token_bytes(24) not in claims
    claims.close()


def test_a_full_table_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_claims, "_PLACES", 64)
    claims = ChunkClaims()
    ids = [secrets.token_bytes(32) for _number in range(1000)]
    assert all(map(claims.claim, ids))
    assert not claims.claim(ids[-1])
    claims.close()
