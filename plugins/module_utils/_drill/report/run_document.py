# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the run document and names every fault of a wrong one."""

from __future__ import annotations

import json
import os
import typing as t

from ..._repository.errors import InputError
from ..._status.text import epoch
from .json_schema import faults
from .run_schema import RUN_SCHEMA
from .text import shown

Document = dict[str, t.Any]

#: More than any run needs; a bigger file is not ours.
LARGEST = 64 << 20

#: What is not ours to change: there, null may mean something.
_FREE = {"document", "details", "evidence", "expected", "actual"}


def read_run(path: str) -> Document:
    """Read a run document from a file, and check it. Raises :class:`~..._repository.errors.InputError`."""
    return checked_run(read_json(path, "run document"))


def read_json(path: str, what: str) -> t.Any:
    """Read a JSON file of this package. Raises :class:`~..._repository.errors.InputError`, which names the path."""
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > LARGEST:
                raise InputError(f"The {what} {path} is larger than {LARGEST} bytes.", "Give the right file.")
            return json.loads(file.read())
    except OSError as error:
        raise InputError(
            f"The {what} {path} cannot be read: {error.strerror}.", "Give the path of a file that can be read."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"The {what} {path} is not JSON: {error}.", "Give the right file.") from error


def checked_run(document: t.Any) -> Document:
    """Return a run document without what it only says to be unknown (null).

    Raises :class:`~..._repository.errors.InputError`, which names every fault.
    """
    known = _without_nulls(document)
    found = run_faults(known)
    if found:
        raise InputError(
            f"The run document has {len(found)} fault{'s' if len(found) > 1 else ''}: {' '.join(found)}",
            "Correct it; docs/run.schema.json describes it.",
        )
    return t.cast("Document", known)


def run_faults(document: t.Any) -> list[str]:
    """Return a sentence for every fault: against the schema, and what no schema can say."""
    found = faults(document, RUN_SCHEMA)
    return found if found else [*_date_faults(document, ""), *_order_faults(document)]


def _without_nulls(value: t.Any, name: str = "") -> t.Any:
    if name in _FREE:
        return value
    if isinstance(value, dict):
        return {key: _without_nulls(item, key) for key, item in value.items() if item is not None or key in _FREE}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


_MOMENTS = {"started", "interruption", "finished", "recovery_point", "at"}


def _date_faults(value: t.Any, place: str) -> t.Iterator[str]:
    """Find dates that no calendar has, such as the 31st of June."""
    items = value.items() if isinstance(value, dict) else ()
    for name, item in items:
        here = f"{place}.{name}".lstrip(".")
        if name in _MOMENTS and isinstance(item, str):
            try:
                epoch(item)
            except ValueError:
                yield f"{here} is {shown(item)}, which is no date."
        elif isinstance(item, list):
            for number, entry in enumerate(item):
                yield from _date_faults(entry, f"{here}[{number}]")
        elif name not in _FREE:
            yield from _date_faults(item, here)


def _order_faults(run: Document) -> t.Iterator[str]:
    yield from _ends_before(run, "The run")
    names: set[str] = set()
    for phase in run["phases"]:
        if phase["name"] in names:
            yield f"The phase {phase['name']} is there twice."
        names.add(phase["name"])
        for number, attempt in enumerate(phase.get("attempts", ()), 1):
            yield from _ends_before(attempt, f"Attempt {number} of the phase {phase['name']}")


def _ends_before(span: Document, what: str) -> t.Iterator[str]:
    if span.get("finished", "9") < span["started"]:
        yield f"{what} finished ({span['finished']}) before it started ({span['started']})."
