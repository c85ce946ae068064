# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity program``: write the recovery program and the format's specification to a directory."""

from __future__ import annotations

import argparse
import hashlib
import os

from .._repository.errors import TargetError
from .._status.atomic_file import write_atomically
from . import exit_codes
from .arguments import Subparsers, add_command
from .console import Console


def add(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "program",
        "write the recovery program to a directory, such as a USB stick",
        """
        Write continuity.pyz, this program in one file, and FORMAT.md, the specification of the repository's format.
        The program needs Python 3.10 or newer with the packages cryptography and zstandard, and nothing else of this
        collection. Every repository carries both under recovery/; a copy beside the recovery key does no harm.
        """,
        "continuity program /media/usb",
    )
    parser.add_argument("directory", metavar="DIRECTORY", help="an existing directory")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Write the files."""
    # Imported here, because it imports the whole command to pack it.
    from .program import PROGRAM_NAME, recovery_files

    written = []
    for name, content in recovery_files().items():
        path = os.path.join(options.directory, name)
        try:
            write_atomically(path, content, 0o755 if name == PROGRAM_NAME else 0o644)
        except OSError as error:
            raise TargetError(
                f"{path} cannot be written: {error.strerror}.", "Choose a directory that exists and can be written."
            ) from error
        written.append({"file": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    console.result("program", {"files": written}, [f"{one['sha256']}  {one['file']}" for one in written])
    return exit_codes.OK
