# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a tree that is not on any disk, such as the one in an archive, as a part like those of a backed up tree."""

from __future__ import annotations

import typing as t

from .._repository.part_writer import PartWriter
from .backup import ENTRIES, ENTRIES_FORMAT
from .entries import DIRECTORY, FILE, Entry, EntryOrder


class TreeWriter:
    """Takes entries in the order of :func:`.entries.order`, parents first, the root (an empty path) first of all."""

    def __init__(self, part: PartWriter) -> None:
        self._part = part
        self._stream = part.open_stream()
        self._order = EntryOrder()
        self._counts = {FILE: 0, DIRECTORY: 0}
        self._size = 0

    def add_directory(self, path: bytes, *, mode: int = 0o755, mtime: int = 0) -> None:
        """Append a directory; ``mtime`` in nanoseconds since the epoch."""
        self._add(Entry(path, DIRECTORY, mode=mode, mtime=mtime))

    def add_file(self, path: bytes, content: t.Iterable[bytes], *, mode: int = 0o644, mtime: int = 0) -> int:
        """Append a file and return its size in bytes; ``mtime`` in nanoseconds since the epoch."""
        stream = self._part.open_stream()
        for piece in content:
            stream.write(piece)
        reference = stream.close()
        self._size += reference.size
        self._add(Entry(path, FILE, mode=mode, mtime=mtime, content=reference))
        return reference.size

    def _add(self, entry: Entry) -> None:
        self._order.check(entry)
        self._counts[entry.type] += 1
        self._stream.write(entry.encode() + b"\n")

    def finish(
        self,
        described: t.Mapping[str, t.Any],
        *,
        facts: t.Mapping[str, t.Any] | None = None,
        warnings: t.Sequence[str] = (),
    ) -> dict[str, t.Any]:
        """Finish the part and return its record. Files belong to root unless a restore says otherwise.

        :arg described: where the tree comes from, for the manifest: at least ``root``.
        """
        counted = {"size": self._size, "files": self._counts[FILE], "directories": self._counts[DIRECTORY]}
        tree = {"owners": {}, "findings": {}, **described, "entries_format": ENTRIES_FORMAT}
        return self._part.finish(
            streams={ENTRIES: self._stream.close()},
            facts={**counted, **(facts or {})},
            manifest={"tree": tree},
            warnings=warnings,
            source=self._size,
        )
