# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walks through the entries of a backup and through the target at the same time.

Two things walk so: the plan, which changes nothing and finds out what would stop the restore half-way, and the restore.
"""

from __future__ import annotations

import typing as t
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from .._repository.errors import TargetError
from .._repository.part_reader import PartReader
from .directory import Directory, is_directory
from .entries import DIRECTORY, LINK, Entry
from .file_writer import Spot, inherits_acl, is_temporary
from .findings import show
from .patterns import Exclusion, Selection
from .reading import EntryReader


@dataclass(eq=False)
class Frame:
    """A directory of the backup that the walk is in, and what is known of it in the target.

    ``directory`` is open once :meth:`TreeWalk.open` was asked for it and it is there; ``fresh`` says that this restore
    made it; ``present`` holds the names that were in it, as far as they are of interest.
    """

    parent: Frame | None
    path: bytes
    entry: Entry | None = None
    selected: bool = False
    directory: Directory | None = None
    tried: bool = False
    fresh: bool = False
    inherits: bool = False
    present: list[bytes] = field(default_factory=list)
    strangers: list[bytes] = field(default_factory=list)


class TreeWalk(ABC):
    """One walk. The target's own directory is the outermost frame.

    :arg target: None when it does not exist.
    :arg delete: what is in the target and not in the backup is to go, and what is of another type makes room.
    :arg protected: what the backup left out is not taken for something that it does not have.
    :arg needed: paths of files that are not selected, but of which another name is.
    """

    def __init__(
        self,
        reader: PartReader,
        entries: EntryReader,
        target: Directory | None,
        label: str,
        selection: Selection,
        *,
        delete: bool,
        protected: Exclusion,
        needed: t.Container[bytes] = (),
        rename: bytes | None = None,
    ) -> None:
        self._reader = reader
        self._entries = entries
        self._label = label
        self._selection = selection
        self._delete = delete
        self._protected = protected
        self._needed = needed
        self._rename = rename
        self._root = Frame(None, b"", directory=target, tried=True)
        self._frames = [self._root]
        self._spare: dict[bytes, Entry] = {}
        self._moved: dict[bytes, bytes] = {}
        if target is not None:
            self._look_into(self._root, target)

    def walk(self) -> None:
        """Go through all entries."""
        for entry in self._entries:
            while len(self._frames) > 1 and not entry.path.startswith(self._frames[-1].path + b"/"):
                self._leave(self._frames.pop())
            selected = self._selection.matches(entry.path)
            if entry.path:
                self._pass_strangers(self._frames[-1], entry.name)
            if entry.type == DIRECTORY:
                self._enter(entry, selected)
            elif selected:
                self._thing(entry, self._frames[-1])
            elif entry.path in self._needed:
                self._spare[entry.path] = entry
        while self._frames:
            self._leave(self._frames.pop())

    def _enter(self, entry: Entry, selected: bool) -> None:
        if entry.path == b"":
            frame = self._root
            frame.entry, frame.selected = entry, selected
        else:
            frame = Frame(self._frames[-1], entry.path, entry, selected)
            self._frames.append(frame)
        if selected:
            self.open(frame)

    def _leave(self, frame: Frame) -> None:
        frame.strangers += frame.present
        frame.present = []
        if frame.directory is not None and (frame.selected or frame.fresh):
            self.leave(frame)

    def _pass_strangers(self, frame: Frame, name: bytes) -> None:
        """Note the names in the target that would have come before ``name``: the backup does not have them."""
        present = frame.present
        while present and present[-1] <= name:
            stranger = present.pop()
            if stranger != name:
                frame.strangers.append(stranger)

    def _thing(self, entry: Entry, frame: Frame) -> None:
        if entry.type == LINK:
            target = self._moved.get(entry.target, entry.target)
            first = self._spare.get(target)
            if first is None:
                self.link(entry, frame, target)
                return
            # The file itself was not selected: this name takes its place.
            del self._spare[target]
            self._moved[target] = entry.path
            entry = first._replace(path=entry.path)
        self.thing(entry, frame)

    # What is there in the target

    def open(self, frame: Frame) -> Directory | None:
        """Return a frame's directory in the target, made if need be; None when there is none."""
        if frame.tried or frame.parent is None or frame.entry is None:
            return frame.directory
        frame.tried = True
        parent = self.open(frame.parent)
        if parent is None:
            self.lost(frame)
            return None
        name = frame.entry.name
        status = None if frame.parent.fresh else parent.status(name)
        if status is not None and not is_directory(status):
            self.make_room(frame.entry, parent, name)
            status = None
        if status is None and not self.make(frame, parent, name):
            return None
        frame.directory = parent.open_directory(name)
        self._look_into(frame, frame.directory)
        return frame.directory

    def _look_into(self, frame: Frame, directory: Directory) -> None:
        frame.inherits = inherits_acl(directory)
        if frame.fresh:
            return
        names = directory.names()
        for name in filter(is_temporary, names):
            self.leftover(directory, name)
        if self._delete:
            # In descending order, so that the first one is taken from the end.
            frame.present = [name for name in reversed(names) if not is_temporary(name)]

    def spot(self, entry: Entry, frame: Frame, directory: Directory) -> Spot:
        """Return where an entry goes."""
        return Spot(directory, self._rename or entry.name, frame.fresh, frame.inherits)

    def refuse(self, path: bytes) -> t.NoReturn:
        """Raise the error for something in the target that is of another type than in the backup."""
        raise TargetError(
            f"{show(path)} in {self._label} is a directory in the backup and something else there, or the reverse.",
            "Restore to another place, or give delete: true to have it replaced.",
        )

    # What the two walks do

    @abstractmethod
    def make(self, frame: Frame, parent: Directory, name: bytes) -> bool:
        """Make a directory; False when there will be none."""

    @abstractmethod
    def lost(self, frame: Frame) -> None:
        """Deal with a directory whose own directory is not there."""

    @abstractmethod
    def make_room(self, entry: Entry, parent: Directory, name: bytes) -> None:
        """Remove what is of another type than the entry, or refuse to."""

    @abstractmethod
    def leftover(self, directory: Directory, name: bytes) -> None:
        """Deal with what an interrupted restore left behind."""

    @abstractmethod
    def thing(self, entry: Entry, frame: Frame) -> None:
        """Deal with anything but a directory or another name of a file."""

    @abstractmethod
    def link(self, entry: Entry, frame: Frame, target: bytes) -> None:
        """Deal with another name of the file ``target``."""

    @abstractmethod
    def leave(self, frame: Frame) -> None:
        """Deal with the end of a directory that is selected or was made; ``frame.strangers`` are not in the backup."""

    def is_protected(self, frame: Frame, name: bytes, status_is_directory: bool) -> bool:
        """Tell whether the backup would have left this out, so that its absence says nothing."""
        path = frame.path + b"/" + name if frame.path else name
        return self._protected.matches(path, status_is_directory)
