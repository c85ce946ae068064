# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError
from ansible_collections.dfr.continuity.plugins.module_utils._status import text


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (310_000_000, "310 MB"),
        (1_234_567_890, "1.2 GB"),
        (5 * 10**21, "5000 EB"),
    ],
)
def test_size(count, written):
    assert text.size(count) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (-1, "0.0 s"),
        (0.44, "0.4 s"),
        (0.96, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (250, "4 min 10 s"),
        (3720, "1 h 02 min"),
        (183_600, "2 d 03 h"),
    ],
)
def test_duration(seconds, written):
    assert text.duration(seconds) == written


def test_utc():
    assert text.utc(1795323781.9) == "2026-11-22T05:03:01Z"
    assert text.epoch("2026-11-22T05:03:01Z") == 1795323781


def _snapshot(done, total=3_000_000_000, **more):
    return {
        "phase": "",
        "started": 100.0,
        "done": done,
        "total": total,
        "stored": 0,
        "items": 0,
        "items_total": None,
        **more,
    }


def test_amount_rate_and_time_left():
    progress = text.ProgressText()
    assert progress.line(_snapshot(1_240_000_000), 104.0) == "1.2 GB of 3.0 GB, 310 MB/s, 6 s left"


def test_the_rate_is_that_of_the_last_half_minute():
    progress = text.ProgressText()
    for second in range(60):
        progress.line(_snapshot(100_000_000 * second), 100.0 + second)
    for second in range(60, 120):
        line = progress.line(_snapshot(5_900_000_000 + 1_000_000 * (second - 59), total=None), 100.0 + second)
    assert line == "6.0 GB, 1.0 MB/s"


def test_a_new_phase_starts_anew_and_names_files():
    progress = text.ProgressText()
    progress.line(_snapshot(3_000_000_000), 110.0)
    line = progress.line(_snapshot(10_000_000, None, phase="files", started=120.0, items=7, items_total=9), 130.0)
    assert line == "files 10.0 MB, 7 of 9 files, 1.0 MB/s"


def test_an_estimate_that_was_too_low_is_not_shown():
    assert text.ProgressText().line(_snapshot(50, total=40), 101.0) == "50 B, 50 B/s"
    assert text.ProgressText().line(_snapshot(0), 100.0) == "0 B of 3.0 GB, 0 B/s"


@pytest.mark.parametrize(
    "given",
    [
        "2026-11-22T05:03:01Z",
        "2026-11-22 05:03:01+00:00",
        "2026-11-22T06:03:01.75+01:00",
        "2026-11-22 00:33:01-0430",
        "2026-11-22t07:03:01+02",
    ],
)
def test_moments_that_people_give(given):
    assert text.utc(text.moment(given)) == "2026-11-22T05:03:01Z"


@pytest.mark.parametrize("given", ["2026-11-22T05:03:01", "2026-11-22", "yesterday", "2026-13-01T00:00Z", "", "1\n"])
def test_what_is_no_moment_is_refused_by_name(given):
    with pytest.raises(InputError, match="time zone") as refused:
        text.moment(given)
    assert repr(given) in refused.value.message
    assert "2026-11-22T05:03:01Z" in refused.value.next_step
