# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bodies of uploads: an object of unknown length cut into parts that can be sent again, without copying."""

from __future__ import annotations

import collections
import time
import typing as t
import zlib


class Body:
    """A file-like view of some pieces of bytes, as HTTP clients take it; seekable, so that it can be sent again."""

    def __init__(self, pieces: t.Sequence[memoryview]) -> None:
        self._pieces = pieces
        self._size = sum(len(piece) for piece in pieces)
        self._index = self._within = self._position = 0
        #: Moment of ``time.monotonic()`` after which reading fails, so that a slow connection cannot take for ever.
        self.deadline = float("inf")

    def __len__(self) -> int:
        return self._size

    def crc32(self) -> bytes:
        """The CRC-32 (ISO 3309) of the whole, 4 bytes, big endian, as S3's checksum header wants it."""
        value = 0
        for piece in self._pieces:
            value = zlib.crc32(piece, value)
        return value.to_bytes(4, "big")

    def read(self, size: int = -1) -> bytes | memoryview:
        """Return up to ``size`` bytes, and none only at the end."""
        if time.monotonic() > self.deadline:
            raise TimeoutError("sending took longer than the deadline")
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        if self._index == len(self._pieces):
            return b""
        piece = self._pieces[self._index]
        found = piece[self._within : self._within + size]
        self._within += len(found)
        self._position += len(found)
        if self._within == len(piece):
            self._index, self._within = self._index + 1, 0
        return found

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to ``offset`` bytes from the beginning (``whence`` 0), the position (1) or the end (2)."""
        target = offset + (0, self._position, self._size)[whence]
        self._index = self._within = self._position = 0
        for piece in self._pieces:
            if target < self._position + len(piece):
                self._within = target - self._position
                break
            self._index += 1
            self._position += len(piece)
        self._position += self._within
        return self._position


class Cutter:
    """Takes parts of an exact size from pieces of any sizes."""

    def __init__(self, content: t.Iterable[bytes | memoryview]) -> None:
        self._source = iter(content)
        self._waiting: collections.deque[memoryview] = collections.deque()
        self._available = 0
        self._ended = False

    def fits(self, limit: int) -> bool:
        """Tell whether all that is left is at most ``limit`` bytes, reading no further than needed to know."""
        while not self._ended and self._available <= limit:
            piece = next(self._source, None)
            if piece is None:
                self._ended = True
            elif len(piece):
                # A caller may use its buffer again for the next piece; bytes cannot change.
                self._waiting.append(memoryview(bytes(piece)))
                self._available += self._waiting[-1].nbytes
        return self._ended and self._available <= limit

    def take(self, size: int) -> Body:
        """Return the next ``size`` bytes, or what is left when there is less."""
        self.fits(size)
        pieces: list[memoryview] = []
        wanted = min(size, self._available)
        self._available -= wanted
        while wanted:
            piece = self._waiting.popleft()
            if len(piece) > wanted:
                self._waiting.appendleft(piece[wanted:])
                piece = piece[:wanted]
            pieces.append(piece)
            wanted -= len(piece)
        return Body(pieces)
