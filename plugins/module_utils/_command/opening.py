# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening the repository that the command line names."""

from __future__ import annotations

import argparse

from .._repository.errors import InputError
from .._repository.keys import RecoveryKey
from .._repository.repository import Repository, RepositoryAccess, open_repository, read_settings
from .configuration import repository_settings


def open_named(options: argparse.Namespace, recovery_key: RecoveryKey | None, *, spooling: bool = False) -> Repository:
    """Open the repository with the recovery key, or else with this machine's identity.

    :arg spooling: for what writes; see :func:`~.._repository.repository.open_repository`.

    Raises what :func:`~.._repository.repository.open_repository` raises.
    """
    settings = repository_settings(options)
    if recovery_key is None and not settings.get("identity_file"):
        # Whoever forgot both may also have forgotten `trust`, and the fingerprint found is worth telling first.
        read_settings(RepositoryAccess.parse(settings))
        raise InputError(
            "Neither an identity nor a recovery key is given, and one of them must open the repository.",
            "Give --recovery-key FILE, or --identity FILE on a machine that is a signer.",
        )
    return open_repository(settings, recovery_key, spooling=spooling)
