# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a zip that Odoo made into a repository, as a backup of its own."""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import json
import os
import re
import time
import typing as t
import zipfile
import zlib
from dataclasses import dataclass, field

from .._files.backup import ENTRIES, ENTRIES_FORMAT
from .._files.backup import FILESTORE as KIND
from .._files.entries import DIRECTORY, FILE, Entry, order
from .._files.filestore import content_address
from .._postgres.dump import PLAIN
from .._repository.chunking import CHUNK_LIMIT
from .._repository.errors import InputError
from .._repository.part_writer import PartWriter
from .._repository.progress import Progress
from .._repository.references import StreamReference
from .._repository.repository import Repository
from .odoo_database import series_of
from .odoo_zip import DUMP, FILESTORE, MANIFEST, check_member

#: No zip that Odoo makes holds so many times its own size; what does is meant to fill a disk.
_MOST_RATIO = 200
#: Zips smaller than this may hold any ratio: a few megabytes hurt nobody.
_HARMLESS = 64 << 20
_MANIFEST_LIMIT = 1 << 20
_READ = 1 << 20
#: Bytes of ``dump.sql`` in which the extensions stand.
_HEAD = 1 << 18
_EXTENSION = re.compile(rb"^CREATE EXTENSION IF NOT EXISTS (\w+) WITH SCHEMA (\w+);$", re.MULTILINE)
_NAMED = 1000


@dataclass
class ImportedZip:
    """What was imported: the records of the parts, and files whose content is not what their names say."""

    database: dict[str, t.Any]
    filestore: dict[str, t.Any] | None
    corrupt: list[str] = field(default_factory=list)


def import_zip(
    path: str, repository: Repository, backup_id: str, prefix: str, progress: Progress | None = None
) -> ImportedZip:
    """Make the parts ``<prefix>.database`` and ``<prefix>.filestore`` of a zip of Odoo's.

    Nothing is unpacked on disk. Everything that can be known beforehand is checked before anything is written.

    Raises :class:`~.._repository.errors.InputError` for what is no such zip, for members that lead out of it, and for
    one that would unpack to many times its size.
    """
    progress = progress or Progress()
    with _readable(path):
        archive = zipfile.ZipFile(path)
    with archive:
        members = _check(archive, path)
        with _readable(path):
            manifest = _read_manifest(archive, path)
        progress.begin(f"import {os.path.basename(path)}", sum(info.file_size for info in members))
        files = _tree(path, [info for info in members if info.filename.startswith(FILESTORE)])
        with repository.write_part(backup_id, f"{prefix}.database", kind="database", progress=progress) as part:
            database = _import_database(part, archive, manifest, path)
        if not files:
            return ImportedZip(database, None)
        with repository.write_part(backup_id, f"{prefix}.filestore", kind=KIND, progress=progress) as part:
            return _import_filestore(part, archive, files, path, database)


