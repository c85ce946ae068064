# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo's own backup file: a zip with ``dump.sql``, ``filestore/`` and ``manifest.json``.

What is written is what ``odoo db dump`` and the database manager write (``odoo/service/db.py`` of Odoo 14 to 19) and
what they read back: plain SQL without owners.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
import typing as t
import zipfile
from collections import deque
from concurrent.futures import Future

from .._files.entries import Entry, decode, split_lines
from .._postgres.dump import PLAIN
from .._postgres.failures import last_words
from .._postgres.process import Feeder
from .._postgres.programs import Client
from .._repository.errors import InputError, TargetError
from .._repository.part_reader import PartReader
from .._repository.references import StreamReference

DUMP, MANIFEST, FILESTORE = "dump.sql", "manifest.json", "filestore/"
#: Most attachments are compressed already; more effort makes the file little smaller and the export much slower.
_LEVEL = 1
#: Files up to this size are read ahead whole.
_SMALL = 1 << 20
#: The zip format knows no earlier time.
_FIRST_YEAR = 1980


def export_zip(
    database: PartReader, filestore: PartReader | None, output: str, client: Client, *, replace: bool = False
) -> dict[str, t.Any]:
    """Write a backup's database and filestore as a zip that Odoo restores.

    :arg output: path of the file. It appears when it is complete, readable by its owner alone.
    :arg client: finds ``pg_restore``; no server is contacted.
    :arg replace: whether an existing file may be replaced.

    Returns ``path``, ``size``, ``files`` (of the filestore) and the ``manifest``. Raises
    :class:`~.._repository.errors.InputError` when the backup is not of an Odoo, and
    :class:`~.._repository.errors.TargetError` when the file cannot be written.
    """
    manifest = odoo_manifest(database)
    if not replace and os.path.lexists(output):
        raise TargetError(f"{output} exists already.", "Choose another name, or allow replacing it.")
    total = database.streams["dump"].size + (filestore.record["facts"].get("size", 0) if filestore else 0)
    database.progress.begin("export", total)
    try:
        with _appearing(output) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as made:
            _write(made, DUMP, _sql(database, client), time.time())
            files = _write_filestore(made, filestore) if filestore is not None else 0
            text = json.dumps(manifest, indent=4).encode()
            _write(made, MANIFEST, [text], time.time())
        return {"path": output, "size": os.stat(output).st_size, "files": files, "manifest": manifest}
    except OSError as error:
        raise TargetError(
            f"{output} could not be written: {error.strerror}.", "Give a path in a directory with room, or free some."
        ) from error


@contextlib.contextmanager
def _appearing(path: str) -> t.Iterator[t.BinaryIO]:
    """Open a file that takes its name when it is complete and on disk, and vanishes otherwise."""
    temporary = f"{path}.{os.getpid()}.part"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _write(made: zipfile.ZipFile, name: str, pieces: t.Iterable[bytes], modified: float) -> None:
    """Add a member whose size need not be known."""
    moment = time.gmtime(max(0.0, modified))[:6]
    info = zipfile.ZipInfo(name, moment if moment[0] >= _FIRST_YEAR else (_FIRST_YEAR, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o100644 << 16
    with made.open(info, "w", force_zip64=True) as member:
        for piece in pieces:
            member.write(piece)


def odoo_manifest(database: PartReader) -> dict[str, t.Any]:
    """Return ``manifest.json`` as Odoo's ``dump_db_manifest`` makes it, from what was read at backup time.

    Raises :class:`~.._repository.errors.InputError` when the part is not of an Odoo.
    """
    odoo = database.manifest.get("odoo")
    if database.record["kind"] != "database" or odoo is None:
        raise InputError(
            f"The part {database.part} is not the database of an Odoo.",
            "Name the .database part of a backup made as an Odoo's; restore others with database_restore.",
        )
    series = odoo["series"]
    major, minor = series.rsplit(".", 1)
    return {
        "odoo_dump": "1",
        "db_name": database.record["facts"]["database"],
        "version": series,
        "version_info": [int(major) if major.isdigit() else major, int(minor), 0, "final", 0, ""],
        "major_version": series,
        "pg_version": f"{database.record['facts']['server_major']}.0",
        "modules": odoo["modules"],
    }


def _sql(database: PartReader, client: Client) -> t.Iterator[bytes]:
    """Yield the dump as plain SQL without owners."""
    dump = database.read_stream(database.streams["dump"])
    if database.record["facts"]["format"] == PLAIN:
        for piece in dump:
            database.progress.add(done=len(piece))
            yield piece
        return
    made_by = int(database.record["facts"]["pg_dump_version"].split(".")[0])
    program = client.suitable("pg_restore", made_by)
    with client.offline(program, ["--format=custom", "--no-owner", "--file=-"], stdin=True) as child:
        feeder = Feeder(child, _counted(database, dump))
        yield from iter(child.read, b"")
        feeder.join()
        outcome = child.finish()
    if not outcome.succeeded:
        raise TargetError(
            f"The dump of {database.part} could not be turned into SQL: {outcome.ending}. pg_restore said:"
            f" {last_words(outcome.stderr)}",
            "Verify the backup, or choose another one.",
        )


def _counted(reader: PartReader, pieces: t.Iterable[bytes]) -> t.Iterator[bytes]:
    for piece in pieces:
        yield piece
        reader.progress.add(done=len(piece))


def _write_filestore(made: zipfile.ZipFile, reader: PartReader) -> int:
    """Add the filestore's files, reading ahead; return their number."""
    count = 0
    waiting: deque[tuple[Entry, Future[bytes] | None]] = deque()
    for line in split_lines(reader.read_stream(reader.streams["entries"])):
        entry = decode(line)
        if entry.content is None or entry.holes:
            if entry.holes:
                raise TargetError(f"The file {entry.path!r} has holes.", "No filestore of Odoo has: look at it.")
            continue
        small = entry.content.size <= _SMALL
        waiting.append((entry, reader.submit(_read_whole, reader, entry.content) if small else None))
        while len(waiting) >= 2 * reader.workers:
            _write_file(made, reader, *waiting.popleft())
        count += 1
    while waiting:
        _write_file(made, reader, *waiting.popleft())
    return count


def _read_whole(reader: PartReader, content: StreamReference) -> bytes:
    return b"".join(map(reader.read_chunk, reader.chunk_ids(content)))


def _write_file(made: zipfile.ZipFile, reader: PartReader, entry: Entry, whole: Future[bytes] | None) -> None:
    content = t.cast("StreamReference", entry.content)
    pieces = [whole.result()] if whole is not None else reader.read_stream(content)
    name = FILESTORE + entry.path.decode("utf-8", "surrogateescape")
    _write(made, name, _counted(reader, pieces), entry.mtime / 1e9)


def check_member(name: str) -> None:
    """Raise :class:`~.._repository.errors.InputError` for a member that no zip of Odoo's has, or that leads away."""
    known = name in (DUMP, MANIFEST) or re.fullmatch(r"filestore/(?:[^/\\\0]+/)*[^/\\\0]*", name)
    if known and not any(part in ("..", ".") for part in name.split("/")):
        return
    raise InputError(
        f"The zip has a member {name!r}, which no backup of Odoo has.",
        "Nothing of it was imported. Make the zip with Odoo, and find out who made this one.",
    )
