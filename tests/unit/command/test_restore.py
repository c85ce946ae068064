# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity backup files``, ``restore`` and ``files``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._files.backup import backup_file
from ansible_collections.dfr.continuity.plugins.module_utils._repository.encoding import new_backup_id
from ansible_collections.dfr.continuity.plugins.module_utils._repository.summary import PartOutcome, close_backup
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

from .conftest import Command

FIRST, SECOND = "20260101T000000Z-00000001", "20260102T000000Z-00000002"
PART = "db1.tree.tree"


@pytest.fixture
def tree(site: Site) -> Path:
    root = site.root / "tree"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_text("alpha")
    (root / "sub" / "b.txt").write_text("beta")
    (root / "sub" / "c.bin").write_bytes(os.urandom(100_000))
    (root / "link").symlink_to("a.txt")
    return root


@pytest.fixture
def out(site: Site) -> Path:
    return site.root / "out"


def _close(site: Site, backup_id: str, *outcomes: PartOutcome) -> None:
    with site.open() as repository:
        close_backup(repository, backup_id, outcomes)


# Backing up


def test_a_backup_of_files_is_closed_and_told(command: Command, tree: Path) -> None:
    ended = command.host("backup", "files", tree, "--json")
    document = ended.document
    assert ended.code == 0
    assert (document["status"], document["part"], document["kind"]) == ("success", PART, "tree")
    assert document["facts"]["files"] == 3
    assert command.host("list", "--json").document["latest_valid"] == document["backup"]


def test_an_excluded_file_is_not_in_it(command: Command, tree: Path) -> None:
    command.host("backup", "files", tree, "--exclude", "*.bin", "--exclude", "/link")
    listed = command.person("files", "latest", PART).out
    assert "sub/b.txt" in listed
    assert "c.bin" not in listed
    assert "link" not in listed


def test_a_part_of_somebody_elses_backup_is_not_closed(site: Site, command: Command, tree: Path) -> None:
    backup_id = new_backup_id()
    ended = command.host("backup", "files", tree, "--backup-id", backup_id, "--part", "db1.x.tree", "--json")
    assert (ended.document["backup"], ended.document["status"]) == (backup_id, None)
    [backup] = command.host("list", "--json").document["backups"]
    assert backup["status"] == "unfinished"


def test_a_backup_that_fails_is_kept_as_a_failure(site: Site, command: Command) -> None:
    ended = command.host("backup", "files", site.root / "missing")
    assert ended.code == 5
    assert "missing does not exist" in ended.err
    listed = command.host("list", "--json")
    assert listed.code == 1
    [backup] = listed.document["backups"]
    assert backup["status"] == "failure"
    assert "missing does not exist" in backup["parts"][0]["reason"]


def test_a_backup_needs_an_identity(site: Site, command: Command, tree: Path) -> None:
    ended = command.bare("backup", "files", tree, *command.place("c"))
    assert ended.code == 2


# Restoring files


def test_a_tree_comes_back(command: Command, tree: Path, out: Path) -> None:
    command.host("backup", "files", tree)
    ended = command.person("restore", "latest", PART, "--target", out, "--json")
    assert ended.code == 0
    [part] = ended.document["parts"]
    assert part["directory"]["path"] == str(out)
    assert part["directory"]["bytes"] == 100_009
    assert sorted(path.name for path in out.rglob("*")) == sorted(path.name for path in tree.rglob("*"))
    assert (out / "sub" / "c.bin").read_bytes() == (tree / "sub" / "c.bin").read_bytes()
    assert os.readlink(out / "link") == "a.txt"


def test_a_single_path_comes_back(command: Command, tree: Path, out: Path) -> None:
    command.host("backup", "files", tree)
    assert command.person("restore", "latest", PART, "--target", out, "--path", "sub/b.txt").code == 0
    assert [str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()] == ["sub/b.txt"]
    ended = command.person("restore", "latest", PART, "--target", out, "--path", "sub/none")
    assert ended.code == 2
    assert "sub/none" in ended.err


def test_a_dry_run_changes_nothing(command: Command, tree: Path, out: Path) -> None:
    command.host("backup", "files", tree)
    ended = command.person("restore", "latest", PART, "--target", out, "--dry-run", "--json")
    assert ended.document["dry_run"] is True
    assert ended.document["parts"][0]["directory"]["bytes"] == 100_009
    assert not out.exists()


