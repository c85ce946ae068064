# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook backup when something is wrong: the rest is backed up, people are told, the exit code says so."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.tests.environment.notices import Mailbox, Webhook
from ansible_collections.dfr.continuity.tests.environment.processes import free_port

from .small_site import Site


@pytest.fixture
def told(site: Site, mailbox: Mailbox, webhook: Webhook) -> t.Iterator[tuple[Mailbox, Webhook]]:
    """The site sends notices here."""
    site.variables["backup_mail"] = {
        "to": ["ops@example.com"],
        "from": "backup@example.com",
        "host": mailbox.host,
        "port": mailbox.port,
        "secure": "never",
    }
    site.variables["backup_webhook"] = {"url": webhook.url, "headers": {"Authorization": "Bearer t0ken"}}
    return mailbox, webhook


def unreachable(folder: Path) -> dict[str, t.Any]:
    """Variables of a host that cannot be reached, without waiting for the network."""
    refusing = folder / "refusing-ssh"
    refusing.write_text("#!/bin/sh\necho 'connect to host gone port 22: No route to host' >&2\nexit 255\n")
    refusing.chmod(0o755)
    return {"ansible_connection": "ssh", "ansible_ssh_executable": str(refusing)}


def test_a_host_that_cannot_be_reached_is_partial_and_told_and_well_again(site, told):
    mailbox, webhook = told
    site.hosts["two"].update(unreachable(site.folder))

    played = site.play("backup")

    assert played.code == 2
    assert "No route to host" in played.output
    [message] = mailbox.wait_for(1)
    assert "incomplete" in message["Subject"]
    assert mailbox.recipients == [["ops@example.com"]]
    [request] = webhook.wait_for(1)
    notice = json.loads(request.body)
    assert (notice["kind"], notice["state"]) == ("problem", "partial")
    assert [(part["name"], part["host"], part["status"]) for part in notice["parts"]] == [
        ("two.data.files", "two", "failure")
    ]
    assert notice["parts"][0]["reason"].startswith("The host two could not be reached: ")
    assert request.headers["Authorization"] == "Bearer t0ken"
    good = {part["name"]: part["status"] for part in site.status["last_run"]["parts"]}
    assert good == {"one.data.files": "success", "two.data.files": "failure"}

    for name in ("ansible_connection", "ansible_ssh_executable"):
        del site.hosts["two"][name]
    site.play_well("backup")
    notice = json.loads(webhook.wait_for(2)[1].body)
    assert (notice["kind"], notice["state"]) == ("recovered", "success")
    assert "well again" in mailbox.wait_for(2)[1]["Subject"]

    site.play_well("backup")
    assert len(webhook.requests) == 2
    assert len(mailbox.messages) == 2


def test_no_host_can_be_reached(site, told):
    _mailbox, webhook = told
    for variables in site.hosts.values():
        variables.update(unreachable(site.folder))

    assert site.play("backup").code == 2

    assert json.loads(webhook.wait_for(1)[0].body)["state"] == "failure"
    assert site.status["state"] == "failure"


def test_every_part_of_a_host_that_cannot_be_reached_is_a_failed_one_and_no_other(site):
    site.hosts["two"].update(unreachable(site.folder))
    site.hosts["two"]["backup_odoo"] = [
        {"name": "shop", "database": "shop", "config": "/etc/odoo/odoo.conf"},
        {"name": "club", "database": "club", "parts": ["database"]},
    ]
    site.hosts["one"]["backup_odoo"] = [{"name": "lost", "database": "lost", "parts": ["database"], "filestore": "/x"}]

    assert site.play("backup").code == 2

    statuses = {part["name"]: part["status"] for part in site.status["last_run"]["parts"]}
    assert statuses == {
        "one.data.files": "success",
        "one.lost.database": "failure",
        "two.shop.database": "failure",
        "two.shop.filestore": "failure",
        "two.shop.config": "failure",
        "two.club.database": "failure",
        "two.data.files": "failure",
    }


def test_a_store_that_is_away_is_told_and_the_next_run_is_well_again(site, told):
    _mailbox, webhook = told
    away = site.repository.rename(site.folder / "away")

    played = site.play("backup")

    assert played.code == 2
    notice = json.loads(webhook.wait_for(1)[0].body)
    assert notice["state"] == "failure"
    assert str(site.repository) in notice["reason"]
    assert "does not exist" in notice["reason"]

    away.rename(site.repository)
    site.play_well("backup")
    assert json.loads(webhook.wait_for(2)[1].body)["kind"] == "recovered"


