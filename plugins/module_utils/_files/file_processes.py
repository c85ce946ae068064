# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that read and store small files, or fetch and write them, by the batch."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._repository.chunk_writer import ChunkWriter
from .._repository.keys import load_recovery_key
from .._repository.part_reader import ChunkReader, PartReader
from .._repository.part_writer import PartWriter
from .._repository.progress import Progress
from .._repository.repository import open_repository
from .._repository.store_processes import StoreProcesses
from .._repository.worker_processes import WorkerProcesses
from .batch import Job
from .content import FileStorer, Stored
from .directory import Directory
from .entries import Entry
from .file_writer import FileWriter, Outcome, Spot, WriterOptions
from .owners import OwnerDomain, OwnerTable

#: Bytes in small files from which processes do more good than starting them costs.
WORTHWHILE = 32 << 20
#: Decrypted segments that each process keeps; those of the batches that it is given next to each other.
_CACHED_SEGMENTS = 16


def _numbered(directories: t.Iterable[Directory]) -> dict[Directory, int]:
    """Number the directories of a batch; they are sent in this order."""
    return {directory: number for number, directory in enumerate(dict.fromkeys(directories))}


@dataclass(frozen=True)
class _StoreSetup:
    owners: OwnerDomain
    started: int
    checks_names: bool


class StoringProcesses:
    """Stores files in processes; see :class:`.content.FileStorer` for the arguments."""

    def __init__(self, part: PartWriter, owners: OwnerDomain, started: int, *, checks_names: bool) -> None:
        self._processes = StoreProcesses(part, _StoringWorker, _StoreSetup(owners, started, checks_names))

    def store_files(self, jobs: t.Sequence[Job]) -> list[Stored]:
        """Store the files of a batch in one of the processes."""
        numbers = _numbered(job.directory for job in jobs)
        request = [(job.path, numbers[job.directory], job.name, job.linked) for job in jobs]
        stored: list[Stored] = self._processes.work(request, [directory.fd for directory in numbers])
        return stored

    def finish(self) -> None:
        """Have the last packs written, when all files are stored."""
        self._processes.finish()

    def close(self) -> None:
        """End the processes."""
        self._processes.close()


class _StoringWorker:
    def __init__(self, chunks: ChunkWriter, setup: _StoreSetup) -> None:
        self._storer = FileStorer(chunks, OwnerTable(setup.owners), setup.started, checks_names=setup.checks_names)

    def work(self, request: list[tuple[bytes, int, bytes, bool]], descriptors: t.Sequence[int]) -> list[Stored]:
        directories = [Directory(descriptor) for descriptor in descriptors]
        return [
            self._storer.store(path, directories[number], name, linked=linked) for path, number, name, linked in request
        ]


@dataclass(frozen=True)
class _WriteSetup:
    given: t.Mapping[str, t.Any]
    recovery_key: bytes
    backup_id: str
    part: str
    options: WriterOptions


class WritingProcesses:
    """Writes files of a part in processes."""

    def __init__(self, reader: PartReader, options: WriterOptions) -> None:
        self._reader = reader
        setup = _WriteSetup(
            reader.repository.given, reader.recovery_key.to_pem(), reader.backup_id, reader.part, options
        )
        self._processes = WorkerProcesses(reader.workers, _WritingWorker, setup)

    def write_files(self, files: t.Sequence[tuple[Entry, Spot]]) -> list[Outcome]:
        """Write the files of a batch in one of the processes."""
        numbers = _numbered(spot.directory for _entry, spot in files)
        request = [(entry, numbers[spot.directory], spot.name, spot.fresh, spot.inherits) for entry, spot in files]
        outcomes, fetched = self._processes.work(request, [directory.fd for directory in numbers])
        self._reader.progress.add(stored=fetched)
        return t.cast("list[Outcome]", outcomes)

    def close(self) -> None:
        """End the processes."""
        self._processes.close()


class _WritingWorker:
    def __init__(self, setup: _WriteSetup, _descriptors: t.Sequence[int]) -> None:
        recovery_key = load_recovery_key(setup.recovery_key)
        self._progress = Progress()
        repository = open_repository(setup.given, recovery_key)
        reader = ChunkReader(
            repository, setup.backup_id, setup.part, recovery_key, self._progress, cached=_CACHED_SEGMENTS
        )
        self._writer = FileWriter(reader, setup.options)

    def work(
        self, request: list[tuple[Entry, int, bytes, bool, bool]], descriptors: t.Sequence[int]
    ) -> tuple[list[Outcome], int]:
        directories = [Directory(descriptor) for descriptor in descriptors]
        before = self._progress.snapshot().stored
        outcomes = self._writer.restore_all(
            [
                (entry, Spot(directories[number], name, fresh, inherits))
                for entry, number, name, fresh, inherits in request
            ]
        )
        return outcomes, self._progress.snapshot().stored - before

    def finish(self) -> None:
        """Nothing is left to do at the end."""
