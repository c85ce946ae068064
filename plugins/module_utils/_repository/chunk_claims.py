# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which chunks a run is storing already, known to all its threads and processes."""

from __future__ import annotations

import mmap
import os
import threading

from .references import ID_SIZE

#: Places in the table: chunks of 64 packs, after which the index knows them, many times over.
_PLACES = 1 << 19
#: So many places are looked at for one chunk.
_PROBES = 8
_EMPTY = bytes(ID_SIZE)


class ChunkClaims:
    """A table of chunk ids in shared memory: whoever claims a chunk stores it, the others only refer to it.

    It forgets when it is full, and two processes that claim one chunk in the same instant may both be told to store
    it. Then a chunk is stored twice, which costs room and nothing else.

    :arg descriptor: the table of another process; by default a new one is made.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._lock = threading.Lock()
        self.descriptor = os.memfd_create("continuity-claims") if descriptor is None else descriptor
        if descriptor is None:
            os.ftruncate(self.descriptor, _PLACES * ID_SIZE)
        # Pages that no chunk fell into take no memory.
        self._table = mmap.mmap(self.descriptor, _PLACES * ID_SIZE)

    def close(self) -> None:
        """Let go of the memory."""
        self._table.close()
        os.close(self.descriptor)

    def __contains__(self, chunk_id: bytes) -> bool:
        return self._find(chunk_id)[0]

    def claim(self, chunk_id: bytes) -> bool:
        """Claim a chunk; return whether nobody else has, so that the caller has to store it."""
        with self._lock:
            found, place = self._find(chunk_id)
            if not found:
                self._table[place : place + ID_SIZE] = chunk_id
            return not found

    def _find(self, chunk_id: bytes) -> tuple[bool, int]:
        """Return whether a chunk was claimed, and where it is or would be written."""
        home = int.from_bytes(chunk_id[:8], "big")
        for probe in range(_PROBES):
            place = (home + probe) % _PLACES * ID_SIZE
            there = self._table[place : place + ID_SIZE]
            if there == chunk_id:
                return True, place
            if there == _EMPTY:
                return False, place
        return False, home % _PLACES * ID_SIZE
