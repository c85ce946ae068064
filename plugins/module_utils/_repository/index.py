# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Index objects: which chunk lies in which pack.

Payload (inside a signed envelope, encrypted under the metadata key): ``DFCINDX1``; 4 bytes epoch; 2 bytes length of the
scope and the scope; then for each pack its 16-byte id, 8 bytes object size, 4 bytes number of chunks and for each chunk
32 bytes id, 4 bytes offset, 4 bytes stored size, 4 bytes true size. All numbers are big endian.
"""

from __future__ import annotations

import struct
import typing as t
from dataclasses import dataclass

from .errors import IntegrityError
from .pack import PackEntry

_MAGIC = b"DFCINDX1"
_HEAD = struct.Struct(">IH")
_PACK = struct.Struct(">16sQI")
_ENTRY = struct.Struct(">32sIII")


@dataclass(frozen=True)
class IndexedPack:
    """One pack as the index knows it; ``size`` in bytes of the object in the store."""

    pack_id: bytes
    size: int
    entries: t.Sequence[PackEntry]


@dataclass(frozen=True)
class IndexObject:
    """The packs that one part has written so far. ``scope`` says which data key opens them."""

    epoch: int
    scope: str
    packs: t.Sequence[IndexedPack]


def encode_index(index: IndexObject) -> bytes:
    """Return the payload."""
    scope = index.scope.encode()
    pieces = [_MAGIC, _HEAD.pack(index.epoch, len(scope)), scope]
    for pack in index.packs:
        pieces.append(_PACK.pack(pack.pack_id, pack.size, len(pack.entries)))
        pieces.extend(_ENTRY.pack(*entry) for entry in pack.entries)
    return b"".join(pieces)


def decode_index(payload: bytes, what: str) -> IndexObject:
    """Read a payload; raise :class:`~.errors.IntegrityError` when it is not one."""
    try:
        if not payload.startswith(_MAGIC):
            raise ValueError("it does not begin as one")
        epoch, scope_size = _HEAD.unpack_from(payload, len(_MAGIC))
        position = len(_MAGIC) + _HEAD.size
        scope = payload[position : position + scope_size].decode()
        return IndexObject(epoch, scope, list(_packs(memoryview(payload), position + scope_size)))
    except (struct.error, ValueError) as error:
        raise IntegrityError(
            f"The index object {what} is malformed: {error}.", "Bring it back from a copy of the store."
        ) from error


def _packs(payload: memoryview, position: int) -> t.Iterator[IndexedPack]:
    while position < len(payload):
        pack_id, size, count = _PACK.unpack_from(payload, position)
        position += _PACK.size
        end = position + count * _ENTRY.size
        if end > len(payload):
            raise ValueError("it is cut short")
        entries = [PackEntry(*entry) for entry in _ENTRY.iter_unpack(payload[position:end])]
        yield IndexedPack(pack_id, size, entries)
        position = end
