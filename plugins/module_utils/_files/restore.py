# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores files of one part of a backup into a directory, leaving alone what is there already as it was.

What is written is written under a temporary name and renamed when it is whole, so a restore that was interrupted has
finished files and missing ones, and the next one makes the missing ones. Nothing outside the target is touched: each
name is reached from an open directory, and symbolic links are not followed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import typing as t
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property

from .._repository.errors import InputError, TargetError
from .._repository.part_reader import PartReader
from .backup import FILESTORE, SINGLE_FILE
from .directory import Directory, is_directory
from .entries import FILE, Entry
from .file_processes import WORTHWHILE, WritingProcesses
from .file_writer import (
    NOT_TOUCHED,
    UNCHANGED,
    UPDATED,
    WRITTEN,
    FileWriter,
    Outcome,
    Spot,
    WriterOptions,
    fatal,
)
from .findings import FAILED, RESTORE_SENTENCES, Findings
from .owners import BY_NAME, OwnerChoice, OwnerDomain
from .patterns import Exclusion, Selection
from .place import alone_in, find_target, open_target
from .reading import EntryReader
from .restore_plan import BIG, PlanWalk, RestorePlan, check_room
from .restore_walk import Frame, TreeWalk

#: A batch ends with so many bytes or files, or steps that wait for it, or open directories.
_BATCH_BYTES = 8 << 20
_BATCH_FILES = 512
_BATCH_STEPS = 512
_BATCH_DIRECTORIES = 16


