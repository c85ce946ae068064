# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index cache with ten million chunks: what it takes to build it from the store's index objects, and to use it.

    python index_cache.py DIRECTORY    prints a JSON object

Runs as a process of its own, so that its peak memory is that of the cache alone.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from pathlib import Path

from ansible_collections.dfr.continuity.plugins.module_utils._repository.index import IndexedPack, IndexObject
from ansible_collections.dfr.continuity.plugins.module_utils._repository.index_cache import IndexCache
from ansible_collections.dfr.continuity.plugins.module_utils._repository.pack import PackEntry

CHUNKS = 10_000_000
#: Packs in an index object, chunks in a pack: files of about 100 KB.
_PACKS, _CHUNKS_PER_PACK = 64, 320
_LOOK_UPS = 100_000


def _index(name: str) -> IndexObject:
    """What a backup would have written under this name."""
    chance = random.Random(name)
    return IndexObject(1, "20260101T000000Z-00000001/host.odoo.filestore", [_pack(chance) for _ in range(_PACKS)])


def _pack(chance: random.Random) -> IndexedPack:
    ids = chance.randbytes(32 * _CHUNKS_PER_PACK)
    entries = [PackEntry(ids[32 * n : 32 * n + 32], n * 100_000, 100_000, 120_000 + n) for n in range(_CHUNKS_PER_PACK)]
    return IndexedPack(chance.randbytes(16), 32 << 20, entries)


def main() -> None:
    """Build, look up, tell."""
    path = Path(sys.argv[1]) / "index.sqlite3"
    names = {f"index/{number:08d}" for number in range(CHUNKS // (_PACKS * _CHUNKS_PER_PACK))}
    cache = IndexCache(str(path))
    begin = time.perf_counter()
    cache.update(names, _index)
    built = time.perf_counter() - begin
    known = [entry.chunk_id for name in sorted(names)[::50] for entry in _index(name).packs[0].entries]
    begin = time.perf_counter()
    for number in range(_LOOK_UPS):
        if cache.pack_number(known[number % len(known)], 1) is None:
            raise RuntimeError(f"the cache does not know chunk {number}")
    looked_up = time.perf_counter() - begin
    report = {
        "chunks": len(names) * _PACKS * _CHUNKS_PER_PACK,
        "build": built,
        "look_ups_per_second": _LOOK_UPS / looked_up,
        "file": path.stat().st_size,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    cache.close()
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
