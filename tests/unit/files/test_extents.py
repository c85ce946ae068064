# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holes: found, few, and never data taken for one."""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._files.extents import (
    Extent,
    data_extents,
    gaps,
    may_have_holes,
)

KIB = 1 << 10
GIB = 1 << 30


def sparse(path: Path, size: int, *data: int) -> int:
    """Make a file of ``size`` bytes with 4 KiB of data at each offset; return a descriptor."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.ftruncate(fd, size)
    for offset in data:
        os.pwrite(fd, b"x" * 4096, offset)
    return fd


def test_a_hole_of_60_gb_is_one(tmp_path: Path) -> None:
    fd = sparse(tmp_path / "f", 60 * GIB, 30 * GIB)
    assert may_have_holes(os.fstat(fd))
    assert data_extents(fd, 60 * GIB) == [Extent(30 * GIB, 4096)]
    os.close(fd)


@pytest.mark.parametrize(
    ("size", "data", "expected"),
    [
        (GIB, [], []),
        (GIB, [0], [(0, 4096)]),
        (GIB, [GIB - 4096], [(GIB - 4096, 4096)]),
        # Holes too short to be worth an extent, at the start, between and at the end.
        (GIB, [4 * KIB], [(0, 8 * KIB)]),
        (GIB, [0, 16 * KIB], [(0, 20 * KIB)]),
        (GIB, [GIB - 8 * KIB], [(GIB - 8 * KIB, 8 * KIB)]),
        (GIB, [0, 128 * KIB], [(0, 4096), (128 * KIB, 4096)]),
    ],
)
def test_extents(tmp_path: Path, size: int, data: list[int], expected: list[tuple[int, int]]) -> None:
    fd = sparse(tmp_path / "f", size, *data)
    assert data_extents(fd, size) == [Extent(*one) for one in expected]
    os.close(fd)


def test_very_many_extents_become_few_and_cover_all_data(tmp_path: Path) -> None:
    offsets = [number * 128 * KIB for number in range(9000)]
    size = 2 * GIB
    fd = sparse(tmp_path / "f", size, *offsets)
    extents = data_extents(fd, size)
    os.close(fd)
    assert len(extents) <= 4096
    assert all(any(one.offset <= offset and offset + 4096 <= one.end for one in extents) for offset in offsets[::97])
    assert all(before.end < after.offset for before, after in itertools.pairwise(extents))


def test_a_dense_file_has_none(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(random.Random(1).randbytes(1 << 20))
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    os.fsync(fd)
    assert not may_have_holes(os.fstat(fd))
    assert data_extents(fd, 1 << 20) == [Extent(0, 1 << 20)]
    os.close(fd)


def test_gaps_are_the_other_half() -> None:
    extents = [Extent(10, 5), Extent(20, 10)]
    holes = gaps(extents, 40)
    assert holes == (Extent(0, 10), Extent(15, 5), Extent(30, 10))
    assert list(gaps(holes, 40)) == extents
    assert gaps([], 7) == (Extent(0, 7),)
    assert gaps([Extent(0, 7)], 7) == ()
    assert gaps([], 0) == ()
