# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore would do, found out without changing anything, and whether there is room for it."""

from __future__ import annotations

import os
import stat
import typing as t
from dataclasses import dataclass, field

from .._repository.errors import InputError, TargetError
from .directory import Directory, is_directory
from .entries import FILE, Entry
from .file_writer import FileWriter
from .findings import show
from .restore_walk import Frame, TreeWalk

#: The chunks of a file with more bytes are fetched by all threads.
BIG = 8 << 20
_BLOCK = 4096
#: So many paths are named.
_NAMED = 100


@dataclass
class RestorePlan:
    """What is to be done. Sizes in bytes.

    ``size`` and ``things`` count all that is selected, ``writes`` and ``write_size`` what is not in the target as the
    backup has it, ``small_size`` the part of that in files of up to :data:`BIG` bytes; ``growth`` is how much more room
    the target needs at the end, ``largest`` the largest file that is written beside the one it replaces; ``deletes``
    counts what goes (with all below it as one). ``write_paths`` and ``delete_paths`` name the first of them.
    """

    size: int = 0
    things: int = 0
    writes: int = 0
    write_size: int = 0
    small_size: int = 0
    growth: int = 0
    largest: int = 0
    inodes: int = 0
    deletes: int = 0
    needed: set[bytes] = field(default_factory=set)
    write_paths: list[str] = field(default_factory=list)
    delete_paths: list[str] = field(default_factory=list)


class PlanWalk(TreeWalk):
    """Compares the backup with the target at a glance: by type, size and time.

    Raises :class:`~.._repository.errors.TargetError` for what would stop the restore half-way.
    """

    def __init__(self, *arguments: t.Any, writer: FileWriter, **options: t.Any) -> None:
        self._writer = writer
        self.plan = RestorePlan()
        super().__init__(*arguments, **options)

    def _enter(self, entry: Entry, selected: bool) -> None:
        if entry.path == b"" and selected and self._is_shared() and not entry.mode & stat.S_ISVTX:
            # Giving /tmp the permissions of a filestore would lock everybody else out of it.
            raise InputError(f"{self._label} is shared by all users.", "Give a directory of its own below it.")
        super()._enter(entry, selected)

    def _is_shared(self) -> bool:
        root = self._root.directory
        return root is not None and bool(os.fstat(root.fd).st_mode & stat.S_ISVTX)

    def make(self, frame: Frame, parent: Directory, name: bytes) -> bool:
        """Count a directory to be made."""
        self.lost(frame)
        return False

    def lost(self, frame: Frame) -> None:
        """Count a directory to be made in one that is to be made."""
        self._write(frame.path)
        self.plan.inodes += 1
        self.plan.growth += _BLOCK

    def make_room(self, entry: Entry, parent: Directory, name: bytes) -> None:
        """Refuse, unless everything may be deleted."""
        if not self._delete:
            self.refuse(entry.path)
        self._delete_one(entry.path)

    def leftover(self, directory: Directory, name: bytes) -> None:
        """Leave it; the restore removes it."""

    def thing(self, entry: Entry, frame: Frame) -> None:
        """Compare a file, link or special file with what is there."""
        plan = self.plan
        plan.things += 1
        plan.size += entry.size
        directory = self.open(frame)
        present = None
        if directory is not None:
            spot = self.spot(entry, frame, directory)
            present = spot.status()
            if is_directory(present):
                self.make_room(entry, directory, spot.name)
                present = None
        if present is not None and self._writer.is_same_at_a_glance(entry, present):
            return
        self._write(entry.path)
        if entry.type == FILE:
            room = -(-entry.data.size // _BLOCK) * _BLOCK
            plan.write_size += entry.data.size
            plan.small_size += entry.data.size if entry.data.size <= BIG else 0
            plan.largest = max(plan.largest, room)
            plan.growth += room - (present.st_blocks * 512 if present is not None and present.st_nlink == 1 else 0)
        plan.inodes += present is None

    def link(self, entry: Entry, frame: Frame, target: bytes) -> None:
        """Count another name, and remember whether its file is not selected."""
        self.plan.things += 1
        if not self._selection.matches(entry.target):
            self.plan.needed.add(entry.target)

    def leave(self, frame: Frame) -> None:
        """Count what would be deleted."""
        if frame.directory is not None:
            for name in frame.strangers:
                if not self.is_protected(frame, name, is_directory(frame.directory.status(name))):
                    self._delete_one(frame.path + b"/" + name if frame.path else name)

    def _write(self, path: bytes) -> None:
        self.plan.writes += 1
        if len(self.plan.write_paths) < _NAMED:
            self.plan.write_paths.append(show(path))

    def _delete_one(self, path: bytes) -> None:
        self.plan.deletes += 1
        if len(self.plan.delete_paths) < _NAMED:
            self.plan.delete_paths.append(show(path))


def check_room(plan: RestorePlan, path: str, directory: Directory | None, label: str) -> None:
    """Raise :class:`~.._repository.errors.TargetError` when the file system of the target has not enough room.

    :arg path: where the directory will be made if it does not exist yet.
    """
    state = os.fstatvfs(directory.fd) if directory is not None else _nearest(path)
    if state is None:
        return
    # Blocks kept back for root are for root.
    free = (state.f_bfree if os.geteuid() == 0 else state.f_bavail) * state.f_frsize
    needed = max(plan.growth, 0) + min(plan.largest, plan.write_size)
    if needed > free:
        raise TargetError(
            f"{label} has {_in_words(free)} free, but the restore needs about {_in_words(needed)}.",
            "Make room, restore to another place, or select only a part of the tree.",
        )
    inodes = state.f_ffree if os.geteuid() == 0 else state.f_favail
    if state.f_files and plan.inodes > inodes:
        raise TargetError(
            f"The file system of {label} can take {inodes} more files, but the restore makes {plan.inodes}.",
            "Remove files there, or restore to another file system.",
        )


def _nearest(path: str) -> os.statvfs_result | None:
    """Return the state of the file system that a directory will be made in."""
    while True:
        try:
            return os.statvfs(path)
        except FileNotFoundError:
            path = os.path.dirname(path)
        except OSError:
            return None


def _in_words(size: float) -> str:
    unit = "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
