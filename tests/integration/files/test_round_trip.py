# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into a backup comes out of it: every kind of file, every attribute, every name."""

from __future__ import annotations

import os
import random
import shutil
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._files.cache import RACY
from ansible_collections.dfr.continuity.plugins.module_utils._files.reading import read_content
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    InputError,
    SourceError,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.keys import RecoveryKey
from ansible_collections.dfr.continuity.tests.integration.files.scene import (
    LONG_AGO,
    PART,
    SOME_ACL,
    Scene,
    age,
    describe,
    leftovers,
)

pytestmark = pytest.mark.usefixtures("workers")

NAMES = [
    "plain",
    "with space",
    "new\nline",
    "ümlaut",
    "quote'\"\\",
    "-dash",
    "\U0001f600",
    "\ufeffbom",
    ".hidden",
    "a" * 255,
]
BROKEN_NAMES = [b"\xff\xfe", b"latin-\xe4", b"half-\xf0\x9f", b"\xed\xa0\x80", b"esc\x1b[0m"]


def random_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def fill(tree: Path) -> None:
    """Make one of everything."""
    for number, name in enumerate([*map(os.fsencode, NAMES), *BROKEN_NAMES]):
        with open(os.path.join(os.fsencode(tree), name), "wb") as file:
            file.write(random_bytes(number * 1000, number))
    os.mkdir(os.fsencode(tree) + b"/dir-\xff\n")
    (tree / "empty-dir").mkdir(mode=0o2750)
    (tree / "closed").mkdir()
    (tree / "closed/inside").write_text("x")
    (tree / "closed").chmod(0o111)
    for size in (0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20, 9 << 20, 20 << 20):
        (tree / f"size-{size}").write_bytes(random_bytes(size, size))
    (tree / "zeros").write_bytes(bytes(3 << 20))
    for mode in (0o000, 0o400, 0o4755, 0o2755, 0o1644, 0o777):
        (tree / f"mode-{mode:o}").write_text("x")
        (tree / f"mode-{mode:o}").chmod(mode)
    (tree / "owned").write_text("x")
    os.chown(tree / "owned", 12345, 54321)
    (tree / "setuid-owned").write_text("x")
    os.chown(tree / "setuid-owned", 12345, 54321)
    (tree / "setuid-owned").chmod(0o6755)
    for name, target in {"link": "plain", "dangling": "no/where", "up": "../..", "absolute": "/etc/passwd"}.items():
        (tree / name).symlink_to(target)
    os.symlink(b"bro\xffken\n", tree / "link-broken")
    os.lchown(tree / "link", 12345, 54321)
    os.link(tree / "plain", tree / "z-hard")
    os.link(tree / "plain", tree / "empty-dir/hard")
    os.link(tree / "size-20971520", tree / "closed/big-hard")
    os.mkfifo(tree / "fifo", 0o600)
    os.mknod(tree / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(tree / "loop", stat.S_IFBLK | 0o660, os.makedev(7, 200))
    os.setxattr(tree / "plain", "user.comment", b"\0\xff binary")
    os.setxattr(tree / "empty-dir", "user.empty", b"")
    os.setxattr(tree / "owned", "system.posix_acl_access", SOME_ACL)
    os.setxattr(tree / "empty-dir", "system.posix_acl_default", SOME_ACL)
    os.setxattr(tree / "mode-777", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    with open(tree / "sparse", "wb") as file:
        file.truncate(300 << 20)
        for offset in (0, 100 << 20, (300 << 20) - 5):
            file.seek(offset)
            file.write(b"data!")
    with open(tree / "all-hole", "wb") as file:
        file.truncate(100 << 20)


def test_everything_comes_back(scene: Scene) -> None:
    fill(scene.tree)
    age(scene.tree)
    backup_id, result = scene.back_up()
    assert (result.degraded, result.record["warnings"]) == (False, [])
    restored = scene.restore(backup_id, scene.root / "restored")
    assert restored.warnings == []
    assert describe(scene.root / "restored") == describe(scene.tree)
    facts = result.record["facts"]
    found = describe(scene.tree)
    assert facts["directories"] == sum(stat.S_ISDIR(int(one[0], 8)) for one in found.values())
    assert facts["symlinks"] == 5
    assert facts["hard_links"] == 3
    assert facts["special_files"] == 3
    assert facts["files"] == sum(stat.S_ISREG(int(one[0], 8)) for one in found.values()) - 3
    scene.assert_whole(backup_id)


def test_a_sparse_file_stays_sparse(scene: Scene) -> None:
    with open(scene.tree / "disk", "wb") as file:
        file.truncate(60 << 30)
        file.seek(17 << 30)
        file.write(random_bytes(3 << 20))
    backup_id, result = scene.back_up()
    assert result.record["bytes"]["new"] < 4 << 20
    assert result.record["facts"]["size"] == 60 << 30
    scene.restore(backup_id, scene.root / "restored")
    status = os.stat(scene.root / "restored/disk")
    assert status.st_size == 60 << 30
    assert status.st_blocks * 512 < 4 << 20
    with open(scene.root / "restored/disk", "rb") as file:
        file.seek((17 << 30) - 10)
        assert file.read((3 << 20) + 20) == bytes(10) + random_bytes(3 << 20) + bytes(10)
    again = scene.restore(backup_id, scene.root / "restored", verify=True)
    assert (again.changed, again.unchanged) == (False, 2)


def test_content_is_read_back_with_zeros_for_holes(scene: Scene) -> None:
    with open(scene.tree / "f", "wb") as file:
        for offset in (1 << 20, 5 << 20):
            file.seek(offset)
            file.write(random_bytes(700_000, offset))
        file.truncate(9 << 20)
    backup_id, _result = scene.back_up()
    entry = scene.entries(backup_id)[b"f"]
    assert len(entry.holes) == 3
    with scene.reader(backup_id) as reader:
        assert b"".join(read_content(reader, entry)) == (scene.tree / "f").read_bytes()


def test_an_unchanged_tree_is_not_read_again_and_stores_nothing(scene: Scene) -> None:
    for number in range(300):
        (scene.tree / f"{number}").write_bytes(random_bytes(3000, number))
    (scene.tree / "big").write_bytes(random_bytes(12 << 20))
    make_old(scene.tree)
    first_id, first = scene.back_up()
    second_id, second = scene.back_up()
    assert first.record["facts"]["unchanged_files"] == 0
    assert second.record["facts"]["unchanged_files"] == 301
    assert second.record["bytes"]["new"] == 0
    assert second.record["bytes"]["source"] == first.record["bytes"]["source"] > 12 << 20
    # A new file of one byte costs one chunk, and those chunks of the entries that it is in.
    (scene.tree / "new").write_text("x")
    _third_id, third = scene.back_up()
    assert third.record["facts"]["unchanged_files"] == 301
    assert third.record["bytes"]["new"] < 1 << 20
    scene.restore(second_id, scene.root / "restored")
    assert entries_of(scene, first_id) == entries_of(scene, second_id)
    assert (scene.root / "restored/big").read_bytes() == random_bytes(12 << 20)


def make_old(tree: Path) -> None:
    """Wait until a tree was not changed lately: the change time itself cannot be set."""
    while time.time_ns() - max(os.lstat(path).st_ctime_ns for path in tree.rglob("*")) <= RACY:
        time.sleep(0.1)


def entries_of(scene: Scene, backup_id: str) -> bytes:
    with scene.reader(backup_id) as reader:
        return b"".join(reader.read_stream(reader.streams["entries"]))


@pytest.mark.parametrize("change", ["content", "same size", "mtime put back", "replaced", "permissions", "attribute"])
def test_a_change_of_any_kind_is_noticed(scene: Scene, change: str) -> None:
    for name in "abc":
        (scene.tree / name).write_bytes(b"old content")
    age(scene.tree)
    make_old(scene.tree)
    scene.back_up()
    path = scene.tree / "b"
    if change == "content":
        path.write_bytes(b"longer new content")
    elif change == "same size":
        path.write_bytes(b"new content")
    elif change == "mtime put back":
        path.write_bytes(b"new content")
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    elif change == "replaced":
        (scene.root / "other").write_bytes(b"new content")
        os.utime(scene.root / "other", ns=(LONG_AGO, LONG_AGO))
        os.rename(scene.root / "other", path)
    elif change == "permissions":
        path.chmod(0o600)
    else:
        os.setxattr(path, "user.new", b"1")
    backup_id, result = scene.back_up()
    assert result.record["facts"]["unchanged_files"] == 2
    scene.restore(backup_id, scene.root / "restored")
    assert describe(scene.root / "restored") == describe(scene.tree)


def test_a_file_changed_while_the_last_backup_began_is_read_again(scene: Scene) -> None:
    (scene.tree / "racy").write_text("just now")
    scene.back_up()
    _id, second = scene.back_up()
    assert second.record["facts"]["unchanged_files"] == 0
    make_old(scene.tree)
    scene.back_up()
    _id, fourth = scene.back_up()
    assert fourth.record["facts"]["unchanged_files"] == 1


def test_what_the_repository_lost_is_stored_again(scene: Scene) -> None:
    (scene.tree / "f").write_bytes(random_bytes(50_000))
    make_old(scene.tree)
    scene.back_up()
    # As retention does it: packs and index go, the host's cache does not know.
    for prefix in ("packs/", "index/"):
        for path in scene.site.objects(prefix):
            path.unlink()
    backup_id, result = scene.back_up()
    assert result.record["facts"]["unchanged_files"] == 0
    scene.restore(backup_id, scene.root / "restored")
    assert (scene.root / "restored/f").read_bytes() == random_bytes(50_000)


def test_a_new_recipient_can_read_what_was_unchanged(scene: Scene) -> None:
    (scene.tree / "f").write_bytes(random_bytes(50_000))
    make_old(scene.tree)
    scene.back_up()
    old_key, new_key = scene.site.recovery_key, RecoveryKey.generate()
    scene.site.configure(recipients=(old_key.recipient, new_key.recipient))
    scene.site.recovery_key = new_key
    backup_id, _result = scene.back_up()
    scene.restore(backup_id, scene.root / "restored")
    assert (scene.root / "restored/f").read_bytes() == random_bytes(50_000)


def test_the_cache_of_this_program_is_left_out(scene: Scene) -> None:
    (scene.tree / "f").write_text("x")
    backup_id, result = scene.back_up(scene.root, exclude=["/repository"])
    assert not any(path.startswith(b"cache-db1/") for path in scene.entries(backup_id).keys() - {b"cache-db1"})
    assert result.record["facts"]["changed_files"] == 0


def test_a_damaged_cache_is_as_good_as_none(scene: Scene) -> None:
    (scene.tree / "f").write_bytes(random_bytes(50_000))
    make_old(scene.tree)
    scene.back_up()
    (cache,) = (scene.root / "cache-db1").rglob("*.entries")
    data = bytearray(cache.read_bytes())
    data[len(data) // 2] ^= 4
    cache.write_bytes(data)
    backup_id, result = scene.back_up()
    assert result.record["facts"]["unchanged_files"] == 0
    scene.restore(backup_id, scene.root / "restored")
    assert describe(scene.root / "restored") == describe(scene.tree)
    assert scene.back_up()[1].record["facts"]["unchanged_files"] == 1


def test_excluded_things_are_not_there(scene: Scene) -> None:
    for path in ("keep/a.txt", "keep/a.log", "sessions/x", "deep/sessions/y"):
        (scene.tree / path).parent.mkdir(parents=True, exist_ok=True)
        (scene.tree / path).write_text(path)
    backup_id, _result = scene.back_up(exclude=["*.log", "/sessions/"])
    assert set(scene.entries(backup_id)) == {b"", b"keep", b"keep/a.txt", b"deep", b"deep/sessions", b"deep/sessions/y"}


def test_one_file_system_stays_on_it(scene: Scene) -> None:
    (scene.tree / "mounted").mkdir()
    (scene.tree / "here").write_text("x")
    subprocess.run(["mount", "-t", "tmpfs", "none", scene.tree / "mounted"], check=True)
    try:
        (scene.tree / "mounted/there").write_text("x")
        everything, _result = scene.back_up()
        only_this, _result = scene.back_up(one_file_system=True)
    finally:
        subprocess.run(["umount", scene.tree / "mounted"], check=True)
    assert set(scene.entries(everything)) == {b"", b"here", b"mounted", b"mounted/there"}
    assert set(scene.entries(only_this)) == {b"", b"here", b"mounted"}


def test_an_empty_tree_is_allowed_and_told(scene: Scene) -> None:
    backup_id, result = scene.back_up()
    assert result.record["warnings"] == [f"{scene.tree} holds no files."]
    scene.restore(backup_id, scene.root / "restored")
    assert os.listdir(scene.root / "restored") == []


def test_a_link_named_by_the_user_is_followed(scene: Scene) -> None:
    (scene.tree / "f").write_text("x")
    (scene.root / "current").symlink_to("tree")
    backup_id, _result = scene.back_up(scene.root / "current")
    assert set(scene.entries(backup_id)) == {b"", b"f"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing", "does not exist"), ("file", "is not a directory"), ("file/below", "not a directory")],
)
def test_a_root_that_is_no_directory_is_refused(scene: Scene, name: str, reason: str) -> None:
    (scene.root / "file").write_text("x")
    with pytest.raises(SourceError, match=reason) as raised:
        scene.back_up(scene.root / name)
    assert str(scene.root / name) in raised.value.message
    assert scene.site.objects("backups/") == []


@pytest.mark.parametrize(
    "options", [{"kind": "filestore"}, {"unreadable": "ignore"}, {"exclude": ["!x"]}, {"exclude": [""]}]
)
def test_options_that_make_no_sense_are_refused(scene: Scene, options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        scene.back_up(**options)


def test_a_relative_root_is_refused(scene: Scene) -> None:
    with pytest.raises(InputError, match="absolute"):
        scene.back_up(Path("tree"))


def test_a_single_file_is_a_part(scene: Scene) -> None:
    path = scene.root / "odoo.conf"
    path.write_text("[options]\n")
    path.chmod(0o640)
    os.chown(path, 12345, 54321)
    (scene.root / "link.conf").symlink_to("odoo.conf")
    backup_id, result = scene.back_up_file(scene.root / "link.conf")
    assert result.record["facts"]["files"] == 1
    target = scene.root / "etc/odoo"
    scene.restore(backup_id, target)
    scene.restore_file(backup_id, scene.root / "other.conf")
    for restored in (target / "link.conf", scene.root / "other.conf"):
        status = restored.stat()
        assert restored.read_text() == "[options]\n"
        assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o640, 12345, 54321)
    assert not scene.restore_file(backup_id, scene.root / "other.conf").changed


@pytest.mark.parametrize(("name", "reason"), [("missing", "does not exist"), ("tree", "not a regular file")])
def test_a_single_file_that_is_none_is_refused(scene: Scene, name: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        scene.back_up_file(scene.root / name)


def test_sockets_are_named_and_left_out(scene: Scene) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(scene.tree / "socket"))
        (scene.tree / "file").write_text("x")
        backup_id, result = scene.back_up()
    assert result.record["facts"]["skipped_sockets"] == 1
    assert result.record["warnings"] == ["1 of the files were left out, being sockets: socket."]
    assert not result.degraded
    assert set(scene.entries(backup_id)) == {b"", b"file"}


def test_two_backups_at_once_are_both_whole(scene: Scene) -> None:
    for number in range(200):
        (scene.tree / f"{number}").write_bytes(random_bytes(20_000, number))
    ids: list[str] = []
    threads = [threading.Thread(target=lambda: ids.append(scene.back_up()[0])) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 2
    for number, backup_id in enumerate(ids):
        scene.assert_whole(backup_id)
        scene.restore(backup_id, scene.root / f"restored-{number}")
        assert describe(scene.root / f"restored-{number}") == describe(scene.tree)


def test_another_archiver_agrees(scene: Scene) -> None:
    """GNU tar's own comparison finds no difference between the source, archived by tar, and what we restored."""
    fill(scene.tree)
    for name in ("sparse", "all-hole"):
        (scene.tree / name).unlink()
    age(scene.tree)
    archive = scene.root / "tar"
    options = ["--xattrs", "--xattrs-include=*", "--acls"]
    subprocess.run(["tar", *options, "-C", scene.tree, "-cf", archive, "."], check=True)
    backup_id, _result = scene.back_up()
    scene.restore(backup_id, scene.root / "restored")
    subprocess.run(["tar", *options, "-C", scene.root / "restored", "-df", archive], check=True)
    shutil.rmtree(scene.root / "restored/empty-dir")
    assert subprocess.run(["tar", "-C", scene.root / "restored", "-df", archive], check=False).returncode == 1


def test_nothing_temporary_stays(scene: Scene) -> None:
    fill(scene.tree)
    backup_id, _result = scene.back_up()
    scene.restore(backup_id, scene.root / "restored")
    assert leftovers(scene.root) == []
    assert [path.name for path in (scene.root / "cache-db1").rglob("*.new")] == []
    assert PART in os.listdir(scene.root / "repository/backups" / backup_id)
