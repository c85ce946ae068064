# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are there whole and durably, or not at all; and what the operating system's refusals mean.

The order of steps is the one POSIX gives guarantees for: write a temporary file in the same directory, fsync it, rename
it over the name, fsync the directory. A crash at any point leaves at most a temporary file, which nobody takes
for an object because of its name, and which :func:`remove_abandoned` deletes a day later.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
import typing as t

from ..errors import StoreDeniedError, StoreError, StoreUnreachableError

#: How the names of unfinished files begin. Names of objects never start with a dot.
TEMPORARY_PREFIX = ".unfinished-"
#: Seconds without a write after which an unfinished file belongs to a writer that no longer exists.
ABANDONED_AFTER = 86400

DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: Bytes after which the kernel is told to start writing to disk, so that the final fsync has little left to do.
_WRITEBACK_STEP = 4 << 20

_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_UNREACHABLE = {
    errno.ESTALE,
    errno.ENODEV,
    errno.ENXIO,
    errno.ENOTCONN,
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ESHUTDOWN,
    errno.EREMOTEIO,
}
_NOT_FOLLOWED = {errno.ELOOP, errno.ENOTDIR}


def explain(error: OSError, action: str, path: str) -> StoreError:
    """Say what a refusal of the operating system means for the person whose repository is at ``path``."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    said = f"Cannot {action} {path}: {reason}."
    if error.errno == errno.EROFS:
        return StoreDeniedError(said, "The file system is mounted read-only: mount it for writing.")
    if error.errno in _DENIED:
        return StoreDeniedError(
            said, f"Run as another user, or give user id {os.geteuid()} permission to {action} in this directory."
        )
    if error.errno in _UNREACHABLE:
        return StoreUnreachableError(said, "Check that the file system is mounted and its server or device answers.")
    if error.errno in _FULL:
        return StoreError(said, "Make room there, or choose another location.")
    if error.errno in _NOT_FOLLOWED:
        return StoreError(
            f"Cannot {action} {path}: a component of it is a symbolic link or no directory, and is not followed.",
            "Put real directories and files there: a repository never leaves its own directory.",
        )
    return StoreError(said, "Look at the kernel's log for the state of that file system, then try again.")


@contextlib.contextmanager
def explained(action: str, path: str) -> t.Iterator[None]:
    """Turn an ``OSError`` of the block into a :class:`~..errors.StoreError` that names ``path``."""
    try:
        yield
    except OSError as error:
        raise explain(error, action, path) from error


def write_durably(directory: int, file_name: str, content: t.Iterable[bytes | memoryview], path: str) -> int:
    """Write a file in an open directory, replacing one of that name, and return its size in bytes.

    :arg directory: descriptor of the directory.
    :arg path: the file's full path, for messages.

    When this returns, the file survives a power failure. When it raises, nothing of it remains, and an older file
    is as it was. Exceptions that ``content`` raises pass through unchanged.
    """
    temporary = TEMPORARY_PREFIX + secrets.token_hex(8)
    with explained("write", path):
        descriptor = os.open(temporary, _CREATE_FLAGS, 0o600, dir_fd=directory)
    try:
        try:
            size = _write_all(descriptor, content, path)
            _finish_writing(descriptor, size, path)
        finally:
            os.close(descriptor)
        with explained("write", path):
            os.replace(temporary, file_name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise
    with explained("write", path):
        sync_directory(directory)
    return size


def _write_all(descriptor: int, content: t.Iterable[bytes | memoryview], path: str) -> int:
    written = started = 0
    for piece in content:
        view = memoryview(piece).cast("B")
        needed = written + len(view)
        while view:
            try:
                count = os.write(descriptor, view)
            except OSError as error:
                raise _writing_failed(error, descriptor, needed, path) from error
            written += count
            view = view[count:]
        if written - started >= _WRITEBACK_STEP:
            # Dirty pages are not dropped by this; on Linux it starts writing them and returns.
            with contextlib.suppress(OSError):
                os.posix_fadvise(descriptor, started, written - started, os.POSIX_FADV_DONTNEED)
            started = written
    return written


def _finish_writing(descriptor: int, size: int, path: str) -> None:
    # Network file systems and quotas may report a full disk only here.
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise _writing_failed(error, descriptor, size, path) from error


def _writing_failed(error: OSError, descriptor: int, needed: int, path: str) -> StoreError:
    if error.errno not in _FULL:
        return explain(error, "write", path)
    system, own = os.fstatvfs(descriptor), os.fstat(descriptor)
    free = system.f_bavail * system.f_frsize + own.st_blocks * 512  # what the unfinished file takes is given back
    return StoreError(
        f"Cannot write {path}: {os.strerror(error.errno or 0)}. {free} bytes are free there, "
        f"and this object alone needs at least {needed}.",
        "Make room there (or raise the quota), or choose another location; nothing unfinished was left behind.",
    )


def sync_directory(directory: int) -> None:
    """Make renames and new names in a directory durable; raises ``OSError``."""
    try:
        os.fsync(directory)
    except OSError as error:
        # Some network file systems have no such call for directories, because their servers do it unasked.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def remove_abandoned(directory: int) -> None:
    """Delete what writers that were killed left in an open directory over a day ago."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(TEMPORARY_PREFIX):
                _remove_when_old(directory, entry.name)


def _remove_when_old(directory: int, file_name: str) -> None:
    with contextlib.suppress(OSError):  # another process may be doing the same
        if time.time() - os.stat(file_name, dir_fd=directory, follow_symlinks=False).st_mtime > ABANDONED_AFTER:
            os.unlink(file_name, dir_fd=directory)
