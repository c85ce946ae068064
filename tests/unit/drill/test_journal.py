# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs from their beginning to their verdict: who has the site, what is run again, and what makes a run fail."""

from __future__ import annotations

import os
import stat
import typing as t

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._drill.journal import (
    Beginning,
    Journal,
    RunStateError,
    SiteTakenError,
)
from ansible_collections.dfr.continuity.plugins.module_utils._drill.phases import phases_of
from ansible_collections.dfr.continuity.plugins.module_utils._drill.worker import this_worker
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    InputError,
    IntegrityError,
    ObjectMissingError,
)

from .conftest import GONE, PASS, Runs, ago, small_plan

Change = t.Callable[[Runs, str], object]


def test_a_run_that_passes(runs: Runs) -> None:
    run = runs.journal.read(runs.whole())
    document = run.to_json()
    assert run.shortcomings() == []
    assert document["schema"] == "dfr.continuity/run/1"
    assert [phase["name"] for phase in document["phases"]] == list(phases_of("drill"))
    assert {phase["status"] for phase in document["phases"]} == {"done"}
    assert all(phase["title"] and len(phase["attempts"]) == 1 for phase in document["phases"])
    assert all(phase["attempts"][0]["started"] <= phase["attempts"][0]["finished"] for phase in document["phases"])
    assert document["started"] == document["interruption"] <= document["finished"]
    assert document["objectives"]["rto"] == {
        "target_seconds": 14400,
        "achieved_seconds": pytest.approx(0, abs=60),
        "met": True,
    }
    assert document["objectives"]["rpo"]["met"] is True
    assert document["plan"] == {"sha256": small_plan().sha256, "document": small_plan().document}
    assert document["started_by"] == "alice"


def test_only_the_owner_can_look_into_the_folder(runs: Runs) -> None:
    old = os.umask(0)
    try:
        run_id = runs.begin()
    finally:
        os.umask(old)
    folder = runs.folder / "shop" / run_id
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "journal").stat().st_mode) == 0o600


# -- who has the site -----------------------------------------------------------------------------------------


def refused(runs: Runs, mode: str) -> str:
    before = sorted(os.listdir(runs.folder / "shop"))
    with pytest.raises(SiteTakenError) as error:
        runs.begin(mode)
    assert sorted(os.listdir(runs.folder / "shop")) == before
    return str(error.value)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("drill", "drill", "resume it with resume="),
        ("failover", "drill", "The failover "),
        ("drill", "failover", "Abort the drill first"),
        ("failover", "failover", "Resume it with resume="),
        ("failback", "drill", "The failback "),
        ("drill", "failback", "abort it first"),
    ],
)
def test_a_site_has_one_run_at_a_time(runs: Runs, first: str, second: str, words: str) -> None:
    run_id = runs.begin(first)
    told = refused(runs, second)
    assert words in told
    for said in (run_id, "alice", runs.journal.read(run_id).document["started"], "that worked on it is gone"):
        assert said in told
    assert runs.begin(second, small_plan(name="other"))  # another site is another matter


def test_who_works_on_the_other_run_is_told(runs: Runs) -> None:
    runs.begin(worker=this_worker(os.getpid()))
    told = refused(runs, "drill")
    assert f"The process {os.getpid()} on" in told
    assert "works on it." in told
    assert "resume=" not in told


def test_an_aborted_drill_lets_a_failover_begin_but_no_drill_before_it_is_cleaned_up(runs: Runs) -> None:
    drill = runs.begin()
    runs.pass_until(drill, "restore_database")
    runs.journal.abort(drill, "bob", "the building burns")
    assert "was not cleaned up" in refused(runs, "drill")
    failover = runs.begin("failover")
    with pytest.raises(SiteTakenError, match="failover"):
        runs.journal.resume(drill, GONE)
    runs.journal.abort(failover, "bob", "false alarm")
    runs.journal.finish(failover)
    assert runs.journal.resume(drill, GONE).run.state == "aborted"
    assert not runs.journal.begin_phase(drill, "recovery_point").go
    runs.pass_phase(drill, "clean_up")
    ended = runs.journal.finish(drill).run
    assert (ended.state, ended.document["reason"]) == ("aborted", "Aborted by bob: the building burns")
    assert runs.begin()


