# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan and the journal of drills through the modules, as playbooks use them."""

from __future__ import annotations

import copy
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.dfr.continuity.plugins.module_utils._drill.journal import Journal
from ansible_collections.dfr.continuity.plugins.module_utils._drill.phases import phases_of
from ansible_collections.dfr.continuity.tests.environment.processes import wait_until

from .playing import CHECKOUT, Ansible, check_documented

BACKUP = "20261122T050301Z-1f2e3d4c"
HOSTS = ["odoo.example.com", "db.example.com", "dr1.example.com", "dr2.example.com"]


@pytest.fixture
def plan():
    """The plan of the example inventory."""
    return yaml.safe_load((CHECKOUT / "inventories" / "example" / "dr_plan.yml").read_text())["dr_plan"]


@pytest.fixture
def small(plan):
    """The same with one mandatory check."""
    plan["services"] = [service for service in plan["services"] if service["name"] == "odoo"]
    plan["services"][0]["checks"] = plan["services"][0]["checks"][:1]
    plan["databases"], plan["traffic"] = plan["databases"][:1], []
    plan["drill"] = {}
    return plan


def check(plan, name="plan", **options):
    return {"name": name, "ignore_errors": True, "dfr.continuity.dr_plan": {"plan": plan, **options}}


def test_a_plan_is_validated_as_a_whole(ansible, plan):
    faulty = copy.deepcopy(plan)
    faulty["services"][1]["host"] = "dr9.example.com"
    faulty["services"][0]["environment"]["DB_PASSWORD"] = "hunter2-hunter2"
    faulty["drill"]["databases"]["shop"] = "shop"
    faulty["tarffic"] = []
    played = ansible.play(
        check(plan, "good", inventory_hosts=HOSTS),
        check(faulty, "faulty", inventory_hosts=HOSTS),
        check(plan, "variables", variables=["vault_dns_key"]),
        {"name": "none", "ignore_errors": True, "dfr.continuity.dr_plan": {}},
        options=["-vvv"],
    )
    good, faulty, variables = played["good"], played["faulty"], played["variables"]
    for result in (good, faulty, variables):
        check_documented("dr_plan", {key: value for key, value in result.items() if key not in _GENERATED})
    assert not good["changed"]
    assert good["plan"]["objectives"] == {"rto": 14400, "rpo": 900}
    assert len(good["sha256"]) == 64
    assert [fault["path"] for fault in faulty["faults"]] == [
        "tarffic",
        "services[0].environment.DB_PASSWORD",
        "services[1].host",
        "drill.databases.shop.database",
    ]
    assert faulty["error"] == "PlanError"
    assert "The plan has 4 faults" in faulty["msg"]
    assert "Did you mean dr" in faulty["msg"]
    assert "hunter2" not in played.output
    assert {fault["reason"] for fault in variables["faults"]} == {"There is no such variable."}
    assert "No plan was given" in played["none"]["reason"]


