# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries: one line each, the same every time, and refused when they are not what they should be."""

from __future__ import annotations

import json

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._files.entries import (
    Entry,
    EntryOrder,
    decode,
    order,
    split_lines,
)
from ansible_collections.dfr.continuity.plugins.module_utils._files.extents import Extent
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import IntegrityError
from ansible_collections.dfr.continuity.plugins.module_utils._repository.references import StreamReference

CONTENT = StreamReference(5, (bytes(range(32)),))
COMMON = {"mode": 0o640, "uid": 1000, "gid": 33, "mtime": 1763787181123456789}

ENTRIES = [
    Entry(b"", "dir", **COMMON),
    Entry(b"a", "file", content=CONTENT, **COMMON),
    Entry('ä/ö\n\t"\\'.encode(), "file", content=StreamReference(0, ()), **COMMON),
    Entry(b"bro\xffken", "file", content=CONTENT, **COMMON),
    Entry(b"sparse", "file", content=CONTENT, holes=(Extent(0, 4096), Extent(8192, 60 << 30)), **COMMON),
    Entry(b"link", "symlink", target=b"../\xfe", **COMMON),
    Entry(b"other", "link", target=b"a"),
    Entry(b"pipe", "fifo", **COMMON),
    Entry(b"null", "char", device=(1, 3), **COMMON),
    Entry(b"disk", "block", device=(259, 1 << 20), **COMMON),
    Entry(b"x", "file", content=CONTENT, xattrs=((b"user.a", b"\0\xff"), (b"user.\xff", b"")), **COMMON),
    Entry(b"old", "file", content=CONTENT, mode=0o7777, mtime=-1),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: repr(entry.path))
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    line = entry.encode()
    assert b"\n" not in line
    assert line.isascii()
    assert decode(line) == entry
    assert decode(line).encode() == line
    # The same whether made by the JSON encoder or by the short cut for plain files.
    assert json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")).encode() == line


def test_the_line_is_the_documented_one() -> None:
    entry = Entry(b"a/b", "file", mode=0o644, uid=1, gid=2, mtime=3, content=StreamReference(5, (b"\xab" * 32,)))
    assert entry.encode() == (
        b'{"content":{"chunks":["' + b"ab" * 32 + b'"],"size":5},"gid":2,"mode":420,"mtime":3,"path":"a/b",'
        b'"type":"file","uid":1}'
    )


def test_size_counts_holes() -> None:
    assert ENTRIES[4].size == 5 + 4096 + (60 << 30)
    assert ENTRIES[0].size == 0


@pytest.mark.parametrize(
    "path", ["../etc/passwd", "a/../../b", "/etc/passwd", "a//b", "a/.", ".", "..", "a/", "nul\0byte"]
)
@pytest.mark.parametrize("where", ["path", "target"])
def test_a_path_that_leaves_the_tree_is_refused(path: str, where: str) -> None:
    document = {"path": "ok", "type": "link", "target": "ok", where: path}
    with pytest.raises(IntegrityError, match="out of the tree"):
        decode(json.dumps(document).encode())


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"path":"a"}',
        b'{"path":"a","type":"door"}',
        b'{"path":"a","type":"file"}',
        b'{"path":5,"type":"dir"}',
        b'{"path":{"base64":"?"},"type":"dir"}',
        b'{"path":"a","type":"dir","mode":"rw"}',
        b'{"path":"a","type":"file","content":{"size":1,"chunks":["00"]}}',
        b'{"path":"a","type":"file","content":{"size":0,"chunks":[]},"holes":[[5,1],[0,1]]}',
        b'{"path":"a","type":"file","content":{"size":0,"chunks":[]},"holes":[[0,0]]}',
        b'{"path":"a","type":"char","device":[1]}',
        b'{"path":"a","type":"block"}',
        b'{"path":"a","type":"symlink"}',
        b'{"path":"a","type":"fifo","content":{"size":0,"chunks":[]}}',
        b'{"path":"a","type":"dir","mtime":NaN}',
        b"[" * 100000,
    ],
)
def test_what_is_no_entry_is_refused(line: bytes) -> None:
    with pytest.raises(IntegrityError):
        decode(line)


def test_lines_are_put_together_from_pieces() -> None:
    assert list(split_lines([b"a\nb", b"", b"c\n", b"\nd\n"])) == [b"a", b"bc", b"", b"d"]
    assert list(split_lines([])) == []


@pytest.mark.parametrize("pieces", [[b"a"], [b"a\n", b"b"], [b"x" * (17 << 20), b"\n"]])
def test_a_stream_that_is_cut_short_is_noticed(pieces: list[bytes]) -> None:
    with pytest.raises(IntegrityError, match="whole line"):
        list(split_lines(pieces))


def test_order_puts_a_directory_before_what_is_in_it() -> None:
    paths = [b"", b"a", b"a/x", b"a/x/y", b"a-b", b"a.c", b"ab", b"\xff"]
    assert sorted([*paths[3:], *paths[:3]], key=order) == paths


def check(*entries: tuple[bytes, str], rooted: bool = True) -> None:
    checker = EntryOrder(rooted=rooted)
    for path, kind in entries:
        checker.check(Entry(path, kind))


def test_entries_in_order_are_taken() -> None:
    check((b"", "dir"), (b"a", "dir"), (b"a/x", "dir"), (b"a/x/1", "fifo"), (b"a/y", "fifo"), (b"a-b", "dir"))
    check((b"odoo.conf", "fifo"), rooted=False)


@pytest.mark.parametrize(
    "entries",
    [
        [(b"a", "dir")],
        [(b"", "dir"), (b"b", "dir"), (b"a", "dir")],
        [(b"", "dir"), (b"a", "dir"), (b"a", "dir")],
        [(b"", "dir"), (b"", "dir")],
        [(b"", "dir"), (b"a/b", "fifo")],
        [(b"", "dir"), (b"a", "symlink"), (b"a/b", "fifo")],
        [(b"", "dir"), (b"a", "dir"), (b"a/x", "dir"), (b"a/xy/1", "fifo")],
        [(b"", "fifo"), (b"a", "fifo")],
    ],
)
def test_an_entry_that_is_not_where_it_belongs_is_refused(entries: list[tuple[bytes, str]]) -> None:
    with pytest.raises(IntegrityError, match="where it belongs"):
        check(*entries)
