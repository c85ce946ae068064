# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring into what is there already: differences only, nothing lost, nothing outside touched."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._files import findings as kinds
from ansible_collections.dfr.continuity.plugins.module_utils._files.entries import Entry
from ansible_collections.dfr.continuity.plugins.module_utils._files.place import alone_in, open_target
from ansible_collections.dfr.continuity.plugins.module_utils._files.restore import IncompleteRestoreError
from ansible_collections.dfr.continuity.plugins.module_utils._repository.encoding import new_backup_id
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    FormatError,
    InputError,
    IntegrityError,
    TargetError,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.references import StreamReference
from ansible_collections.dfr.continuity.plugins.module_utils._repository.summary import PartOutcome, close_backup
from ansible_collections.dfr.continuity.tests.integration.files.scene import (
    LONG_AGO,
    PART,
    SOME_ACL,
    Scene,
    age,
    describe,
    leftovers,
)

FILES = ["a", "b", "dir/c", "dir/deep/d", "dir/deep/e", "ex[1].txt", "other/f", "z"]


@pytest.fixture
def backup(scene: Scene) -> str:
    """A tree of a few files, backed up; its id."""
    for path in FILES:
        (scene.tree / path).parent.mkdir(parents=True, exist_ok=True)
        (scene.tree / path).write_text(f"content of {path}\n" * 50)
    (scene.tree / "link").symlink_to("a")
    os.link(scene.tree / "dir/c", scene.tree / "other/hard")
    os.mkfifo(scene.tree / "pipe")
    age(scene.tree)
    return scene.back_up()[0]


@pytest.fixture
def target(scene: Scene, backup: str) -> Path:
    """The tree, restored."""
    scene.restore(backup, scene.root / "restored")
    assert describe(scene.root / "restored") == describe(scene.tree)
    return scene.root / "restored"


def inodes(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.lstat().st_ino for path in root.rglob("*")}


def test_a_second_restore_changes_nothing(scene: Scene, backup: str, target: Path) -> None:
    before = inodes(target)
    result = scene.restore(backup, target)
    assert (result.changed, result.size, result.written, result.updated) == (False, 0, 0, 0)
    assert result.unchanged == len(describe(target))
    assert inodes(target) == before


def test_only_differences_are_written(scene: Scene, backup: str, target: Path) -> None:
    before = inodes(target)
    (target / "b").write_text("changed")
    (target / "dir/deep/d").unlink()
    (target / "z").chmod(0o600)
    os.setxattr(target / "ex[1].txt", "user.extra", b"1")
    (target / "link").unlink()
    (target / "link").symlink_to("b")
    (target / "other/hard").unlink()
    (target / "other/hard").write_text("now a file of its own")
    (target / "pipe").unlink()
    (target / "pipe").write_text("now a file")
    result = scene.restore(backup, target)
    assert describe(target) == describe(scene.tree)
    after = inodes(target)
    assert {path for path in after if after[path] != before[path]} <= {"b", "dir/deep/d", "link", "pipe"}
    assert after["other/hard"] == after["dir/c"] == before["dir/c"]
    assert result.written == 5
    assert result.size == sum((scene.tree / path).stat().st_size for path in ("b", "dir/deep/d"))
    assert result.plan.write_size == result.size


def test_what_is_not_in_the_backup_stays_unless_it_is_to_go(scene: Scene, backup: str, target: Path) -> None:
    for path in ("0", "aa", "dir/x/y", "dir/deep/zz", "other/g"):
        (target / path).parent.mkdir(exist_ok=True)
        (target / path).write_text("mine")
    scene.restore(backup, target)
    assert (target / "dir/x/y").read_text() == "mine"
    result = scene.restore(backup, target, delete=True)
    assert result.deleted == 5
    assert describe(target) == describe(scene.tree)


def test_delete_removes_links_not_what_they_lead_to(scene: Scene, backup: str, target: Path) -> None:
    (scene.root / "precious").mkdir()
    (scene.root / "precious/data").write_text("precious")
    (target / "dir/away").symlink_to(scene.root / "precious")
    (target / "stranger").mkdir()
    (target / "stranger/away").symlink_to(scene.root / "precious")
    scene.restore(backup, target, delete=True)
    assert describe(target) == describe(scene.tree)
    assert (scene.root / "precious/data").read_text() == "precious"


