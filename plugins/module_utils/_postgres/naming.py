# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of databases that a restore makes on its way."""

from __future__ import annotations

import secrets
import time

#: Bytes of an identifier that PostgreSQL keeps.
_LIMIT = 63
RESTORING = "_restoring_"
_REPLACED = "_replaced_"


def _with_suffix(name: str, suffix: str) -> str:
    return name.encode()[: _LIMIT - len(suffix)].decode("utf-8", "ignore") + suffix


def temporary_prefix(name: str) -> str:
    """Return what the names of all temporary databases of restores to ``name`` begin with."""
    return _with_suffix(name, RESTORING + "12345678")[:-8]


def temporary_name(name: str) -> str:
    """Return a fresh name for the database that is restored into."""
    return temporary_prefix(name) + secrets.token_hex(4)


def replaced_name(name: str) -> str:
    """Return the name that a replaced database gets, with the time in UTC."""
    return _with_suffix(name, _REPLACED + time.strftime("%Y%m%d%H%M%S", time.gmtime()))
