# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees that do not hold still, files that cannot be read, and damage to the repository."""

from __future__ import annotations

import errno
import os
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._files import content
from ansible_collections.dfr.continuity.plugins.module_utils._files import findings as kinds
from ansible_collections.dfr.continuity.plugins.module_utils._files.directory import Directory
from ansible_collections.dfr.continuity.plugins.module_utils._files.restore import IncompleteRestoreError
from ansible_collections.dfr.continuity.plugins.module_utils._repository.summary import read_summary
from ansible_collections.dfr.continuity.tests.integration.files.scene import Scene, describe, leftovers

Meddle = t.Callable[[bytes], None]


@pytest.fixture
def on_open(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[Meddle], None]:
    """Have something done to the tree at the very moment between the scan and the opening of a file."""

    def install(meddle: Meddle) -> None:
        real = Directory.open_file

        def open_file(self: Directory, name: bytes) -> int:
            meddle(name)
            return real(self, name)

        monkeypatch.setattr(Directory, "open_file", open_file)

    return install


@pytest.fixture
def on_read(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[Meddle], None]:
    """Have something done after a file was opened and before its end was read."""

    def install(meddle: Meddle) -> None:
        real = content._copy

        def copy(fd: int, *rest: t.Any) -> t.Any:
            copied = real(fd, *rest)
            meddle(os.path.basename(os.readlink(b"/proc/self/fd/%d" % fd)))
            return copied

        monkeypatch.setattr(content, "_copy", copy)

    return install


def fill(scene: Scene, *names: str, size: int = 1000) -> None:
    for name in names:
        (scene.tree / name).write_bytes(os.urandom(size))


def test_a_file_that_vanishes_is_named(scene: Scene, on_open: t.Callable[[Meddle], None]) -> None:
    fill(scene, "a", "b", "c")
    on_open(lambda name: (scene.tree / "b").unlink(missing_ok=True))
    backup_id, result = scene.back_up()
    assert set(scene.entries(backup_id)) == {b"", b"a", b"c"}
    assert result.findings.named[kinds.VANISHED] == ["b"]
    assert result.record["warnings"] == ["1 of the files vanished before they were read: b."]
    assert result.record["facts"]["vanished_files"] == 1
    assert not result.degraded


@pytest.mark.parametrize("kind", ["directory", "link", "fifo", "link to a file"])
def test_a_file_that_becomes_something_else_is_not_followed(
    scene: Scene, on_open: t.Callable[[Meddle], None], kind: str
) -> None:
    fill(scene, "a", "b", "c")
    secret = scene.root / "secret"
    secret.write_text("secret")

    def exchange(name: bytes) -> None:
        path = scene.tree / "b"
        if name == b"b" and path.is_file() and not path.is_symlink():
            path.unlink()
            {
                "directory": path.mkdir,
                "link": lambda: path.symlink_to("/nowhere"),
                "fifo": lambda: os.mkfifo(path),
                "link to a file": lambda: path.symlink_to(secret),
            }[kind]()

    on_open(exchange)
    backup_id, result = scene.back_up()
    assert set(scene.entries(backup_id)) == {b"", b"a", b"c"}
    assert (result.findings.named[kinds.VANISHED], result.findings.counts[kinds.FAILED]) == (["b"], 0)


def test_a_file_that_changes_once_is_read_again(scene: Scene, on_read: t.Callable[[Meddle], None]) -> None:
    fill(scene, "a", "b", "c")
    changes = iter([b"changed meanwhile"])

    def change(name: bytes) -> None:
        if name == b"b":
            for new in changes:
                (scene.tree / "b").write_bytes(new)

    on_read(change)
    backup_id, result = scene.back_up()
    assert result.record["warnings"] == []
    scene.restore(backup_id, scene.root / "restored")
    assert (scene.root / "restored/b").read_bytes() == b"changed meanwhile"


@pytest.mark.parametrize("size", [1000, 3 << 20, 12 << 20])
def test_a_file_that_changes_all_the_time_is_stored_and_named(
    scene: Scene, on_read: t.Callable[[Meddle], None], size: int
) -> None:
    fill(scene, "a", "b", "c", size=size)
    readings = []

    def change(name: bytes) -> None:
        if name == b"b":
            readings.append(name)
            with open(scene.tree / "b", "ab") as file:
                file.write(b"another line\n")

    on_read(change)
    backup_id, result = scene.back_up()
    assert len(readings) == 3
    assert result.findings.named[kinds.CHANGED] == ["b"]
    assert result.record["facts"]["changed_files"] == 1
    assert not result.degraded
    scene.restore(backup_id, scene.root / "restored")
    restored = (scene.root / "restored/b").read_bytes()
    assert len(restored) == size + 2 * len(b"another line\n")
    assert (scene.tree / "b").read_bytes().startswith(restored)