def test_delete_spares_what_the_backup_excluded(scene: Scene) -> None:
    (scene.tree / "keep").write_text("x")
    (scene.tree / "session.tmp").write_text("x")
    backup_id, _result = scene.back_up(exclude=["*.tmp"])
    target = scene.root / "restored"
    scene.restore(backup_id, target)
    (target / "session.tmp").write_text("of the target")
    (target / "stranger").write_text("x")
    scene.restore(backup_id, target, delete=True)
    assert sorted(os.listdir(target)) == ["keep", "session.tmp"]


def test_delete_with_paths_looks_only_there(scene: Scene, backup: str, target: Path) -> None:
    for path in ("top", "dir/x", "other/x"):
        (target / path).write_text("mine")
    scene.restore(backup, target, paths=["dir"], delete=True)
    assert (target / "top").exists()
    assert (target / "other/x").exists()
    assert not (target / "dir/x").exists()


def test_delete_of_the_whole_machine_is_refused(scene: Scene, backup: str) -> None:
    with pytest.raises(InputError, match="whole machine"):
        scene.restore(backup, Path("/"), delete=True)


def test_without_overwriting_what_differs_stays_and_is_named(scene: Scene, backup: str, target: Path) -> None:
    (target / "b").write_text("mine")
    (target / "z").unlink()
    result = scene.restore(backup, target, overwrite=False)
    assert (target / "b").read_text() == "mine"
    assert (target / "z").exists()
    assert result.findings.named[kinds.KEPT] == ["b"]
    assert result.warnings == ["1 of the files differ from the backup and were left as they are: b."]


def test_a_restore_can_wait_for_the_disk(scene: Scene, backup: str) -> None:
    scene.restore(backup, scene.root / "restored", durable=True)
    assert describe(scene.root / "restored") == describe(scene.tree)


def test_content_is_compared_only_when_asked(scene: Scene, backup: str, target: Path) -> None:
    size = (target / "b").stat().st_size
    (target / "b").write_bytes(b"X" * size)
    os.utime(target / "b", ns=(LONG_AGO, LONG_AGO))
    assert not scene.restore(backup, target).changed
    result = scene.restore(backup, target, verify=True)
    assert (result.written, result.size) == (1, size)
    assert describe(target) == describe(scene.tree)


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["a"], {"a"}),
        (["/dir/deep/"], {"dir", "dir/deep", "dir/deep/d", "dir/deep/e"}),
        (["dir/deep/?", "z"], {"dir", "dir/deep", "dir/deep/d", "dir/deep/e", "z"}),
        (["**/e"], {"dir", "dir/deep", "dir/deep/e"}),
        (["ex[1].txt"], {"ex[1].txt"}),
        (["link", "pipe"], {"link", "pipe"}),
        (["other/hard"], {"other", "other/hard"}),
        (["other/hard", "dir/c"], {"other", "other/hard", "dir", "dir/c"}),
    ],
)
def test_single_paths_are_restored(scene: Scene, backup: str, paths: list[str], expected: set[str]) -> None:
    target = scene.root / "some"
    scene.restore(backup, target, paths=paths)
    assert {str(path.relative_to(target)) for path in target.rglob("*")} == expected
    for path in expected - {"link", "pipe"}:
        if (scene.tree / path).is_file():
            assert (target / path).read_bytes() == (scene.tree / path).read_bytes()
    assert not scene.restore(backup, target, paths=paths).written


def test_directories_on_the_way_get_what_belongs_to_them(scene: Scene, backup: str) -> None:
    (scene.tree / "dir").chmod(0o2711)
    os.chown(scene.tree / "dir", 12345, 54321)
    os.utime(scene.tree / "dir", ns=(LONG_AGO, LONG_AGO))
    backup_id, _result = scene.back_up()
    target = scene.root / "some"
    scene.restore(backup_id, target, paths=["dir/deep/d"])
    status = (target / "dir").stat()
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o2711, 12345, 54321)
    assert status.st_mtime_ns == LONG_AGO
    # The target itself was not asked for: it is for who made it.
    assert target.stat().st_mode & 0o7777 == 0o700
    # One that was there stays as it was.
    (target / "dir").chmod(0o755)
    scene.restore(backup_id, target, paths=["dir/deep/e"])
    assert (target / "dir").stat().st_mode & 0o7777 == 0o755