@dataclass
class RestoreResult:
    """What a restore did, or in a dry run would do.

    ``written`` counts what was made, ``updated`` what only got other owners, permissions, attributes or times,
    ``size`` the bytes written.
    """

    target: str
    plan: RestorePlan
    written: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    size: int = 0
    findings: Findings = field(default_factory=lambda: Findings(RESTORE_SENTENCES))
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Tell whether anything in the target was changed, or would be."""
        return bool(self.written or self.updated or self.deleted)


class IncompleteRestoreError(TargetError):
    """Something could not be restored; everything else was. ``result`` tells what."""

    def __init__(self, result: RestoreResult) -> None:
        super().__init__(
            f"The restore to {result.target} is not complete: {result.findings.sentence(FAILED)}",
            "See to the reasons named, then run the restore again: it makes only what is missing.",
        )
        self.result = result


def restore_tree(
    reader: PartReader,
    target: str,
    *,
    paths: t.Sequence[str] = (),
    delete: bool = False,
    overwrite: bool = True,
    verify: bool = False,
    owners: str = BY_NAME,
    owner: str | None = None,
    group: str | None = None,
    container: str | None = None,
    container_engine: str | None = None,
    durable: bool = False,
    dry_run: bool = False,
) -> RestoreResult:
    """Restore a tree, or what is selected of it, into the directory ``target``, which is made if it is missing.

    :arg paths: what to restore, with all below: paths from the root of the tree, or patterns (:mod:`.patterns`).
    :arg delete: remove what is in restored directories of the target and not in the backup, except what the backup
        excluded; and let something of another type be replaced.
    :arg overwrite: replace files that differ; otherwise they stay and are named.
    :arg verify: compare the content of files that are there, instead of believing size and modification time.
    :arg owners: ``names``, ``numbers`` or ``none``, see :class:`.owners.OwnerChoice`; ``owner`` and ``group`` for all.
    :arg container: the running container that ``target`` is in, instead of this host.
    :arg durable: wait at the end until everything is on the disk, so that a power failure cannot undo the success;
        otherwise the system writes it within half a minute, as after any copy.
    :arg dry_run: change nothing; tell what would be done, judging by type, size and time.

    Raises, before anything is changed, :class:`~.._repository.errors.InputError` for options that cannot be used and
    for ``paths`` that are not in the backup, :class:`~.._repository.errors.IntegrityError` for a backup that leads out
    of the tree, and :class:`~.._repository.errors.TargetError` without room or right; afterwards
    :class:`IncompleteRestoreError`, ``TargetError`` when the disk is full all the same, and what the store raises.
    """
    if delete and os.path.realpath(target) == "/":
        raise InputError("delete: true would empty the whole machine.", "Restore to another directory.")
    request = _Request(reader, target, tuple(paths), delete, overwrite, verify, container, container_engine)
    return _restore(request, (owners, owner, group), durable=durable, dry_run=dry_run)


def restore_file(
    reader: PartReader,
    path: str,
    *,
    overwrite: bool = True,
    verify: bool = False,
    owners: str = BY_NAME,
    owner: str | None = None,
    group: str | None = None,
    container: str | None = None,
    container_engine: str | None = None,
    durable: bool = False,
    dry_run: bool = False,
) -> RestoreResult:
    """Restore a part that is a single file to ``path``; see :func:`restore_tree` for the rest."""
    if reader.record["kind"] != SINGLE_FILE:
        raise InputError(
            f"The part {reader.part} is not a single file but a {reader.record['kind']}.",
            "Restore it as a tree, with paths if only some files are wanted.",
        )
    directory, name = os.path.split(path)
    if not name:
        raise InputError(f"{path!r} does not name a file.", "Give the path that the file is to have.")
    request = _Request(
        reader, directory, (), False, overwrite, verify, container, container_engine, rename=os.fsencode(name)
    )
    return _restore(request, (owners, owner, group), durable=durable, dry_run=dry_run)


@dataclass
class _Request:
    """What is to be restored where, and how."""

    reader: PartReader
    target: str
    paths: tuple[str, ...]
    delete: bool
    overwrite: bool
    verify: bool
    container: str | None
    engine: str | None
    rename: bytes | None = None

    @cached_property
    def entries(self) -> EntryReader:
        return EntryReader(self.reader)

    @property
    def label(self) -> str:
        return self.target if self.container is None else f"{self.target} in the container {self.container}"

    def writer_options(self, owners: OwnerChoice) -> WriterOptions:
        return WriterOptions(owners, self.label, self.overwrite, self.verify, self._checks_names())

    def _checks_names(self) -> bool:
        """Tell whether to compare content with names in a filestore.

        The reader makes sure that content is what was backed up; so this finds what was corrupt then already, and
        costs a sixth of the time. Nothing was, if the record says so.
        """
        record = self.reader.record
        return record["kind"] == FILESTORE and (self.verify or record["facts"].get("corrupt_files") != 0)

    def walk_options(self) -> dict[str, t.Any]:
        excluded = self.reader.manifest.get("tree", {}).get("exclude", ())
        return {"delete": self.delete, "protected": Exclusion(excluded), "rename": self.rename}


def _restore(
    request: _Request, owners: tuple[str, str | None, str | None], *, durable: bool, dry_run: bool
) -> RestoreResult:
    plan = _plan(request, owners)
    if dry_run:
        return RestoreResult(request.label, plan, written=plan.writes, deleted=plan.deletes, size=plan.write_size)
    place = open_target(request.target, request.container, request.engine)
    choice = _choose(request, place.owners, owners)
    request.reader.progress.begin(f"restore to {request.label}", plan.size, plan.things)
    result = RestoreResult(request.label, plan)
    with alone_in(place):
        with _Restore(request, place.directory, request.writer_options(choice), plan, result) as restore:
            restore.walk()
            restore.complete()
        if durable:
            _sync(place.directory, request.label)
    if not choice.privileged and owners[0] == BY_NAME:
        result.warnings.append("Everything belongs to who ran the restore: only root can give files to others.")
    result.warnings += result.findings.sentences()
    if result.findings.counts[FAILED]:
        raise IncompleteRestoreError(result)
    return result


def _choose(request: _Request, domain: OwnerDomain, owners: tuple[str, str | None, str | None]) -> OwnerChoice:
    return OwnerChoice(domain, request.reader.manifest.get("tree", {}).get("owners", {}), *owners)


def _plan(request: _Request, owners: tuple[str, str | None, str | None]) -> RestorePlan:
    """Find out what is to be done, and whether something stands against it."""
    place = find_target(request.target, request.container, request.engine)
    directory = None if place is None else place.directory
    choice = _choose(request, OwnerDomain() if place is None else place.owners, owners)
    selection = Selection(request.paths)
    request.reader.progress.begin("compare with the target")
    writer = FileWriter(request.reader, request.writer_options(choice))
    walk = PlanWalk(
        request.reader, request.entries, directory, request.label, selection, writer=writer, **request.walk_options()
    )
    walk.walk()
    if selection.unmatched():
        raise InputError(
            f"{', '.join(map(repr, selection.unmatched()))}: nothing of that name is in {request.reader.part} of "
            f"{request.reader.backup_id}.",
            "Give paths from the root of the tree, without a leading name of the host's directory; list them first.",
        )
    if directory is not None or request.container is None:
        check_room(walk.plan, request.target, directory, request.label)
    return walk.plan


def _sync(directory: Directory, label: str) -> None:
    """Wait until the file system has written everything (syncfs(2))."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.syncfs(directory.fd) != 0:
        error = ctypes.get_errno()
        raise fatal(OSError(error, os.strerror(error)), label) or TargetError(
            f"{label} could not be written to the disk: {os.strerror(error)}.",
            "See what the system log says about the disk, then run the restore again with verify: true.",
        )


