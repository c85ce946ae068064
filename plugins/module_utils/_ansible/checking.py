# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all check modules share: how their options are read, and what they return."""

from __future__ import annotations

import typing as t

from .._drill.checks import Checks, Deadline, Look
from .._drill.web import Reach
from .running import FailureWithResultError, Result, Work


def verdict(work: Work, checks: Checks) -> Result:
    """Return the results of checks; fail with them when a mandatory one did not pass, unless told not to."""
    result: Result = {"changed": False, "checks": checks.to_json(), "passed": checks.passed}
    if not checks.passed and work.params["fail"]:
        failure = checks.failure()
        raise FailureWithResultError(failure, result) from failure
    return result


def one_check(work: Work, expected: str, look: Look) -> Result:
    """Make one check, named by the module's parameters, until it passes or the time to wait is over."""
    params = work.params
    checks = Checks(params["service"], () if params["mandatory"] else (params["name"],))
    checks.run(params["name"], expected, look, Deadline(params["wait"]))
    return verdict(work, checks)


def reach_from(params: t.Mapping[str, t.Any]) -> Reach:
    """Return how web servers are reached."""
    resolve = {name: str(address) for name, address in (params["resolve"] or {}).items()}
    return Reach(resolve=resolve, ca_file=params["ca_file"], timeout=params["timeout"])
