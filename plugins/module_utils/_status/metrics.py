# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics for node_exporter's textfile collector, made from a status and from nothing else.

They are timestamps, sizes and states, never ages: rules compute those. No label holds a backup id, since every run
would begin new series. The last success stays when a run fails. ``docs/status.md`` lists them.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

from .._repository.errors import TargetError
from .atomic_file import write_atomically
from .status_file import FAILURE, PARTIAL, SUCCESS, Status, check_name
from .text import epoch

_STATES = (SUCCESS, PARTIAL, FAILURE)


@dataclass
class _Family:
    name: str
    help: str
    samples: list[tuple[dict[str, str], float]] = field(default_factory=list)

    def add(self, labels: dict[str, str], value: float | None) -> None:
        if value is not None:
            self.samples.append((labels, value))

    def lines(self) -> t.Iterator[str]:
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} gauge"
        for labels, value in self.samples:
            inside = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
            yield f"{self.name}{{{inside}}} {_number(value)}"


def render(status: Status) -> str:
    """Return the metrics of one status in the Prometheus text format."""
    families = [*_backup(status), *_parts(status), *_verification(status)]
    return "".join(f"{line}\n" for family in families if family.samples for line in family.lines())


def write_metrics(folder: str, status: Status) -> str:
    """Write ``dfr_continuity_<backup set>.prom`` into the textfile collector's directory; return its path.

    Readable by everybody, because node_exporter runs under its own user. Raises :class:`TargetError`.
    """
    path = os.path.join(folder, f"dfr_continuity_{check_name(status['name'])}.prom")
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        write_atomically(path, render(status).encode())
    except OSError as error:
        raise TargetError(
            f"The metrics file {path} cannot be written: {error.strerror}.",
            "Name the directory that node_exporter reads (--collector.textfile.directory) and make it writable.",
        ) from error
    return path


def _backup(status: Status) -> list[_Family]:
    labels = {"backup_set": status["name"]}
    run, success = status["last_run"] or {}, status["last_success"] or {}
    if not run:
        return []
    prefix = "dfr_continuity_backup_"
    state = _Family(prefix + "last_run_state", "State of the last run: 1 on the series of its state, 0 on the others.")
    for name in _STATES:
        state.add({**labels, "state": name}, float(run["status"] == name))
    single = (
        ("last_run_timestamp_seconds", "When the last run ended.", _epoch(run["finished"])),
        ("last_success_timestamp_seconds", "When the last successful run ended.", _epoch(success.get("finished"))),
        ("last_run_duration_seconds", "How long the last run took.", run["duration_seconds"]),
        ("last_run_size_bytes", "Source data read by the last run.", run["size_bytes"]),
        ("last_run_stored_bytes", "New data the last run wrote to the repository.", run["stored_bytes"]),
        ("last_run_spooled_bytes", "What waited in spools after the last run.", run.get("spooled_bytes", 0)),
        ("last_success_duration_seconds", "How long the last successful run took.", success.get("duration_seconds")),
        ("last_success_size_bytes", "Source data read by the last successful run.", success.get("size_bytes")),
        ("problems_in_a_row", "Runs since the last successful one.", status["problems_in_a_row"]),
        ("parts", "Parts that the last run should have had.", len(run["parts"])),
        ("parts_failed", "Parts that failed or are incomplete.", sum(p["status"] != SUCCESS for p in run["parts"])),
    )
    return [state, *(_single(prefix + name, text, labels, value) for name, text, value in single)]


def _parts(status: Status) -> list[_Family]:
    prefix = "dfr_continuity_part_"
    success = _Family(prefix + "success", "Whether the last run backed up the whole part.")
    last = _Family(prefix + "last_success_timestamp_seconds", "When the last run that backed up the whole part ended.")
    length = _Family(prefix + "duration_seconds", "How long the part took in the last run.")
    size = _Family(prefix + "size_bytes", "Source data of the part in the last run.")
    stored = _Family(prefix + "stored_bytes", "New data of the part in the last run.")
    for part in (status["last_run"] or {"parts": []})["parts"]:
        labels = {"backup_set": status["name"], "part": part["name"], "backup_host": part["host"], "kind": part["kind"]}
        success.add(labels, float(part["status"] == SUCCESS))
        last.add(labels, _epoch(part["last_success"]))
        length.add(labels, part["duration_seconds"])
        size.add(labels, part["size_bytes"])
        stored.add(labels, part["stored_bytes"])
    return [success, last, length, size, stored]


def _verification(status: Status) -> list[_Family]:
    found = status["verification"]
    if not found:
        return []
    labels = {"backup_set": status["name"]}
    last = found["last"]
    prefix = "dfr_continuity_verification_"
    single = (
        ("success", "Whether the last verification found everything in order.", float(found["state"] == SUCCESS)),
        ("last_run_timestamp_seconds", "When the last verification ended.", _epoch(last["finished"])),
        ("last_success_timestamp_seconds", "When the last good verification ended.", _epoch(found["last_success"])),
        ("duration_seconds", "How long the last verification took.", last["duration_seconds"]),
        ("size_bytes", "Bytes read by the last verification.", last["size_bytes"]),
        ("problems", "Problems found by the last verification.", len(last["problems"])),
    )
    return [_single(prefix + name, text, labels, value) for name, text, value in single]


def _single(name: str, text: str, labels: dict[str, str], value: float | None) -> _Family:
    family = _Family(name, text)
    family.add(labels, value)
    return family


def _epoch(moment: str | None) -> float | None:
    return None if moment is None else epoch(moment)


def _escape(text: str) -> str:
    # A part can be named after a path in broken UTF-8; the text format is UTF-8 and node_exporter drops a bad file.
    valid = text.encode("utf-8", "backslashreplace").decode()
    return valid.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
