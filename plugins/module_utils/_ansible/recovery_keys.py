# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``recovery_key``."""

from __future__ import annotations

import typing as t

from .._repository.errors import InputError
from .._repository.keys import RecoveryKey, load_recovery_key, read_key_file


def given_recovery_key(params: t.Mapping[str, t.Any]) -> RecoveryKey | None:
    """Return the recovery key among a module's parameters, or None when none is given."""
    given = params.get("recovery_key")
    if not given:
        return None
    passphrase = given["passphrase"].encode() if given["passphrase"] else None
    if given["content"]:
        return load_recovery_key(given["content"].encode(), passphrase)
    what = f"The recovery key {given['path']}"
    return load_recovery_key(read_key_file(given["path"], "The recovery key"), passphrase, what)


def needed_recovery_key(params: t.Mapping[str, t.Any]) -> RecoveryKey:
    """Return the recovery key; raise :class:`InputError` when none is given."""
    key = given_recovery_key(params)
    if key is None:
        raise InputError("No recovery key is given, and without one no backup can be read.", "Give recovery_key.")
    return key
