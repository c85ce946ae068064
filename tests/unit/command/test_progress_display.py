# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress bar, and the plain lines in its place."""

from __future__ import annotations

import io
import time

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._command.progress_display import (
    PLAIN_INTERVAL,
    ProgressDisplay,
    draw_bar,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.progress import ProgressSnapshot


class Recorded(io.StringIO):
    """A stream that tells when something was written, and says whether it is a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def _wait_for(stream: Recorded, text: str) -> None:
    while text not in stream.getvalue():
        time.sleep(0.005)


def test_plain_lines_tell_bytes_rate_and_what_is_left() -> None:
    stream = Recorded(terminal=False)
    with ProgressDisplay(stream, interval=0.01) as progress:
        progress.begin("restore shop", 4_000_000)
        progress.add(done=1_000_000)
        _wait_for(stream, "1.0 MB of 4.0 MB")
    lines = stream.getvalue().splitlines()
    assert all(line.startswith("restore shop") for line in lines)
    assert "MB/s" in lines[-1] or "kB/s" in lines[-1]
    assert lines[-1].endswith(" left")
    assert not {"\r", "\x1b"} & set(stream.getvalue())


def test_the_promise_of_a_line_every_ten_seconds_is_kept() -> None:
    assert PLAIN_INTERVAL < 10


def test_quick_work_is_told_once_and_what_cannot_be_counted_not_at_all() -> None:
    stream = Recorded(terminal=False)
    with ProgressDisplay(stream) as progress:
        progress.begin("restore shop", 10)
        progress.add(done=10)
    assert len(stream.getvalue().splitlines()) == 1
    stream = Recorded(terminal=False)
    with ProgressDisplay(stream) as progress:
        progress.begin("reading summaries")
    assert stream.getvalue() == ""


def test_a_phase_without_numbers_is_told_by_its_name() -> None:
    stream = Recorded(terminal=False)
    with ProgressDisplay(stream, interval=0.01) as progress:
        progress.begin("analyze shop")
        _wait_for(stream, "\n")
    assert set(stream.getvalue().splitlines()) == {"analyze shop"}


def test_a_terminal_gets_one_line_that_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    stream = Recorded(terminal=True)
    with ProgressDisplay(stream) as progress:
        progress.begin("restore a database with a very long name indeed, so long", 100)
        progress.add(done=50)
        _wait_for(stream, "50%")
    assert "\n" not in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")
    lines = stream.getvalue().split("\r\x1b[K")
    assert max(map(len, lines)) == 59
    assert "50 B of 100 B" in lines[-2]


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Recorded(terminal=True)
    with ProgressDisplay(stream) as progress:
        progress.add(done=1)
    assert stream.getvalue().endswith("\n")


def test_quiet_shows_nothing() -> None:
    stream = Recorded(terminal=False)
    with ProgressDisplay(stream, quiet=True) as progress:
        progress.add(done=1)
    assert stream.getvalue() == ""


def test_a_stream_that_is_gone_does_not_stop_the_work() -> None:
    stream = Recorded(terminal=False)
    stream.close()
    with ProgressDisplay(stream) as progress:
        progress.add(done=1)
    assert progress.snapshot().done == 1


@pytest.mark.parametrize(
    ("snapshot", "start", "end"),
    [
        (ProgressSnapshot(done=0, total=100), "[----", "]   0%"),
        (ProgressSnapshot(done=50, total=100), "[##########----------]", "]  50%"),
        (ProgressSnapshot(done=100, total=100), "[####################]", "] 100%"),
        (ProgressSnapshot(items=1, items_total=4), "[#####-", "]  25%"),
        (ProgressSnapshot(done=5), "[----", "]     "),
        (ProgressSnapshot(done=200, total=100), "[----", "]     "),
    ],
)
def test_the_bar(snapshot: ProgressSnapshot, start: str, end: str) -> None:
    drawn = draw_bar(snapshot)
    assert drawn.startswith(start)
    assert drawn.endswith(end)
    assert len(drawn) == len(draw_bar(ProgressSnapshot(done=1, total=2)))
