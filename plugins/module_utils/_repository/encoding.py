# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canonical JSON, and names that become part of object names."""

from __future__ import annotations

import json
import re
import secrets
import time
import typing as t

from .errors import InputError, IntegrityError

_PART_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
_BACKUP_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")


def canonical_json(document: t.Any) -> bytes:
    """Encode as JSON with sorted keys, no white space and ASCII only: one document has one encoding."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def parse_json(data: bytes, what: str) -> t.Any:
    """Decode JSON that an object named ``what`` should hold.

    Raises :class:`~.errors.IntegrityError` when it is not JSON.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(
            f"{what} is not the JSON document it should be ({error}).",
            "Restore this object from a copy of the store, or choose another backup.",
        ) from error


def new_backup_id(now: float | None = None) -> str:
    """Make an id: the UTC time of the start and 32 random bits, so that ids sort by time."""
    moment = time.gmtime(time.time() if now is None else now)
    return time.strftime("%Y%m%dT%H%M%SZ", moment) + "-" + secrets.token_hex(4)


def check_backup_id(backup_id: str) -> str:
    """Return ``backup_id`` when it is one; raise :class:`~.errors.InputError` otherwise."""
    if not _BACKUP_ID.fullmatch(backup_id):
        raise InputError(
            f"{backup_id!r} is not a backup id.",
            "Give an id as `continuity list` shows it, such as 20261122T050301Z-1f2e3d4c.",
        )
    return backup_id


def check_part_name(part: str) -> str:
    """Return ``part`` when it can name a part; raise :class:`~.errors.InputError` otherwise."""
    if not _PART_NAME.fullmatch(part):
        raise InputError(
            f"{part!r} cannot name a part of a backup.",
            "Use letters, digits, and . _ @ + - only, starting with a letter or digit, at most 128 characters.",
        )
    return part