def test_a_drill_that_left_something_keeps_the_site_until_that_is_seen_to(runs: Runs) -> None:
    drill = runs.begin()
    runs.pass_until(drill)
    runs.journal.note(drill, {"cleanup": {"status": "failed", "left": ["container odoo-drill"]}})
    ended = runs.journal.finish(drill).run
    assert ended.state == "failed"
    assert "container odoo-drill" in ended.document["reason"]
    assert "was not cleaned up" in refused(runs, "drill")
    runs.journal.note(drill, {"cleanup": {"status": "done", "left": []}})
    assert runs.begin()


def test_a_site_that_was_failed_over_has_no_drill_until_it_is_failed_back(runs: Runs) -> None:
    failover = runs.whole("failover")
    assert f"since the failover {failover}: a drill would touch production" in refused(runs, "drill")
    assert "nothing to fail over to" in refused(runs, "failover")
    runs.whole("failback")
    assert runs.begin()


# -- resuming -------------------------------------------------------------------------------------------------


def test_what_is_done_is_not_run_again(runs: Runs) -> None:
    run_id = runs.begin()
    runs.pass_until(run_id, "restore_database")
    runs.journal.begin_phase(run_id, "recovery_point")
    resumed = runs.journal.resume(run_id, GONE, small_plan())
    phase = resumed.run.phase("recovery_point")
    assert phase is not None
    assert (phase["status"], phase["attempts"][0]["status"]) == ("failed", "interrupted")
    for name in ("declare", "restore_database"):
        again = runs.journal.begin_phase(run_id, name)
        assert (again.go, again.changed) == (False, False)
    runs.pass_phase(run_id, "recovery_point")
    runs.pass_until(run_id)
    ended = runs.journal.finish(run_id).run
    assert ended.state == "passed"
    phase = ended.phase("recovery_point")
    assert phase is not None
    assert [attempt["status"] for attempt in phase["attempts"]] == ["interrupted", "done"]


def test_a_failed_failover_is_resumed_where_it_failed(runs: Runs) -> None:
    run_id = runs.begin("failover")
    runs.pass_until(run_id, "choose_backup")
    runs.journal.begin_phase(run_id, "restore_database")
    runs.journal.end_phase(run_id, "restore_database", "failed", "No space is left.", "Make room.")
    ended = runs.journal.finish(run_id).run
    assert (ended.state, ended.document["next_step"]) == ("failed", "Make room.")
    assert "The phase restore_database failed: No space is left." in ended.document["reason"]
    assert "never ran" not in ended.document["reason"]
    assert runs.journal.resume(run_id, GONE).run.state == "running"
    runs.pass_phase(run_id, "restore_database")
    runs.pass_until(run_id)
    assert runs.journal.finish(run_id).run.state == "passed"


def test_a_changed_plan_is_refused_unless_accepted_and_then_a_finding(runs: Runs) -> None:
    run_id = runs.begin()
    changed = small_plan(objectives={"rpo": "1h"})
    with pytest.raises(RunStateError) as error:
        runs.journal.resume(run_id, GONE, changed)
    for said in (small_plan().sha256, changed.sha256, "objectives.rpo", "accept_changed_plan"):
        assert said in str(error.value)
    run = runs.journal.resume(run_id, GONE, changed, accept_changed_plan=True).run
    assert run.document["plan"] == {"sha256": changed.sha256, "document": changed.document}
    assert run.document["objectives"]["rpo"]["target_seconds"] == 3600
    [finding] = run.document["findings"]
    assert (finding["id"], finding["title"]) == ("F1", "The plan changed during the run")
    assert "objectives.rpo" in finding["detail"]
    assert runs.journal.resume(run_id, GONE, changed).run.document["findings"] == [finding]


