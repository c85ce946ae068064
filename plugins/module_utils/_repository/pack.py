# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs: many compressed chunks in one encrypted object of about 32 MiB, with a directory at its end.

Plaintext: the stored chunks one after the other; for each of them 32 bytes id, 4 bytes stored size, 4 bytes true size
(big endian); 4 bytes number of chunks; ``DFCPACK1``. A chunk is a zstd frame, or the bytes themselves where
stored and true size are equal. With the directory, an index can be built again from the packs alone.
"""

from __future__ import annotations

import struct
import typing as t

from .errors import IntegrityError

PACK_TARGET = 32 << 20
_MAGIC = b"DFCPACK1"
_ENTRY = struct.Struct(">32sII")
_COUNT = struct.Struct(">I")


class PackEntry(t.NamedTuple):
    """One chunk in a pack: its id, where it starts, how many bytes are stored, how many it has when decompressed."""

    chunk_id: bytes
    offset: int
    stored: int
    size: int


class PackBuilder:
    """A pack being filled."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.entries: list[PackEntry] = []
        self.size = 0

    def add(self, chunk_id: bytes, stored: bytes, size: int) -> None:
        """Append a chunk as it is to be stored; ``size`` is its decompressed size."""
        self.entries.append(PackEntry(chunk_id, self.size, len(stored), size))
        self._pieces.append(stored)
        self.size += len(stored)

    def take(self) -> list[bytes]:
        """Return the plaintext of the whole pack in pieces, and let go of them."""
        pieces, self._pieces = self._pieces, []
        pieces.append(b"".join(_ENTRY.pack(entry.chunk_id, entry.stored, entry.size) for entry in self.entries))
        pieces.append(_COUNT.pack(len(self.entries)) + _MAGIC)
        return pieces


def read_directory(plaintext: bytes, what: str) -> list[PackEntry]:
    """Return the entries of a whole pack; raise :class:`~.errors.IntegrityError` when they do not fit it."""
    end = len(plaintext) - len(_MAGIC) - _COUNT.size
    if end >= 0 and plaintext.endswith(_MAGIC):
        (count,) = _COUNT.unpack_from(plaintext, end)
        start = end - count * _ENTRY.size
        entries, offset = [], 0
        if start >= 0:
            for chunk_id, stored, size in _ENTRY.iter_unpack(memoryview(plaintext)[start:end]):
                entries.append(PackEntry(chunk_id, offset, stored, size))
                offset += stored
            if offset == start:
                return entries
    raise IntegrityError(f"The pack {what} has no valid directory.", "Bring it back from a copy of the store.")
