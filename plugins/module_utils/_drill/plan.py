# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a site pair: read, validated as a whole, and identified by its SHA-256."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass

from .._repository.encoding import canonical_json
from .fault import Fault, Faults, PlanError
from .plan_defaults import fill_in
from .plan_references import check_references
from .plan_separation import check_drill
from .plan_shape import PLAN

#: So many places are named in which two plans differ.
_TOLD = 10


@dataclass(frozen=True)
class Plan:
    """A valid plan with every default filled in. Lengths of time are seconds, moments are in UTC."""

    document: dict[str, t.Any]

    @property
    def name(self) -> str:
        """The name of the site pair."""
        return str(self.document["name"])

    @property
    def sha256(self) -> str:
        """SHA-256 of the document in canonical JSON, in hexadecimal."""
        return plan_digest(self.document)


@dataclass(frozen=True)
class Reading:
    """What came of reading a plan: everything that is wrong with it, or nothing; and which values may be secrets."""

    document: dict[str, t.Any] | None
    faults: tuple[Fault, ...]
    secrets: frozenset[str]


def examine_plan(
    given: t.Any, inventory: t.Collection[str] | None = None, secrets: t.Collection[str] | None = None
) -> Reading:
    """Read a plan and find everything that is wrong with it.

    :arg inventory: names of the inventory's hosts; None when they are not known.
    :arg secrets: names of the variables that may hold secrets; None when they are not known.
    """
    faults = Faults()
    document = PLAN(given, "", faults)
    if document is not None:
        fill_in(document)
        check_references(document, faults, inventory)
        check_drill(document, faults)
        if secrets is not None:
            for path, name in _secret_names(document, ""):
                if name not in secrets:
                    faults.add(path, name, "There is no such variable.", "Define it, for example with ansible-vault.")
    return Reading(document, tuple(faults.found), frozenset(faults.secrets))


def read_plan(
    given: t.Any, inventory: t.Collection[str] | None = None, secrets: t.Collection[str] | None = None
) -> Plan:
    """Return a plan, valid as a whole; see :func:`examine_plan`.

    Raises :class:`~.fault.PlanError` with every fault.
    """
    reading = examine_plan(given, inventory, secrets)
    if reading.faults or reading.document is None:
        raise PlanError(reading.faults)
    return Plan(reading.document)


def _secret_names(document: t.Any, path: str) -> t.Iterator[tuple[str, str]]:
    """Yield path and name of every secret that a plan names."""
    if isinstance(document, list):
        for number, entry in enumerate(document):
            yield from _secret_names(entry, f"{path}[{number}]")
    elif isinstance(document, dict):
        for key, entry in document.items():
            place = f"{path}.{key}" if path else key
            if key == "credentials" and isinstance(entry, str):
                yield place, entry
            elif key == "secrets" and isinstance(entry, dict):
                yield from ((f"{place}.{one}", name) for one, name in entry.items() if name)
            elif key != "settings":
                yield from _secret_names(entry, place)


def plan_digest(document: t.Mapping[str, t.Any]) -> str:
    """Return the SHA-256 of a plan's document in canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(document)).hexdigest()


def differences(one: t.Any, other: t.Any, path: str = "") -> list[str]:
    """Return the paths of the places in which two plans differ, at most ten."""
    return [*_differences(one, other, path)][:_TOLD]


def _differences(one: t.Any, other: t.Any, path: str) -> t.Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from _differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif isinstance(one, list) and isinstance(other, list):
        for number in range(max(len(one), len(other))):
            first, second = (entries[number] if number < len(entries) else None for entries in (one, other))
            yield from _differences(first, second, f"{path}[{number}]")
    elif one != other:
        yield path