def test_a_run_that_a_living_process_works_on_is_not_taken_away(runs: Runs) -> None:
    living = this_worker(os.getpid())
    run_id = runs.begin(worker=living)
    with pytest.raises(RunStateError, match=f"The process {os.getpid()} on"):
        runs.journal.resume(run_id, this_worker(1))
    assert runs.journal.resume(run_id, living).changed


@pytest.mark.parametrize("mode", ["drill", "failover"])
def test_there_is_nothing_to_resume_of_what_is_over(runs: Runs, mode: str) -> None:
    run_id = runs.whole(mode)
    with pytest.raises(RunStateError, match="nothing to resume"):
        runs.journal.resume(run_id, GONE)


# -- phases ---------------------------------------------------------------------------------------------------


def test_a_phase_waits_for_the_ones_before_it(runs: Runs) -> None:
    run_id = runs.begin()
    runs.pass_until(run_id, "choose_backup")
    with pytest.raises(RunStateError, match="restore_database, which comes before it, has not run"):
        runs.journal.begin_phase(run_id, "start_services")
    runs.journal.begin_phase(run_id, "restore_database")
    with pytest.raises(RunStateError, match="has not ended"):
        runs.journal.begin_phase(run_id, "recovery_point")
    runs.journal.end_phase(run_id, "restore_database", "failed", "It broke.")
    with pytest.raises(RunStateError, match="has failed"):
        runs.journal.begin_phase(run_id, "recovery_point")
    assert runs.journal.begin_phase(run_id, "report").go
    assert runs.journal.begin_phase(run_id, "clean_up").go


def test_phases_that_cannot_end_or_do_not_exist(runs: Runs) -> None:
    run_id = runs.begin()
    with pytest.raises(RunStateError, match="it was not begun"):
        runs.journal.end_phase(run_id, "declare")
    with pytest.raises(InputError, match="Did you mean clean_up"):
        runs.journal.begin_phase(run_id, "cleanup")
    with pytest.raises(InputError, match="has no phase commit"):
        runs.journal.begin_phase(run_id, "commit")
    with pytest.raises(InputError, match="No reason"):
        runs.journal.end_phase(run_id, "declare", "skipped")
    runs.pass_phase(run_id, "declare")
    assert not runs.journal.end_phase(run_id, "declare").changed
    with pytest.raises(RunStateError, match="it is done"):
        runs.journal.end_phase(run_id, "declare", "skipped", "no need")
    with pytest.raises(InputError, match="is not the id of a run"):
        runs.journal.read("../../etc")
    with pytest.raises(ObjectMissingError, match="There is no run"):
        runs.journal.read("20261125T031500Z-ab12cd34")


def test_a_run_aborted_elsewhere_goes_no_further(runs: Runs) -> None:
    run_id = runs.begin()
    runs.journal.begin_phase(run_id, "declare")
    runs.journal.abort(run_id, "bob", "not now")
    with pytest.raises(RunStateError, match="Aborted by bob: not now"):
        runs.journal.end_phase(run_id, "declare")
    assert not runs.journal.end_phase(run_id, "declare", "failed", "It was aborted.").changed
    assert not runs.journal.begin_phase(run_id, "preflight").go
    assert not runs.journal.abort(run_id, "bob", "again").changed


def test_after_the_point_of_no_return_nothing_is_aborted(runs: Runs) -> None:
    run_id = runs.begin("failover")
    runs.pass_until(run_id, "recovery_time")
    runs.journal.begin_phase(run_id, "commit")
    with pytest.raises(RunStateError, match="point of no return"):
        runs.journal.abort(run_id, "bob", "changed my mind")


# -- the verdict ----------------------------------------------------------------------------------------------


