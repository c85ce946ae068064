# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module dr_report: from the run document to the e-mail and to a copy in the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .playing import CHECKOUT, check_documented

EXAMPLES = CHECKOUT / "tests/unit/drill/examples"
FILES = ["SHA256SUMS", "report.html", "report.json", "report.md"]
PASSED, FAILED = "20261125T031500Z-ab12cd34", "20261126T140000Z-fa11ed00"
PASSWORD = "correct-horse-7"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "drills"


def task(folder, name, run, **more):
    where = {"run": run} if isinstance(run, dict) else {"run_file": str(run)}
    options = {"folder": str(folder), "log_file": str(folder.parent / "log"), **where, **more}
    return {"name": name, "ignore_errors": True, "dfr.continuity.dr_report": options}


def example(name):
    return json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def listed(installation):
    """What ``continuity list`` says."""
    repository = installation.repository
    code = (
        "import sys; from ansible_collections.dfr.continuity.plugins.module_utils._command.main import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            "list",
            "--json",
            "--repository",
            repository["location"],
            "--trust",
            repository["trust"][0],
            "--identity",
            repository["identity_file"],
            "--host",
            "db1",
            "--cache-dir",
            repository["cache_dir"],
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_drill_is_reported_told_and_kept(ansible, installation, folder, mailbox, tmp_path):
    kept = {"repository": installation.repository, "secrets": [PASSWORD]}
    run = example("passed")
    run["checks"][0]["evidence"]["answer"] = f"logged in with {PASSWORD}"
    played = ansible.play(
        task(folder, "earlier", EXAMPLES / "earlier-2026-08.json"),
        {**task(folder, "report", run, **kept), "register": "report"},
        {
            "name": "mail",
            "community.general.mail": {
                "host": mailbox.host,
                "port": mailbox.port,
                "secure": "never",
                "from": "drill@example.com",
                "to": "management@example.com",
                "subject": "{{ report.subject }}",
                "body": "{{ report.body }}",
                "charset": "utf-8",
                "attach": ["{{ report.files.html }}"],
            },
        },
        {
            "name": "restore",
            "dfr.continuity.file_restore": {
                "backup_id": "{{ report.backup_id }}",
                "part": "{{ report.part }}",
                "path": str(tmp_path / "restored"),
                "recovery_key": installation.recovery_key,
            },
        },
        options=["-vvv"],
    )
    assert played.code == 0, played.output
    result = played["report"]
    check_documented("dr_report", result)
    check_documented("dr_report", played["earlier"])
    assert (result["changed"], result["status"], result["run_id"]) == (True, "passed", PASSED)
    assert result["plan_proved"]
    assert [one["subject"] for one in result["regressions"]] == ["restore_files"]
    assert {one["id"] for one in result["findings"]} == {
        "phase-repeated:restore_files",
        "regression:phase:restore_files",
    }
    assert played["earlier"]["backup_id"] is None

    (message,) = mailbox.wait_for(1)
    assert message["Subject"] == "Disaster-recovery drill shop passed"
    assert result["sha256"]["html"] in message.get_body(("plain",)).get_content()
    (attached,) = message.iter_attachments()
    assert attached.get_content() == Path(result["files"]["html"]).read_bytes()

    assert sorted(os.listdir(tmp_path / "restored")) == FILES
    for name in FILES:
        assert (tmp_path / "restored" / name).read_bytes() == (folder / PASSED / name).read_bytes()
        assert PASSWORD.encode() not in (folder / PASSED / name).read_bytes()
    assert PASSWORD not in played.output + (tmp_path / "log").read_text()

    (backup,) = listed(installation)["backups"]
    assert (backup["id"], backup["status"]) == (result["backup_id"], "success")
    assert "db1.drills.report" in json.dumps(backup)
    readable = [path for path in Path(installation.repository["location"]).rglob("*") if path.is_file()]
    assert readable
    assert not [path for path in readable if b"odoo.drill.example.com" in path.read_bytes()]
    assert "backup_set=drills" in (tmp_path / "log").read_text()


def test_a_failed_drill_is_a_task_that_worked(ansible, folder):
    first = ansible.play(task(folder, "report", EXAMPLES / "failed.json"))
    again = ansible.play(task(folder, "report", EXAMPLES / "failed.json"))
    assert (first.code, again.code) == (0, 0)
    assert (first["report"]["changed"], again["report"]["changed"]) == (True, False)
    assert first["report"]["status"] == "failed"
    assert first["report"]["subject"] == "Disaster-recovery drill shop FAILED: 5 findings of high severity"
    assert sorted(os.listdir(folder / FAILED)) == FILES
    due = {one["id"]: one["due"] for one in first["report"]["findings"]}
    assert due["rpo-missed"] == "2026-12-03"


def test_check_mode_makes_it_and_writes_nothing(ansible, installation, folder):
    kept = {"repository": installation.repository, "due_days": {"high": 3}}
    played = ansible.play(task(folder, "report", EXAMPLES / "failed.json", **kept), options=["--check"])
    result = played["report"]
    check_documented("dr_report", result)
    assert (result["changed"], result["backup_id"], result["status"]) == (True, None, "failed")
    assert {one["due"] for one in result["findings"] if one["severity"] == "high"} == {"2026-11-29"}
    assert not folder.exists()
    assert listed(installation)["backups"] == []


def test_every_fault_of_a_document_is_named(ansible, folder):
    run = example("passed")
    del run["state"]
    run["phases"][3]["status"] = "fine"
    result = ansible.play(task(folder, "report", run))["report"]
    check_documented("dr_report", result)
    assert result["error"] == "InputError"
    assert "state is missing." in result["reason"]
    assert "phases[3].status is 'fine'" in result["reason"]
    assert not folder.exists()


def test_an_earlier_report_that_is_broken_is_a_warning(ansible, folder):
    (folder / "20260101T000000Z-00000000").mkdir(parents=True)
    (folder / "20260101T000000Z-00000000" / "report.json").write_text("{")
    result = ansible.play(task(folder, "report", EXAMPLES / "passed.json"))["report"]
    assert not result.get("failed")
    assert "20260101T000000Z-00000000/report.json is not JSON" in result["warnings"][0]


def test_when_the_repository_is_away_the_report_is_there(ansible, installation, folder):
    shutil.rmtree(installation.repository["location"])
    kept = {"repository": installation.repository}
    result = ansible.play(task(folder, "report", EXAMPLES / "passed.json", **kept))["report"]
    check_documented("dr_report", result)
    assert result["failed"]
    assert installation.repository["location"] in result["reason"]
    assert result["next_step"]
    assert result["subject"] == "Disaster-recovery drill shop passed"
    assert sorted(os.listdir(folder / PASSED)) == FILES
    assert result["backup_id"] is None
