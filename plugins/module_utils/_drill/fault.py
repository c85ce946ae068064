# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a plan: each fault names the place, the value, the reason and what to write instead."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._repository.errors import ContinuityError

#: More of a value than this is not repeated.
_LONGEST = 80


@dataclass(frozen=True)
class Fault:
    """One fault.

    :arg path: where in the plan, such as ``services[1].host``.
    :arg value: what stands there, as people would write it; ``(hidden)`` for what may be a secret.
    :arg reason: what is wrong with it.
    :arg instead: what to write instead.
    """

    path: str
    value: str
    reason: str
    instead: str

    def __str__(self) -> str:
        value = f" = {self.value}" if self.value else ""
        return f"{self.path}{value}: {self.reason} {self.instead}"

    def to_json(self) -> dict[str, str]:
        """Return the fault as modules return it."""
        return {"path": self.path, "value": self.value, "reason": self.reason, "instead": self.instead}


class PlanError(ContinuityError):
    """A plan that cannot be used, with everything that is wrong with it."""

    def __init__(self, faults: t.Sequence[Fault]) -> None:
        lines = "".join(f"\n  {fault}" for fault in faults)
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(
            f"The plan has {count}:{lines}\n",
            "Correct the plan; nothing was done. docs/disaster-recovery.md explains it.",
        )
        self.faults = tuple(faults)


@dataclass
class Faults:
    """The faults found so far, and the values that may be secrets."""

    found: list[Fault] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)

    def add(self, path: str, value: t.Any, reason: str, instead: str) -> None:
        """Note a fault; a value that was noted as a secret is not repeated.

        Of one place the first fault is noted only: what is found later follows from it.
        """
        if all(fault.path != path for fault in self.found):
            self.found.append(Fault(path, self._shown(value), reason, instead))

    def add_secret(self, path: str, value: t.Any, reason: str, instead: str) -> None:
        """Note a fault the value of which may be a secret: it is never repeated."""
        if isinstance(value, str):
            self.secrets.add(value)
        self.found.append(Fault(path, "(hidden)", reason, instead))

    def _shown(self, value: t.Any) -> str:
        if value is None:
            return ""
        text = value if isinstance(value, str) else repr(value)
        if any(secret in text for secret in self.secrets):
            return "(hidden)"
        return repr(value) if len(text) <= _LONGEST else f"{text[:_LONGEST]!r}…"
