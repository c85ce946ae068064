# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that store chunks of one part: each fills packs of its own, and tells the part's writer of them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .chunk_claims import ChunkClaims
from .chunk_writer import ChunkWriter
from .index import IndexedPack
from .part_writer import PartWriter
from .repository import open_repository
from .worker_processes import WorkerProcesses


class StoreWorker(t.Protocol):
    """Does work that stores chunks, in one of the processes."""

    def work(self, request: t.Any, descriptors: t.Sequence[int]) -> t.Any:
        """Do a share; ``descriptors`` belong to the worker."""


class StoreProcesses:
    """The processes, seen from the writer of the part.

    :arg make: called in each process with its :class:`ProcessChunkWriter` and ``setup``.
    """

    def __init__(self, part: PartWriter, make: t.Callable[[ChunkWriter, t.Any], StoreWorker], setup: t.Any) -> None:
        self._part = part
        begin = _Beginning(part.repository.given, part.scope, part.key, make, setup)
        self._processes = WorkerProcesses(part.workers, _Worker, begin, [part.claims.descriptor])

    def work(self, request: t.Any, descriptors: t.Sequence[int] = ()) -> t.Any:
        """Have one of the processes do something, and wait for it. Several threads may call this."""
        result, packs = self._processes.work(request, descriptors)
        self._take(packs)
        return result

    def finish(self) -> None:
        """Have the last packs written. Nothing may be under way, and nothing may follow."""
        for packs, old_packs, new_bytes in self._processes.finish():
            self._take(packs)
            self._part.old_packs |= old_packs
            self._part.new_bytes += new_bytes

    def close(self) -> None:
        """End the processes."""
        self._processes.close()

    def _take(self, packs: t.Iterable[IndexedPack]) -> None:
        for pack in packs:
            self._part.pack_written(pack)


@dataclass(frozen=True)
class _Beginning:
    """What a process is told at first: the repository, the part and its data key, and who does the work."""

    given: t.Mapping[str, t.Any]
    scope: str
    key: bytes
    make: t.Callable[[ChunkWriter, t.Any], StoreWorker]
    setup: t.Any


class ProcessChunkWriter(ChunkWriter):
    """Stores chunks in one of the processes."""

    def __init__(self, begin: _Beginning, claims: ChunkClaims) -> None:
        super().__init__(open_repository(begin.given, spooling=True, joining=True), begin.scope, begin.key, claims)
        self._untold: list[IndexedPack] = []

    def pack_written(self, pack: IndexedPack) -> None:
        """Keep a pack until the writer of the part is told."""
        self._untold.append(pack)

    def take_packs(self) -> list[IndexedPack]:
        """Return the packs that were written since this was asked last."""
        packs, self._untold = self._untold, []
        return packs


class _Worker:
    """What runs in a process: the work itself, and what the writer of the part is told."""

    def __init__(self, begin: _Beginning, descriptors: t.Sequence[int]) -> None:
        self._writer = ProcessChunkWriter(begin, ChunkClaims(descriptors[0]))
        self._worker = begin.make(self._writer, begin.setup)

    def work(self, request: t.Any, descriptors: t.Sequence[int]) -> tuple[t.Any, list[IndexedPack]]:
        return self._worker.work(request, descriptors), self._writer.take_packs()

    def finish(self) -> tuple[list[IndexedPack], set[int], int]:
        self._writer.write_last_pack()
        return self._writer.take_packs(), self._writer.old_packs, self._writer.new_bytes
