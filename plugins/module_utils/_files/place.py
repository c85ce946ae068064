# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory that a tree is read from or restored to: on this host, or in a container."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import typing as t
from dataclasses import dataclass

from .._repository.errors import ContinuityError, InputError, SourceError, TargetError
from .container import find_container, open_root, owner_domain, resolve_inside
from .directory import Directory
from .owners import OwnerDomain


@dataclass(frozen=True)
class Place:
    """An open directory, whom its numbers of owners stand for, and what people call it."""

    directory: Directory
    owners: OwnerDomain
    label: str


def open_source(path: str, container: str | None = None, engine: str | None = None) -> Place:
    """Open the root of a tree to be backed up. A symbolic link is followed: it was named by the user.

    Raises :class:`~.._repository.errors.SourceError` when it is missing, no directory or not readable.
    """
    root = _root(container, engine)
    label = _label(path, container)
    try:
        directory, name = resolve_inside(root.directory, _absolute(path))
        directory = directory.open_directory(name)
        directory.names()
    except OSError as error:
        raise _unusable(SourceError, label, error) from error
    return Place(directory, root.owners, label)


def open_source_file(path: str, container: str | None = None, engine: str | None = None) -> tuple[Place, bytes]:
    """Find a single file to be backed up; return the directory it is really in, and its name there.

    Raises :class:`~.._repository.errors.SourceError` when it is missing, no regular file or not readable.
    """
    root = _root(container, engine)
    label = _label(path, container)
    try:
        directory, name = resolve_inside(root.directory, _absolute(path))
        regular = stat.S_ISREG(os.stat(name, dir_fd=directory.fd, follow_symlinks=False).st_mode)
        if regular:
            os.close(directory.open_file(name))
    except OSError as error:
        raise _unusable(SourceError, label, error) from error
    if not regular:
        raise SourceError(f"{label} is not a regular file.", "Name a file, or back it up as a tree.")
    return Place(directory, root.owners, label), name


def find_target(path: str, container: str | None = None, engine: str | None = None) -> Place | None:
    """Open the directory to restore to if it is there.

    Raises :class:`~.._repository.errors.TargetError` when it is something else or may not be used.
    """
    return _target(path, container, engine, make=False)


def open_target(path: str, container: str | None = None, engine: str | None = None) -> Place:
    """Open the directory to restore to; make it, and the directories above it, if it is missing.

    Raises :class:`~.._repository.errors.TargetError` when it cannot be made or is something else.
    """
    found = _target(path, container, engine, make=True)
    if found is None:
        raise TargetError(f"{_label(path, container)} could not be made.", "Make it, then try again.")
    return found


def _target(path: str, container: str | None, engine: str | None, *, make: bool) -> Place | None:
    root = _root(container, engine)
    label = _label(path, container)
    try:
        try:
            directory, name = resolve_inside(root.directory, _absolute(path))
            directory = directory.open_directory(name)
        except FileNotFoundError:
            if not make:
                return None
            directory = _make(root, path.rstrip("/"), 0o700)
    except OSError as error:
        raise _unusable(TargetError, label, error) from error
    return Place(directory, root.owners, label)


def _root(container: str | None, engine: str | None) -> Place:
    if container is None:
        return Place(Directory(os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)), OwnerDomain(), "/")
    found = find_container(container, engine)
    root = open_root(found)
    return Place(root, owner_domain(found, root), "/")


def _label(path: str, container: str | None) -> str:
    return path if container is None else f"{path} in the container {container}"


def _absolute(path: str) -> str:
    if not os.path.isabs(path) or "\0" in path:
        raise InputError(f"{path!r} is not an absolute path.", "Give a path that starts with /.")
    return path


def _make(root: Place, path: str, mode: int) -> Directory:
    """Make a directory and those above it, following links of those that exist inside ``root`` only.

    The directory itself is for its owner alone until a restore has given it what belongs to it.
    """
    parent_path, name = os.path.split(path)
    try:
        directory, last = resolve_inside(root.directory, parent_path)
        parent = directory.open_directory(last)
    except FileNotFoundError:
        parent = _make(root, parent_path, 0o755)
    os.mkdir(name, mode, dir_fd=parent.fd)
    made = parent.open_directory(os.fsencode(name))
    if root.owners != OwnerDomain():
        # In a container's user namespace, the root of this host is nobody.
        os.fchown(made.fd, root.owners.user_map.outside(0) or 0, root.owners.group_map.outside(0) or 0)
    return made


@contextlib.contextmanager
def alone_in(place: Place) -> t.Iterator[None]:
    """Keep other restores out of a target meanwhile; raise :class:`~.._repository.errors.TargetError` if one is in."""
    _lock(place.directory.fd, place.label)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(place.directory.fd, fcntl.LOCK_UN)


def _lock(fd: int, label: str) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TargetError(
            f"Another restore is at work in {label}.", "Wait until it has finished, or stop it; then try again."
        ) from error
    except OSError as error:
        # A file system without locks takes restores all the same.
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS):
            raise


def _unusable(kind: type[ContinuityError], label: str, error: OSError) -> ContinuityError:
    """Say why a directory or file cannot be used, and what to do."""
    if isinstance(error, FileNotFoundError):
        return kind(f"{label} does not exist.", "Check the path, and that its file system is mounted.")
    if isinstance(error, NotADirectoryError):
        return kind(f"{label} is not a directory.", "Give the path of a directory.")
    if isinstance(error, PermissionError):
        return kind(
            f"{label} cannot be used: {error.strerror}.", "Run this as root (become: true), or give the user the right."
        )
    return kind(f"{label} cannot be used: {error.strerror or error}.", "See what the system log says about it.")