def note(**noted: t.Any) -> Change:
    return lambda runs, run_id: runs.journal.note(run_id, noted)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (note(checks=[{**PASS, "status": "failed", "reason": "HTTP 500"}]), "check login was failed: HTTP 500"),
        (note(checks=[{**PASS, "status": "skipped"}]), "check login was skipped."),
        (note(checks=[{**PASS, "mandatory": False, "status": "failed"}]), "check login was failed."),
        (note(checks=[{"name": "mail", "mandatory": True, "status": "skipped"}]), "check mail was skipped."),
        (note(isolation=[{"name": "egress", "mandatory": True, "status": "failed"}]), "check egress was failed."),
        (note(data_sets=[{"name": "shop", "kind": "database", "recovery_point": ago(7200)}]), "The RPO was missed: 7"),
        (note(data_sets=[{"name": "files", "kind": "files"}]), "The RPO was not measured."),
        (note(interruption=ago(20000)), "The RTO was missed: 2"),
        (
            note(objectives={"rto": {"achieved_seconds": 14401.0}}),
            "The RTO was missed: 14401 s instead of at most 14400",
        ),
        (note(cleanup={"left": ["record drill-shop"]}), "The clean-up left record drill-shop."),
        (note(cleanup={"status": "failed"}), "The clean-up failed."),
    ],
)
def test_what_makes_a_run_fail(runs: Runs, change: Change, words: str) -> None:
    run_id = runs.begin()
    runs.pass_until(run_id)
    assert runs.journal.read(run_id).shortcomings() == []
    change(runs, run_id)
    ended = runs.journal.finish(run_id).run
    assert ended.state == "failed"
    assert words in ended.document["reason"]
    assert ended.document["next_step"]
    assert not runs.journal.finish(run_id).changed


def test_a_mandatory_check_of_the_plan_without_a_result_fails_and_stops_no_clock(runs: Runs) -> None:
    run_id = runs.begin()
    runs.pass_until(run_id, "switch_traffic")
    runs.journal.begin_phase(run_id, "functional_tests")
    runs.journal.note(run_id, {"checks": [{**PASS, "name": "another"}]})
    runs.journal.end_phase(run_id, "functional_tests")
    faults = " ".join(runs.journal.read(run_id).shortcomings())
    assert "no result, which counts as skipped: login" in faults
    assert "The RTO was not measured." in faults


@pytest.mark.parametrize(("name", "plan_check"), [("login", ""), ("login/asset-bundle", ""), ("anything", "login")])
def test_how_results_are_told_to_belong_to_a_check_of_the_plan(runs: Runs, name: str, plan_check: str) -> None:
    run_id = runs.begin()
    runs.pass_until(run_id, "switch_traffic")
    runs.journal.begin_phase(run_id, "functional_tests")
    run = runs.journal.note(run_id, {"checks": [{**PASS, "name": name}]}, plan_check).run
    assert run.document["objectives"]["rto"]["met"] is True


def test_the_recovery_time_ends_when_all_had_passed_first_through_the_public_name(runs: Runs) -> None:
    run_id = runs.begin(interruption=ago(1000))
    runs.journal.note(run_id, {"checks": [{**PASS, "at": ago(900)}]})  # before the traffic was switched: not counted
    runs.pass_until(run_id, "switch_traffic")
    runs.journal.begin_phase(run_id, "functional_tests")
    other = {**PASS, "name": "page", "status": "failed", "at": ago(700)}
    run = runs.journal.note(run_id, {"checks": [{**PASS, "at": ago(700)}, other]}).run
    assert run.document["objectives"]["rto"] == {"target_seconds": 14400, "achieved_seconds": None, "met": False}
    assert "achieved_seconds" not in run.to_json()["objectives"]["rto"]
    start = run.document["interruption"]
    runs.journal.note(run_id, {"checks": [{**other, "status": "passed", "at": ago(400)}]})
    run = runs.journal.note(run_id, {"checks": [{**PASS, "at": ago(100)}]}).run
    assert start == run.document["interruption"]
    assert run.document["objectives"]["rto"]["achieved_seconds"] == pytest.approx(600, abs=2)