def test_paths_that_are_not_there_are_named_and_nothing_is_made(scene: Scene, backup: str) -> None:
    with pytest.raises(InputError) as raised:
        scene.restore(backup, scene.root / "some", paths=["a", "nope", "dir/*.pdf"])
    assert "'nope', 'dir/*.pdf'" in raised.value.message
    assert "'a'" not in raised.value.message
    assert not (scene.root / "some").exists()


def test_a_dry_run_tells_and_changes_nothing(scene: Scene, backup: str, target: Path) -> None:
    (target / "b").write_text("changed")
    (target / "dir/deep/d").unlink()
    (target / "stranger").write_text("x")
    before = describe(target)
    result = scene.restore(backup, target, dry_run=True, delete=True)
    assert (result.changed, result.written, result.deleted) == (True, 2, 1)
    assert result.size == sum((scene.tree / path).stat().st_size for path in ("b", "dir/deep/d"))
    assert (result.plan.write_paths, result.plan.delete_paths) == (["b", "dir/deep/d"], ["stranger"])
    assert describe(target) == before
    everything = scene.restore(backup, scene.root / "nowhere", dry_run=True)
    assert everything.written == len(describe(scene.tree)) - 2  # not the root, which is made anyway, nor the hard link
    assert not (scene.root / "nowhere").exists()
    assert not scene.restore(backup, scene.tree, dry_run=True).changed


@pytest.mark.parametrize("delete", [False, True])
def test_a_link_in_the_place_of_a_directory_is_never_followed(scene: Scene, backup: str, delete: bool) -> None:
    outside, target = scene.root / "outside", scene.root / "restored"
    (outside / "deep").mkdir(parents=True)
    (outside / "c").write_text("mine")
    target.mkdir()
    (target / "dir").symlink_to(outside)
    if delete:
        scene.restore(backup, target, delete=True)
        assert describe(target) == describe(scene.tree)
    else:
        with pytest.raises(TargetError, match=r"dir in .*restored"):
            scene.restore(backup, target)
        assert os.listdir(target) == ["dir"]
    assert (outside / "c").read_text() == "mine"
    assert os.listdir(outside / "deep") == []


def test_a_directory_in_the_place_of_a_file_is_not_removed(scene: Scene, backup: str) -> None:
    target = scene.root / "restored"
    (target / "b/mine").mkdir(parents=True)
    with pytest.raises(TargetError, match=r"b in .*restored"):
        scene.restore(backup, target)
    assert os.listdir(target) == ["b"]
    scene.restore(backup, target, delete=True)
    assert describe(target) == describe(scene.tree)


def forge(scene: Scene, *entries: Entry | bytes) -> str:
    """Store a tree with entries of our own making, as somebody with a host's identity could."""
    backup_id = new_backup_id()
    with scene.site.open() as repository, repository.write_part(backup_id, PART, kind="tree") as part:
        stream = part.open_stream()
        content = part.store(b"evil")
        for entry in entries:
            line = entry if isinstance(entry, bytes) else entry.encode()
            stream.write(line.replace(b"CHUNK", content.hex().encode()) + b"\n")
        tree: dict[str, t.Any] = {"entries_format": 1, "owners": {}}
        part.finish(streams={"entries": stream.close()}, facts={}, manifest={"tree": tree})
        close_backup(repository, backup_id, [PartOutcome(PART, "db1", "tree")])
    return backup_id


ROOT = Entry(b"", "dir", mode=0o755)
EVIL = b'{"content":{"chunks":["CHUNK"],"size":4},"mode":420,"path":%s,"type":"file"}'


@pytest.mark.parametrize(
    "path", ["../evil", "a/../../evil", "/tmp/evil", "a//evil", "./evil", "..", "a/..", "nul\0"], ids=repr
)
def test_a_path_that_leaves_the_tree_restores_nothing(scene: Scene, path: str) -> None:
    good = EVIL % b'"good"'
    backup_id = forge(scene, ROOT, good, EVIL % json.dumps(path).encode())
    with pytest.raises(IntegrityError, match="out of the tree"):
        scene.restore(backup_id, scene.root / "in/restored")
    assert not (scene.root / "in").exists()
    assert not (scene.root / "evil").exists()


def test_a_file_below_a_link_of_the_backup_itself_is_refused(scene: Scene) -> None:
    (scene.root / "outside").mkdir()
    link = Entry(b"a", "symlink", mode=0o777, target=os.fsencode(scene.root / "outside"))
    backup_id = forge(scene, ROOT, link, EVIL % b'"a/evil"')
    with pytest.raises(IntegrityError, match="where it belongs"):
        scene.restore(backup_id, scene.root / "restored")
    assert os.listdir(scene.root / "outside") == []