def test_one_part_that_fails_stops_no_other(site, told):
    _mailbox, webhook = told
    files = site.hosts["one"]["backup_files"]
    files.insert(0, {"name": "missing", "path": "/nowhere/at/all"})
    site.hosts["one"]["backup_databases"] = [
        {"name": "absent", "connection": {"host": "127.0.0.1", "port": 1, "user": "nobody", "connect_timeout": 2}}
    ]

    assert site.play("backup").code == 2

    statuses = {part["name"]: part["status"] for part in site.status["last_run"]["parts"]}
    assert statuses == {
        "one.absent.database": "failure",
        "one.missing.files": "failure",
        "one.data.files": "success",
        "two.data.files": "success",
    }
    reasons = {part["name"]: part["reason"] for part in json.loads(webhook.wait_for(1)[0].body)["parts"]}
    assert "/nowhere/at/all" in reasons["one.missing.files"]
    assert "127.0.0.1" in reasons["one.absent.database"]


def test_a_partial_backup_can_be_let_pass_and_is_told_nevertheless(site, told):
    _mailbox, webhook = told
    site.hosts["one"]["backup_files"].append({"name": "missing", "path": "/nowhere/at/all"})

    site.play_well("backup", backup_partial_fails=False)

    assert json.loads(webhook.wait_for(1)[0].body)["state"] == "partial"


def test_a_host_with_nothing_to_back_up_is_a_failed_one(site):
    site.hosts["two"] = {}

    played = site.play("backup")

    assert played.code == 2
    assert "Nothing of two is to be backed up" in played.output
    parts = {part["name"]: part for part in site.status["last_run"]["parts"]}
    assert parts["one.data.files"]["status"] == "success"
    assert "backup_odoo" in parts["two"]["reason"]


def test_an_option_that_is_wrong_fails_its_host_only(site):
    site.hosts["two"]["backup_files"][0]["knid"] = "file"

    played = site.play("backup")

    assert played.code == 2
    assert "knid" in played.output
    statuses = {part["name"]: part["status"] for part in site.status["last_run"]["parts"]}
    assert statuses == {"one.data.files": "success", "two": "failure"}


def test_a_control_host_that_is_not_prepared_is_told(site, told):
    _mailbox, webhook = told
    (site.folder / "control/etc/identity.pem").unlink()

    played = site.play("backup", backup_partial_fails=False)

    # The parts are there, but without a summary they are no backup: that is not let pass.
    assert played.code == 2
    notice = json.loads(webhook.wait_for(1)[0].body)
    assert (notice["kind"], notice["state"]) == ("problem", "partial")
    assert "identity.pem" in notice["reason"]


def test_a_control_host_without_its_environment_is_told(site, told):
    _mailbox, webhook = told
    site.variables["runtime_folder"] = "/nowhere/at/all"
    for variables in site.hosts.values():
        variables["runtime_folder"] = f"{site.folder}/runtime"

    played = site.play("backup")

    assert played.code == 2
    notice = json.loads(webhook.wait_for(1)[0].body)
    assert notice["kind"] == "problem"
    assert "/nowhere/at/all" in notice["reason"]
    assert "dfr.continuity.repository" in notice["next_step"]


def test_a_webhook_that_refuses_stops_no_mail_and_is_a_failure(site, told):
    mailbox, webhook = told
    webhook.status = 500
    site.hosts["two"].update(unreachable(site.folder))

    played = site.play("backup", backup_partial_fails=False)

    assert len(mailbox.wait_for(1)) == 1
    assert played.code == 2
    assert "The webhook could not be told" in played.output
    assert webhook.url not in played.output


def test_mail_that_cannot_be_sent_stops_no_webhook_and_is_a_failure(site, told):
    _mailbox, webhook = told
    site.variables["backup_mail"]["port"] = free_port()
    site.hosts["two"].update(unreachable(site.folder))

    played = site.play("backup", backup_partial_fails=False)

    assert len(webhook.wait_for(1)) == 1
    assert played.code == 2
    assert "No e-mail could be sent" in played.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"continuity_hosts": "nobody"}, 'No host of "nobody" is in the inventory'),
        ({"continuity_hosts": "two:!two"}, 'No host of "two:!two" is in the inventory'),
    ],
)
def test_a_group_without_hosts_is_an_error(site, options, said):
    played = site.play("backup", **options)

    assert played.code == 2
    assert said in played.output


def test_a_limit_that_leaves_no_host_is_an_error(site):
    played = site.play("backup", "--limit=control")

    assert played.code == 2
    assert "within --limit control" in played.output


def test_a_limit_backs_up_what_it_names(site):
    site.play_well("backup", "--limit=two")

    assert [part["name"] for part in site.status["last_run"]["parts"]] == ["two.data.files"]


def test_check_mode_writes_nothing_and_finds_what_is_wrong(site):
    def objects() -> set[Path]:
        return {path for path in site.repository.rglob("*") if path.is_file()}

    before, status = objects(), site.status
    assert "Nothing stands in the way of a backup of continuity" in site.play_well("backup", "--check")
    assert (objects(), site.status) == (before, status)

    site.hosts["one"]["backup_files"].append({"name": "missing", "path": "/nowhere/at/all"})
    played = site.play("backup", "--check")
    assert played.code == 2
    assert "/nowhere/at/all" in played.output
    assert (objects(), site.status) == (before, status)