def test_files_that_differ_stay_when_told_so_and_go_when_told_so(command: Command, tree: Path, out: Path) -> None:
    command.host("backup", "files", tree)
    (out / "sub").mkdir(parents=True)
    (out / "a.txt").write_text("mine")
    (out / "sub" / "extra").write_text("mine")
    command.person("restore", "latest", PART, "--target", out, "--no-overwrite")
    assert (out / "a.txt").read_text() == "mine"
    command.person("restore", "latest", PART, "--target", out)
    assert (out / "a.txt").read_text() == "alpha"
    assert (out / "sub" / "extra").exists()
    command.person("restore", "latest", PART, "--target", out, "--delete")
    assert not (out / "sub" / "extra").exists()


def test_one_file_goes_to_an_output(command: Command, tree: Path, out: Path) -> None:
    command.host("backup", "files", tree)
    ended = command.person("restore", "latest", PART, "--path", "sub/c.bin", "--output", out, "--json")
    assert ended.document["parts"][0]["files"] == [{"path": "sub/c.bin", "file": str(out), "bytes": 100_000}]
    assert out.read_bytes() == (tree / "sub" / "c.bin").read_bytes()
    assert out.stat().st_mode & 0o777 == 0o600


def test_a_part_that_is_one_file_needs_no_path(site: Site, command: Command, tree: Path, out: Path) -> None:
    with site.open() as repository, repository.write_part(FIRST, "db1.shop.config", kind="file") as part:
        backup_file(part, str(tree / "a.txt"))
    _close(site, FIRST, PartOutcome("db1.shop.config", "db1", "file"))
    assert command.person("restore", "latest", "db1.shop.config", "--output", out).code == 0
    assert out.read_text() == "alpha"
    assert command.person("restore", "latest", "db1.shop.config", "--target", site.root / "folder").code == 0
    assert (site.root / "folder" / "a.txt").read_text() == "alpha"
    assert command.person("files", "latest", "db1.shop.config").out.endswith("  a.txt\n")


@pytest.mark.parametrize("path", ["sub", "none", "link", "sub/*"])
def test_an_output_takes_one_file_only(command: Command, tree: Path, out: Path, path: str) -> None:
    command.host("backup", "files", tree)
    ended = command.person("restore", "latest", PART, "--path", path, "--output", out)
    assert ended.code == 2
    assert not out.exists()


def test_what_the_backup_warned_of_is_told_again(command: Command, tree: Path, out: Path) -> None:
    empty = tree / "sub" / "empty"
    empty.mkdir()
    command.host("backup", "files", empty)
    assert "holds no files" in command.person("restore", "latest", "db1.empty.tree", "--target", out).out


# Streams


def test_a_dump_goes_to_a_file_that_is_not_replaced(site: Site, command: Command, out: Path) -> None:
    site.back_up(b"dump" * 1000)
    ended = command.person("restore", "latest", "db1.shop.dump", "--output", out, "--json")
    assert ended.document["parts"][0]["files"] == [{"stream": "dump", "file": str(out), "bytes": 4000}]
    assert out.read_bytes() == b"dump" * 1000
    out.write_text("mine")
    again = command.person("restore", "latest", "db1.shop.dump", "--output", out)
    assert again.code == 5
    assert out.read_text() == "mine"
    assert command.person("restore", "latest", "db1.shop.dump", "--output", out, "--replace").code == 0
    assert out.read_bytes() == b"dump" * 1000
    assert not list(site.root.glob(".out*"))


def test_a_damaged_backup_leaves_no_file(site: Site, command: Command, out: Path) -> None:
    site.back_up(os.urandom(3_000_000))
    for pack in site.objects("packs/"):
        content = bytearray(pack.read_bytes())
        content[-5000] ^= 1
        pack.write_bytes(content)
    ended = command.person("restore", "latest", "db1.shop.dump", "--output", out)
    assert ended.code == 4
    assert not out.exists()
    assert not list(site.root.glob(".out*"))


def test_an_unknown_stream_is_refused_with_those_there_are(site: Site, command: Command, out: Path) -> None:
    site.back_up(b"x")
    ended = command.person("restore", "latest", "db1.shop.dump", "--output", out, "--stream", "none")
    assert ended.code == 2
    assert "Choose one with --stream: dump." in ended.err


# Several parts


