# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of steps: one line when a step starts and one when it succeeds or fails.

Lines are *logfmt* (``key=value``, values quoted as in JSON where needed): people read and grep them, and Loki parses
them. The same line goes to syslog (on a systemd host: to the journal) under the identifier ``dfr-continuity`` and to
a file.

A line is made from the fields of :class:`Step` and :class:`Outcome` and from nothing else, so a password or a key
cannot reach it by way of a forgotten dictionary of arguments.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
import typing as t
from dataclasses import dataclass, fields

from .._repository.errors import ContinuityError
from .text import utc

IDENTIFIER = "dfr-continuity"
DEFAULT_FILE = "/var/log/dfr-continuity/continuity.log"
DEFAULT_SYSLOG = "/dev/log"

_BARE = re.compile(r"[A-Za-z0-9_./:@+,%-]+")
# RFC 5424 numbers: facility daemon (3), severities err (3), notice (5), info (6).
_FACILITY = 3 << 3
_SEVERITY = {"start": 6, "success": 5, "failure": 3}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Step:
    """What is being done: an action such as ``database_backup``, and to what."""

    action: str
    backup_set: str = ""
    backup_id: str = ""
    part: str = ""
    path: str = ""


@dataclass
class Outcome:
    """What a step has come to; whoever runs the step fills it in. Sizes in bytes, None where there is none."""

    size: int | None = None
    stored: int | None = None
    path: str = ""
    reason: str = ""
    next_step: str = ""


class StepLog:
    """Writes step lines to a file and to syslog. Failing to write never raises; see :attr:`problems`.

    :arg file: the log file, or None for none. Its directory is made when missing. Every line opens the file anew, so
        rotating it by rename needs no signal.
    :arg syslog: the socket of the local syslog daemon; nothing is sent when it is not there.
    """

    def __init__(self, file: str | None = DEFAULT_FILE, syslog: str | None = DEFAULT_SYSLOG) -> None:
        self._file = file
        self._syslog = syslog
        #: One sentence for each way in which logging failed; for the warnings of a result.
        self.problems: list[str] = []

    @contextlib.contextmanager
    def step(self, step: Step) -> t.Iterator[Outcome]:
        """Log the start of a block, and its success or failure when it ends; errors pass through unchanged."""
        outcome = Outcome(path=step.path)
        began = time.monotonic()
        self._write("start", step, Outcome(path=step.path), None)
        try:
            yield outcome
        except ContinuityError as error:
            outcome.reason, outcome.next_step = error.message, error.next_step
            self._write("failure", step, outcome, time.monotonic() - began)
            raise
        except BaseException as error:
            # A bug or a signal. The text of a foreign exception may quote anything, so only its name is logged.
            outcome.reason = f"stopped by {type(error).__name__}"
            self._write("failure", step, outcome, time.monotonic() - began)
            raise
        self.ended(step, outcome, time.monotonic() - began)

    def ended(self, step: Step, outcome: Outcome, seconds: float) -> None:
        """Log the end of a step that something else has run: a failure when there is a reason, else a success."""
        self._write("failure" if outcome.reason else "success", step, outcome, seconds)

    def _write(self, event: str, step: Step, outcome: Outcome, seconds: float | None) -> None:
        line = _logfmt(event, step, outcome, seconds)
        now = time.time()
        for write in (self._to_file, self._to_syslog):
            try:
                write(event, line, now)
            except OSError as error:
                problem = f"The log line could not be written: {error}."
                if problem not in self.problems:
                    self.problems.append(problem)

    def _to_file(self, _event: str, line: str, now: float) -> None:
        if self._file is None:
            return
        os.makedirs(os.path.dirname(self._file) or ".", mode=0o750, exist_ok=True)
        content = f"time={utc(now)} {line}\n".encode()
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        try:
            # One write to a file opened for appending: lines of two processes never mix.
            os.write(descriptor, content)
        finally:
            os.close(descriptor)

    def _to_syslog(self, event: str, line: str, now: float) -> None:
        if self._syslog is None or not os.path.exists(self._syslog):
            return
        local = time.localtime(now)
        # The local form of RFC 3164 that glibc sends and that every syslog daemon and journald expect.
        stamp = f"{_MONTHS[local.tm_mon - 1]} {local.tm_mday:2d} {time.strftime('%H:%M:%S', local)}"
        message = f"<{_FACILITY | _SEVERITY[event]}>{stamp} {IDENTIFIER}[{os.getpid()}]: {line}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.settimeout(5)
            channel.connect(self._syslog)
            channel.send(message.encode())


def _logfmt(event: str, step: Step, outcome: Outcome, seconds: float | None) -> str:
    values: dict[str, object] = {"event": event}
    values.update((entry.name, getattr(step, entry.name)) for entry in fields(step))
    if seconds is not None:
        values["seconds"] = f"{seconds:.3f}"
    values.update((entry.name, getattr(outcome, entry.name)) for entry in fields(outcome))
    return " ".join(f"{key}={_quoted(str(value))}" for key, value in values.items() if value not in ("", None))


def _quoted(value: str) -> str:
    # Whatever could break a line or steer a terminal is escaped; ordinary letters of any script are left readable.
    return value if _BARE.fullmatch(value) else json.dumps(value, ensure_ascii=not value.isprintable())
