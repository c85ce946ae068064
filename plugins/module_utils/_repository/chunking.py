# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutting a stream into chunks at places that its content chooses, so that what moved is still recognised.

A chunk ends after the first place, at least half a chunk in, where four bytes in a row have the low half-bytes
3, 4, 9, 1, and at the latest after :data:`CHUNK_LIMIT`. Low half-bytes occur about equally often in digits, letters and
binary data. Looking for them costs a table look-up of, on average, a tenth of the stream. Cuts are the writer's own
affair: a reader does not need to know how they were chosen.
"""

from __future__ import annotations

import typing as t

CHUNK_LIMIT = 1 << 20
_LEAST = CHUNK_LIMIT // 2
_LOOK = 1 << 16
_LOW_HALVES = bytes(value & 15 for value in range(256))
_MARK = bytes([3, 4, 9, 1])


def cut(buffer: bytes | bytearray | memoryview, start: int = 0) -> int:
    """Return where the chunk that begins at ``start`` ends.

    ``buffer`` must hold at least :data:`CHUNK_LIMIT` bytes after ``start``, or be the end of the stream.
    """
    limit = min(len(buffer), start + CHUNK_LIMIT)
    position = start + _LEAST
    while position < limit:
        until = min(position + _LOOK, limit)
        found = bytes(buffer[position:until]).translate(_LOW_HALVES).find(_MARK)
        if found >= 0:
            return position + found + len(_MARK)
        position = until if until == limit else until - len(_MARK) + 1
    return limit


class Cutter:
    """Gathers bytes of any sizes and gives out chunks."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def add(self, data: bytes | bytearray | memoryview) -> t.Iterator[bytes]:
        """Take more of the stream and yield the chunks that are now certain."""
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= CHUNK_LIMIT:
            end = cut(self._buffer, start)
            yield bytes(memoryview(self._buffer)[start:end])
            start = end
        if start:
            del self._buffer[:start]

    def rest(self) -> t.Iterator[bytes]:
        """Yield the chunks of what is left at the end of the stream."""
        start = 0
        while start < len(self._buffer):
            end = cut(self._buffer, start)
            yield bytes(memoryview(self._buffer)[start:end])
            start = end
        self._buffer = bytearray()
