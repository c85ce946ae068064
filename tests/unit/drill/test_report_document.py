# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run document: its schema, and every fault of a wrong one named."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import jsonschema
import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._drill.report.json_schema import faults
from ansible_collections.dfr.continuity.plugins.module_utils._drill.report.run_document import (
    checked_run,
    read_run,
    run_faults,
)
from ansible_collections.dfr.continuity.plugins.module_utils._drill.report.run_schema import RUN_SCHEMA
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError

from .runs import FOLDER, NAMES, example

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/run.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def _set(*path):
    *way, last, value = path

    def change(run):
        place = run
        for step in way:
            place = place[step]
        place[last] = value

    return change


def _drop(*path):
    def change(run):
        place = run
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


WRONG = [
    (_drop("site"), "site is missing."),
    (_drop("state"), "state is missing."),
    (_drop("phases", 2, "status"), "phases[2].status is missing."),
    (_set("schema", "dfr.continuity/run/2"), "schema is 'dfr.continuity/run/2', not dfr.continuity/run/1."),
    (_set("mode", "exercise"), "mode is 'exercise', not one of drill, failover, failback."),
    (_set("state", ["passed"]), "state is ['passed'], not one of running, passed, failed, aborted."),
    (_set("id", "../../etc"), "id is '../../etc', which does not have the form"),
    (_set("site", ""), "site is empty."),
    (_set("fases", []), "fases is not known."),
    (_set("phases", {}), "phases is {}, not a list."),
    (_set("phases", 0, "name", 3), "phases[0].name is 3, not a text."),
    (_set("phases", 1, "attempts", 0, "startet", "x"), "phases[1].attempts[0].startet is not known."),
    (_set("started", "2026-11-25 03:15:00"), "started is '2026-11-25 03:15:00', which does not have the form"),
    (_set("checks", 1, "mandatory", 1), "checks[1].mandatory is 1, not true or false."),
    (_set("checks", 0, "seconds", -1), "checks[0].seconds is -1, less than 0."),
    (_set("checks", 0, "seconds", True), "checks[0].seconds is True, not a number."),
    (_set("isolation", 0, "status", "ok"), "isolation[0].status is 'ok', not one of passed, failed, skipped."),
    (_set("data_sets", 0, "size", 1.5), "data_sets[0].size is 1.5, not a whole number."),
    (_set("data_sets", 0, "kind", "bucket"), "data_sets[0].kind is 'bucket', not one of database, files, objects."),
    (_set("objectives", "rto", "met", "yes"), "objectives.rto.met is 'yes', not true or false."),
    (_set("cleanup", "left", [1]), "cleanup.left[0] is 1, not a text."),
    (_set("plan", "sha256", "abc"), "plan.sha256 is 'abc', which does not have the form"),
    (_set("traffic", 0, "new", "192.0.2.1"), "traffic[0].new is '192.0.2.1', not a list."),
]


def test_the_page_is_the_schema_that_is_used():
    assert SCHEMA == RUN_SCHEMA
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_are_right(name):
    run = read_run(str(FOLDER / f"{name}.json"))
    assert run_faults(run) == []
    VALIDATOR.validate(run)


@pytest.mark.parametrize(("change", "sentence"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_a_fault_is_named_with_its_place(change, sentence):
    run = example("passed")
    change(run)
    (found,) = run_faults(run)
    assert found.startswith(sentence)
    assert len(list(VALIDATOR.iter_errors(run))) == 1


def test_every_fault_is_named_at_once():
    run = example("passed")
    # These do not get in each other's way.
    wrong = [WRONG[number] for number in (1, 4, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 19, 20, 21, 22)]
    for change, _sentence in wrong:
        change(run)
    with pytest.raises(InputError) as caught:
        checked_run(run)
    assert [sentence for _change, sentence in wrong if sentence not in caught.value.message] == []
    assert caught.value.message.startswith(f"The run document has {len(wrong)} faults: ")
    assert caught.value.next_step


@pytest.mark.parametrize("document", [None, [], "run", 3, {}])
def test_what_is_no_run_document_at_all(document):
    with pytest.raises(InputError):
        checked_run(document)


def test_null_is_not_known_but_stays_in_what_is_not_ours():
    run = example("passed")
    run["approved_by"] = run["finished"] = None
    run["checks"][0].update(evidence={"answer": None}, reason=None, actual=None)
    run["plan"]["document"]["ttl"] = None
    known = checked_run(run)
    assert "approved_by" not in known
    assert "finished" not in known
    assert "reason" not in known["checks"][0]
    assert known["checks"][0]["evidence"] == {"answer": None}
    assert known["plan"]["document"]["ttl"] is None


def test_what_checks_return_besides_is_kept():
    run = example("passed")
    run["checks"][0]["trace"] = "abc"
    run["traffic"][0]["ttl"] = 60
    assert checked_run(run)["checks"][0]["trace"] == "abc"


def test_a_journal_that_has_only_begun():
    run = {key: example("passed")[key] for key in ("schema", "id", "mode", "site", "started")}
    run.update(state="running", phases=[], backup={}, cleanup={}, objectives={"rto": {"achieved_seconds": None}})
    assert run_faults(checked_run(run)) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_set("started", "2026-06-31T00:00:00Z"), "started is '2026-06-31T00:00:00Z', which is no date."),
        (_set("data_sets", 1, "recovery_point", "2026-02-30T00:00:00Z"), "data_sets[1].recovery_point is"),
        (_set("phases", 0, "attempts", 0, "finished", "2026-11-25T25:00:00Z"), "phases[0].attempts[0].finished is"),
        (_set("finished", "2026-11-25T03:14:59Z"), "The run finished (2026-11-25T03:14:59Z) before it started"),
        (_set("phases", 2, "attempts", 0, "finished", "2026-11-24T00:00:00Z"), "Attempt 1 of the phase activate_site"),
        (_set("phases", 1, "name", "declare"), "The phase declare is there twice."),
    ],
)
def test_what_no_schema_can_say(change, sentence):
    run = example("passed")
    change(run)
    (found,) = run_faults(run)
    assert found.startswith(sentence)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none(number):
    run = example("passed")
    run["objectives"]["rto"]["achieved_seconds"] = number
    assert run_faults(run) == [f"objectives.rto.achieved_seconds is {number}, not a number."]


def test_a_line_break_does_not_slip_into_an_id():
    run = example("passed")
    run["id"] += "\n"
    assert len(run_faults(run)) == 1


def test_a_schema_with_something_unknown_is_refused():
    with pytest.raises(ValueError, match="maxLength"):
        faults("x", {"type": "string", "maxLength": 3})


def test_files_that_cannot_be_used(tmp_path):
    path = tmp_path / "run.json"
    for content in (None, b"{", b"\xff\xfe", b"[" * 100_000):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_run(str(path))
        assert str(path) in caught.value.message


def test_checking_changes_nothing():
    run = example("failed")
    before = copy.deepcopy(run)
    checked_run(run)
    assert run == before
