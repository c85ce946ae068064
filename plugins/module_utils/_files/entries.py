# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a tree as they are stored: one JSON object a line, described in docs/files.md.

The stream holds nothing that changes while a tree stays as it is (no inode numbers, no change times), so the entries of
an unchanged tree are the chunks that are stored already.
"""

from __future__ import annotations

import base64
import binascii
import json
import typing as t

from .._repository.errors import IntegrityError
from .._repository.references import StreamReference
from .extents import Extent
from .findings import show

FILE, DIRECTORY, SYMLINK, LINK, FIFO, CHARACTER, BLOCK = "file", "dir", "symlink", "link", "fifo", "char", "block"
_TYPES = frozenset((FILE, DIRECTORY, SYMLINK, LINK, FIFO, CHARACTER, BLOCK))
#: A line longer than this, in bytes, is not an entry: 4096 extents, an ACL and 64 KiB attributes fit many times.
_LONGEST = 16 << 20

_NO_NAMES = frozenset((b"", b".", b".."))
_encode_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode
_decode_json = json.JSONDecoder().decode


def order(path: bytes) -> bytes:
    """Return what paths are sorted by: a directory comes before what is in it, names are compared bytewise."""
    return path.replace(b"/", b"\0")


class Entry(t.NamedTuple):
    """One thing in a tree.

    ``path`` is relative to the root of the tree and empty for the root itself; ``mode`` holds the permission bits;
    ``mtime`` is in nanoseconds since the epoch. ``target`` is what a symbolic link says, or for a hard link the path
    of the entry that it is another name of.
    """

    path: bytes
    type: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    content: StreamReference | None = None
    holes: tuple[Extent, ...] = ()
    target: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def size(self) -> int:
        """Size of a file in bytes, holes included; 0 for anything else."""
        size = self.content.size if self.content is not None else 0
        return size + sum(hole.length for hole in self.holes) if self.holes else size

    @property
    def data(self) -> StreamReference:
        """Content of a file, without its holes; raise :class:`ValueError` for anything else."""
        if self.content is None:
            raise ValueError(f"{show(self.path)} is no file")
        return self.content

    @property
    def parent(self) -> bytes:
        """Path of the directory it is in."""
        return self.path.rpartition(b"/")[0]

    @property
    def name(self) -> bytes:
        """The last component of its path."""
        return self.path.rpartition(b"/")[2]

    def encode(self) -> bytes:
        """Return the line, without its newline."""
        if self.content is not None and not self.holes and not self.xattrs and self.content.depth == 0:
            return self._encode_plain_file(self.content)
        document: dict[str, t.Any] = {"path": _text(self.path), "type": self.type}
        if self.type != LINK:
            document.update(mode=self.mode, uid=self.uid, gid=self.gid, mtime=self.mtime)
        if self.content is not None:
            document["content"] = self.content.to_json()
        if self.holes:
            document["holes"] = [list(hole) for hole in self.holes]
        if self.type in (SYMLINK, LINK):
            document["target"] = _text(self.target)
        if self.type in (CHARACTER, BLOCK):
            document["device"] = list(self.device)
        if self.xattrs:
            document["xattrs"] = [[_text(name), base64.b64encode(value).decode()] for name, value in self.xattrs]
        return _encode_json(document).encode()

    def _encode_plain_file(self, content: StreamReference) -> bytes:
        """Return the line of a file without holes and attributes, which most are: the same JSON, made faster."""
        chunks = ",".join([f'"{chunk_id.hex()}"' for chunk_id in content.ids])
        return (
            f'{{"content":{{"chunks":[{chunks}],"size":{content.size}}},"gid":{self.gid},"mode":{self.mode},'
            f'"mtime":{self.mtime},"path":{_encode_json(_text(self.path))},"type":"file","uid":{self.uid}}}'
        ).encode("ascii")


def _text(data: bytes) -> str | dict[str, str]:
    """Return a byte string as JSON: a string when it is UTF-8, otherwise Base64 in an object."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _data(value: t.Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return base64.b64decode(value["base64"], validate=True)