def test_the_command_of_the_documentation_validates_the_example(ansible):
    lines = (CHECKOUT / "docs" / "disaster-recovery.md").read_text().split("    ansible localhost ")[1].split("\n\n")[0]
    ansible.directory.joinpath("inventory.yml").write_text(json.dumps({"all": {"hosts": dict.fromkeys(HOSTS)}}))
    shutil.copy(CHECKOUT / "inventories" / "example" / "dr_plan.yml", ansible.directory)
    program = Path(sys.executable).with_name("ansible")
    arguments = [one for one in shlex.split(lines) if one.strip()]
    done = subprocess.run(
        [program, "localhost", *arguments],
        cwd=ansible.directory,
        env=ansible.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"sha256": "' in done.stdout


_GENERATED = {"backup_id", "text", "undecided", "file"}


def test_a_first_plan_is_made_from_a_backup(ansible, installation, tmp_path):
    root = tmp_path / "addons"
    root.mkdir()
    (root / "file.py").write_text("content")
    file = tmp_path / "dr_plan.yml"

    def generate(name, **options):
        arguments = {"state": "generated", "name": "shop", "inventory_hosts": ["db1", "dr1"], **options}
        return {"name": name, "ignore_errors": True, "dfr.continuity.dr_plan": arguments}

    played = ansible.play(
        {
            "name": "files",
            "register": "files",
            "dfr.continuity.file_backup": {"backup_id": BACKUP, "part": "db1.shop.addons", "path": str(root)},
        },
        {
            "name": "summary",
            "dfr.continuity.backup_summary": {
                "backup_set": "shop",
                "backup_id": BACKUP,
                "parts": "{{ [files.outcome] }}",
            },
        },
        generate("look"),
        generate("write", file=str(file), addresses={"dr1": "198.51.100.10"}),
        generate("again", file=str(file)),
        generate("overwrite", file=str(file), overwrite=True),
        generate("unknown", backup_id="20200101T000000Z-00000000"),
    )
    write, again = played["write"], played["again"]
    check_documented("dr_plan", {key: value for key, value in write.items() if key != "sha256"})
    assert not played["look"]["changed"]
    assert (write["changed"], played["overwrite"]["changed"]) == (True, True)
    assert write["backup_id"] == BACKUP
    assert again["failed"]
    assert "somebody may have worked on it" in again["reason"]
    assert played["unknown"]["failed"]
    assert file.read_text() == played["overwrite"]["text"]
    assert yaml.safe_load(write["text"])["dr_plan"] == write["plan"]
    assert write["plan"]["files"][0] == {
        "name": "shop-addons",
        "part": "db1.shop.addons",
        "host": "dr1",
        "path": "/srv/shop/shop-addons",
    }
    assert write["plan"]["sites"]["dr"]["hosts"] == [{"name": "dr1", "address": "198.51.100.10"}]
    assert all(fault["reason"] == "It is not decided yet." for fault in write["undecided"])


def journal(name, **options):
    return {"name": name, "register": name, "ignore_errors": True, "dfr.continuity.dr_journal": options}


def test_a_drill_from_its_beginning_to_its_verdict(ansible, small, tmp_path):
    state = {"state_dir": str(tmp_path / "drills")}
    ansible.defaults = {"dfr.continuity.dr_journal": state}
    begin = {"action": "begin", "mode": "drill", "plan": small, "started_by": "alice", "approved_by": "bob"}
    planned = ansible.play(journal("planned", **begin), options=["--check"])
    assert planned["planned"]["changed"]
    assert not Path(state["state_dir"]).exists()

    run = {"run_id": "{{ begin.run_id }}"}
    checks = [{"name": "odoo-login", "service": "odoo", "mandatory": True, "status": "failed", "reason": "HTTP 500"}]
    played = ansible.play(
        journal("begin", **begin),
        journal("second", **{**begin, "started_by": "carol"}),
        journal("failover", **{**begin, "mode": "failover"}),
        journal("phase", action="phase", phase="declare", step="begin", **run),
        journal("note", action="note", checks=checks, data_sets=[], **run),
        journal("end", action="phase", phase="declare", step="end", details={"password": "top-secret"}, **run),
        journal("repeat", action="phase", phase="declare", step="begin", **run),
        journal("early", action="phase", phase="start_services", step="begin", **run),
        journal("finish", action="finish", **run),
        journal("read", action="read", site="shop"),
        journal("nothing", action="read", site="other"),
        options=["-v"],
    )
    names = ("begin", "second", "phase", "note", "end", "repeat", "early", "finish", "read", "nothing")
    for name in names:
        check_documented("dr_journal", {**({"runs": []} if not played[name].get("failed") else {}), **played[name]})
    assert played["begin"]["state"] == "running"
    assert (played["phase"]["needed"], played["repeat"]["needed"]) == (True, False)
    for refused in (played["second"], played["failover"]):
        assert refused["error"] == "SiteTakenError"
        assert played["begin"]["run_id"] in refused["reason"]
        assert "alice began it at" in refused["reason"]
    assert "works on it." in played["second"]["reason"]
    assert "Abort the drill first" in played["failover"]["next_step"]
    assert "comes before it, has not run" in played["early"]["reason"]
    assert played["finish"]["state"] == "failed"
    assert "The mandatory check odoo-login was failed: HTTP 500" in played["finish"]["shortcomings"]
    assert played["read"]["document"]["state"] == "failed"
    assert played["read"]["document"]["approved_by"] == "bob"
    assert [one["id"] for one in played["read"]["runs"]] == [played["begin"]["run_id"]]
    assert played["nothing"]["error"] == "ObjectMissingError"
    stored = next(Path(state["state_dir"]).rglob("journal")).read_text()
    assert "top-secret" not in stored + json.dumps(played["read"])


def test_a_playbook_killed_at_random_moments_is_resumed_to_its_end(ansible, small, tmp_path):
    state = str(tmp_path / "drills")
    work, gate = tmp_path / "work", tmp_path / "gate"
    ansible.defaults = {"dfr.continuity.dr_journal": {"state_dir": state}}
    begun = ansible.play(journal("begin", action="begin", mode="drill", plan=small))
    run_id = begun["begin"]["run_id"]
    passed = [{"name": "odoo-login", "mandatory": True, "status": "passed"}]
    restored = [{"name": "shop", "kind": "database", "recovery_point": begun["begin"]["document"]["interruption"]}]
    notes = {"functional_tests": {"checks": passed}, "recovery_point": {"data_sets": restored}}

    def steps(phase):
        step = {"action": "phase", "run_id": run_id, "phase": phase}
        yield {**journal(phase, step="begin", **step), "ignore_errors": False}
        yield {"ansible.builtin.shell": f"echo {phase} >> {work}", "when": f"{phase}.needed"}
        if phase in notes:
            yield {"dfr.continuity.dr_journal": {"action": "note", "run_id": run_id, **notes[phase]}}
        yield {"dfr.continuity.dr_journal": {**step, "step": "end"}}

    resume = journal("resume", action="resume", run_id=run_id, plan=small)
    finish = journal("finish", action="finish", run_id=run_id)
    waiting = {"ansible.builtin.wait_for": {"path": str(gate), "timeout": 120, "sleep": 1}}
    tasks = [resume, waiting, *(task for phase in phases_of("drill") for task in steps(phase)), finish]
    file = next(Path(state).rglob("journal"))

    def start():
        return subprocess.Popen(
            ansible.command(tasks),
            cwd=ansible.directory,
            env=ansible.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def lines():
        return file.read_bytes().count(b"\n")

    # While a playbook works on it, it is not taken away; the process that is named is that playbook.
    playbook = start()
    try:
        wait_until(lambda: lines() >= 2, "the run to be resumed")
        (tmp_path / "other").mkdir()
        other = Ansible(tmp_path / "other", ansible.environment["ANSIBLE_COLLECTIONS_PATH"])
        other.defaults = ansible.defaults
        refused = other.play(resume)["resume"]
        assert refused["error"] == "RunStateError"
        assert f"The process {playbook.pid} on" in refused["reason"]
    finally:
        os.killpg(playbook.pid, signal.SIGKILL)
        playbook.communicate()
    gate.touch()

    seed = int.from_bytes(os.urandom(4), "big")
    chance = random.Random(seed)
    for _number in range(2):
        goal = lines() + chance.randrange(2, 8)
        playbook = start()
        try:
            wait_until(lambda goal=goal, one=playbook: lines() >= goal or one.poll() is not None, "some phases")
        finally:
            if playbook.poll() is None:
                os.killpg(playbook.pid, signal.SIGKILL)
            playbook.communicate()
    last = Journal(state).read(run_id)
    if not last.closed:
        playbook = start()
        output = playbook.communicate()[0]
        assert playbook.returncode == 0, f"seed {seed}: {output}"
        last = Journal(state).read(run_id)
    # Clean-up is known to be done by its phase; everything else was noted.
    assert last.state == "passed", f"seed {seed}: {last.shortcomings()}"
    assert {phase["status"] for phase in last.document["phases"]} == {"done"}
    interrupted = [one for phase in last.document["phases"] for one in phase["attempts"] if one["status"] != "done"]
    counts = [work.read_text().split().count(phase) for phase in phases_of("drill")]
    assert all(1 <= count <= 3 for count in counts), f"seed {seed}"
    assert sum(counts) - len(counts) <= len(interrupted), f"seed {seed}"
