# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backs up a tree of files, or a single file, as one part of a backup.

One thread walks the tree and writes the entries; what must be read is handed to the part's pool in batches, whose
results come back in the order of the walk. Batches, and so memory, are bounded.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
import typing as t
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from .._repository.errors import InputError
from .._repository.part_writer import PartWriter
from .._repository.references import StreamReference
from .batch import Batch, Job, StoresFiles, StoresHere, Things, store_things
from .cache import CacheReader, CacheWriter
from .content import FileStorer, Stored
from .entries import BLOCK, CHARACTER, DIRECTORY, FIFO, FILE, LINK, SYMLINK, Entry
from .file_processes import WORTHWHILE, StoringProcesses
from .findings import CHANGED, CORRUPT, FAILED, INCOMPLETE, SKIPPED, VANISHED, Findings
from .links import LinkTable
from .owners import OwnerTable
from .patterns import Exclusion
from .place import Place, open_source, open_source_file
from .scan import Found, scan
from .xattrs import Attributes, read_xattrs

TREE, FILESTORE, SINGLE_FILE = "tree", "odoo_filestore", "file"
#: The name of the stream of entries in the manifest, and the version of its format.
ENTRIES, ENTRIES_FORMAT = "entries", 1

#: A file larger than this is cut by the walking thread, and its chunks are stored by all threads.
_BIG = 8 << 20

#: Called for each file in the order of the walk: path, size in bytes, whether it is stored as it should be.
OnFile = t.Callable[[bytes, int, bool], None]


@dataclass(frozen=True)
class PartAdditions:
    """What somebody else puts into the same part, and into its signed record."""

    streams: t.Mapping[str, StreamReference] = field(default_factory=dict)
    facts: t.Mapping[str, t.Any] = field(default_factory=dict)
    manifest: t.Mapping[str, t.Any] = field(default_factory=dict)
    warnings: t.Sequence[str] = ()


@dataclass(frozen=True)
class TreeBackup:
    """A tree that was backed up: the signed record, and what was found on the way.

    ``degraded`` says that files could not be read, so the part lacks them; ``reason`` then names the first of them.
    """

    record: dict[str, t.Any]
    findings: Findings
    degraded: bool = False
    reason: str = ""
    next_step: str = ""


def backup_tree(
    part: PartWriter,
    root: str,
    *,
    kind: str = TREE,
    exclude: t.Sequence[str] = (),
    one_file_system: bool = False,
    unreadable: str = "fail",
    container: str | None = None,
    container_engine: str | None = None,
    cache_dir: str | None = None,
    on_file: OnFile | None = None,
    additions: t.Callable[[], PartAdditions] | None = None,
) -> TreeBackup:
    """Store all that is in the directory ``root`` and finish the part.

    :arg kind: :data:`TREE`, or :data:`FILESTORE`, where each file's content must be what its name says.
    :arg exclude: patterns of what is left out, see :mod:`.patterns`. The cache of this program is always left out.
    :arg one_file_system: do not descend into file systems mounted below ``root``.
    :arg unreadable: ``fail``: a part that lacks unreadable files is degraded; ``warn``: they are only named.
    :arg container: the running container that ``root`` is in, instead of this host.
    :arg cache_dir: where to remember what was stored; by default beside the repository's index.
    :arg on_file: told of each file, in the order of :func:`.entries.order`.
    :arg additions: asked, when all files are stored and before the record is signed, what else is to be in the part.

    Raises :class:`~.._repository.errors.SourceError` when ``root`` is missing, no directory or not readable,
    :class:`~.._repository.errors.InputError` for options that cannot be used, and what the store raises.
    """
    if kind not in (TREE, FILESTORE):
        raise InputError(f"kind: {kind!r} is not known.", f"Give {TREE} or {FILESTORE}.")
    if unreadable not in ("fail", "warn"):
        raise InputError(f"unreadable: {unreadable!r} is not known.", "Give fail or warn.")
    own_cache = _inside(root, cache_dir or part.repository.cache_directory) if container is None else None
    exclusion = Exclusion(exclude, [own_cache] if own_cache else [])
    place = open_source(root, container, container_engine)
    if container is None:
        _check_apart(root, part.repository.store.location, exclusion)
    with _Run(part, place, kind, cache_dir, on_file) as run:
        run.store_all(
            scan(place.directory, run.findings, exclusion if exclusion else None, one_file_system=one_file_system)
        )
        described = {"root": root, "container": container, "exclude": list(exclude), "one_file_system": one_file_system}
        return run.finish(described, unreadable, additions)


