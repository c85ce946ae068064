# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open directories. Everything in a tree is reached from one by a bare name, so that no symbolic link leads away."""

from __future__ import annotations

import os
import stat
import typing as t

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ON_THE_WAY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Opening for reading never waits (for the writer of a FIFO that took the file's place) and follows no link.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Directory:
    """An open directory. Its descriptor is closed when nothing refers to it any more.

    A scan moves on while threads still read files of the directory that it has left; counting references is what the
    language does already.
    """

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self, _close: t.Callable[[int], None] = os.close) -> None:
        # Bound here, since at the end of the program modules are gone before the last directory.
        _close(self.fd)

    def open_directory(self, name: bytes) -> Directory:
        """Open a directory in this one; raise :class:`OSError`, also when it is a symbolic link."""
        return Directory(open_unnoticed(name, _DIRECTORY, self.fd))

    def enter(self, name: bytes) -> Directory:
        """Open a directory in this one for going on from there only; that needs no right to list it."""
        return Directory(os.open(name, _ON_THE_WAY, dir_fd=self.fd))

    def open_file(self, name: bytes) -> int:
        """Open a file in this directory for reading and return its descriptor; it may turn out to be no file."""
        return open_unnoticed(name, _FILE, self.fd)

    def status(self, name: bytes) -> os.stat_result | None:
        """Return the status of a name in this directory, not following a link; None when there is none."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def names(self) -> list[bytes]:
        """Return the names in this directory, sorted bytewise."""
        return sorted(os.listdir(self.place(b"")))

    def place(self, name: bytes) -> bytes:
        """Return a path to a name in this directory, for calls that take no descriptor."""
        return b"/proc/self/fd/%d/%s" % (self.fd, name)


def open_unnoticed(name: bytes, flags: int, directory: int) -> int:
    """Open without touching the access time where the system lets us (owner and root only)."""
    try:
        return os.open(name, flags | os.O_NOATIME, dir_fd=directory)
    except PermissionError:
        return os.open(name, flags, dir_fd=directory)


def is_directory(status: os.stat_result | None) -> bool:
    """Tell whether a status is that of a directory."""
    return status is not None and stat.S_ISDIR(status.st_mode)
