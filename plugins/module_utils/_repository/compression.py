# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""zstd, a frame a chunk; one compressor a thread."""

from __future__ import annotations

import threading

from .errors import IntegrityError
from .third_party import zstandard

_local = threading.local()


def compress(chunk: bytes, level: int) -> bytes:
    """Return a zstd frame of ``chunk``, or ``chunk`` itself when that is not longer."""
    compressors = _local.__dict__.setdefault("compressors", {})
    if level not in compressors:
        compressors[level] = zstandard.ZstdCompressor(level=level, write_content_size=False)
    frame: bytes = compressors[level].compress(chunk)
    return frame if len(frame) < len(chunk) else chunk


def decompress(stored: bytes, size: int, what: str) -> bytes:
    """Return the ``size`` bytes of a stored chunk.

    Never makes more than ``size`` bytes, and raises :class:`~.errors.IntegrityError` for fewer: a frame cut short
    raises nothing by itself.
    """
    if len(stored) == size:
        return stored
    if not hasattr(_local, "decompressor"):
        _local.decompressor = zstandard.ZstdDecompressor()
    try:
        chunk: bytes = _local.decompressor.decompress(stored, max_output_size=size)
    except zstandard.ZstdError as error:
        chunk = b""
        reason = str(error)
    else:
        reason = f"it has {len(chunk)} bytes"
    if len(chunk) != size:
        raise IntegrityError(
            f"A chunk of {what} does not decompress to {size} bytes: {reason}.", "Choose another backup."
        )
    return chunk
