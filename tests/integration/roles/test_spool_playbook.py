# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity_repository.spool`` in the playbook backup: told while the store is away, whole when it is back."""

from __future__ import annotations

import json

from .small_site import Site


def with_spool(site: Site, **spool: str) -> None:
    repository = site.inventory()["all"]["vars"]["continuity_repository"]
    site.variables["continuity_repository"] = {**repository, "spool": spool}


def test_a_store_that_is_away_for_a_night(site):
    with_spool(site, path=str(site.folder / "spool"), limit="1GiB")
    site.play_well("backup")
    site.repository.rename(site.folder / "away")

    played = site.play("backup")

    assert played.code == 2
    assert "wait in spools and are NOT offsite" in played.output
    assert "is NOT OFFSITE." in played.output
    night = site.status["last_run"]
    assert (night["status"], night["spooled_bytes"] > 0) == ("partial", True)
    assert {part["name"]: part["status"] for part in night["parts"]} == {
        "one.data.files": "partial",
        "two.data.files": "partial",
    }
    assert all("NOT offsite" in part["reason"] for part in night["parts"])
    assert not site.repository.exists()

    (site.folder / "away").rename(site.repository)
    site.play_well("backup")
    assert (site.status["state"], site.status["last_run"]["spooled_bytes"]) == ("success", 0)
    assert not list((site.folder / "spool").glob("*/*%*"))
    output = site.play_well("verify", backup_verify_id="all")
    assert night["backup_id"] in output
    folder = site.folder / "restored"
    site.hosts["two"].update(restore_from="one", restore_files=[{"name": "data", "path": str(folder)}])
    site.play_well("restore", "--limit=two", restore_backup=night["backup_id"])
    assert (folder / "letter.txt").read_text() == "Dear one"


def test_the_option_reaches_the_configuration_of_the_command_and_is_checked(site):
    with_spool(site, path=str(site.folder / "spool"), limit="1GiB")
    site.variables["runtime_command"] = str(site.folder / "continuity")
    site.play_well("repository", "--forks=1")
    configured = json.loads((site.folder / "one/etc/continuity.json").read_text())["repository"]
    assert configured["spool"] == {"path": str(site.folder / "spool"), "limit": "1GiB"}

    with_spool(site, path=str(site.folder / "spool"))
    played = site.play("backup")
    assert played.code == 2
    assert "limit" in played.output