@contextlib.contextmanager
def _readable(path: str) -> t.Iterator[None]:
    """Turn what reading a zip raises into words."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(
            f"{path} cannot be read as a zip: {reason}.",
            "Give a zip that Odoo made; copy it again if it was cut short.",
        ) from error


def _check(archive: zipfile.ZipFile, path: str) -> list[zipfile.ZipInfo]:
    """Look at all members before any is read; return the files among them."""
    members = archive.infolist()
    seen: set[str] = set()
    for info in members:
        check_member(info.filename)
        if info.filename in seen:
            raise InputError(f"{path} holds {info.filename!r} twice.", "Make the zip again with Odoo.")
        seen.add(info.filename)
        kind = info.external_attr >> 28
        if kind not in (0, 0o4, 0o10) or info.flag_bits & 1:
            raise InputError(
                f"{path}: the member {info.filename!r} is encrypted, a symbolic link or the like.",
                "Make the zip again with Odoo.",
            )
    for wanted in (DUMP, MANIFEST):
        if wanted not in seen:
            raise InputError(f"{path} holds no {wanted}, so it is no backup of Odoo.", "Give a zip that Odoo made.")
    _check_size(archive, members, path)
    return [info for info in members if not info.is_dir()]


def _check_size(archive: zipfile.ZipFile, members: t.Sequence[zipfile.ZipInfo], path: str) -> None:
    """Refuse zips that unpack to far more than they hold: by their ratio, or by members that share their bytes."""
    own = os.stat(path).st_size
    total = sum(info.file_size for info in members)
    if total > max(_HARMLESS, _MOST_RATIO * own) or sum(info.compress_size for info in members) > own:
        raise InputError(
            f"{path} has {own} bytes and would unpack to {total}: it is made to fill disks.",
            "Nothing of it was imported. Find out who made it.",
        )
    end = 0
    for info in sorted(members, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise InputError(
                f"{path}: members overlap, {info.filename!r} with the one before it.",
                "Nothing of it was imported. Find out who made it.",
            )
        end = info.header_offset + info.compress_size


def _read_manifest(archive: zipfile.ZipFile, path: str) -> dict[str, t.Any]:
    if archive.getinfo(MANIFEST).file_size > _MANIFEST_LIMIT:
        raise InputError(f"The {MANIFEST} in {path} is too large.", "Give a zip that Odoo made.")
    try:
        manifest: dict[str, t.Any] = json.loads(archive.read(MANIFEST))
        if manifest["odoo_dump"] != "1":
            raise ValueError(f"odoo_dump is {manifest['odoo_dump']!r}")
        needed = {"db_name": str, "version": str, "major_version": str, "modules": dict, "pg_version": str}
        for name, kind in needed.items():
            if not isinstance(manifest[name], kind):
                raise ValueError(f"{name} is {manifest[name]!r}")
        int(manifest["pg_version"].split(".")[0])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"The {MANIFEST} in {path} is not one of Odoo's: {error}.", "Give a zip that Odoo made."
        ) from error
    return manifest


def _pieces(archive: zipfile.ZipFile, info: zipfile.ZipInfo | str, progress: Progress) -> t.Iterator[bytes]:
    """Yield a member's content; zipfile checks its size and CRC."""
    path = str(archive.filename)
    with _readable(path):
        member = archive.open(info)
    with member:
        while True:
            with _readable(path):
                piece = member.read(_READ)
            if not piece:
                break
            yield piece
            progress.add(done=len(piece))


def _import_database(
    part: PartWriter, archive: zipfile.ZipFile, manifest: t.Mapping[str, t.Any], path: str
) -> dict[str, t.Any]:
    writer = part.open_stream()
    head = b""
    for piece in _pieces(archive, DUMP, part.progress):
        if len(head) < _HEAD:
            head += piece[:_HEAD]
        writer.write(piece)
    dump = writer.close()
    if not re.search(rb"^-- PostgreSQL database dump", head, re.MULTILINE):
        raise InputError(f"The {DUMP} in {path} was not written by pg_dump.", "Give a zip that Odoo made.")
    version = manifest["modules"].get("base") or f"{manifest['major_version']}.0"
    major = int(manifest["pg_version"].split(".")[0])
    facts = {
        "database": manifest["db_name"],
        "format": PLAIN,
        "server_major": major,
        "server_version": manifest["pg_version"],
        "encoding": "UTF8",
        "imported_from": os.path.basename(path),
        "odoo": {"version": version, "series": series_of(version), "modules": len(manifest["modules"])},
    }
    extensions = [{"name": name.decode(), "schema": schema.decode()} for name, schema in _EXTENSION.findall(head)]
    described = {
        "name": manifest["db_name"],
        "extensions": [{**item, "version": "", "schema_owner": ""} for item in extensions],
        # Odoo declares it so in every database it makes, and the dump does not say it.
        "indexed_functions": [
            {"extension": "unaccent", "function": f"{item['schema']}.unaccent(text)"}
            for item in extensions
            if item["name"] == "unaccent"
        ],
    }
    odoo = {"version": version, "series": series_of(version), "modules": manifest["modules"], "uuid": None}
    return part.finish(streams={"dump": dump}, facts=facts, manifest={"database": described, "odoo": odoo})


