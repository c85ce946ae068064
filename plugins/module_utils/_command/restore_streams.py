# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring the streams of a part as files: the raw dump of a database, the SQL of its roles, and so on."""

from __future__ import annotations

import os
import typing as t

from .._postgres.load import is_plain
from .._repository.encoding import check_part_name
from .._repository.errors import InputError, IntegrityError, TargetError
from .._repository.part_reader import PartReader
from .output_file import open_output

DUMP = "dump"
_SQL = ("globals", "neutralise")


def restore_stream(reader: PartReader, stream: str | None, path: str, *, replace: bool) -> dict[str, t.Any]:
    """Write one stream to a file or standard output; return what was written, for JSON.

    :arg stream: its name; by default the dump, or the only one there is.
    """
    name = _choose(reader, stream)
    reference = reader.streams[name]
    reader.progress.begin(f"restore {name} of {reader.part}", reference.size)
    with open_output(path, replace=replace) as file:
        for piece in reader.read_stream(reference):
            file.write(piece)
            reader.progress.add(done=len(piece))
    return {"stream": name, "file": path, "bytes": reference.size}


def _choose(reader: PartReader, stream: str | None) -> str:
    names = sorted(reader.streams)
    if stream is None and (DUMP in names or len(names) == 1):
        return DUMP if DUMP in names else names[0]
    if stream in names:
        return str(stream)
    what = f"no stream {stream!r}" if stream else "several streams"
    raise InputError(
        f"The part {reader.part} has {what}.",
        f"Choose one with --stream: {', '.join(names)}." if names else "Choose another part.",
    )


def restore_all_streams(reader: PartReader, directory: str, *, replace: bool) -> list[dict[str, t.Any]]:
    """Write every stream to a file of its own in ``directory``, which is made when it does not exist."""
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
    except OSError as error:
        raise TargetError(
            f"The directory {directory} cannot be made: {error.strerror}.", "Choose another place."
        ) from error
    return [
        restore_stream(reader, name, os.path.join(directory, _file_name(reader, name)), replace=replace)
        for name in sorted(reader.streams)
    ]


def _file_name(reader: PartReader, stream: str) -> str:
    """Return the name of a file for a stream, with the ending that programs expect."""
    try:
        # The host that made the backup chose the name: it must not lead anywhere else.
        check_part_name(stream)
    except InputError as error:
        raise IntegrityError(
            f"The part {reader.part} has a stream with the impossible name {stream!r}.",
            "Find out what happened on the host that made it before restoring from it.",
        ) from error
    if stream == DUMP:
        return "dump.sql" if is_plain(reader) else "dump.pgdump"
    return f"{stream}.sql" if stream in _SQL else stream
