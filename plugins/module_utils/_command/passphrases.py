# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passphrases and the keys under them: asked for on the terminal, or read from a file or descriptor."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import warnings

from .._repository.errors import InputError
from .._repository.keys import RecoveryKey, load_recovery_key, read_key_file

_LIMIT = 64 << 10


def read_recovery_key(options: argparse.Namespace) -> RecoveryKey | None:
    """Return the recovery key that the options of :func:`~.arguments.add_recovery_key` name, or None.

    Raises :class:`~.._repository.errors.InputError` for files that cannot be read or are open to others, and
    :class:`~.._repository.errors.WrongKeyError` for a wrong passphrase.
    """
    path = options.recovery_key
    if not path:
        return None
    what = "The recovery key" if path == "-" else f"The recovery key {path}"
    pem = sys.stdin.buffer.read(_LIMIT) if path == "-" else read_key_file(path, "The recovery key")
    passphrase = existing_passphrase(options, what) if is_locked(pem) else None
    return load_recovery_key(pem, passphrase, what)


def need_recovery_key(options: argparse.Namespace, what_for: str) -> RecoveryKey:
    """Return the recovery key; raise :class:`~.._repository.errors.InputError` when none was given."""
    key = read_recovery_key(options)
    if key is None:
        raise InputError(f"{what_for} needs the recovery key.", "Give --recovery-key FILE.")
    return key


def is_locked(pem: bytes) -> bool:
    """Tell whether a PEM private key is under a passphrase."""
    return b"BEGIN ENCRYPTED PRIVATE KEY" in pem


def given_passphrase(options: argparse.Namespace) -> bytes | None:
    """Return the passphrase from the file or descriptor that was named, or None when neither was.

    One line break at its end does not belong to it: editors and ``echo`` put it there.
    """
    if options.passphrase_file:
        return _checked(read_key_file(options.passphrase_file, "The passphrase file"), options.passphrase_file)
    if options.passphrase_fd is not None:
        try:
            with os.fdopen(options.passphrase_fd, "rb") as file:
                return _checked(file.read(_LIMIT), f"file descriptor {options.passphrase_fd}")
        except OSError as error:
            raise InputError(
                f"File descriptor {options.passphrase_fd} cannot be read: {error.strerror}.",
                "Open it for this command, for example: --passphrase-fd 3 3< FILE",
            ) from error
    return None


def _checked(content: bytes, where: str) -> bytes:
    passphrase = content.removesuffix(b"\n").removesuffix(b"\r")
    if not passphrase:
        raise InputError(f"There is no passphrase in {where}.", "Write it there, on one line.")
    return passphrase


def existing_passphrase(options: argparse.Namespace, what: str) -> bytes:
    """Return the passphrase of a key that has one, asking for it when it was not given."""
    given = given_passphrase(options)
    return given if given is not None else ask(f"Passphrase of {what[0].lower()}{what[1:]}: ")


def new_passphrase(options: argparse.Namespace) -> bytes:
    """Return the passphrase for a new key, asking twice when it was not given."""
    given = given_passphrase(options)
    if given is not None:
        return given
    first = ask("New passphrase: ")
    if not first:
        raise InputError("The passphrase is empty.", "Choose one, or give --no-passphrase.")
    if ask("The same again: ") != first:
        raise InputError("The two passphrases differ.", "Try again.")
    return first


def ask(prompt: str) -> bytes:
    """Ask on the terminal, without showing what is typed.

    Raises :class:`~.._repository.errors.InputError` where there is no terminal to ask on.
    """
    with warnings.catch_warnings():
        # Without a terminal, getpass would read standard input and show what is typed.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(prompt).encode()
        except (getpass.GetPassWarning, EOFError, OSError) as error:
            raise InputError(
                "A passphrase is needed and there is no terminal to ask for it.",
                "Give --passphrase-file FILE (mode 0600) or --passphrase-fd N.",
            ) from error
