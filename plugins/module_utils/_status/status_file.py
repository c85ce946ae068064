# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status file: what the last backup of one backup set came to, and when the last good one was.

One file per backup set, JSON, replaced atomically; ``docs/status.md`` and ``docs/status.schema.json`` specify it.
The file remembers across runs what a single run cannot know: the last success, since when there is a problem, and
whether the run before failed, which is how "it is well again" is told.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import socket
import typing as t
from dataclasses import dataclass, field

from .._repository.errors import FormatError, InputError, TargetError
from .atomic_file import write_atomically
from .text import utc

SCHEMA = "dfr.continuity/status/1"
DEFAULT_FOLDER = "/var/lib/dfr-continuity/status"
SUCCESS, PARTIAL, FAILURE = "success", "partial", "failure"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: More than any status file needs; a bigger file is not ours.
_LARGEST = 64 << 20

Status = dict[str, t.Any]


@dataclass(frozen=True)
class PartResult:
    """One part of a run. ``partial`` is a part that exists but lacks something, such as files that cannot be read.

    ``spooled`` is all that waits in the spool of its host when the part itself does; such a part is a partial one.
    Sizes in bytes, ``started`` in seconds since the epoch; None where it is not known.
    """

    name: str
    status: str
    host: str = ""
    kind: str = ""
    started: float | None = None
    seconds: float | None = None
    size: int | None = None
    stored: int | None = None
    reason: str = ""
    next_step: str = ""
    warnings: tuple[str, ...] = ()
    spooled: int = 0


@dataclass(frozen=True)
class RunResult:
    """One run of a backup set. ``reason`` and ``next_step`` tell what failed outside of any part."""

    backup_id: str
    started: float
    finished: float
    location: str = ""
    parts: t.Sequence[PartResult] = ()
    reason: str = ""
    next_step: str = ""

    @property
    def status(self) -> str:
        """``success`` when every part is whole, ``failure`` when no part exists, ``partial`` for all in between."""
        if all(part.status == FAILURE for part in self.parts):
            return FAILURE
        return SUCCESS if all(part.status == SUCCESS for part in self.parts) and not self.reason else PARTIAL

    @property
    def spooled(self) -> int:
        """Bytes that wait in the spools of all hosts, instead of being in the repository."""
        hosts = {part.host for part in self.parts}
        return sum(max(part.spooled for part in self.parts if part.host == host) for host in hosts)


@dataclass(frozen=True)
class VerificationResult:
    """One verification. ``mode`` is ``structure`` or ``bytes``; ``problems`` are sentences that name objects."""

    backup_id: str
    mode: str
    started: float
    finished: float
    checked: int = 0
    size: int = 0
    sample: str = ""
    problems: tuple[str, ...] = field(default=())
    reason: str = ""
    next_step: str = ""

    @property
    def status(self) -> str:
        """``success`` or ``failure``."""
        return FAILURE if self.problems or self.reason else SUCCESS


