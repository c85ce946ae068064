# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stretch of the walk through a tree, handed to one thread: what is unchanged is looked up, the rest is read."""

from __future__ import annotations

import typing as t

from .._repository.part_writer import PartWriter
from .._repository.references import ID_SIZE, INLINE
from .cache import Known
from .content import FileStorer, Stored
from .directory import Directory
from .entries import FILE

#: A batch ends with so many bytes or files to be read, or so many things in all, ids to look up (roughly), or open
#: directories.
_BYTES = 1 << 20
_FILES = 128
_THINGS = 1024
_IDS = 8192
_DIRECTORIES = 16


class Job(t.NamedTuple):
    """A file to be dealt with.

    ``size`` is how many bytes are to be read, or of a known file how many it has. ``known`` is set when it is unchanged
    and need only be read if the repository has lost it, ``target`` when it is another name of that path and is to be
    read only if that one cannot be. ``linked``: it has other names.
    """

    path: bytes
    directory: Directory
    name: bytes
    size: int
    linked: bool = False
    target: bytes = b""
    known: Known | None = None


#: What a batch consists of before and after: things done, and (before, or for other names) things to do.
Things = list["Stored | Job"]


class Batch:
    """Things in the order of the walk."""

    def __init__(self) -> None:
        self.things: Things = []
        #: Whether there is anything to do for a thread.
        self.has_work = False
        #: Bytes of files to be read.
        self.bytes = 0
        self._files = self._ids = 0
        self._directories: set[Directory] = set()

    def add(self, thing: Stored | Job) -> None:
        """Append something."""
        self.things.append(thing)
        if not isinstance(thing, Job):
            return
        self._directories.add(thing.directory)
        if thing.target:
            return
        self.has_work = True
        if thing.known is not None:
            self._ids += len(thing.known.record) // (2 * ID_SIZE)
        else:
            self._files += 1
            self.bytes += thing.size

    @property
    def full(self) -> bool:
        """Tell whether the batch is to be handed on."""
        return (
            len(self.things) >= _THINGS
            or self.bytes >= _BYTES
            or self._files >= _FILES
            or self._ids >= _IDS
            or len(self._directories) >= _DIRECTORIES
        )


class StoresFiles(t.Protocol):
    """Reads and stores files, in this process or in another one."""

    def store_files(self, jobs: t.Sequence[Job]) -> list[Stored]:
        """Store files; what is wrong with a file is in what is returned of it, in the same order."""


class StoresHere:
    """Stores files in the thread that asks for it."""

    def __init__(self, storer: FileStorer) -> None:
        self._storer = storer

    def store_files(self, jobs: t.Sequence[Job]) -> list[Stored]:
        """Store files, one after the other."""
        return [self._storer.store(job.path, job.directory, job.name, linked=job.linked) for job in jobs]


def store_things(part: PartWriter, storer: StoresFiles, things: Things) -> Things:
    """Do what is to be done for a batch; in a thread of the pool. Other names of files are left for later."""
    ids = [chunk_id for thing in things if isinstance(thing, Job) and thing.known for chunk_id in thing.known.ids]
    missing = part.missing(ids) if ids else set()
    done: Things = []
    to_read: list[Job] = []
    for thing in things:
        if isinstance(thing, Stored) or thing.target:
            done.append(thing)
        elif thing.known is not None and (not missing or missing.isdisjoint(thing.known.ids)):
            done.append(_as_before(part, thing, thing.known))
        else:
            done.append(thing)
            to_read.append(thing)
    stored = iter(storer.store_files(to_read)) if to_read else iter(())
    return [next(stored) if isinstance(thing, Job) and not thing.target else thing for thing in done]


def _as_before(part: PartWriter, job: Job, known: Known) -> Stored:
    if len(known.record) > 2 * ID_SIZE * INLINE and len(known.ids) > INLINE:
        # So many ids are stored in chunks of their own; those that are there are not stored again.
        part.reference(job.size, known.ids)
    return Stored(job.path, FILE, known.entry, job.size, known.record, unchanged=True)