def test_a_hard_link_through_a_link_of_the_target_takes_nothing_from_outside(scene: Scene) -> None:
    (scene.root / "outside").mkdir()
    (scene.root / "outside/secret").write_text("secret")
    (scene.root / "restored").mkdir()
    (scene.root / "restored/a").symlink_to(scene.root / "outside")
    backup_id = forge(scene, ROOT, Entry(b"b", "link", target=b"a/secret"))
    with pytest.raises(IncompleteRestoreError, match="hard link"):
        scene.restore(backup_id, scene.root / "restored")
    assert not (scene.root / "restored/b").exists()


def test_a_file_cannot_be_larger_than_it_says(scene: Scene) -> None:
    backup_id = forge(scene, ROOT, (EVIL % b'"f"').replace(b'"size":4', b'"size":3'))
    with pytest.raises(IncompleteRestoreError, match="4 bytes instead of 3"):
        scene.restore(backup_id, scene.root / "restored")
    assert os.listdir(scene.root / "restored") == []


def test_chunks_that_are_nowhere_fail_one_file_and_are_found_beforehand(scene: Scene) -> None:
    lost = Entry(b"lost", "file", mode=0o644, content=StreamReference(5, (b"\0" * 32,)))
    backup_id = forge(scene, ROOT, EVIL % b'"good"', lost, EVIL % b'"more"')
    (problem,) = scene.problems(backup_id)
    assert "lost" in problem
    with pytest.raises(IncompleteRestoreError) as raised:
        scene.restore(backup_id, scene.root / "restored")
    assert raised.value.result.written == 2
    assert "1 of the files could not be restored: lost (" in raised.value.message
    assert sorted(os.listdir(scene.root / "restored")) == ["good", "more"]


def test_a_part_that_holds_no_files_is_refused(scene: Scene) -> None:
    backup_id = scene.site.back_up(b"dump", PART)
    with pytest.raises(InputError, match="it is a database"):
        scene.restore(backup_id, scene.root / "restored")
    assert not (scene.root / "restored").exists()


def test_entries_of_a_newer_program_are_refused(scene: Scene) -> None:
    backup_id = new_backup_id()
    with scene.site.open() as repository, repository.write_part(backup_id, PART, kind="tree") as part:
        part.finish(streams={"entries": part.open_stream().close()}, facts={}, manifest={"tree": {"entries_format": 2}})
    with pytest.raises(FormatError, match="format 2; this program reads 1"):
        scene.restore(backup_id, scene.root / "restored")


def test_two_restores_into_one_place_do_not_meet(scene: Scene, backup: str, target: Path) -> None:
    with alone_in(open_target(str(target))), pytest.raises(TargetError, match="Another restore is at work"):
        scene.restore(backup, target)
    scene.restore(backup, target)


@pytest.mark.parametrize("target", ["relative", "/tmp"])
def test_a_target_that_is_no_place_of_its_own_is_refused(scene: Scene, backup: str, target: str) -> None:
    with pytest.raises(InputError, match=target):
        scene.restore(backup, Path(target))


def test_a_tree_that_is_shared_itself_can_be_restored_twice(scene: Scene) -> None:
    scene.tree.chmod(0o1777)
    backup_id, _result = scene.back_up()
    for _run in range(2):
        scene.restore(backup_id, scene.root / "restored")
    assert (scene.root / "restored").stat().st_mode & 0o7777 == 0o1777


def test_a_target_that_is_a_file_is_refused(scene: Scene, backup: str) -> None:
    (scene.root / "file").write_text("mine")
    for target in (scene.root / "file", scene.root / "file/below"):
        with pytest.raises(TargetError, match="is not a directory"):
            scene.restore(backup, target)
    assert (scene.root / "file").read_text() == "mine"


def test_what_an_interrupted_restore_left_is_cleared_away(scene: Scene, backup: str, target: Path) -> None:
    for path in (target / "dir", target):
        (path / ".continuity-restore.0123456789abcdef.77").write_text("half")
        (path / ".continuity-restore.notes").write_text("mine")
    scene.restore(backup, target)
    assert [os.path.basename(path) for path in leftovers(target)] == [b".continuity-restore.notes"] * 2