def _check_apart(root: str, location: str, exclusion: Exclusion) -> None:
    """Raise :class:`~.._repository.errors.InputError` for a repository in the tree itself, which would never end."""
    inside = _inside(root, location)
    if inside is None:
        return
    names = inside.split(b"/")
    if any(exclusion.matches(b"/".join(names[: count + 1]), True) for count in range(len(names))):
        return
    raise InputError(
        f"The repository {location} is in the tree {root} that is to be backed up.",
        f"Leave it out with exclude: ['/{os.fsdecode(inside)}/'], or keep it on another machine.",
    )


def _inside(root: str, path: str) -> bytes | None:
    """Return where a directory is in the tree ``root``; None when it is not in it."""
    if not os.path.isabs(path):
        return None
    relative = os.path.relpath(os.path.realpath(path), os.path.realpath(root))
    return None if relative.split("/")[0] == ".." else os.fsencode(relative)


def backup_file(
    part: PartWriter,
    path: str,
    *,
    container: str | None = None,
    container_engine: str | None = None,
    cache_dir: str | None = None,
) -> TreeBackup:
    """Store a single file, such as odoo.conf, and finish the part. A symbolic link is followed.

    Raises what :func:`backup_tree` raises.
    """
    place, name = open_source_file(path, container, container_engine)
    status = place.directory.status(name)
    with _Run(part, place, SINGLE_FILE, cache_dir, None) as run:
        found = Found(os.fsencode(os.path.basename(path)), status, place.directory, name, None) if status else None
        run.store_all(iter([found] if found else []))
        return run.finish({"root": os.path.dirname(path), "container": container}, "fail", None)