@pytest.mark.parametrize("size", [1000, 3 << 20, 12 << 20])
def test_a_file_cut_short_while_being_read_is_whole_in_itself(
    scene: Scene, on_open: t.Callable[[Meddle], None], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    fill(scene, "b", size=size)
    real = os.fstat

    def fstat(fd: int) -> os.stat_result:
        status = real(fd)
        if os.readlink(f"/proc/self/fd/{fd}").endswith("tree/b"):
            os.truncate(scene.tree / "b", real(fd).st_size // 2)
        return status

    monkeypatch.setattr(content.os, "fstat", fstat)
    backup_id, result = scene.back_up()
    monkeypatch.undo()
    assert result.findings.named[kinds.CHANGED] == ["b"]
    scene.restore(backup_id, scene.root / "restored")
    assert (scene.root / "restored/b").stat().st_size == scene.entries(backup_id)[b"b"].size < size


def test_a_sparse_file_cut_short_while_being_read_is_whole_in_itself(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(scene.tree / "b", "wb") as file:
        for offset in (0, 1 << 20, 5 << 20):
            file.seek(offset)
            file.write(b"x" * 100_000)
        file.truncate(50 << 20)
    real = content.data_extents

    def data_extents(fd: int, size: int) -> t.Any:
        found = real(fd, size)
        os.truncate(scene.tree / "b", (1 << 20) + 5)
        return found

    monkeypatch.setattr(content, "data_extents", data_extents)
    monkeypatch.setattr(content, "_READINGS", 1)
    backup_id, result = scene.back_up()
    monkeypatch.undo()
    assert result.findings.named[kinds.CHANGED] == ["b"]
    scene.restore(backup_id, scene.root / "restored")
    assert (scene.root / "restored/b").read_bytes() == (scene.tree / "b").read_bytes()


def test_a_tree_in_full_motion_gives_a_whole_backup(scene: Scene) -> None:
    """Threads make, change, exchange and remove files all the time; what was stored can be restored."""
    for number in range(400):
        directory = scene.tree / f"{number % 7}"
        directory.mkdir(exist_ok=True)
        (directory / f"{number}").write_bytes(os.urandom(number * 100))
    stop = threading.Event()

    def move(seed: int) -> None:
        number = seed
        while not stop.is_set():
            number = (number * 1103515245 + 12345) % 400
            path = scene.tree / f"{number % 7}" / f"{number}"
            if number % 3 == 0:
                path.unlink(missing_ok=True)
            elif number % 3 == 1:
                path.write_bytes(os.urandom(5000))
            else:
                other = path.with_suffix(f".new{seed}")
                other.write_bytes(b"exchanged")
                os.rename(other, path)

    threads = [threading.Thread(target=move, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    try:
        backups = [scene.back_up() for _number in range(3)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    for number, (backup_id, result) in enumerate(backups):
        assert result.findings.counts[kinds.FAILED] == 0
        scene.assert_whole(backup_id)
        restored = scene.restore(backup_id, scene.root / f"restored-{number}")
        assert restored.written == sum(
            result.record["facts"][kind] for kind in ("files", "directories", "symlinks", "hard_links")
        ) - (restored.updated > 0)


def test_an_input_error_makes_the_part_degraded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(scene, "a", "b", "c", size=2000)
    real = os.read

    def read(fd: int, size: int) -> bytes:
        if os.readlink(f"/proc/self/fd/{fd}").endswith("tree/b"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(fd, size)

    monkeypatch.setattr(content.os, "read", read)
    backup_id, result = scene.back_up()
    monkeypatch.undo()
    assert result.degraded
    assert "b (Input/output error)" in result.reason
    assert "disk" in result.next_step
    assert result.record["facts"]["failed_files"] == 1
    assert set(scene.entries(backup_id)) == {b"", b"a", b"c"}
    with scene.site.open() as repository:
        summary = read_summary(repository, backup_id)
    assert summary.status == "partial"


def test_unreadable_files_can_be_a_mere_warning(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(scene, "a")
    monkeypatch.setattr(
        content, "_copy", lambda *_rest: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error"))
    )
    _backup_id, result = scene.back_up(unreadable="warn")
    assert (result.degraded, result.findings.counts[kinds.FAILED]) == (False, 1)
    assert result.record["warnings"][0].startswith(f"{scene.tree} holds no files.")
    assert result.record["warnings"][1].startswith("1 of the files could not be read")


def test_another_name_takes_the_place_of_a_lost_one(scene: Scene, on_open: t.Callable[[Meddle], None]) -> None:
    fill(scene, "a")
    for name in "bcd":
        os.link(scene.tree / "a", scene.tree / name)
    on_open(lambda name: (scene.tree / "a").unlink(missing_ok=True))
    backup_id, result = scene.back_up()
    assert result.findings.named[kinds.VANISHED] == ["a"]
    entries = scene.entries(backup_id)
    assert [(path, entry.type, entry.target) for path, entry in entries.items()][1:] == [
        (b"b", "file", b""),
        (b"c", "link", b"b"),
        (b"d", "link", b"b"),
    ]
    scene.restore(backup_id, scene.root / "restored")
    restored, source = describe(scene.root / "restored"), describe(scene.tree)
    # The root lost a name after it was looked at.
    assert restored.pop(b"") != source.pop(b"")
    assert restored == source


def test_a_damaged_pack_fails_its_files_and_no_others(scene: Scene) -> None:
    # Several packs, and files that are in one of them only.
    for number in range(20):
        (scene.tree / f"{number:02}").write_bytes(os.urandom(4 << 20))
    backup_id, _result = scene.back_up()
    packs = scene.site.objects("packs/")
    assert len(packs) > 2
    with scene.reader(backup_id) as reader:
        (entries,) = set(reader.streams["entries"].ids)
        location = reader.repository.index.locate(entries)
        assert location is not None
    (victim, *_rest) = [path for path in packs if path.name != location.pack.pack_id.hex()]
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    with pytest.raises(IncompleteRestoreError) as raised:
        scene.restore(backup_id, scene.root / "restored")
    failed = {name.split(" ")[0] for name in raised.value.result.findings.named[kinds.FAILED]}
    restored = {path.name for path in (scene.root / "restored").iterdir()}
    assert failed
    assert restored | failed == {f"{number:02}" for number in range(20)}
    assert not restored & failed
    assert leftovers(scene.root / "restored") == []
    for name in restored:
        assert (scene.root / "restored" / name).read_bytes() == (scene.tree / name).read_bytes()


def test_the_repository_itself_is_not_backed_up_into_itself(scene: Scene) -> None:
    fill(scene, "a")
    with pytest.raises(Exception, match="repository") as raised:
        scene.back_up(scene.root)
    assert "exclude" in raised.value.next_step  # type: ignore[attr-defined]
    backup_id, _result = scene.back_up(scene.root, exclude=["/repository/"])
    assert b"tree/a" in scene.entries(backup_id)
    assert not any(path.startswith(b"repository") for path in scene.entries(backup_id))


def test_broken_file_systems_do_not_stop_the_scan(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    (scene.tree / "bad").mkdir()
    fill(scene, "a", "bad/b", "z")
    real = Directory.names

    def names(self: Directory) -> list[bytes]:
        if os.readlink(f"/proc/self/fd/{self.fd}").endswith("/bad"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(self)

    monkeypatch.setattr(Directory, "names", names)
    backup_id, result = scene.back_up()
    monkeypatch.undo()
    assert result.degraded
    assert result.findings.named[kinds.FAILED] == ["bad (directory: Input/output error)"]
    assert set(scene.entries(backup_id)) == {b"", b"a", b"bad", b"z"}


def test_the_names_of_problems_are_in_the_manifest(scene: Scene, on_open: t.Callable[[Meddle], None]) -> None:
    fill(scene, *(f"{number:03}" for number in range(50)))
    on_open(lambda name: Path(scene.tree, os.fsdecode(name)).unlink(missing_ok=True))
    backup_id, result = scene.back_up()
    assert result.record["warnings"][-1].endswith("009 and 40 more.")
    with scene.reader(backup_id) as reader:
        assert len(reader.manifest["tree"]["findings"]["vanished"]) == 50
