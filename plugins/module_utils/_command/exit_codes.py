# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the exit code of the command says. Documented in ``docs/command.md``; scripts depend on it."""

from __future__ import annotations

from .._repository.errors import (
    ContinuityError,
    FormatError,
    IntegrityError,
    SourceError,
    StoreError,
    TargetError,
    TrustError,
    WrongKeyError,
)

OK = 0
#: The work was done, and something is wrong with what was looked at; or a backup is not whole.
PROBLEMS = 1
#: The command line, the configuration, or what is installed.
INPUT = 2
#: The store did not answer, refused, or lacks an object.
STORE = 3
#: Wrong key, untrusted signer, damaged or unknown data: what must not be believed.
TRUST = 4
#: The data to back up cannot be read, or the place to restore to cannot take it.
DATA = 5
#: A mistake in the program.
INTERNAL = 70


def exit_code(error: ContinuityError) -> int:
    """Return the exit code for an error."""
    if isinstance(error, StoreError):
        return STORE
    if isinstance(error, (FormatError, IntegrityError, TrustError, WrongKeyError)):
        return TRUST
    if isinstance(error, (SourceError, TargetError)):
        return DATA
    return INPUT
