# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functional checks: what was expected, what was seen, when, how long it took, and the evidence.

All check modules return the same: a list of results, and whether all mandatory ones passed. A mandatory check that was
skipped counts as failed, since nobody knows what it would have found.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import asdict, dataclass, field

from .._repository.errors import ContinuityError, InputError
from .._status.text import utc

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
#: Seconds between two looks at something that is not yet as expected: the first ones, and the longest.
_PAUSES = (0.5, 5.0)


@dataclass(frozen=True)
class Seen:
    """What a check has seen, which is as expected. ``evidence`` goes into reports and holds no secrets."""

    actual: str
    evidence: t.Mapping[str, t.Any] = field(default_factory=dict)


class NotAsExpectedError(ContinuityError):
    """What a check has seen is not what it expected."""

    def __init__(
        self, message: str, next_step: str, actual: str = "", evidence: t.Mapping[str, t.Any] | None = None
    ) -> None:
        super().__init__(message, next_step)
        self.actual = actual
        self.evidence = dict(evidence or {})


class ChecksFailedError(ContinuityError):
    """Mandatory checks did not pass."""


@dataclass(frozen=True)
class CheckResult:
    """What became of one check; see docs/functional-tests.md. ``seconds`` is how long the check took to its end."""

    name: str
    service: str
    mandatory: bool
    status: str
    expected: str
    actual: str
    seconds: float
    at: str
    evidence: dict[str, t.Any] = field(default_factory=dict)
    reason: str = ""
    next_step: str = ""

    def to_json(self) -> dict[str, t.Any]:
        """Return the result as a dictionary."""
        return asdict(self)


class Deadline:
    """A moment until which something may yet become as expected."""

    def __init__(self, seconds: float) -> None:
        if seconds < 0:
            raise InputError(f"{seconds} seconds cannot be waited for.", "Give 0 or more.")
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, 0 at least."""
        return max(0.0, self._end - time.monotonic())


Look = t.Callable[[], Seen]


def until(deadline: Deadline, look: Look) -> Seen:
    """Look until what is seen is as expected; raise the last error once the deadline has passed.

    What the user got wrong (:class:`InputError`) will not become right by waiting.
    """
    pause = _PAUSES[0]
    while True:
        try:
            return look()
        except InputError:
            raise
        except ContinuityError:
            if deadline.left <= 0:
                raise
        time.sleep(min(pause, deadline.left))
        pause = min(pause * 2, _PAUSES[1])


class Checks:
    """The checks of one service, in the order they were made.

    :arg service: name of the service, such as ``odoo``.
    :arg optional: names of checks that may fail or be skipped.
    """

    def __init__(self, service: str, optional: t.Collection[str] = ()) -> None:
        self._service = service
        self._optional = frozenset(optional)
        self.results: list[CheckResult] = []

    def run(self, name: str, expected: str, look: Look, deadline: Deadline | None = None) -> bool:
        """Make a check, until it passes or the deadline is over; return whether it passed."""
        began, at = time.monotonic(), time.time()
        try:
            seen = look() if deadline is None else until(deadline, look)
        except ContinuityError as error:
            actual, evidence = (error.actual, error.evidence) if isinstance(error, NotAsExpectedError) else ("", {})
            # Without anything else to be told, what was seen is that it failed.
            actual = actual or error.message
            self._add(name, FAILED, expected, actual, evidence, error, began, at)
            return False
        self._add(name, PASSED, expected, seen.actual, dict(seen.evidence), None, began, at)
        return True

    def skip(self, name: str, expected: str, reason: str, next_step: str) -> None:
        """Record that a check was not made, and why."""
        error = ContinuityError(reason, next_step)
        self._add(name, SKIPPED, expected, "", {}, error, time.monotonic(), time.time())

    def _add(
        self,
        name: str,
        status: str,
        expected: str,
        actual: str,
        evidence: dict[str, t.Any],
        error: ContinuityError | None,
        began: float,
        at: float,
    ) -> None:
        self.results.append(
            CheckResult(
                name=name,
                service=self._service,
                mandatory=name not in self._optional,
                status=status,
                expected=expected,
                actual=actual,
                seconds=round(time.monotonic() - began, 3),
                at=utc(at),
                evidence=evidence,
                reason=error.message if error else "",
                next_step=error.next_step if error else "",
            )
        )

    @property
    def passed(self) -> bool:
        """Tell whether every mandatory check passed, and there was something to check at all."""
        return not self.failures and any(result.status == PASSED for result in self.results)

    @property
    def failures(self) -> list[CheckResult]:
        """The mandatory checks that did not pass."""
        return [result for result in self.results if result.mandatory and result.status != PASSED]

    def to_json(self) -> list[dict[str, t.Any]]:
        """Return the results as dictionaries."""
        return [result.to_json() for result in self.results]

    def failure(self) -> ChecksFailedError:
        """Return the error that says which mandatory checks did not pass."""
        failures = self.failures
        if not failures:
            return ChecksFailedError(
                f"Not one check of {self._service} was made that passed.", "Have at least one mandatory check."
            )
        names = ", ".join(f"{result.name} ({result.status})" for result in failures)
        of = f"{len(failures)} of {sum(result.mandatory for result in self.results)} mandatory checks did not pass"
        return ChecksFailedError(f"{of}: {names}. {failures[0].reason}", failures[0].next_step)


def excerpt(text: str, most: int = 200) -> str:
    """Return the beginning of what a server said, on one line and printable, for a message or evidence."""
    line = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(line.split())
    return line if len(line) <= most else line[: most - 1] + "…"