def test_what_is_noted_twice_is_there_once(runs: Runs) -> None:
    run_id = runs.begin()
    finding = {"severity": "low", "title": "Slow disk", "detail": "x", "remedy": "y", "phase": "restore_database"}
    noted = {
        "backup": {"backup_id": "b", "finished": "2026-11-25T04:15:00+01:00"},
        "traffic": [{"record": "shop.example.com", "old": ["192.0.2.1"]}],
        "findings": [finding, {**finding, "title": "Old image"}],
    }
    assert runs.journal.note(run_id, noted).changed
    assert not runs.journal.note(run_id, noted).changed
    runs.journal.note(run_id, {"traffic": [{"record": "shop.example.com", "undone": True}], "backup": {"size": 7}})
    document = runs.journal.note(run_id, {"findings": [{**finding, "severity": "high"}]}).run.document
    assert document["backup"] == {"backup_id": "b", "finished": "2026-11-25T03:15:00Z", "size": 7}
    assert document["traffic"] == [{"record": "shop.example.com", "old": ["192.0.2.1"], "undone": True}]
    assert [(one["id"], one["severity"]) for one in document["findings"]] == [("F1", "high"), ("F2", "low")]


@pytest.mark.parametrize(
    ("noted", "words"),
    [
        ({"data_set": []}, "Did you mean data_sets"),
        ({"checks": [{"status": "passed"}]}, "list of dictionaries with name"),
        ({"checks": "passed"}, "list of dictionaries with name"),
        ({"backup": []}, "not a dictionary"),
        ({"data_sets": [{"name": "x", "recovery_point": "yesterday"}]}, "time zone"),
        ({"interruption": "2026-11-25 03:15"}, "time zone"),
    ],
)
def test_what_cannot_be_noted(runs: Runs, noted: t.Any, words: str) -> None:
    run_id = runs.begin()
    with pytest.raises(InputError, match=words):
        runs.journal.note(run_id, noted)


def test_secrets_do_not_reach_the_journal(runs: Runs) -> None:
    run_id = runs.begin(scenario="see postgres://odoo:top-secret-1@db/shop")
    secrets = {"password": "top-secret-2", "nested": [{"api_key": "top-secret-3"}], "key_file": "/etc/key.pem"}
    runs.journal.begin_phase(run_id, "declare")
    runs.journal.end_phase(run_id, "declare", details=secrets)
    runs.journal.note(run_id, {"checks": [{**PASS, "evidence": secrets, "actual": "https://u:top-secret-4@h/"}]})
    text = (runs.folder / "shop" / run_id / "journal").read_text()
    assert "top-secret" not in text
    assert "(hidden)" in text
    assert "/etc/key.pem" in text


def test_a_dry_run_checks_and_writes_nothing(runs: Runs) -> None:
    dry = Journal(str(runs.folder), dry_run=True)
    assert dry.begin(Beginning("drill", small_plan(), "alice", GONE)).changed
    assert not runs.folder.exists()
    run_id = runs.begin()
    before = (runs.folder / "shop" / run_id / "journal").read_bytes()
    with pytest.raises(SiteTakenError):
        dry.begin(Beginning("drill", small_plan(), "alice", GONE))
    assert dry.begin_phase(run_id, "declare").run.status_of("declare") == "running"
    assert dry.note(run_id, {"checks": [PASS]}).changed
    assert dry.abort(run_id, "bob", "").run.state == "aborted"
    assert (runs.folder / "shop" / run_id / "journal").read_bytes() == before


def test_a_damaged_journal_is_named_and_never_taken_for_a_site_that_is_free(runs: Runs) -> None:
    run_id = runs.begin()
    runs.pass_until(run_id, "preflight")
    path = runs.folder / "shop" / run_id / "journal"
    lines = path.read_bytes().splitlines(keepends=True)
    for damaged in (
        lines[:1] + lines[2:],
        [lines[0].replace(b"alice", b"mallo"), *lines[1:]],
        [lines[0], b"x\n", *lines[1:]],
    ):
        path.write_bytes(b"".join(damaged))
        for attempt in (lambda: runs.journal.read(run_id), lambda: runs.begin("failover")):
            with pytest.raises(IntegrityError) as error:
                attempt()
            assert str(path) in error.value.message
    path.write_bytes(b"".join(lines))
    assert runs.journal.read(run_id).status_of("preflight") == "done"