def decode(line: bytes) -> Entry:
    """Read one line.

    Raises :class:`~.._repository.errors.IntegrityError` for what is no entry, and for a path that leaves the tree.
    """
    try:
        document = _decode_json(line.decode("ascii"))
        entry = _from_document(document)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError, binascii.Error) as error:
        raise IntegrityError(
            f"An entry of the tree is malformed ({type(error).__name__}: {error}).", "Choose another backup."
        ) from error
    check_path(entry.path)
    if entry.type == LINK:
        check_path(entry.target)
    return entry


def _from_document(document: t.Mapping[str, t.Any]) -> Entry:
    kind, get = document["type"], document.get
    if kind not in _TYPES or (kind == FILE) != ("content" in document):
        raise ValueError(f"type {kind!r}")
    holes: tuple[Extent, ...] = ()
    if "holes" in document:
        holes = tuple(Extent(int(offset), int(length)) for offset, length in document["holes"])
        _check_holes(holes)
    return Entry(
        _data(document["path"]),
        kind,
        int(get("mode", 0)) & 0o7777,
        int(get("uid", 0)),
        int(get("gid", 0)),
        int(get("mtime", 0)),
        StreamReference.from_json(document["content"]) if kind == FILE else None,
        holes,
        _data(document["target"]) if kind in (SYMLINK, LINK) else b"",
        _device(document["device"]) if kind in (CHARACTER, BLOCK) else (0, 0),
        tuple((_data(name), base64.b64decode(value)) for name, value in get("xattrs", ())),
    )


def _device(numbers: t.Sequence[t.Any]) -> tuple[int, int]:
    major, minor = numbers
    return int(major), int(minor)


def _check_holes(holes: t.Sequence[Extent]) -> None:
    position = 0
    for hole in holes:
        if hole.offset < position or hole.length <= 0:
            raise ValueError("holes out of order")
        position = hole.end


def check_path(path: bytes) -> None:
    """Raise :class:`~.._repository.errors.IntegrityError` for a path that would lead out of the tree."""
    if path and (b"\0" in path or not _NO_NAMES.isdisjoint(path.split(b"/"))):
        raise IntegrityError(
            f"The backup names {show(path)!r}, which would lead out of the tree.",
            "Nothing of it was restored: find out who made this backup before trusting any of it.",
        )


def split_lines(pieces: t.Iterable[bytes]) -> t.Iterator[bytes]:
    """Yield the lines of a stream without their newlines.

    Raises :class:`~.._repository.errors.IntegrityError` when the last one has none, or one is too long to be an entry.
    """
    rest = b""
    for piece in pieces:
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        if len(rest) > _LONGEST:
            break
        yield from lines
    if rest:
        raise IntegrityError("The entries of the tree do not end with a whole line.", "Choose another backup.")


class EntryOrder:
    """Checks that entries come as they must: parents first, each once, in order. Used by one thread."""

    def __init__(self, *, rooted: bool = True) -> None:
        self._last: bytes | None = None
        self._directories: list[bytes] = []
        self._rooted = rooted

    def check(self, entry: Entry) -> None:
        """Raise :class:`~.._repository.errors.IntegrityError` when ``entry`` may not follow those seen before."""
        key = order(entry.path)
        while self._directories and not _within(entry.path, self._directories[-1]):
            self._directories.pop()
        parented = bool(self._directories) and self._directories[-1] == entry.parent
        if self._last is None:
            parented = entry.path == b"" if self._rooted else entry.parent == b""
        if (self._last is not None and key <= self._last) or not parented:
            raise IntegrityError(
                f"The entry {show(entry.path)!r} of the tree is not where it belongs.", "Choose another backup."
            )
        self._last = key
        if entry.type == DIRECTORY:
            self._directories.append(entry.path)


def _within(path: bytes, directory: bytes) -> bool:
    return not directory or path.startswith(directory + b"/")
