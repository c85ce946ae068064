# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How times, sizes, durations and progress are written for people. Sizes are decimal: 1 GB is 10⁹ bytes."""

from __future__ import annotations

import calendar
import datetime
import re
import time
import typing as t
from collections import deque
from dataclasses import dataclass, field

from .._repository.errors import InputError

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_WINDOW = 30.0
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:\.\d+)? ?(?:Z|([+-]\d\d):?(\d\d)?)", re.ASCII | re.IGNORECASE
)


def utc(seconds: float) -> str:
    """Write a moment (seconds since the epoch) as RFC 3339 in UTC, to the second: ``2026-11-22T05:03:01Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def epoch(moment: str) -> float:
    """Read what :func:`utc` wrote."""
    return float(calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")))


def moment(text: str) -> float:
    """Read a moment that a person gave, such as ``2026-11-22T05:03:01Z`` or ``2026-11-22 06:03+01:00``.

    Returns seconds since the epoch; fractions of a second are left out.
    Raises :class:`~.._repository.errors.InputError` for anything else, and for a time without a time zone, of which
    nobody knows when it is.
    """
    found = _MOMENT.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        date, minutes, seconds, hours, rest = found.groups()
        zone = f"{hours}:{rest or '00'}" if hours else "+00:00"
        return datetime.datetime.fromisoformat(f"{date}T{minutes}{seconds or ':00'}{zone}").timestamp()
    except ValueError:
        raise InputError(
            f"{text!r} is not a moment with a time zone.",
            "Write it in UTC such as 2026-11-22T05:03:01Z, or with its distance from UTC such as "
            "2026-11-22T06:03:01+01:00.",
        ) from None


def size(count: float) -> str:
    """Write a number of bytes with three significant digits at most: ``310 MB``, ``1.2 GB``."""
    value = float(count)
    unit = 0
    # 999.5 would be written as 1000, which belongs to the next unit.
    while value >= (999.5 if unit else 1000) and unit < len(_UNITS) - 1:
        value /= 1000
        unit += 1
    digits = 1 if unit and value < 99.95 else 0
    return f"{value:.{digits}f} {_UNITS[unit]}"


def duration(seconds: float) -> str:
    """Write a length of time in its two largest units: ``6 s``, ``4 min 10 s``, ``1 h 02 min``, ``2 d 03 h``."""
    if seconds < 0.95:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


@dataclass
class ProgressText:
    """Turns successive snapshots of one piece of work into lines such as ``1.2 GB of 3.0 GB, 310 MB/s, 6 s left``.

    The rate is that of the last half minute, because people ask "is it still moving" and not "how was it on average".
    """

    _seen: deque[tuple[float, int]] = field(default_factory=deque)
    _phase: tuple[str, float] | None = None

    def line(self, snapshot: t.Mapping[str, t.Any], now: float) -> str:
        """Describe one snapshot (the fields of :class:`~.._repository.progress.ProgressSnapshot`) taken at ``now``."""
        phase = (str(snapshot.get("phase") or ""), float(snapshot.get("started") or now))
        if phase != self._phase:
            self._phase = phase
            self._seen = deque([(phase[1], 0)])
        done = int(snapshot.get("done") or 0)
        rate = self._rate(done, now)
        return ", ".join(part for part in (_amount(snapshot, done), _speed(rate), _left(snapshot, done, rate)) if part)

    def _rate(self, done: int, now: float) -> float:
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] <= now - _WINDOW:
            self._seen.popleft()
        first_time, first_done = self._seen[0]
        elapsed = now - first_time
        return max(done - first_done, 0) / elapsed if elapsed > 0 else 0.0


def _amount(snapshot: t.Mapping[str, t.Any], done: int) -> str:
    total, items, items_total = snapshot.get("total"), snapshot.get("items") or 0, snapshot.get("items_total")
    text = size(done)
    if total is not None and total >= done:
        text += f" of {size(total)}"
    if items_total:
        text += f", {items} of {items_total} files"
    elif items:
        text += f", {items} files"
    phase = str(snapshot.get("phase") or "")
    return f"{phase} {text}" if phase else text


def _speed(rate: float) -> str:
    return f"{size(rate)}/s"


def _left(snapshot: t.Mapping[str, t.Any], done: int, rate: float) -> str:
    total = snapshot.get("total")
    if total is None or total < done or rate <= 0:
        return ""
    return f"{duration((total - done) / rate)} left"
