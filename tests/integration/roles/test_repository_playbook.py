# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks repository, verify and keys: who is believed, and what a second run does."""

from __future__ import annotations

import json

from .small_site import Site


def signers(site: Site) -> dict[str, list[bool]]:
    """By name, whether each signer of that name is retired, oldest first."""
    document = json.loads((site.repository / "repository.json").read_text())["document"]
    found: dict[str, list[bool]] = {}
    for entry in document["signers"]:
        found.setdefault(entry["name"], []).append(bool(entry["retired"]))
    return found


def test_a_second_run_changes_nothing(site):
    output = site.play_well("repository", "--forks=1")

    assert output.count("changed=0") == 3, output[-3000:]


def test_every_host_and_the_control_host_may_sign(site):
    assert signers(site) == {"administrator": [False], "control": [False], "one": [False], "two": [False]}


def test_a_new_identity_retires_the_old_one_and_old_backups_stay_valid(site):
    (site.folder / "one/etc/identity.pem").unlink()

    site.play_well("repository", "--limit=one")

    assert signers(site)["one"] == [True, False]
    assert signers(site)["two"] == [False]
    site.play_well("backup")
    site.play_well("verify", backup_verify_id="all")


def test_a_host_that_is_gone_is_retired(site):
    del site.hosts["two"]

    site.play_well("repository", repository_retired_hosts=["two"])

    assert signers(site)["two"] == [True]
    site.play_well("verify")


def test_verification_finds_a_lost_pack_and_tells(site, webhook):
    site.variables["backup_webhook"] = {"url": webhook.url}
    pack = next(path for path in sorted((site.repository / "packs").rglob("*")) if path.is_file())
    content = pack.read_bytes()
    pack.unlink()

    assert site.play("verify").code == 2

    notice = json.loads(webhook.wait_for(1)[0].body)
    assert notice["kind"] == "problem"
    assert pack.name in json.dumps(notice["problems"])

    pack.write_bytes(content)
    site.play_well("verify", backup_verify_mode="bytes")
    assert json.loads(webhook.wait_for(2)[1].body)["kind"] == "recovered"


def test_one_flipped_bit_is_found_by_reading_every_byte(site):
    pack = next(path for path in sorted((site.repository / "packs").rglob("*")) if path.is_file())
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.write_bytes(content)

    played = site.play("verify", backup_verify_mode="bytes")

    assert played.code == 2
    assert pack.name in played.output


def test_keys_are_never_replaced(site):
    keys = {path.name: path.read_bytes() for path in (site.folder / "control/etc").iterdir()}

    site.play_well("keys")

    assert {path.name: path.read_bytes() for path in (site.folder / "control/etc").iterdir()} == keys
