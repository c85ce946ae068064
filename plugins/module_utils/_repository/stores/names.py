# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names an object may have. One rule for all stores, so that a repository can be copied from one to another."""

from __future__ import annotations

import re

from ..errors import InputError

#: Longest name in bytes. S3 keys end at 1024 bytes, the prefix of the location included.
NAME_LIMIT = 900
#: Longest component in bytes, a limit of nearly every file system.
COMPONENT_LIMIT = 255

_COMPONENT = r"[A-Za-z0-9_][A-Za-z0-9._@+-]*"
_NAME = re.compile(rf"(?:{_COMPONENT}/)*{_COMPONENT}", re.ASCII)
_PREFIX = re.compile(rf"(?:{_COMPONENT}/)*(?:{_COMPONENT})?", re.ASCII)


def is_name(name: str) -> bool:
    """Tell whether an object may have this name; leading dots are kept for files that are not objects yet."""
    return (
        len(name) <= NAME_LIMIT
        and _NAME.fullmatch(name) is not None
        and all(len(component) <= COMPONENT_LIMIT for component in name.split("/"))
    )


def check_name(name: str) -> str:
    """Return ``name`` when an object may have it; raise :class:`~..errors.InputError` otherwise."""
    if not is_name(name):
        raise InputError(
            f"{name!r} cannot be the name of an object in a repository.",
            "Names are relative, separated by '/', of letters, digits and . _ @ + - only, and never contain '..'.",
        )
    return name


def check_prefix(prefix: str) -> str:
    """Return ``prefix`` when names can start with it; raise :class:`~..errors.InputError` otherwise."""
    if len(prefix) > NAME_LIMIT or not _PREFIX.fullmatch(prefix):
        raise InputError(
            f"{prefix!r} cannot be the beginning of an object's name.",
            "Names are relative, separated by '/', of letters, digits and . _ @ + - only, and never contain '..'.",
        )
    return prefix
