# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walks a tree depth first, names sorted bytewise, following no symbolic link, in memory for one path's directories.

Every name is reached from its open directory, so a directory that somebody exchanges for a link while the scan is
under way cannot lead it elsewhere. The order is that of :func:`~.entries.order`, the same every time.
"""

from __future__ import annotations

import os
import stat
import typing as t

from .directory import Directory
from .findings import FAILED, SKIPPED, VANISHED, Findings
from .patterns import Exclusion

#: Directories within directories; each level keeps a descriptor open.
_DEEPEST = 500


class Found(t.NamedTuple):
    """One thing that the scan met: its path from the root, its status, the directory it is in and its name there.

    ``opened`` is set for a directory that could be opened.
    """

    path: bytes
    status: os.stat_result
    directory: Directory
    name: bytes
    opened: Directory | None


def scan(
    root: Directory, findings: Findings, exclusion: Exclusion | None = None, *, one_file_system: bool = False
) -> t.Iterator[Found]:
    """Yield all that is in the tree below ``root``, the root itself first with an empty path.

    What cannot be looked at is noted in ``findings``. A directory that cannot be read is yielded all the same, so that
    it exists after a restore.

    :arg one_file_system: do not descend into other file systems mounted in the tree; the mount points are yielded.
    """
    top = os.fstat(root.fd)
    yield Found(b"", top, root, b".", root)
    walked: list[tuple[Directory, bytes, t.Iterator[bytes]]] = [(root, b"", iter(root.names()))]
    status_of = os.stat
    while walked:
        directory, prefix, names = walked[-1]
        fd = directory.fd
        for name in names:
            path = prefix + name
            try:
                status = status_of(name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                findings.add(VANISHED, path)
                continue
            except OSError as error:
                findings.add(FAILED, path, error.strerror or str(error))
                continue
            kind = stat.S_IFMT(status.st_mode)
            if exclusion is not None and exclusion.matches(path, kind == stat.S_IFDIR):
                continue
            if kind == stat.S_IFSOCK:
                findings.add(SKIPPED, path)
                continue
            if kind != stat.S_IFDIR:
                yield Found(path, status, directory, name, None)
                continue
            if one_file_system and status.st_dev != top.st_dev:
                yield Found(path, status, directory, name, None)
                continue
            below = _open(directory, name, path, len(walked), findings)
            if below is not None:
                opened, below_names = below
                yield Found(path, status, directory, name, opened)
                walked.append((opened or directory, path + b"/", iter(below_names)))
                break
        else:
            walked.pop()


def _open(
    directory: Directory, name: bytes, path: bytes, depth: int, findings: Findings
) -> tuple[Directory | None, list[bytes]] | None:
    """Open and list a directory; None when it is gone, no :class:`Directory` when it cannot be read."""
    if depth >= _DEEPEST:
        findings.add(FAILED, path, f"more than {_DEEPEST} directories deep")
        return None, []
    try:
        opened = directory.open_directory(name)
        return opened, opened.names()
    except (FileNotFoundError, NotADirectoryError):
        findings.add(VANISHED, path)
        return None
    except OSError as error:
        findings.add(FAILED, path, f"directory: {error.strerror}")
        return None, []
