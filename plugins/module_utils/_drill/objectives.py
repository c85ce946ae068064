# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is measured by.

The recovery time (RTO) is the first moment at which all mandatory functional tests had passed through the public name,
minus the interruption. The recovery point (RPO) of a data set is the interruption minus the moment up to which its data
is there; the worst data set counts. What cannot be measured is not met.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._status.text import epoch

Document = dict[str, t.Any]
PASSED = "passed"


@dataclass(frozen=True)
class Objective:
    """A target and what was achieved, in seconds; None is unknown."""

    target: float | None
    achieved: float | None

    @property
    def met(self) -> bool:
        """Tell whether it was measured and is within the target."""
        return self.target is not None and self.achieved is not None and self.achieved <= self.target

    def to_json(self) -> Document:
        """Return it as the run document has it."""
        return {"target_seconds": self.target, "achieved_seconds": self.achieved, "met": self.met}


def data_loss(interruption: str | None, recovery_point: str | None) -> float | None:
    """Return the RPO of one data set in seconds, or None when it is not known.

    It is negative when the data reaches beyond the interruption.
    """
    if not interruption or not recovery_point:
        return None
    return epoch(interruption) - epoch(recovery_point)


def worst_data_loss(data_sets: t.Iterable[t.Mapping[str, t.Any]]) -> float | None:
    """Return the largest RPO; None when there is no data set, or when that of any is not known."""
    losses = [entry.get("rpo_seconds") for entry in data_sets]
    known = [float(loss) for loss in losses if loss is not None]
    return max(known) if known and len(known) == len(losses) else None


def covers(planned: str, result: t.Mapping[str, t.Any]) -> bool:
    """Tell whether a result belongs to a check of the plan: it has its name, or one that begins with it and a slash."""
    name = str(result.get("name", ""))
    return planned in (name, result.get("plan_check")) or name.startswith(f"{planned}/")


def counts(planned: t.Iterable[str], result: t.Mapping[str, t.Any]) -> bool:
    """Tell whether a result must be a pass: it says so itself, or it belongs to a mandatory check of the plan."""
    return bool(result.get("mandatory")) or any(covers(name, result) for name in planned)


def missing_checks(planned: t.Iterable[str], results: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """Return the names of the plan's checks that have no result."""
    return [name for name in planned if not any(covers(name, result) for result in results)]


def all_passed_at(planned: t.Sequence[str], results: t.Sequence[t.Mapping[str, t.Any]]) -> str | None:
    """Return when the last of the mandatory checks had passed, or None as long as one has not.

    :arg planned: names of the mandatory checks of the plan: one without a result has not passed.
    :arg results: the newest result of each functional test, with the moment in ``at``.
    """
    mandatory = [result for result in results if counts(planned, result)]
    if not mandatory or missing_checks(planned, results):
        return None
    if any(result.get("status") != PASSED for result in mandatory):
        return None
    return max(str(result["at"]) for result in mandatory)


def recovery_time(interruption: str | None, recovered: str | None) -> float | None:
    """Return the RTO in seconds, or None when it is not known."""
    if not interruption or not recovered:
        return None
    return epoch(recovered) - epoch(interruption)