class _Run:
    """One run over one tree."""

    def __init__(
        self, part: PartWriter, place: Place, kind: str, cache_dir: str | None, on_file: OnFile | None
    ) -> None:
        self._part = part
        self._place = place
        self._kind = kind
        self._on_file = on_file
        self.findings = Findings()
        self._owners = OwnerTable(place.owners)
        cache = os.path.join(cache_dir or part.repository.cache_directory, "trees", part.part + ".entries")
        identity = {"kind": kind, "owners": repr((place.owners.user_map, place.owners.group_map))}
        self._known = CacheReader(cache, identity)
        self._cache = CacheWriter(cache, identity)
        # In a filestore each name stands for its own content, so names of one inode are looked at one by one.
        self._links = LinkTable() if kind != FILESTORE else None
        self._started = time.time_ns()
        self._storer = FileStorer(part, self._owners, self._started, checks_names=kind == FILESTORE)
        self._small_files: StoresFiles = StoresHere(self._storer)
        self._processes: StoringProcesses | None = None
        self._to_read = 0
        self._stream = part.open_stream()
        self._batch = Batch()
        self._pending: deque[Future[Things] | Things] = deque()
        self._lost: dict[bytes, bytes] = {}
        self._counts = dict.fromkeys((FILE, DIRECTORY, SYMLINK, LINK, FIFO, CHARACTER, BLOCK), 0)
        self._unchanged = 0
        self._size = 0
        part.progress.begin(f"back up {place.label}", self._known.bytes or None, self._known.files or None)

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_exception: object) -> None:
        # After finish() there is nothing left to discard.
        self._cache.discard()
        if self._processes is not None:
            self._processes.close()
        self._known.close()
        if self._links is not None:
            self._links.close()

    # The walk

    def store_all(self, walk: t.Iterator[Found]) -> None:
        """Store everything that the walk yields."""
        for found in walk:
            status = found.status
            self._owners.user(status.st_uid)
            self._owners.group(status.st_gid)
            if stat.S_ISREG(status.st_mode):
                self._file(found)
            else:
                self._batch.add(self._special(found))
            if self._batch.full:
                self._hand_on()
        self._hand_on()
        while self._pending:
            self._take_first()

    def _file(self, found: Found) -> None:
        path, status = found.path, found.status
        linked = status.st_nlink > 1 and self._links is not None
        if linked and self._links is not None:
            first = self._links.first_name(status, path)
            if first is not None:
                self._batch.add(Job(path, found.directory, found.name, status.st_size, True, first))
                return
        known = self._known.find(path, status)
        # Holes are not read.
        to_read = min(status.st_size, status.st_blocks * 512)
        if known is None and to_read > _BIG:
            self._hand_on()
            stored = self._storer.store(path, found.directory, found.name, linked=linked, pool=self._part)
            self._pending.append([stored])
        else:
            size = status.st_size if known is not None else to_read
            self._batch.add(Job(path, found.directory, found.name, size, linked, known=known))

    def _special(self, found: Found) -> Stored:
        """Make the entry of what is no regular file."""
        status = found.status
        kind = _type_of(status.st_mode)
        target = b""
        try:
            if kind == SYMLINK:
                target = os.readlink(found.name, dir_fd=found.directory.fd)
            xattrs, findings = _attributes(found)
        except OSError as error:
            # It is gone, or something else has taken its place.
            return Stored(found.path, kind, b"", findings=((VANISHED, error.strerror or ""),))
        entry = Entry(
            path=found.path,
            type=kind,
            mode=stat.S_IMODE(status.st_mode),
            uid=self._owners.user(status.st_uid),
            gid=self._owners.group(status.st_gid),
            mtime=status.st_mtime_ns,
            target=target,
            device=(os.major(status.st_rdev), os.minor(status.st_rdev)) if kind in (CHARACTER, BLOCK) else (0, 0),
            xattrs=xattrs,
        )
        return Stored(found.path, kind, entry.encode(), findings=findings)

    # Batches, there and back

    def _hand_on(self) -> None:
        """Send the batch to the pool, unless there is nothing to do in it, and take what has come back."""
        batch, self._batch = self._batch, Batch()
        if batch.has_work:
            self._consider_processes(batch)
            self._pending.append(self._part.submit(store_things, self._part, self._small_files, batch.things))
        elif batch.things:
            self._pending.append(batch.things)
        while self._pending and (len(self._pending) > 4 * self._part.workers or _is_done(self._pending[0])):
            self._take_first()

    def _consider_processes(self, batch: Batch) -> None:
        """Start processes for small files once there are many of them to be read."""
        before, self._to_read = self._to_read, self._to_read + batch.bytes
        if self._part.workers < 2 or not before < WORTHWHILE <= self._to_read:
            return
        # Where no process can be started, threads do the same work, only slower.
        with contextlib.suppress(OSError):
            self._processes = StoringProcesses(
                self._part, self._place.owners, self._started, checks_names=self._kind == FILESTORE
            )
            self._small_files = self._processes

    def _take_first(self) -> None:
        first = self._pending.popleft()
        things = first if isinstance(first, list) else first.result()
        lines = []
        read = 0
        for thing in things:
            stored = thing if isinstance(thing, Stored) else self._link(thing)
            if stored.findings:
                self._note(stored)
            if stored.entry:
                lines.append(stored.entry)
                lines.append(b"\n")
                self._counts[stored.type] += 1
                read += stored.size
                self._unchanged += stored.unchanged
                if stored.record:
                    self._cache.add(stored.record)
            if self._on_file is not None and stored.type in (FILE, LINK):
                self._on_file(stored.path, stored.size, bool(stored.entry) and CORRUPT not in dict(stored.findings))
        self._stream.write(b"".join(lines))
        self._size += read
        self._part.progress.add(done=read, items=len(things))

    def _note(self, stored: Stored) -> None:
        for kind, reason in stored.findings:
            self.findings.add(kind, stored.path, reason)
        if stored.linked and not stored.entry:
            self._lost[stored.path] = b""

    def _link(self, job: Job) -> Stored:
        """Make the entry of another name of a file; where the first name was lost, this one takes its place."""
        target = self._lost.get(job.target, job.target)
        if target:
            entry = Entry(path=job.path, type=LINK, target=target)
            return Stored(job.path, LINK, entry.encode())
        stored = self._storer.store(job.path, job.directory, job.name)
        if stored.entry:
            self._lost[job.target] = job.path
        return stored

    # The end

    def finish(
        self,
        described: t.Mapping[str, t.Any],
        unreadable: str,
        additions: t.Callable[[], PartAdditions] | None,
    ) -> TreeBackup:
        """Write record and cache."""
        if self._processes is not None:
            self._processes.finish()
        entries = self._stream.close()
        added = additions() if additions is not None else PartAdditions()
        tree = {
            **described,
            "entries_format": ENTRIES_FORMAT,
            "owners": self._owners.to_json(),
            "findings": self.findings.to_json(),
        }
        record = self._part.finish(
            streams={ENTRIES: entries, **added.streams},
            facts={**self._facts(), **added.facts},
            manifest={"tree": tree, **added.manifest},
            source=self._size,
            warnings=[*self._warnings(), *added.warnings],
        )
        self._cache.commit(self._counts[FILE], self._size)
        return self._result(record, unreadable)

    def _result(self, record: dict[str, t.Any], unreadable: str) -> TreeBackup:
        if not self.findings.counts[FAILED] or unreadable == "warn":
            return TreeBackup(record, self.findings)
        return TreeBackup(
            record,
            self.findings,
            degraded=True,
            reason=f"{self._place.label}: {self.findings.sentence(FAILED)}",
            next_step="Give the user that runs the backup the right to read them, see to the disk if the reason is an "
            "input/output error, or leave them out with exclude.",
        )

    def _facts(self) -> dict[str, t.Any]:
        counts = self.findings.counts
        return {
            "size": self._size,
            "files": self._counts[FILE],
            "directories": self._counts[DIRECTORY],
            "symlinks": self._counts[SYMLINK],
            "hard_links": self._counts[LINK],
            "special_files": self._counts[FIFO] + self._counts[CHARACTER] + self._counts[BLOCK],
            "unchanged_files": self._unchanged,
            "failed_files": counts[FAILED],
            "corrupt_files": counts[CORRUPT],
            "changed_files": counts[CHANGED],
            "vanished_files": counts[VANISHED],
            "incomplete_files": counts[INCOMPLETE],
            "skipped_sockets": counts[SKIPPED],
        }

    def _warnings(self) -> list[str]:
        warnings = self.findings.sentences()
        if sum(self._counts.values()) - self._counts[DIRECTORY] == 0:
            warnings.insert(0, f"{self._place.label} holds no files." + _EMPTY.get(self._kind, ""))
        return warnings


_EMPTY = {
    FILESTORE: " A new database without attachments has an empty filestore; any other one should not: check data_dir "
    "and the database's name.",
}


def _is_done(pending: Future[Things] | Things) -> bool:
    return isinstance(pending, list) or pending.done()


def _type_of(mode: int) -> str:
    for matches, kind in (
        (stat.S_ISDIR, DIRECTORY),
        (stat.S_ISLNK, SYMLINK),
        (stat.S_ISFIFO, FIFO),
        (stat.S_ISCHR, CHARACTER),
    ):
        if matches(mode):
            return kind
    return BLOCK


def _attributes(found: Found) -> tuple[Attributes, tuple[tuple[str, str], ...]]:
    place = found.opened.fd if found.opened is not None else found.directory.place(found.name)
    try:
        return read_xattrs(place), ()
    except FileNotFoundError:
        raise
    except OSError as error:
        return (), ((INCOMPLETE, f"extended attributes: {error.strerror}"),)
