# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a stream of any length is named by few bytes: a list of chunk ids, itself stored in chunks when it is long."""

from __future__ import annotations

import typing as t

from .chunking import CHUNK_LIMIT
from .errors import IntegrityError

ID_SIZE = 32
#: So many ids at most stand in the reference itself.
INLINE = 256
_IDS_PER_CHUNK = CHUNK_LIMIT // ID_SIZE
_DEEPEST = 4


class StreamReference(t.NamedTuple):
    """Names a stream. With ``depth`` 0, ``ids`` are its chunks; else chunks that hold the ids of ``depth`` - 1."""

    size: int
    ids: tuple[bytes, ...]
    depth: int = 0

    def to_json(self) -> dict[str, t.Any]:
        """Return the JSON form; ``depth`` is left out where it is 0."""
        document: dict[str, t.Any] = {"size": self.size, "chunks": [chunk_id.hex() for chunk_id in self.ids]}
        if self.depth:
            document["depth"] = self.depth
        return document

    @classmethod
    def from_json(cls, document: t.Mapping[str, t.Any]) -> StreamReference:
        """Read the JSON form; raise :class:`~.errors.IntegrityError` when it is not one."""
        try:
            ids = tuple(map(bytes.fromhex, document["chunks"]))
            reference = cls(int(document["size"]), ids, int(document.get("depth", 0)))
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"A stream reference is malformed: {error}.", "Choose another backup.") from error
        if reference.depth > _DEEPEST or set(map(len, ids)) - {ID_SIZE}:
            raise IntegrityError("A stream reference is malformed.", "Choose another backup.")
        return reference


class ReferenceBuilder:
    """Collects the ids of a stream's chunks in constant memory.

    :arg store: stores one chunk and returns its id (:meth:`PartWriter.store`).
    """

    def __init__(self, store: t.Callable[[bytes], bytes]) -> None:
        self._store = store
        self._levels: list[bytearray] = [bytearray()]

    def add(self, chunk_id: bytes, level: int = 0) -> None:
        """Append the id of the next chunk."""
        if level == len(self._levels):
            self._levels.append(bytearray())
        ids = self._levels[level]
        ids += chunk_id
        if len(ids) >= _IDS_PER_CHUNK * ID_SIZE:
            self._spill(level)

    def _spill(self, level: int) -> None:
        ids, self._levels[level] = self._levels[level], bytearray()
        self.add(self._store(bytes(ids)), level + 1)

    def finish(self, size: int) -> StreamReference:
        """Return the reference to a stream of ``size`` bytes."""
        level = 0
        while level < len(self._levels) - 1 or len(self._levels[level]) > INLINE * ID_SIZE:
            if self._levels[level]:
                self._spill(level)
            level += 1
        ids = bytes(self._levels[level])
        return StreamReference(size, tuple(ids[i : i + ID_SIZE] for i in range(0, len(ids), ID_SIZE)), level)


def expand(reference: StreamReference, read: t.Callable[[bytes], bytes]) -> t.Iterator[bytes]:
    """Yield the ids of a stream's chunks in order; ``read`` returns a chunk."""
    if reference.depth == 0:
        yield from reference.ids
        return
    for chunk_id in reference.ids:
        ids = read(chunk_id)
        if len(ids) % ID_SIZE:
            raise IntegrityError("A list of chunk ids is malformed.", "Choose another backup.")
        below = tuple(ids[i : i + ID_SIZE] for i in range(0, len(ids), ID_SIZE))
        yield from expand(StreamReference(0, below, reference.depth - 1), read)
