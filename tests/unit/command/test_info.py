# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity info``."""

from __future__ import annotations

from ansible_collections.dfr.continuity.plugins.module_utils._repository.keys import RecoveryKey
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

from .conftest import Command


def test_a_repository_tells_who_reads_and_who_writes(site: Site, command: Command) -> None:
    site.back_up(b"x" * 1000)
    ended = command.host("info", "--json")
    told = ended.document["repository"]
    assert ended.code == 0
    assert [one["fingerprint"] for one in told["recipients"]] == [site.recovery_key.recipient.fingerprint]
    assert [one["name"] for one in told["signers"]] == ["administrator", "db1"]
    assert told["packs"] == 1
    assert told["packs_bytes"] == sum(path.stat().st_size for path in site.objects("packs/"))
    assert told["backups"] == 1
    text = command.host("info").out
    assert site.recovery_key.recipient.fingerprint in text
    assert site.administrator.signer.fingerprint in text


def test_recovery_files_are_compared_with_what_was_put_there(site: Site, command: Command) -> None:
    site.configure(recovery_files={"continuity.pyz": b"program", "FORMAT.md": b"text"})
    assert command.host("info").code == 0
    (site.store / "recovery" / "continuity.pyz").write_bytes(b"another program")
    (site.store / "recovery" / "FORMAT.md").unlink()
    ended = command.host("info", "--json")
    assert ended.code == 1
    problems = {file["name"]: file["problem"] for file in ended.document["repository"]["recovery_files"]}
    assert "do not run it" in problems["recovery/continuity.pyz"]
    assert problems["recovery/FORMAT.md"] == "it is missing"


def test_a_backup(site: Site, command: Command) -> None:
    backup_id = site.back_up(b"x" * 1000)
    document = command.host("info", "latest", "--json").document
    assert document["backup"]["id"] == backup_id
    assert "db1.shop.dump  database  success" in command.host("info", backup_id).out


def test_a_part_and_with_the_recovery_key_its_streams(site: Site, command: Command) -> None:
    backup_id = site.back_up(b"x" * 1000)
    part = command.host("info", backup_id, "db1.shop.dump", "--json").document["part"]
    assert part["facts"] == {"version": 1}
    assert part["packs"]["count"] == 1
    assert [one["fingerprint"] for one in part["opened_by"]] == [site.recovery_key.recipient.fingerprint]
    assert part["streams"] is None
    part = command.person("info", backup_id, "db1.shop.dump", "--json").document["part"]
    assert part["streams"] == [{"name": "dump", "bytes": 1000}]
    assert "stream    dump, 1.0 kB" in command.person("info", "latest", "db1.shop.dump").out


def test_a_part_names_everybody_who_opens_it(site: Site, command: Command) -> None:
    other = RecoveryKey.generate()
    site.configure(recipients=(site.recovery_key.recipient, other.recipient))
    backup_id = site.back_up(b"x" * 1000)
    part = command.host("info", backup_id, "db1.shop.dump", "--json").document["part"]
    assert len(part["opened_by"]) == 2


def test_an_unknown_part_is_named(site: Site, command: Command) -> None:
    backup_id = site.back_up(b"x")
    ended = command.host("info", backup_id, "db1.other.dump")
    assert ended.code == 3
    assert "db1.other.dump" in ended.err
