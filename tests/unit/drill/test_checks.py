# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check's result says, and when checks have passed."""

from __future__ import annotations

import re

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._drill.checks import (
    Checks,
    Deadline,
    NotAsExpectedError,
    Seen,
    excerpt,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError, TargetError


def good():
    return Seen("42", {"rows": 1})


def other():
    raise NotAsExpectedError("It is 41.", "Look.", "41", {"rows": 2})


def broken():
    raise TargetError("The server is gone.", "Start it.")


def test_a_result_has_what_reports_need():
    checks = Checks("odoo")
    assert checks.run("answer", "42", good)
    (result,) = checks.to_json()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", result.pop("at"))
    assert result.pop("seconds") >= 0
    assert result == {
        "name": "answer",
        "service": "odoo",
        "mandatory": True,
        "status": "passed",
        "expected": "42",
        "actual": "42",
        "evidence": {"rows": 1},
        "reason": "",
        "next_step": "",
    }
    assert checks.passed


@pytest.mark.parametrize(
    ("look", "actual", "reason", "evidence"),
    [(other, "41", "It is 41.", {"rows": 2}), (broken, "The server is gone.", "The server is gone.", {})],
)
def test_a_failed_one_tells_why_and_what_to_do(look, actual, reason, evidence):
    checks = Checks("odoo")
    assert not checks.run("answer", "42", look)
    (result,) = checks.results
    assert (result.status, result.actual, result.reason, result.evidence) == ("failed", actual, reason, evidence)
    assert result.next_step
    assert not checks.passed
    failure = checks.failure()
    assert failure.message == f"1 of 1 mandatory checks did not pass: answer (failed). {reason}"
    assert failure.next_step == result.next_step


def test_a_skipped_mandatory_check_has_not_passed():
    checks = Checks("odoo")
    checks.run("first", "42", good)
    checks.skip("second", "43", "Nobody asked.", "Ask.")
    assert not checks.passed
    assert "second (skipped). Nobody asked." in checks.failure().message


def test_optional_checks_may_fail_but_something_must_have_passed():
    checks = Checks("odoo", ["first", "second"])
    checks.run("first", "42", other)
    checks.skip("second", "43", "Nobody asked.", "Ask.")
    assert not checks.passed
    assert "Not one check" in checks.failure().message
    checks.run("third", "42", good)
    assert checks.passed


def test_no_check_at_all_has_not_passed():
    assert not Checks("odoo").passed


def test_a_check_is_made_until_it_passes():
    looks = []

    def at_last():
        looks.append(1)
        return good() if len(looks) == 3 else other()

    checks = Checks("odoo")
    assert checks.run("answer", "42", at_last, Deadline(60))
    assert len(looks) == 3


def test_the_last_thing_seen_is_told_when_time_is_over():
    checks = Checks("odoo")
    assert not checks.run("answer", "42", other, Deadline(0))
    assert checks.results[0].actual == "41"


def test_what_the_user_got_wrong_is_told_at_once():
    def wrong():
        looks.append(1)
        raise InputError("No such file.", "Correct it.")

    looks = []
    checks = Checks("odoo")
    assert not checks.run("answer", "42", wrong, Deadline(3600))
    assert looks == [1]


def test_a_negative_time_is_refused():
    with pytest.raises(InputError, match="-1 seconds"):
        Deadline(-1)


def test_excerpts_are_short_and_printable():
    assert excerpt("a\n\x1b[31mb\t c") == "a [31mb c"
    assert len(excerpt("x" * 1000)) == 200