def _two_parts(site: Site, command: Command, tree: Path, backup_id: str = FIRST) -> None:
    with site.open() as repository, repository.write_part(backup_id, "db1.shop.dump", kind="database") as part:
        stream = part.open_stream()
        stream.write(os.urandom(1000))
        part.finish(streams={"dump": stream.close()}, facts={"format": "plain"})
    command.host("backup", "files", tree, "--backup-id", backup_id, "--part", PART)
    _close(site, backup_id, PartOutcome("db1.shop.dump", "db1"), PartOutcome(PART, "db1"))


def test_everything_goes_to_directories_of_its_own(site: Site, command: Command, tree: Path, out: Path) -> None:
    _two_parts(site, command, tree)
    assert command.person("restore", "latest", "--all", "--target", out).code == 0
    assert (out / "db1.shop.dump" / "dump.sql").stat().st_size == 1000
    assert (out / PART / "a.txt").read_text() == "alpha"


def test_a_part_that_cannot_be_restored_does_not_stop_the_others(
    site: Site, command: Command, tree: Path, out: Path
) -> None:
    _two_parts(site, command, tree)
    damaged = site.store / "backups" / FIRST / "db1.shop.dump" / "manifest"
    damaged.write_bytes(b"?" + damaged.read_bytes()[1:])
    ended = command.person("restore", FIRST, "--all", "--target", out, "--json")
    assert ended.code == 4
    document = json.loads(ended.out)
    assert [("error" in part, part["part"]) for part in document["parts"]] == [(True, "db1.shop.dump"), (False, PART)]
    assert "db1.shop.dump" in ended.err
    assert (out / PART / "a.txt").read_text() == "alpha"
    assert "db1.shop.dump  NOT RESTORED" in command.person("restore", FIRST, "--all", "--target", out).out


def test_a_part_that_failed_when_it_was_made_is_named(site: Site, command: Command, tree: Path, out: Path) -> None:
    command.host("backup", "files", tree, "--backup-id", FIRST)
    failed = PartOutcome("db1.shop.dump", "db1", failed=True, reason="The server was away.")
    _close(site, FIRST, failed, PartOutcome(PART, "db1"))
    ended = command.person("restore", FIRST, "--all", "--target", out, "--json")
    assert ended.code == 1
    assert f"warning: db1.shop.dump is not in {FIRST}: The server was away." in ended.err
    assert ended.document["lacking"] == {"db1.shop.dump": "The server was away."}
    assert (out / PART / "a.txt").exists()


def test_a_part_that_lacks_files_is_restored_and_that_is_told(
    site: Site, command: Command, tree: Path, out: Path
) -> None:
    command.host("backup", "files", tree, "--backup-id", FIRST)
    _close(site, FIRST, PartOutcome(PART, "db1", degraded=True, reason="1 of the files could not be read: x."))
    ended = command.person("restore", "latest", PART, "--target", out)
    assert ended.code == 1
    assert f"warning: {PART} lacks something in {FIRST}: 1 of the files could not be read: x." in ended.err
    assert (out / "a.txt").exists()


def test_a_backup_that_was_never_finished_can_be_restored_by_its_name(command: Command, tree: Path, out: Path) -> None:
    command.host("backup", "files", tree, "--backup-id", FIRST)
    assert command.person("restore", "latest", PART, "--target", out).code == 3
    ended = command.person("restore", FIRST, PART, "--target", out)
    assert ended.code == 0
    assert "was never finished" in ended.err
    assert (out / "a.txt").exists()


# Which backup


def test_latest_is_the_newest_in_which_these_parts_are_whole(
    site: Site, command: Command, tree: Path, out: Path
) -> None:
    _two_parts(site, command, tree)
    (tree / "a.txt").write_text("newer")
    command.host("backup", "files", tree, "--backup-id", SECOND, "--part", PART)
    failed = PartOutcome("db1.shop.dump", "db1", failed=True, reason="The server was away.")
    _close(site, SECOND, failed, PartOutcome(PART, "db1"))
    assert command.person("restore", "latest", PART, "--target", out, "--json").document["backup"] == SECOND
    assert (out / "a.txt").read_text() == "newer"
    both = command.person("restore", "latest", "db1.shop.dump", PART, "--target", out / "both", "--json")
    assert both.document["backup"] == FIRST


