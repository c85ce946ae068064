# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree with what trees have, and how to tell whether two are the same."""

from __future__ import annotations

import hashlib
import os
import stat
import typing as t
from pathlib import Path


def make_tree(root: Path) -> None:
    """Make directories, files of several sizes, links, odd names, odd modes, a hole."""
    (root / "b" / "deep").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "text.txt").write_text("hello\n")
    (root / "nothing").write_bytes(b"")
    (root / "large").write_bytes(os.urandom(9_000_000))
    (root / "b" / "deep" / "name with\nnewline").write_bytes(os.urandom(2_000))
    Path(os.fsdecode(os.fsencode(root) + b"/b/broken \xff\xfe utf-8")).write_bytes(b"x" * 70_000)
    (root / "b" / "secret").write_bytes(b"secret")
    (root / "b" / "secret").chmod(0o600)
    (root / "b" / "run").write_bytes(b"#!/bin/sh\n")
    (root / "b" / "run").chmod(0o4755)
    (root / "link").symlink_to("b/deep")
    (root / "dangling").symlink_to("/nowhere/at all")
    os.link(root / "text.txt", root / "b" / "another name")
    os.mkfifo(root / "fifo")
    with open(root / "sparse", "wb") as file:
        file.write(b"start")
        file.truncate(50_000_000)
    os.utime(root / "text.txt", ns=(10**18, 10**18 + 123_456_789))


def describe(root: Path) -> dict[bytes, tuple[t.Any, ...]]:
    """Return what is there by path: type, mode, owner, time, content; which names are of the same file."""
    found: dict[bytes, tuple[t.Any, ...]] = {}
    names: dict[int, bytes] = {}
    for folder, directories, files in os.walk(os.fsencode(root)):
        directories.sort()
        for name in sorted([b".", *directories, *files]):
            path = os.path.normpath(os.path.join(folder, name))
            status = os.lstat(path)
            content: t.Any = None
            if stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            relative = os.path.relpath(path, os.fsencode(root))
            first = names.setdefault(status.st_ino, relative)
            found[relative] = (oct(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns, content, first)
    return found