def small_file_system(scene: Scene, size: str, *options: str) -> Path:
    mounted = scene.root / "small"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "none", mounted], check=True)
    return mounted


@pytest.fixture
def unmount(scene: Scene) -> t.Iterator[None]:
    """Take the small file system away again."""
    yield
    # Lazily: what a test that has just failed knows may hold a descriptor.
    subprocess.run(["umount", "--lazy", scene.root / "small"], check=True)


@pytest.mark.usefixtures("unmount")
def test_too_little_room_is_found_out_beforehand(scene: Scene) -> None:
    (scene.tree / "f").write_bytes(os.urandom(9 << 20))
    backup_id, _result = scene.back_up()
    small = small_file_system(scene, "8m")
    with pytest.raises(TargetError, match=r"8\.0 MiB free, but the restore needs about"):
        scene.restore(backup_id, small / "restored")
    assert os.listdir(small) == []


@pytest.mark.usefixtures("unmount")
def test_too_few_inodes_are_found_out_beforehand(scene: Scene) -> None:
    for number in range(100):
        (scene.tree / f"{number}").touch()
    backup_id, _result = scene.back_up()
    small = small_file_system(scene, "8m", "nr_inodes=50")
    with pytest.raises(TargetError, match="more files, but the restore makes 100"):
        scene.restore(backup_id, small / "restored")
    assert os.listdir(small) == []


@pytest.mark.usefixtures("unmount")
@pytest.mark.parametrize("sizes", [[1 << 20] * 12, [3 << 20, 20 << 20], [40_000] * 300])
def test_a_disk_that_fills_up_meanwhile_leaves_whole_files(
    scene: Scene, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, size in enumerate(sizes):
        (scene.tree / f"{number:03}").write_bytes(os.urandom(size))
    age(scene.tree)
    backup_id, _result = scene.back_up()
    small = small_file_system(scene, "8m")
    # Somebody else takes the room after it was looked at.
    monkeypatch.setattr(
        "ansible_collections.dfr.continuity.plugins.module_utils._files.restore.check_room", lambda *_rest: None
    )
    with pytest.raises(TargetError, match="is full") as raised:
        scene.restore(backup_id, small / "restored")
    assert "run the restore again" in raised.value.next_step
    finished = [path for path in (small / "restored").iterdir() if path.is_file()]
    assert len(finished) < len(sizes)
    assert leftovers(small) == []
    for path in finished:
        assert path.read_bytes() == (scene.tree / path.name).read_bytes()
    subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
    result = scene.restore(backup_id, small / "restored")
    assert describe(small / "restored") == describe(scene.tree)
    assert result.unchanged >= len(finished)


def test_files_in_use_are_replaced_not_written_to(scene: Scene, backup: str, target: Path) -> None:
    with open(target / "b", "r+") as in_use:
        in_use.write("X")
        in_use.flush()
        scene.restore(backup, target)
        in_use.seek(0)
        assert in_use.read(1) == "X"
    assert (target / "b").read_bytes() == (scene.tree / "b").read_bytes()


def test_an_inherited_acl_does_not_stick(scene: Scene, backup: str) -> None:
    target = scene.root / "restored"
    target.mkdir()
    os.setxattr(target, "system.posix_acl_default", SOME_ACL)
    scene.restore(backup, target)
    assert describe(target) == describe(scene.tree)


def test_a_socket_in_the_way_is_replaced(scene: Scene, backup: str) -> None:
    target = scene.root / "restored"
    target.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(target / "a"))
        scene.restore(backup, target)
    assert describe(target) == describe(scene.tree)


def test_owners_can_be_chosen(scene: Scene, backup: str) -> None:
    target = scene.root / "restored"
    scene.restore(backup, target, owner="12345", group="54321")
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in target.rglob("*")} == {(12345, 54321)}
    with pytest.raises(InputError, match="no user 'no-such-user'"):
        scene.restore(backup, scene.root / "other", owner="no-such-user")
    assert not (scene.root / "other").exists()


def test_rights_of_another_owner_are_not_lent(scene: Scene) -> None:
    (scene.tree / "f").write_text("x")
    os.chown(scene.tree / "f", 12345, 12345)
    (scene.tree / "f").chmod(0o6755)
    backup_id, _result = scene.back_up()
    scene.restore(backup_id, scene.root / "restored", owners="none")
    assert (scene.root / "restored/f").stat().st_mode & 0o7777 == 0o755
