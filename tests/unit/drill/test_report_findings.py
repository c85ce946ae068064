# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run shows to be wrong, what became worse, and whether the plan is still proved."""

from __future__ import annotations

import time

import pytest

from .runs import NAMES, check, example, findings, phase, report


def _stretch(run, name, seconds):
    """Make the last attempt at a phase longer."""
    attempt = phase(run, name)["attempts"][-1]
    end = time.strptime(attempt["started"], "%Y-%m-%dT%H:%M:%SZ")
    moment = time.mktime(end) - time.timezone + seconds
    attempt["finished"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _again(run, number=1):
    """The same run, so many days later."""
    later = {**run, "id": f"2027010{number}T000000Z-00000000"}
    return later


def test_a_clean_drill_has_no_findings():
    made = report(example("earlier-2026-08"))
    assert (made["result"], made["findings"], made["contradictions"]) == ("passed", [], [])


def test_the_failed_example_from_all_sides():
    made = report(example("failed"), *map(example, NAMES[:3]))
    found = findings(made)
    assert made["result"] == "failed"
    assert [one["severity"] for one in made["findings"]] == sorted(
        (one["severity"] for one in made["findings"]), key=["high", "medium", "low"].index
    )
    assert {name for name, one in found.items() if one["severity"] == "high"} == {
        "rto-missed",
        "rpo-missed",
        "check-failed:n8n/credential",
        "check-failed:n8n/webhook-nonce",
        "isolation-failed:odoo/smtp-blocked",
    }
    assert {
        "clean-up-incomplete",
        "backup-refused:20261126T134501Z-5ca1ab1e",
        "backup-refused:20261126T133002Z-0ddba115",
        "phase-repeated:start_services",
        "plan-not-proved",
        "regression:phase:restore_database",
        "F1",
    } <= set(found)
    assert found["F1"]["owner"] == "carol@example.com"
    assert found["F1"]["due"] == "2026-12-04"
    for one in made["findings"]:
        assert one["title"], one
        assert one["remedy"], one
        assert one["owner"], one
        assert one["due"], one


def test_a_missed_rto_says_by_how_much_and_where_the_time_went():
    run = example("passed")
    run["objectives"]["rto"] = {"target_seconds": 600, "achieved_seconds": 1283.0, "met": False}
    detail = findings(report(run))["rto-missed"]["detail"]
    assert "Achieved 21 min 23 s, target 10 min 00 s: 11 min 23 s too long." in detail
    assert detail.index("Restore files and objects 10 min 36 s (50%)") < detail.index(
        "Restore the databases 4 min 41 s"
    )
    assert "Measure the recovery point" not in detail


def test_a_run_beyond_the_limit_without_recovery_has_missed_the_rto():
    run = example("failed")
    assert "achieved_seconds" not in run["objectives"]["rto"]
    assert "without a recovery" in findings(report(run))["rto-missed"]["detail"]
    run["objectives"]["rto"]["target_seconds"] = 86400
    found = findings(report(run))
    assert "rto-missed" not in found
    assert "rto-unmeasured" in found


def test_a_missed_rpo_names_the_data_sets_the_worst_first():
    detail = findings(report(example("failed")))["rpo-missed"]["detail"]
    assert detail.index("shop filestore (files) 56 min") < detail.index("shop (database) 56 min 03 s")
    assert "recovery point 2026-11-26T13:04:02Z" in detail


def test_measured_counts_more_than_said():
    run = example("passed")
    run["objectives"]["rpo"].update(achieved_seconds=901.0, met=True)
    made = report(run)
    assert made["result"] == "failed"
    assert "the RPO was missed" in made["contradictions"]
    assert "rpo-missed" in findings(made)


@pytest.mark.parametrize(
    ("change", "against"),
    [
        (lambda run: check(run, "login").update(status="skipped"), "the mandatory check odoo/login was skipped"),
        (lambda run: check(run, "login").update(status="failed"), "the mandatory check odoo/login failed"),
        (lambda run: check(run, "canary", "isolation").update(status="failed"), "the isolation check canary failed"),
        (lambda run: run.update(checks=[]), "no mandatory check was made"),
        (lambda run: [one.update(mandatory=False) for one in run["checks"]], "no mandatory check was made"),
        (lambda run: run["objectives"].pop("rto"), "the RTO was not measured"),
        (lambda run: run["objectives"]["rpo"].pop("achieved_seconds"), "the RPO was not measured"),
        (lambda run: run.update(cleanup={"status": "failed"}), "the clean-up failed"),
        (lambda run: run["cleanup"].update(left=["a volume"]), "the clean-up left something"),
        (lambda run: phase(run, "start_services").update(status="failed"), "the phase start_services is failed"),
    ],
)
def test_a_pass_without_proof_is_no_pass(change, against):
    run = example("passed")
    change(run)
    made = report(run)
    assert made["contradictions"] == [against]
    assert made["result"] == "failed"
    assert against in findings(made)["passed-without-proof"]["detail"]


def test_an_optional_check_may_fail():
    run = example("passed")
    check(run, "gateway-headers").update(status="failed", actual="x-site: primary")
    made = report(run)
    assert made["result"] == "passed"
    found = findings(made)["check-failed:gateway/gateway-headers"]
    assert found["severity"] == "low"
    assert found["detail"] == "Expected: x-site: dr. Actual: x-site: primary."


def test_a_skipped_optional_check_is_nothing():
    run = example("passed")
    check(run, "gateway-headers").update(status="skipped")
    assert "gateway" not in str(findings(report(run)).keys())


def test_isolation_that_nobody_checked():
    run = example("passed")
    run["isolation"] = []
    assert "isolation-unchecked" in findings(report(run))
    run["mode"] = "failover"
    assert "isolation-unchecked" not in findings(report(run))


def test_a_failed_phase_tells_reason_and_next_step():
    run = example("failed")
    attempt = {"status": "failed", "reason": "pg_restore: out of space.", "next_step": "Make the volume larger."}
    phase(run, "restore_database")["attempts"][0].update(attempt)
    phase(run, "restore_database")["status"] = "failed"
    found = findings(report(run))["phase-failed:restore_database"]
    assert (found["detail"], found["remedy"]) == ("pg_restore: out of space.", "Make the volume larger.")
    assert found["phase"] == "restore_database"


def test_an_aborted_run_tells_why():
    run = example("passed")
    run.update(state="aborted", reason="The primary came back.", next_step="Clean up.")
    made = report(run)
    assert made["result"] == "aborted"
    assert findings(made)["run-aborted"]["detail"] == "The primary came back."


def test_a_run_that_is_not_over_is_not_judged():
    run = example("passed")
    run.update(state="running", finished=None, objectives={"rto": {"target_seconds": 14400}})
    made = report(run)
    assert made["result"] == "unfinished"
    assert not {"rto-unmeasured", "passed-without-proof"} & set(findings(made))


@pytest.mark.parametrize(
    ("before", "now", "worse"),
    [(240, 299, False), (240, 300, True), (100, 159, False), (100, 160, True), (1000, 1249, False), (1000, 1250, True)],
)
def test_a_phase_is_slower_by_a_quarter_and_a_minute(before, now, worse):
    old, new = example("earlier-2026-08"), _again(example("earlier-2026-08"))
    _stretch(old, "restore_files", before)
    new["phases"] = example("earlier-2026-08")["phases"]
    _stretch(new, "restore_files", now)
    made = report(new, old)
    assert ("regression:phase:restore_files" in findings(made)) is worse
    assert [one["subject"] for one in made["comparison"]["regressions"]] == ["restore_files"] * worse


def test_a_phase_is_compared_with_the_last_run_that_got_through_it():
    first, broken, new = example("earlier-2026-08"), example("earlier-2026-08"), example("passed")
    broken.update(id="20260901T000000Z-00000000", state="failed", reason="x")
    phase(broken, "restore_files")["status"] = "failed"
    _stretch(broken, "restore_files", 5)
    (worse,) = report(new, first, broken)["comparison"]["regressions"]
    assert worse["compared_with"] == first["id"]
    assert (worse["before_seconds"], worse["now_seconds"]) == (412.0, 636.0)


def test_a_check_that_passed_before_is_told_with_the_check():
    made = report(example("failed"), *map(example, NAMES[:3]))
    assert "It passed in 20261125T031500Z-ab12cd34." in findings(made)["check-failed:n8n/credential"]["detail"]
    subjects = {one["subject"] for one in made["comparison"]["regressions"] if one["kind"] == "check"}
    assert subjects == {"n8n/credential", "n8n/webhook-nonce", "odoo/smtp-blocked"}


def test_a_check_that_never_passed_did_not_become_worse():
    before, now = example("passed"), example("failed")
    check(before, "credential")["status"] = "failed"
    subjects = {one["subject"] for one in report(now, before)["comparison"]["regressions"]}
    assert "n8n/credential" not in subjects
    assert "n8n/webhook-nonce" in subjects


def test_an_rto_that_is_met_and_yet_worse():
    now = _again(example("passed"))
    now["objectives"]["rto"]["achieved_seconds"] = 2000.0
    made = report(now, example("passed"))
    assert made["result"] == "passed"
    assert findings(made)["regression:rto"]["detail"] == (
        "Achieved 33 min 20 s. In 20261125T031500Z-ab12cd34 it was 21 min 23 s."
    )


def test_a_failback_is_not_compared_with_drills():
    now = example("failed")
    now["mode"] = "failback"
    assert report(now, example("passed"))["comparison"]["regressions"] == []
    now["mode"] = "failover"
    assert report(now, example("passed"))["comparison"]["regressions"] != []


def test_how_long_a_finding_has_been_known():
    first, second, third = example("passed"), _again(example("passed"), 1), _again(example("passed"), 2)
    made = report(third, first, second)
    assert findings(made)["phase-repeated:restore_files"]["first_seen"] == first["id"]
    assert findings(report(first))["phase-repeated:restore_files"]["first_seen"] == ""
    clean = {**example("earlier-2026-08"), "id": second["id"]}
    assert findings(report(third, first, clean))["phase-repeated:restore_files"]["first_seen"] == ""


def test_the_journals_numbers_are_no_names():
    first, second = _again(example("passed"), 1), _again(example("passed"), 2)
    first["findings"] = [{"id": "F1", "severity": "low", "title": "The runbook is wrong"}]
    second["findings"] = [{"id": "F1", "severity": "low", "title": "Nobody had the key"}]
    assert findings(report(second, first))["F1"]["first_seen"] == ""
    second["findings"] = [{"id": "F1", "severity": "low", "title": "The runbook is wrong"}]
    assert findings(report(second, first))["F1"]["first_seen"] == first["id"]


def test_what_is_no_longer_found_is_told_after_a_pass_alone():
    passed, failed = _again(example("earlier-2026-08")), example("failed")
    assert "check-failed:n8n/credential" in {one["id"] for one in report(passed, failed)["resolved"]}
    passed.update(state="failed", reason="x")
    assert report(passed, failed)["resolved"] == []


def test_the_journals_own_finding_wins():
    run = example("failed")
    run["findings"].append({"id": "rto-missed", "severity": "low", "title": "Known", "detail": "Agreed upon."})
    assert findings(report(run))["rto-missed"]["title"] == "Known"
    assert len(findings(report(run))) == len(report(run)["findings"])


def test_when_findings_are_due():
    made = findings(report(example("failed"), due_days={"high": 1, "medium": 2}))
    assert made["rpo-missed"]["due"] == "2026-11-27"
    assert made["clean-up-incomplete"]["due"] == "2026-11-28"


def test_the_plan_of_the_last_pass():
    same = report(example("passed"), example("earlier-2026-08"))["plan"]
    assert (same["changed"], same["proved"], same["changes"]) == (False, True, [])
    changed = report(example("failed"), example("passed"))
    assert changed["plan"]["statement"].startswith(
        "The plan changed since the last passed drill, 20261125T031500Z-ab12cd34: that pass is stale."
    )
    assert changed["plan"]["changes"] == ["databases was ['shop', 'n8n'], is ['shop', 'n8n', 'reports']"]
    assert "plan-not-proved" in findings(changed)


def test_a_pass_with_a_changed_plan_proves_it():
    made = report(example("earlier-2026-08"), example("earlier-2026-05"))
    assert (made["plan"]["changed"], made["plan"]["proved"]) == (True, True)
    assert "plan-not-proved" not in findings(made)
    (change,) = made["plan"]["changes"]
    assert change.startswith("services was [{'name': 'odoo'")


def test_only_a_drill_that_really_passed_proves_a_plan():
    pretended = example("passed")
    check(pretended, "login")["status"] = "skipped"
    for before in ([], [pretended], [example("failed")], [{**example("passed"), "mode": "failback"}]):
        plan = report(_again(example("failed")), *before)["plan"]
        assert plan["last_passed_drill"] is None
        assert not plan["proved"]


def test_the_order_of_time_is_that_of_making():
    run = example("failed")
    assert report(run, example("passed")) == report(run, example("passed"))