def _import_filestore(
    part: PartWriter,
    archive: zipfile.ZipFile,
    files: t.Mapping[bytes, zipfile.ZipInfo | None],
    path: str,
    database: dict[str, t.Any],
) -> ImportedZip:
    entries = part.open_stream()
    result = ImportedZip(database, None)
    now = time.time_ns()
    size = corrupt = 0
    for name, info in files.items():
        if info is None:
            entry = Entry(name, DIRECTORY, mode=0o755, mtime=now)
        else:
            content, sha1 = _store_member(part, archive, info)
            if content_address(name) not in (None, sha1):
                corrupt += 1
                result.corrupt += [os.fsdecode(name)] if corrupt <= _NAMED else []
            size += content.size
            entry = Entry(name, FILE, mode=0o644, mtime=_modified(info), content=content)
        entries.write(entry.encode() + b"\n")
    warnings = []
    if corrupt:
        warnings.append(
            f"{corrupt} files of {path} do not have the content that their names stand for:"
            f" {', '.join(result.corrupt[:10])}. They were imported as they are."
        )
    numbers = {"files": sum(info is not None for info in files.values()), "size": size, "corrupt_files": corrupt}
    facts: dict[str, t.Any] = {**numbers, "directories": len(files) - numbers["files"]}
    if corrupt:
        facts["incomplete"] = warnings[0]
    tree: dict[str, t.Any] = {
        "root": f"{path}: {FILESTORE}",
        "container": None,
        "entries_format": ENTRIES_FORMAT,
        "owners": {"users": {}, "groups": {}},
        "findings": {"corrupt": result.corrupt} if corrupt else {},
    }
    result.filestore = part.finish(
        streams={ENTRIES: entries.close()}, facts=facts, manifest={"tree": tree}, warnings=warnings, source=size
    )
    return result


def _tree(path: str, members: t.Sequence[zipfile.ZipInfo]) -> dict[bytes, zipfile.ZipInfo | None]:
    """Return the filestore's files and, as None, its directories, in the order that the entries of a tree have."""
    files: dict[bytes, zipfile.ZipInfo | None] = {
        os.fsencode(info.filename[len(FILESTORE) :]): info for info in members
    }
    directories = {parent for name in files for parent in _parents(name)}
    if both := sorted(directories & set(files)):
        raise InputError(
            f"{path}: filestore/{os.fsdecode(both[0])} is both a file and a directory.",
            "Nothing of it was imported. Find out who made it.",
        )
    return {name: files.get(name) for name in sorted([*files, *directories], key=order)}


def _parents(name: bytes) -> t.Iterator[bytes]:
    """Yield the directories that a file is in, the root (which is empty) included."""
    while name:
        name = name.rpartition(b"/")[0]
        yield name


def _store_member(part: PartWriter, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[StreamReference, str]:
    """Store a file in the pool's threads; return its reference and the SHA-1 of its content."""
    digest = hashlib.sha1(usedforsecurity=False)
    if info.file_size <= CHUNK_LIMIT:
        data = b"".join(_pieces(archive, info, part.progress))
        digest.update(data)
        return part.reference(len(data), [part.store(data)] if data else []), digest.hexdigest()
    writer = part.open_stream()
    for piece in _pieces(archive, info, part.progress):
        digest.update(piece)
        writer.write(piece)
    return writer.close(), digest.hexdigest()


def _modified(info: zipfile.ZipInfo) -> int:
    """Return a member's time in nanoseconds; a zip has a time without a zone, taken as UTC here."""
    return calendar.timegm((*info.date_time, 0, 0, 0)) * 1_000_000_000
