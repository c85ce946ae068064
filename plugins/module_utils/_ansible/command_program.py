# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs the ``continuity`` command: one file, built from this collection."""

from __future__ import annotations

import hashlib
import os

from .._command.program import build_program
from .._repository.errors import TargetError
from .._status.atomic_file import write_atomically
from .running import Result, Work

_MODE = 0o755


def command_program(work: Work) -> Result:
    """Do what the module ``command_program`` promises."""
    path, present = work.params["path"], work.params["state"] == "present"
    try:
        changed = _install(path, work.check_mode) if present else _remove(path, work.check_mode)
        # Owner and group as asked for; the mode is ours, since anything else is a mistake.
        arguments = work.module.load_file_common_arguments(work.params)
        if present and os.path.exists(path):
            changed = work.module.set_fs_attributes_if_different(arguments, changed)
    except OSError as error:
        raise TargetError(
            f"The program {path} cannot be written: {error.strerror}.", "Correct the path, or run this as root."
        ) from error
    return {"changed": changed, "file": path, "sha256": _digest(path)}


def _install(path: str, check_mode: bool) -> bool:
    program = build_program()
    if _digest(path) == hashlib.sha256(program).hexdigest():
        return False
    if not check_mode:
        write_atomically(path, program, _MODE)
    return True


def _remove(path: str, check_mode: bool) -> bool:
    if not os.path.lexists(path):
        return False
    if not check_mode:
        os.unlink(path)
    return True


def _digest(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return None