def test_latest_is_refused_where_backups_have_gone_and_a_named_one_is_not(
    site: Site, command: Command, tree: Path, out: Path
) -> None:
    for backup_id in (FIRST, SECOND):
        site.back_up(backup_id.encode(), backup_id=backup_id)
    assert command.person("list").code == 0
    for path in sorted((site.store / "backups" / SECOND).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    ended = command.person("restore", "latest", "db1.shop.dump", "--output", out)
    assert ended.code == 4
    assert "Which backup is the latest cannot be trusted" in ended.err
    assert SECOND in ended.err
    assert not out.exists()
    ended = command.person("restore", FIRST, "db1.shop.dump", "--output", out)
    assert ended.code == 0
    assert "warning: " in ended.err
    assert out.read_bytes() == FIRST.encode()


def test_no_backup_at_all(command: Command, out: Path) -> None:
    ended = command.person("restore", "latest", PART, "--target", out)
    assert ended.code == 3
    assert "There is no valid backup with the parts db1.tree.tree" in ended.err


# The command line


@pytest.mark.parametrize(
    "arguments",
    [
        ["latest", "--target", "/t"],
        ["latest", PART, "--all", "--target", "/t"],
        ["latest", PART],
        ["latest", PART, "--target", "/t", "--output", "/o"],
        ["latest", PART, "db1.b.tree", "--output", "/o"],
        ["latest", "--all", "--database", "x"],
        ["latest", PART, "--target", "/t", "--stream", "dump"],
        ["latest", PART, "--database", "x", "--path", "p"],
        ["latest", "--all", "--target", "/t", "--path", "p"],
        ["latest", PART, "--output", "/o", "--path", "p", "--path", "q"],
        ["latest", PART, "--output", "/o", "--dry-run"],
        ["latest", PART, "--output", "-", "--json"],
        ["latest", PART, "--target", "/t", "--owner", "odoo"],
        ["latest", PART, "--target", "/t", "--neutralise"],
        ["latest", PART, "--database", "x", "--delete"],
        ["latest", "../part", "--target", "/t"],
        ["yesterday", PART, "--target", "/t"],
    ],
)
def test_what_does_not_fit_together_is_refused(command: Command, arguments: list[str]) -> None:
    ended = command.person("restore", *arguments)
    assert ended.code == 2
    assert ended.err.startswith("error: ")


def test_a_restore_needs_the_recovery_key(site: Site, command: Command, out: Path) -> None:
    site.back_up(b"x")
    ended = command.host("restore", "latest", "db1.shop.dump", "--output", out)
    assert ended.code == 2
    assert "--recovery-key" in ended.err


# Which files there are


def test_files_are_listed_like_ls_does(command: Command, tree: Path) -> None:
    (tree / "a.txt").chmod(0o640)
    os.utime(tree / "a.txt", (1_000_000_000, 1_000_000_000))
    os.link(tree / "a.txt", tree / "sub" / "z")
    command.host("backup", "files", tree)
    lines = command.person("files", "latest", PART).out.splitlines()
    [line] = [line for line in lines if line.endswith("  a.txt")]
    assert line.startswith("-rw-r-----  ")
    assert line.endswith(" 5  2001-09-09 01:46:40  a.txt")
    assert any(line.endswith("  link -> a.txt") for line in lines)
    assert any(line.endswith("another name of  sub/z = a.txt") for line in lines)


def test_files_are_listed_as_json_lines(command: Command, tree: Path) -> None:
    command.host("backup", "files", tree)
    lines = command.person("files", "latest", PART, "sub", "--json").out.splitlines()
    found = {document["path"]: document for document in map(json.loads, lines)}
    assert sorted(found) == ["sub", "sub/b.txt", "sub/c.bin"]
    assert (found["sub/c.bin"]["type"], found["sub/c.bin"]["bytes"]) == ("file", 100_000)
    assert found["sub/b.txt"]["modified"].endswith("Z")


def test_a_name_that_matches_nothing_is_told(command: Command, tree: Path) -> None:
    command.host("backup", "files", tree)
    ended = command.person("files", "latest", PART, "sub", "none")
    assert ended.code == 2
    assert "'none'" in ended.err
    assert "sub/b.txt" in ended.out


def test_a_part_without_files_is_told(site: Site, command: Command) -> None:
    site.back_up(b"x")
    assert command.person("files", "latest", "db1.shop.dump").code == 2