def check_name(name: str) -> str:
    """Return the name of a backup set when it can name a file; raise :class:`InputError` otherwise."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"The backup set name {name!r} cannot name a status file.",
            "Use up to 64 letters, digits, dots, dashes and underscores, beginning with a letter or a digit.",
        )
    return name


def record_run(previous: Status | None, name: str, run: RunResult) -> Status:
    """Return the status that follows ``previous`` (None: there was none) after ``run``."""
    status = _follow(previous, name)
    before = status["state"]
    status["state"], status["previous_state"] = run.status, before
    if before is None or (before == SUCCESS) != (run.status == SUCCESS):
        status["state_since"] = utc(run.finished)
    status["problems_in_a_row"] = 0 if run.status == SUCCESS else int(status["problems_in_a_row"]) + 1
    last_success = _last_successes(status["last_run"])
    status["last_run"] = _run(run, last_success)
    if run.status == SUCCESS:
        kept = ("backup_id", "finished", "duration_seconds", "size_bytes", "stored_bytes")
        status["last_success"] = {key: status["last_run"][key] for key in kept}
    return status


def record_verification(previous: Status | None, name: str, result: VerificationResult) -> Status:
    """Return the status that follows ``previous`` after a verification; what is known of backups stays as it is."""
    status = _follow(previous, name)
    before = status["verification"] or {"state": None, "last_success": None}
    status["verification"] = {
        "state": result.status,
        "previous_state": before["state"],
        "last_success": utc(result.finished) if result.status == SUCCESS else before["last_success"],
        "last": {
            "backup_id": result.backup_id,
            "mode": result.mode,
            "sample": result.sample,
            "started": utc(result.started),
            "finished": utc(result.finished),
            "duration_seconds": round(max(result.finished - result.started, 0), 3),
            "objects": result.checked,
            "size_bytes": result.size,
            "problems": list(result.problems),
            "reason": result.reason,
            "next_step": result.next_step,
        },
    }
    return status


def read_status(folder: str, name: str) -> Status | None:
    """Read the status of a backup set; None when there is none yet.

    Raises :class:`FormatError` when the file was written by a newer program or is no status file.
    """
    path = os.path.join(folder, check_name(name) + ".json")
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"The status file {path} cannot be read: {error.strerror}."
        raise TargetError(message, "Correct its permissions.") from error
    try:
        status = json.loads(content) if len(content) <= _LARGEST else None
    except ValueError:
        status = None
    if not isinstance(status, dict) or not isinstance(status.get("schema"), str):
        raise FormatError(f"{path} is not a status file.", "Move it away; the next run writes a new one.")
    if status["schema"] != SCHEMA:
        raise FormatError(
            f"The status file {path} has the format {status['schema']!r}; this program writes {SCHEMA!r}.",
            "Install the version of the collection that wrote it, or move the file away.",
        )
    return status


def write_status(folder: str, status: Status) -> str:
    """Write the status atomically, readable by everybody, and return its path. Raises :class:`TargetError`."""
    path = os.path.join(folder, check_name(status["name"]) + ".json")
    try:
        write_atomically(path, json.dumps(status, indent=2, ensure_ascii=True).encode() + b"\n")
    except OSError as error:
        raise _cannot_write(path, error) from error
    return path


@contextlib.contextmanager
def exclusive(folder: str) -> t.Iterator[None]:
    """Hold off other writers of the status files in ``folder`` (made when missing) while reading and writing one.

    The lock is on the directory itself and ends with the process, so a crash leaves nothing to clear away.
    """
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _cannot_write(path: str, error: OSError) -> TargetError:
    return TargetError(
        f"The status file {path} cannot be written: {error.strerror}.",
        "Make room or correct the permissions of its directory; the backup itself is not affected.",
    )


def _follow(previous: Status | None, name: str) -> Status:
    status: Status = {
        "schema": SCHEMA,
        "name": check_name(name),
        "host": socket.gethostname(),
        "state": None,
        "previous_state": None,
        "state_since": None,
        "problems_in_a_row": 0,
        "last_run": None,
        "last_success": None,
        "verification": None,
    }
    remembered = status.keys() - {"schema", "name", "host"}
    status.update((key, value) for key, value in (previous or {}).items() if key in remembered)
    return status


def _last_successes(last_run: t.Mapping[str, t.Any] | None) -> dict[str, t.Any]:
    return {part["name"]: part["last_success"] for part in last_run["parts"]} if last_run else {}


def _run(run: RunResult, last_success: t.Mapping[str, t.Any]) -> Status:
    return {
        "backup_id": run.backup_id,
        "status": run.status,
        "started": utc(run.started),
        "finished": utc(run.finished),
        "duration_seconds": round(max(run.finished - run.started, 0), 3),
        "size_bytes": sum(part.size or 0 for part in run.parts),
        "stored_bytes": sum(part.stored or 0 for part in run.parts),
        "spooled_bytes": run.spooled,
        "location": run.location,
        "reason": run.reason,
        "next_step": run.next_step,
        "parts": [_part(part, run, last_success.get(part.name)) for part in run.parts],
    }


def _part(part: PartResult, run: RunResult, last_success: str | None) -> Status:
    if part.status == SUCCESS:
        last_success = utc(run.finished)
    return {
        "name": part.name,
        "host": part.host,
        "kind": part.kind,
        "status": part.status,
        "started": None if part.started is None else utc(part.started),
        "duration_seconds": None if part.seconds is None else round(part.seconds, 3),
        "size_bytes": part.size,
        "stored_bytes": part.stored,
        "spooled_bytes": part.spooled,
        "reason": part.reason,
        "next_step": part.next_step,
        "warnings": list(part.warnings),
        "last_success": last_success,
    }
