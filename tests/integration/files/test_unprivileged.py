# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Without root: what may not be read is named, what may not be given is told, and nothing else goes wrong."""

from __future__ import annotations

import os
import pickle
import pwd
import shutil
import stat
import subprocess
import tempfile
import traceback
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._files import findings as kinds
from ansible_collections.dfr.continuity.plugins.module_utils._files.backup import TreeBackup
from ansible_collections.dfr.continuity.plugins.module_utils._files.restore import IncompleteRestoreError, RestoreResult
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import SourceError, TargetError
from ansible_collections.dfr.continuity.plugins.module_utils._repository.summary import read_summary
from ansible_collections.dfr.continuity.tests.integration.files.scene import Scene, age, describe

NOBODY = pwd.getpwnam("nobody")
T = t.TypeVar("T")


def as_nobody(work: t.Callable[[], T]) -> T:
    """Do something in a child process without privileges, and bring its result or its exception back."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        answer: tuple[bool, t.Any]
        try:
            os.setgroups([])
            os.setresgid(*[NOBODY.pw_gid] * 3)
            os.setresuid(*[NOBODY.pw_uid] * 3)
            answer = (True, work())
        except BaseException as error:
            traceback.print_exc()
            answer = (False, error)
        with open(writing, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    good, result = pickle.loads(data)
    if not good:
        raise result
    return t.cast("T", result)


@pytest.fixture(scope="module", autouse=True)
def everything_loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have all modules loaded by root: the interpreter itself may lie where nobody cannot read it."""
    rehearsal = Scene(tmp_path_factory.mktemp("rehearsal") / "scene")
    (rehearsal.tree / "file").write_text("x")
    backup_id, _result = rehearsal.back_up()
    rehearsal.restore(backup_id, rehearsal.root / "restored")


@pytest.fixture
def scene() -> t.Iterator[Scene]:
    """A scene that belongs to nobody, where nobody can get at it."""
    root = Path(tempfile.mkdtemp(prefix="continuity-"))
    made = Scene(root)
    for path in [root, *root.rglob("*")]:
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    yield made
    shutil.rmtree(root)


def make(path: Path, mode: int = 0o644, owner: int = NOBODY.pw_uid) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(path.name)
    path.chmod(mode)
    os.chown(path, owner, owner)


def back_up(scene: Scene, **options: t.Any) -> tuple[str, TreeBackup]:
    return as_nobody(lambda: scene.back_up(**options))


def test_unreadable_files_are_named_and_the_backup_is_partial(scene: Scene) -> None:
    make(scene.tree / "a")
    make(scene.tree / "secret", 0o600, owner=0)
    make(scene.tree / "closed/inside")
    (scene.tree / "closed").chmod(0o700)
    os.chown(scene.tree / "closed", 0, 0)
    backup_id, result = back_up(scene)
    assert result.degraded
    assert "closed (directory: Permission denied), secret (Permission denied)" in result.reason
    assert "the right to read" in result.next_step
    assert result.record["facts"]["failed_files"] == 2
    assert set(scene.entries(backup_id)) == {b"", b"a", b"closed"}
    with scene.site.open() as repository:
        part = read_summary(repository, backup_id).document["parts"][0]
    assert (part["status"], part["reason"]) == ("partial", result.reason)


def test_unreadable_files_are_only_named_if_so_wished(scene: Scene) -> None:
    make(scene.tree / "a")
    make(scene.tree / "secret", 0o600, owner=0)
    _id, result = back_up(scene, unreadable="warn")
    assert not result.degraded
    assert result.findings.named[kinds.FAILED] == ["secret (Permission denied)"]


def test_an_unreadable_root_is_refused(scene: Scene) -> None:
    scene.tree.chmod(0o700)
    os.chown(scene.tree, 0, 0)
    with pytest.raises(SourceError, match="Permission denied") as raised:
        back_up(scene)
    assert str(scene.tree) in raised.value.message
    assert "root" in raised.value.next_step


def test_files_that_may_be_read_but_belong_to_others_are_read(scene: Scene) -> None:
    make(scene.tree / "others", 0o644, owner=0)
    backup_id, result = back_up(scene)
    assert not result.degraded
    assert scene.entries(backup_id)[b"others"].uid == 0


def back_up_as_root(scene: Scene) -> str:
    """Back up with all rights; return the id of the backup, which nobody may read afterwards."""
    backup_id, _result = scene.back_up()
    subprocess.run(["chown", "-R", "nobody", scene.site.store], check=True)
    return backup_id


def restore(scene: Scene, backup_id: str, target: Path, **options: t.Any) -> RestoreResult:
    return as_nobody(lambda: scene.restore(backup_id, target, **options))


def test_a_restore_without_privileges_says_whose_the_files_are(scene: Scene) -> None:
    make(scene.tree / "a", 0o640, owner=0)
    make(scene.tree / "program", 0o4755, owner=0)
    (scene.tree / "program").chmod(0o4755)
    make(scene.tree / "dir/b")
    (scene.tree / "dir").chmod(0o555)
    age(scene.tree)
    backup_id = back_up_as_root(scene)
    result = restore(scene, backup_id, scene.root / "restored")
    assert result.warnings == ["Everything belongs to who ran the restore: only root can give files to others."]
    restored, source = describe(scene.root / "restored", owners=False), describe(scene.tree, owners=False)
    assert stat.S_IMODE(int(restored[b"program"][0], 8)) == 0o755
    del restored[b"program"], source[b"program"]
    assert restored == source
    assert {path.stat().st_uid for path in (scene.root / "restored").rglob("*")} == {NOBODY.pw_uid}
    again = restore(scene, backup_id, scene.root / "restored")
    assert not again.changed


def test_a_device_cannot_be_made_without_privileges_and_is_named(scene: Scene) -> None:
    make(scene.tree / "a")
    os.mknod(scene.tree / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    backup_id = back_up_as_root(scene)

    def attempt() -> tuple[str, int]:
        try:
            scene.restore(backup_id, scene.root / "restored")
        except IncompleteRestoreError as error:
            return error.message, error.result.written
        return "", 0

    message, written = as_nobody(attempt)
    assert "null (Operation not permitted)" in message
    assert written == 1
    assert (scene.root / "restored/a").exists()


def test_a_target_that_may_not_be_written_to_is_refused(scene: Scene) -> None:
    make(scene.tree / "a")
    backup_id = back_up_as_root(scene)
    closed = scene.root / "closed"
    closed.mkdir(mode=0o755)
    with pytest.raises(TargetError, match="Permission denied"):
        restore(scene, backup_id, closed / "restored")
    assert list(closed.iterdir()) == []
