# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a result to a file that appears only when it is whole, or to standard output."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
import typing as t

from .._repository.errors import InputError, TargetError

STANDARD_OUTPUT = "-"
#: What file systems without hard links answer, such as those of USB sticks.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)


@contextlib.contextmanager
def open_output(path: str, *, replace: bool = False) -> t.Iterator[t.BinaryIO]:
    """Give a binary file to write to; leaving the block without an error makes it appear, durably, with mode 0600.

    :arg path: the file, or ``-`` for standard output.
    :arg replace: whether a file that exists may be replaced.

    Raises :class:`~.._repository.errors.TargetError` where that is impossible, and
    :class:`~.._repository.errors.InputError` for binary data meant for a terminal.
    """
    if path == STANDARD_OUTPUT:
        if sys.stdout.isatty():
            raise InputError(
                "This is binary data, and standard output is a terminal.", "Redirect it, or give --output FILE."
            )
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if not replace:
        check_absent(path)
    temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{secrets.token_hex(4)}.part")
    with _explained(path):
        file = os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    try:
        with _explained(path), file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            _put_in_place(temporary, path, replace)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def check_absent(path: str) -> None:
    """Raise :class:`~.._repository.errors.TargetError` when there is something at ``path``."""
    if os.path.lexists(path):
        raise TargetError(f"{path} exists already.", "Choose another path, or give --replace.")


def _put_in_place(temporary: str, path: str, replace: bool) -> None:
    if replace:
        os.replace(temporary, path)
    else:
        _put_if_absent(temporary, path)
    directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _put_if_absent(temporary: str, path: str) -> None:
    try:
        # Unlike a rename, a link never takes the place of a file that has come into being meanwhile.
        os.link(temporary, path)
        os.unlink(temporary)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        check_absent(path)
        os.replace(temporary, path)


@contextlib.contextmanager
def _explained(path: str) -> t.Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise TargetError(f"{path} exists already.", "Choose another path, or give --replace.") from error
    except OSError as error:
        raise TargetError(
            f"{path} cannot be written: {error.strerror or error}.", "Free space there, or choose another path."
        ) from error
