# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository in a local (or mounted) directory."""

from __future__ import annotations

import contextlib
import os
import stat as file_types
import threading
import typing as t

from ..errors import InputError, ObjectMissingError, StoreError, StoreUnreachableError
from . import ObjectInfo, Store
from .durable_file import (
    DIRECTORY_FLAGS,
    explain,
    explained,
    remove_abandoned,
    sync_directory,
    write_durably,
)
from .names import check_name, check_prefix, is_name

# A device or a pipe in place of an object must not make the program wait for ever.
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
#: Made by the file system itself where the repository is at its top.
_FOREIGN = {"lost+found"}


class DirectoryStore(Store):
    """Objects are files below one directory; each is written whole and made durable before its name appears.

    The directory itself may be reached through symbolic links; below it none is followed. It is opened at the first
    use and must stay the same directory: when a file system is unmounted meanwhile, nothing is written to the
    directory that was hidden by it.

    :arg path: absolute path of a directory that exists.
    """

    read_ahead = 256 << 10

    def __init__(self, path: str) -> None:
        if not os.path.isabs(path) or "\0" in path:
            raise InputError(
                f"The location {path!r} is not an absolute path.",
                "Give the directory of the repository as a path that starts with '/'.",
            )
        self.location = os.path.normpath(path)
        self._lock = threading.Lock()
        self._root: int | None = None
        #: Directories known to be durable themselves, and rid of what killed writers left.
        self._prepared: set[str] = set()

    def create(self) -> None:
        """Make the directory (mode 0700) when it does not exist; its parent must.

        Raises :class:`~..errors.StoreError` where that is impossible.
        """
        try:
            os.mkdir(self.location, 0o700)
        except FileExistsError:
            return
        except FileNotFoundError:
            raise StoreError(
                f"Cannot create the directory {self.location}: {os.path.dirname(self.location)} does not exist.",
                "Mount or create the directory above it first, or correct the location.",
            ) from None
        except OSError as error:
            raise explain(error, "create", self.location) from error
        with explained("create", self.location):
            parent = os.open(os.path.dirname(self.location), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                sync_directory(parent)
            finally:
                os.close(parent)

    def put(self, name: str, content: t.Iterable[bytes | memoryview]) -> int:
        folder, _slash, file_name = check_name(name).rpartition("/")
        with self._writable_folder(folder) as directory:
            return write_durably(directory, file_name, content, self._path(name))

    def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        with self._opened(name) as (descriptor, size), explained("read", self._path(name)):
            end = size if length is None else min(size, offset + length)
            return _read(descriptor, offset, end)

    def stat(self, name: str) -> ObjectInfo:
        folder, _slash, file_name = check_name(name).rpartition("/")
        with self._folder(folder, name) as directory, self._of_object("read", name):
            facts = os.stat(file_name, dir_fd=directory, follow_symlinks=False)
        self._check_type(facts.st_mode, name)
        return ObjectInfo(name, facts.st_size, facts.st_mtime)

    def list(self, prefix: str) -> t.Iterator[ObjectInfo]:
        folder, _slash, beginning = check_prefix(prefix).rpartition("/")
        try:
            with self._folder(folder, prefix) as directory:
                yield from self._walk(directory, folder + "/" if folder else "", beginning)
        except ObjectMissingError:
            return

    def delete(self, name: str) -> None:
        folder, _slash, file_name = check_name(name).rpartition("/")
        with (
            contextlib.suppress(ObjectMissingError),
            self._folder(folder, name) as directory,
            self._of_object("delete", name),
        ):
            os.unlink(file_name, dir_fd=directory)

    def close(self) -> None:
        with self._lock:
            if self._root is not None:
                os.close(self._root)
                self._root = None

    def _path(self, name: str) -> str:
        return os.path.join(self.location, name)

    def _open_root(self) -> int:
        """Return a new descriptor of the store's directory, which must be the one seen at first."""
        with self._lock:
            try:
                here = os.stat(self.location)
                if self._root is None:
                    self._root = os.open(self.location, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                same = os.path.samestat(here, os.fstat(self._root))
            except FileNotFoundError:
                raise StoreUnreachableError(
                    f"The directory {self.location} does not exist.",
                    "Mount the file system it is on, create it, or correct the location.",
                ) from None
            except NotADirectoryError:
                raise StoreError(
                    f"The location {self.location} is not a directory.", "Correct the location of the repository."
                ) from None
            except OSError as error:
                raise explain(error, "open", self.location) from error
            if not same:
                raise StoreUnreachableError(
                    f"The directory {self.location} is no longer the one that was opened: its file system was "
                    "unmounted, or it was replaced.",
                    "Mount it again and repeat; nothing was written to the wrong place.",
                )
            return os.dup(self._root)

    @contextlib.contextmanager
    def _folder(self, folder: str, name: str) -> t.Iterator[int]:
        """Open the directory that holds ``name``; raise ObjectMissingError where there is none."""
        descriptor = self._open_root()
        try:
            for component in folder.split("/") if folder else ():
                with self._of_object("open", name):
                    child = os.open(component, DIRECTORY_FLAGS, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = child
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _writable_folder(self, folder: str) -> t.Iterator[int]:
        """Open the directory an object is to be written in, making what is missing of its path."""
        descriptor = self._open_root()
        try:
            so_far = ""
            self._prepare(None, descriptor, so_far)
            for component in folder.split("/") if folder else ():
                so_far = os.path.join(so_far, component)
                with explained("write", self._path(so_far)):
                    parent, descriptor = descriptor, _enter(descriptor, component)
                try:
                    self._prepare(parent, descriptor, so_far)
                finally:
                    os.close(parent)
            yield descriptor
        finally:
            os.close(descriptor)

    def _prepare(self, parent: int | None, directory: int, folder: str) -> None:
        """Once per directory and process: make its own name durable, whoever made it, and clean it."""
        if folder in self._prepared:
            return
        if parent is not None:
            with explained("write", self._path(folder)):
                sync_directory(parent)
        remove_abandoned(directory)
        self._prepared.add(folder)

    @contextlib.contextmanager
    def _opened(self, name: str) -> t.Iterator[tuple[int, int]]:
        """Open an object; yield its descriptor and its size in bytes."""
        folder, _slash, file_name = check_name(name).rpartition("/")
        with self._folder(folder, name) as directory, self._of_object("read", name):
            descriptor = os.open(file_name, _READ_FLAGS, dir_fd=directory)
        try:
            facts = os.fstat(descriptor)
            self._check_type(facts.st_mode, name)
            yield descriptor, facts.st_size
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _of_object(self, action: str, name: str) -> t.Iterator[None]:
        try:
            with explained(action, self._path(name)):
                yield
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise self._missing(name) from error.__cause__
            raise

    def _missing(self, name: str) -> ObjectMissingError:
        return ObjectMissingError(
            f"There is no object {name} in {self.location}.",
            "Check the location; restore the object from a copy, or choose another backup.",
        )

    def _check_type(self, mode: int, name: str) -> None:
        if file_types.S_ISDIR(mode):
            raise self._missing(name)
        if not file_types.S_ISREG(mode):
            raise StoreError(
                f"{self._path(name)} is not a regular file, and is not followed.",
                "Remove it: a repository holds regular files and directories only.",
            )

    def _walk(self, directory: int, path: str, beginning: str) -> t.Iterator[ObjectInfo]:
        with explained("list", self._path(path)):
            found = _scan(directory, path, beginning)
        for key, facts in found:
            if facts is not None:
                yield ObjectInfo(path + key, facts.st_size, facts.st_mtime)
                continue
            try:
                with explained("list", self._path(path + key)):
                    child = os.open(key.rstrip("/"), DIRECTORY_FLAGS, dir_fd=directory)
            except StoreError as error:
                if isinstance(error.__cause__, FileNotFoundError):
                    continue
                raise
            try:
                yield from self._walk(child, path + key, "")
            finally:
                os.close(child)


def _scan(directory: int, path: str, beginning: str) -> list[tuple[str, os.stat_result | None]]:
    """Return files with their facts, and directories as ``name/``, in the order of whole names."""
    found: list[tuple[str, os.stat_result | None]] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if not entry.name.startswith(beginning) or not is_name(path + entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                if path or entry.name not in _FOREIGN:
                    found.append((entry.name + "/", None))
            elif entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):
                    found.append((entry.name, entry.stat(follow_symlinks=False)))
    return sorted(found, key=lambda item: item[0])


def _enter(directory: int, component: str) -> int:
    try:
        return os.open(component, DIRECTORY_FLAGS, dir_fd=directory)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.mkdir(component, 0o700, dir_fd=directory)
        return os.open(component, DIRECTORY_FLAGS, dir_fd=directory)


def _read(descriptor: int, offset: int, end: int) -> bytes:
    pieces = []
    while offset < end:
        piece = os.pread(descriptor, end - offset, offset)
        if not piece:
            break
        pieces.append(piece)
        offset += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