class _Batch:
    """Files to be restored by one thread, and steps for the walking thread that have to wait for them."""

    def __init__(self) -> None:
        self.files: list[tuple[Entry, Spot]] = []
        self.steps: list[t.Callable[[], Outcome | None]] = []
        self._bytes = 0
        self._directories: set[Directory] = set()

    def add(self, entry: Entry, spot: Spot) -> None:
        self.files.append((entry, spot))
        self._bytes += entry.size
        self._directories.add(spot.directory)

    def wait_for(self, step: t.Callable[[], Outcome | None], directory: Directory) -> None:
        self.steps.append(step)
        self._directories.add(directory)

    @property
    def full(self) -> bool:
        return (
            self._bytes >= _BATCH_BYTES
            or len(self.files) >= _BATCH_FILES
            or len(self.steps) >= _BATCH_STEPS
            or len(self._directories) >= _BATCH_DIRECTORIES
        )


class _Pending(t.NamedTuple):
    """A batch under way."""

    outcomes: Future[list[Outcome]] | None
    steps: list[t.Callable[[], Outcome | None]]


class _Restore(TreeWalk):
    """The walk that restores. Use it in a ``with`` block, which waits for the threads after an error."""

    def __init__(
        self, request: _Request, target: Directory, options: WriterOptions, plan: RestorePlan, result: RestoreResult
    ) -> None:
        self._writer = FileWriter(request.reader, options)
        self._processes: WritingProcesses | None = None
        if plan.small_size >= WORTHWHILE and request.reader.workers > 1:
            # Where no process can be started, threads do the same work, only slower.
            with contextlib.suppress(OSError):
                self._processes = WritingProcesses(request.reader, options)
        self._overwrite = request.overwrite
        self._result = result
        self._target = target
        self._batch = _Batch()
        self._pending: deque[_Pending] = deque()
        super().__init__(
            request.reader,
            request.entries,
            target,
            request.label,
            Selection(request.paths),
            needed=plan.needed,
            **request.walk_options(),
        )

    def __enter__(self) -> _Restore:
        return self

    def __exit__(self, *_exception: object) -> None:
        for pending in self._pending:
            if pending.outcomes is not None and not pending.outcomes.cancel():
                # What went wrong first is being reported; this one only has to come to its end.
                pending.outcomes.exception()
        if self._processes is not None:
            self._processes.close()

    # The walk

    def make(self, frame: Frame, parent: Directory, name: bytes) -> bool:
        """Make a directory that only its owner may enter until it is complete."""
        try:
            os.mkdir(name, 0o700, dir_fd=parent.fd)
        except OSError as error:
            self._fail(frame.path, error)
            return False
        frame.fresh = True
        return True

    def lost(self, frame: Frame) -> None:
        """Note that a directory could not be made because the one above it could not."""
        self._result.findings.add(FAILED, frame.path, "the directory that it is in could not be made")

    def make_room(self, entry: Entry, parent: Directory, name: bytes) -> None:
        """Remove what is of another type than the entry."""
        if not self._delete:
            self.refuse(entry.path)
        self._remove(entry.path, parent, name)

    def leftover(self, directory: Directory, name: bytes) -> None:
        """Remove what an interrupted restore left behind."""
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=directory.fd)

    def thing(self, entry: Entry, frame: Frame) -> None:
        """Restore a file in a batch, a big file or something without content at once."""
        directory = self.open(frame)
        if directory is None:
            self._result.findings.add(FAILED, entry.path, "the directory that it is in could not be made")
            return
        spot = self.spot(entry, frame, directory)
        if not spot.fresh and is_directory(directory.status(spot.name)):
            self.make_room(entry, directory, spot.name)
        if entry.type != FILE:
            self._note(self._writer.restore(entry, spot))
        elif entry.data.size > BIG:
            self._hand_on()
            pieces = self._reader.read_stream(entry.data)
            self._note(self._writer.restore(entry, spot, pieces), entry.size)
        else:
            self._batch.add(entry, spot)
            if self._batch.full:
                self._hand_on()

    def link(self, entry: Entry, frame: Frame, target: bytes) -> None:
        """Give a file another name, once it is there."""
        directory = self.open(frame)
        if directory is None:
            self._result.findings.add(FAILED, entry.path, "the directory that it is in could not be made")
            return
        spot = self.spot(entry, frame, directory)
        if not spot.fresh and is_directory(directory.status(spot.name)):
            self.make_room(entry, directory, spot.name)
        self._batch.wait_for(lambda: self._link(entry, spot, target), directory)
        if self._batch.full:
            self._hand_on()

    def _link(self, entry: Entry, spot: Spot, target: bytes) -> Outcome:
        self._reader.progress.add(items=1)
        *names, name = target.split(b"/")
        source = self._target
        try:
            for one in names:
                source = source.open_directory(one)
        except OSError as error:
            return Outcome(entry.path, NOT_TOUCHED, findings=((FAILED, f"hard link: {error.strerror}"),))
        return self._writer.link(entry.path, spot, source, name)

    def leave(self, frame: Frame) -> None:
        """Remove strangers and give the directory what belongs to it, once all that is in it is there."""
        directory, entry = frame.directory, frame.entry
        if directory is None or entry is None:
            return
        strangers, path, fresh, inherited = frame.strangers, frame.path, frame.fresh, frame.inherits

        def finish() -> Outcome:
            for name in strangers:
                if not self._protected.matches(
                    path + b"/" + name if path else name, is_directory(directory.status(name))
                ):
                    self._remove(path + b"/" + name if path else name, directory, name)
            return self._writer.finish_directory(entry, directory, fresh=fresh, inherited=inherited)

        self._batch.wait_for(finish, directory)
        if self._batch.full:
            self._hand_on()

    def _remove(self, path: bytes, parent: Directory, name: bytes) -> None:
        try:
            remove(parent, name)
        except OSError as error:
            self._fail(path, error)
        else:
            self._result.deleted += 1

    def _fail(self, path: bytes, error: OSError) -> None:
        stop = fatal(error, self._label)
        if stop is not None:
            raise stop from error
        self._result.findings.add(FAILED, path, error.strerror or str(error))

    # Batches, there and back

    def complete(self) -> None:
        """Finish all that is under way."""
        self._hand_on()
        while self._pending:
            self._take_first()

    def _hand_on(self) -> None:
        batch, self._batch = self._batch, _Batch()
        if batch.files or batch.steps:
            outcomes = self._reader.submit(self._work, batch.files) if batch.files else None
            self._pending.append(_Pending(outcomes, batch.steps))
        while self._pending and (len(self._pending) > 4 * self._reader.workers or _is_done(self._pending[0])):
            self._take_first()

    def _work(self, files: list[tuple[Entry, Spot]]) -> list[Outcome]:
        """Restore the files of a batch; in a thread of the pool."""
        if self._processes is not None:
            outcomes = self._processes.write_files(files)
        else:
            outcomes = self._writer.restore_all(files)
        self._reader.progress.add(done=sum(entry.size for entry, _spot in files), items=len(files))
        return outcomes

    def _take_first(self) -> None:
        pending = self._pending[0]
        for outcome in pending.outcomes.result() if pending.outcomes is not None else ():
            self._count(outcome)
        self._pending.popleft()
        for step in pending.steps:
            outcome_of_step = step()
            if outcome_of_step is not None:
                self._count(outcome_of_step)

    def _note(self, outcome: Outcome, size: int = 0) -> None:
        self._reader.progress.add(done=size, items=1)
        self._count(outcome)

    def _count(self, outcome: Outcome) -> None:
        result = self._result
        result.size += outcome.size
        result.written += outcome.result == WRITTEN
        result.updated += outcome.result == UPDATED
        result.unchanged += outcome.result == UNCHANGED
        for kind, reason in outcome.findings:
            result.findings.add(kind, outcome.path, reason)


def _is_done(pending: _Pending) -> bool:
    return pending.outcomes is None or pending.outcomes.done()


def remove(parent: Directory, name: bytes) -> None:
    """Remove a file, or a directory with all below it, following no link. Raises :class:`OSError`."""
    if not is_directory(parent.status(name)):
        os.unlink(name, dir_fd=parent.fd)
        return
    directory = parent.open_directory(name)
    for below in directory.names():
        remove(directory, below)
    os.rmdir(name, dir_fd=parent.fd)
