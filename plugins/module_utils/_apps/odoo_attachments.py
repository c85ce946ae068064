# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo's attachments: the list of them in the database, and whether the filestore has the file of each.

The list is read in the dump's own snapshot and kept with the dump as the stream ``attachments``: one JSON object a
line, ``{"path", "store_fname", "checksum", "file_size", "rows", "ids"}``, one line for each file, sorted as the entries
of a tree are (``ids`` are the first few). Memory does not grow with their number.
"""

from __future__ import annotations

import itertools
import json
import tempfile
import typing as t
from dataclasses import dataclass, field

from .._postgres.session import Session
from .._repository.part_writer import PartWriter
from .._repository.references import StreamReference

#: Ids of attachments named for each file, and files named in a list of missing or corrupt ones.
_IDS = 5
_NAMED = 1000
#: Lines handled at a time.
_BATCH = 1000
#: Files named in a warning.
_TOLD = 10

#: Where files are kept by add-ons that bring their own storage: ``s3://…``.
_ELSEWHERE = "store_fname ~ '^[A-Za-z0-9_+.-]+://'"
#: Odoo takes these characters out of a name before it opens the file (``_full_path`` in ir_attachment.py).
_PATH = "btrim(translate(store_fname, '.:', ''), '/\\')"
_LIST = f"""
SELECT {_PATH} AS path, min(store_fname) AS store_fname, min(checksum) AS checksum, max(file_size) AS file_size,
       count(*) AS rows, (array_agg(id ORDER BY id))[1:{_IDS}] AS ids
  FROM public.ir_attachment
 WHERE store_fname <> '' AND NOT {_ELSEWHERE}
 GROUP BY 1 ORDER BY replace({_PATH}, '/', chr(1)) COLLATE "C"
"""
_COUNTS = f"""
SELECT count(*) AS rows,
       count(*) FILTER (WHERE store_fname <> '' AND NOT {_ELSEWHERE}) AS in_filestore,
       count(*) FILTER (WHERE coalesce(store_fname, '') = '' AND db_datas IS NOT NULL) AS in_database,
       count(*) FILTER (WHERE {_ELSEWHERE}) AS elsewhere,
       count(*) FILTER (WHERE coalesce(store_fname, '') = '' AND db_datas IS NULL) AS without_content
  FROM public.ir_attachment
"""


def attachment_counts(session: Session) -> dict[str, int]:
    """Return how many rows of ``ir_attachment`` there are, and where their content is.

    ``elsewhere`` is outside of database and filestore: in cloud storage or a bucket. ``without_content`` are links,
    empty ones, and what newer series keep in cloud storage.
    """
    return session.query(_COUNTS)[0]


@dataclass
class Unsound:
    """Files that attachments name and that are missing, or whose content is not what it was."""

    files: int = 0
    rows: int = 0
    named: list[dict[str, t.Any]] = field(default_factory=list)

    def add(self, wanted: Wanted) -> None:
        """Count a file, and name it while there are few."""
        self.files += 1
        self.rows += wanted.rows
        if len(self.named) < _NAMED:
            self.named.append({"path": wanted.path, "attachments": wanted.rows, "ids": list(wanted.ids)})

    def sentence(self, what: str) -> str:
        """Say what is the matter, naming the first of them; empty when nothing is."""
        if not self.files:
            return ""
        names = [f"{item['path']} (attachment {', '.join(map(str, item['ids']))})" for item in self.named[:_TOLD]]
        more = f" and {self.files - _TOLD} more" if self.files > _TOLD else ""
        return f"{self.files} files of {self.rows} attachments {what}: {'; '.join(names)}{more}."


@dataclass(frozen=True)
class Wanted:
    """A file that attachments name: how many, and the ids of some."""

    path: str
    rows: int
    ids: tuple[int, ...]


class AttachmentList:
    """The files that attachments name, in the order of a tree's entries, in a local file without a name."""

    def __init__(self, directory: str | None) -> None:
        self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - closed by close()
        self.files = 0

    def add(self, lines: t.Sequence[str]) -> bytes:
        """Append files, each as a line of the stream without its end; return the stretch of the stream."""
        data = "".join(f"{line}\n" for line in lines).encode()
        self._file.write(data)
        self.files += len(lines)
        return data

    def __iter__(self) -> t.Iterator[Wanted]:
        self._file.seek(0)
        for line in self._file:
            row = json.loads(line)
            yield Wanted(row["path"], row["rows"], tuple(row["ids"]))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def read_attachments(part: PartWriter, session: Session, attachments: AttachmentList) -> StreamReference:
    """Read the list in the session's snapshot into ``attachments`` and into a stream of the part."""
    writer = part.open_stream()
    lines = session.documents(_LIST)
    while batch := list(itertools.islice(lines, _BATCH)):
        writer.write(attachments.add(batch))
    return writer.close()


class Accounting:
    """Compares the list with the filestore's files, which come in the order of a tree's entries.

    Call :meth:`see` with each file of the filestore and :meth:`finish` at the end.
    """

    def __init__(self, attachments: t.Iterable[Wanted]) -> None:
        self._wanted = iter(attachments)
        self._next = next(self._wanted, None)
        self.found = 0
        self.missing = Unsound()
        self.corrupt = Unsound()

    def see(self, path: bytes, sound: bool) -> None:
        """Take note of a file; ``sound`` tells whether its content is what its name says."""
        key = _order(path)
        while self._next is not None and _order(self._next.path.encode()) < key:
            self.missing.add(self._next)
            self._next = next(self._wanted, None)
        if self._next is not None and self._next.path.encode() == path:
            if sound:
                self.found += 1
            else:
                self.corrupt.add(self._next)
            self._next = next(self._wanted, None)

    def finish(self) -> None:
        """What has not been seen by now is missing."""
        while self._next is not None:
            self.missing.add(self._next)
            self._next = next(self._wanted, None)

    def sentences(self) -> list[str]:
        """Say what is missing and what is corrupt; nothing when all is well."""
        said = (
            self.missing.sentence("are not in the filestore"),
            self.corrupt.sentence("do not have the content that their names stand for"),
        )
        return [sentence for sentence in said if sentence]

    def facts(self) -> dict[str, int]:
        """Return the numbers."""
        return {
            "attachment_files": self.found + self.missing.files + self.corrupt.files,
            "missing_attachment_files": self.missing.files,
            "missing_attachments": self.missing.rows,
            "corrupt_attachment_files": self.corrupt.files,
            "corrupt_attachments": self.corrupt.rows,
        }


def _order(path: bytes) -> bytes:
    """Return what the entries of a tree are sorted by, see ``_files.entries.order``."""
    return path.replace(b"/", b"\0")
