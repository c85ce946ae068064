# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where objects wait while the store is away: the ``spool`` options of a repository, checked one by one."""

from __future__ import annotations

import difflib
import os
import re
import typing as t
from dataclasses import dataclass

from ..errors import InputError

#: Bytes below which a limit makes no sense: two packs, the largest objects there are.
SMALLEST_LIMIT = 64 << 20

_KNOWN = ("path", "limit")
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,3})?) ?([kMGT]i?B|B|KiB)?", re.ASCII)
_UNITS = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KiB": 1 << 10, "kiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_PATH_EXAMPLE = "Give a directory on a local disk, such as /var/spool/dfr-continuity."
_LIMIT_EXAMPLE = "Give a size with its unit, such as 20GiB or 500GB; it is how much of that disk may be taken."


@dataclass(frozen=True)
class SpoolOptions:
    """Options of a spool.

    :arg path: absolute path of a local directory; made with mode 0700 when only it is missing.
    :arg limit: bytes that may wait there at most.
    """

    path: str
    limit: int

    @classmethod
    def from_settings(cls, settings: t.Any, location: str) -> SpoolOptions | None:
        """Check options as a user wrote them; None, or nothing in them, means no spool.

        :arg location: where the repository is, for which the spool stands in.

        Raises :class:`~..errors.InputError` that names the option.
        """
        if settings is None:
            return None
        if not isinstance(settings, t.Mapping):
            raise InputError("Option spool is not a dictionary of options.", "Write path and limit below it.")
        given = {str(name): value for name, value in settings.items() if value is not None}
        for name in given:
            if name not in _KNOWN:
                close = difflib.get_close_matches(name, _KNOWN, 1)
                guess = f" Did you mean {close[0]}?" if close else ""
                raise InputError(f"There is no option spool.{name}.{guess}", f"The options are: {', '.join(_KNOWN)}.")
        for name, example in (("path", _PATH_EXAMPLE), ("limit", _LIMIT_EXAMPLE)):
            if given and name not in given:
                raise InputError(f"Option spool.{name} is missing: path and limit belong together.", example)
        return cls(_path(given["path"], location), _limit(given["limit"])) if given else None


def _path(value: t.Any, location: str) -> str:
    if not isinstance(value, str) or not os.path.isabs(value) or not value.isprintable():
        raise InputError(f"Option spool.path: {value!r} is not an absolute path.", _PATH_EXAMPLE)
    path = os.path.normpath(value)
    if path == "/":
        raise InputError("Option spool.path: '/' cannot be kept for the spool alone.", _PATH_EXAMPLE)
    if os.path.isabs(location):
        ours, theirs = os.path.realpath(path), os.path.realpath(location)
        if os.path.commonpath([ours, theirs]) in (ours, theirs):
            raise InputError(
                f"Option spool.path: {value!r} and the repository {location} are one within the other.",
                "Give a directory elsewhere, on a disk that is there when the repository is not.",
            )
    return path


def _limit(value: t.Any) -> int:
    found = _SIZE.fullmatch(str(value).strip()) if isinstance(value, (int, str)) else None
    if found is None or isinstance(value, bool):
        raise InputError(f"Option spool.limit: {value!r} is not a size.", _LIMIT_EXAMPLE)
    limit = int(float(found[1]) * _UNITS[found[2] or ""])
    if limit < SMALLEST_LIMIT:
        raise InputError(
            f"Option spool.limit: {value!r} is less than {SMALLEST_LIMIT >> 20}MiB, and packs would not fit.",
            _LIMIT_EXAMPLE,
        )
    return limit
