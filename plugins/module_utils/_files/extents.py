# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the data of a sparse file is: a hole costs nothing to read, and nothing to store (lseek(2), SEEK_DATA)."""

from __future__ import annotations

import os
import typing as t

#: A hole shorter than this, in bytes, is read as the zeros it stands for.
_LEAST_HOLE = 64 << 10
#: With more extents than this, shorter holes are read as zeros too, so that an entry stays small.
_MOST_EXTENTS = 4096


class Extent(t.NamedTuple):
    """A range of a file, in bytes."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.offset + self.length


def may_have_holes(status: os.stat_result) -> bool:
    """Tell whether a file occupies less than its size."""
    return status.st_size >= _LEAST_HOLE and status.st_blocks * 512 < status.st_size


def data_extents(fd: int, size: int) -> list[Extent]:
    """Return the ranges of a file of ``size`` bytes that are not holes, in order."""
    extents: list[Extent] = []
    least, position = _LEAST_HOLE, 0
    while position < size:
        try:
            start = os.lseek(fd, position, os.SEEK_DATA)
            position = min(size, os.lseek(fd, start, os.SEEK_HOLE))
        except OSError:
            # ENXIO: only a hole follows. Anything else: the file system knows no holes, so the rest is data.
            position = size
            if not extents and not _knows_holes(fd):
                extents.append(Extent(0, size))
            break
        if start < position:
            _append(extents, Extent(start, position - start), least)
        if len(extents) > _MOST_EXTENTS:
            least *= 2
            extents = _joined(extents, least)
    if extents and size - extents[-1].end < least:
        extents[-1] = Extent(extents[-1].offset, size - extents[-1].offset)
    return extents


def _knows_holes(fd: int) -> bool:
    try:
        os.lseek(fd, 0, os.SEEK_HOLE)
    except OSError:
        return False
    return True


def _append(extents: list[Extent], extent: Extent, least: int) -> None:
    """Add an extent, together with the hole before it when that is shorter than ``least``."""
    before = extents[-1].end if extents else 0
    if extent.offset - before >= least:
        extents.append(extent)
    elif extents:
        extents[-1] = Extent(extents[-1].offset, extent.end - extents[-1].offset)
    else:
        extents.append(Extent(0, extent.end))


def _joined(extents: list[Extent], least: int) -> list[Extent]:
    joined: list[Extent] = []
    for extent in extents:
        _append(joined, extent, least)
    return joined


def gaps(extents: t.Iterable[Extent], size: int) -> tuple[Extent, ...]:
    """Return what of a file of ``size`` bytes is outside ``extents``: holes from data, or data from holes."""
    found, position = [], 0
    for extent in extents:
        if extent.offset > position:
            found.append(Extent(position, extent.offset - position))
        position = extent.end
    if position < size:
        found.append(Extent(position, size - position))
    return tuple(found)
