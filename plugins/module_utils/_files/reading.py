# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a tree that was backed up: its entries, and a file's content."""

from __future__ import annotations

import typing as t

from .._repository.errors import FormatError, InputError, IntegrityError
from .._repository.part_reader import PartReader
from .backup import ENTRIES, ENTRIES_FORMAT, SINGLE_FILE
from .entries import Entry, EntryOrder, decode, split_lines
from .extents import gaps
from .findings import show

_ZEROS = bytes(1 << 20)
#: So many entries are kept in memory, about half a kilobyte each.
_MOST_KEPT = 1 << 16


def read_entries(reader: PartReader) -> t.Iterator[Entry]:
    """Yield the entries of a part that holds files, in order, each checked.

    Raises :class:`~.._repository.errors.InputError` when the part holds something else,
    :class:`~.._repository.errors.FormatError` when a newer program wrote it, and
    :class:`~.._repository.errors.IntegrityError` for entries that are malformed or lead out of the tree.
    """
    tree = reader.manifest.get("tree")
    if tree is None or ENTRIES not in reader.streams:
        raise InputError(
            f"The part {reader.part} holds no files: it is a {reader.record['kind']}.",
            "Name a part with files; `continuity info` shows the parts of a backup.",
        )
    if tree["entries_format"] != ENTRIES_FORMAT:
        raise FormatError(
            f"The part {reader.part} has entries of format {tree['entries_format']}; this program reads "
            f"{ENTRIES_FORMAT}.",
            "Use the version of dfr.continuity that wrote it, or a newer one.",
        )
    order = EntryOrder(rooted=reader.record["kind"] != SINGLE_FILE)
    for line in split_lines(reader.read_stream(reader.streams[ENTRIES])):
        entry = decode(line)
        order.check(entry)
        yield entry


class EntryReader:
    """The entries of a part for several walks through them; unless there are many, they are read once."""

    def __init__(self, reader: PartReader) -> None:
        self._reader = reader
        self._kept: list[Entry] = []
        self._all_kept = False

    def __iter__(self) -> t.Iterator[Entry]:
        """Yield the entries; raises what :func:`read_entries` raises."""
        if self._all_kept:
            yield from self._kept
            return
        kept: list[Entry] = []
        count = 0
        for count, entry in enumerate(read_entries(self._reader), 1):
            if count <= _MOST_KEPT:
                kept.append(entry)
            yield entry
        self._kept, self._all_kept = (kept, True) if count <= _MOST_KEPT else ([], False)


def read_content(reader: PartReader, entry: Entry) -> t.Iterator[bytes]:
    """Yield the bytes of a file as they were, holes as zeros."""
    pieces = reader.read_stream(entry.data)
    if not entry.holes:
        yield from pieces
        return
    position, rest = 0, b""
    for extent in gaps(entry.holes, entry.size):
        yield from _zeros(extent.offset - position)
        left = extent.length
        while left:
            rest = rest or next(pieces, b"")
            if not rest:
                raise IntegrityError(f"{show(entry.path)} ends before its content does.", "Choose another backup.")
            yield rest[:left]
            rest, left = rest[left:], left - min(left, len(rest))
        position = extent.end
    yield from _zeros(entry.size - position)


def _zeros(count: int) -> t.Iterator[bytes]:
    while count > 0:
        yield _ZEROS[:count]
        count -= len(_ZEROS)
