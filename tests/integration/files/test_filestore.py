# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Odoo filestore: content is what the name says, or it is said that it is not."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._files import findings as kinds
from ansible_collections.dfr.continuity.plugins.module_utils._files.backup import PartAdditions
from ansible_collections.dfr.continuity.plugins.module_utils._files.entries import order
from ansible_collections.dfr.continuity.plugins.module_utils._files.filestore import content_address
from ansible_collections.dfr.continuity.tests.integration.files.scene import Scene, age, describe

pytestmark = pytest.mark.usefixtures("workers")


def attach(tree: Path, data: bytes) -> str:
    """Put an attachment into a filestore as Odoo does; return its store_fname."""
    digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    name = f"{digest[:2]}/{digest}"
    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).write_bytes(data)
    return name


@pytest.fixture
def names(scene: Scene) -> list[str]:
    """A filestore of attachments of all sizes; their names."""
    return sorted(
        attach(scene.tree, os.urandom(size)) for size in [0, 1, *range(1000, 60_000, 1000), 2 << 20, 10 << 20]
    )


def test_a_whole_filestore_comes_back(scene: Scene, names: list[str]) -> None:
    (scene.tree / "checklist/ab").mkdir(parents=True)
    (scene.tree / "checklist" / names[0]).parent.mkdir(exist_ok=True)
    (scene.tree / "checklist" / names[0]).touch()
    age(scene.tree)
    backup_id, result = scene.back_up(kind="odoo_filestore")
    assert (result.degraded, result.record["warnings"], result.record["facts"]["corrupt_files"]) == (False, [], 0)
    restored = scene.restore(backup_id, scene.root / "restored")
    assert restored.warnings == []
    assert describe(scene.root / "restored") == describe(scene.tree)


def test_corrupt_files_are_named_and_stored_each_time(scene: Scene, names: list[str]) -> None:
    damaged = [names[3], names[-1]]
    for name in damaged:
        data = bytearray((scene.tree / name).read_bytes() or b"x")
        data[0] ^= 1
        (scene.tree / name).write_bytes(data)
    seen = []
    for _run in range(2):
        backup_id, result = scene.back_up(kind="odoo_filestore")
        assert result.record["facts"]["corrupt_files"] == 2
        seen.append([name.split(" ")[0] for name in result.findings.named[kinds.CORRUPT]])
        assert not result.degraded
    assert seen == [damaged, damaged]
    restored = scene.restore(backup_id, scene.root / "restored")
    assert [name.split(" ")[0] for name in restored.findings.named[kinds.CORRUPT]].sort() == damaged.sort()
    assert restored.findings.counts[kinds.CORRUPT] == 2
    assert (scene.root / "restored" / damaged[0]).read_bytes() == (scene.tree / damaged[0]).read_bytes()


def test_a_file_being_written_is_waited_for(scene: Scene, names: list[str]) -> None:
    """Odoo writes in place: what is read first is the beginning only."""
    data = os.urandom(300_000)
    name = attach(scene.tree, data)
    path = scene.tree / name
    path.write_bytes(data[:1000])

    def finish() -> None:
        time.sleep(0.3)
        path.write_bytes(data)

    writer = threading.Thread(target=finish)
    writer.start()
    backup_id, result = scene.back_up(kind="odoo_filestore")
    writer.join()
    assert result.findings.counts[kinds.CORRUPT] == 0
    scene.restore(backup_id, scene.root / "restored")
    assert (scene.root / "restored" / name).read_bytes() == data
    assert len(names) + 1 == result.record["facts"]["files"]


def test_every_file_is_told_in_order(scene: Scene, names: list[str]) -> None:
    (scene.tree / names[5]).write_bytes(b"damaged")
    told: list[tuple[bytes, int, bool]] = []

    def additions() -> PartAdditions:
        assert len(told) == len(names)
        return PartAdditions(facts={"attachments": len(told)}, manifest={"more": "x"}, warnings=["added"])

    for _run in range(2):
        told.clear()
        backup_id, result = scene.back_up(
            kind="odoo_filestore", on_file=lambda *one: told.append(one), additions=additions
        )
        assert [path for path, _size, _good in told] == sorted((name.encode() for name in names), key=order)
        assert {path: size for path, size, _good in told} == {
            name.encode(): (scene.tree / name).stat().st_size for name in names
        }
        assert [path.decode() for path, _size, good in told if not good] == [names[5]]
        assert result.record["facts"]["attachments"] == len(names)
        assert result.record["warnings"][-1] == "added"
    with scene.reader(backup_id) as reader:
        assert reader.manifest["more"] == "x"


def test_an_unchanged_filestore_is_not_read_again(scene: Scene, names: list[str]) -> None:
    while time.time_ns() - max((scene.tree / name).stat().st_ctime_ns for name in names) < 2_100_000_000:
        time.sleep(0.1)
    scene.back_up(kind="odoo_filestore")
    _id, result = scene.back_up(kind="odoo_filestore")
    assert result.record["facts"]["unchanged_files"] == len(names)
    assert result.record["bytes"]["new"] == 0


def test_an_empty_filestore_is_explained(scene: Scene) -> None:
    _id, result = scene.back_up(kind="odoo_filestore")
    assert "check data_dir" in result.record["warnings"][0]


def test_names_of_one_inode_are_looked_at_one_by_one(scene: Scene, names: list[str]) -> None:
    wrong = "ab/ab" + "0" * 38
    (scene.tree / "ab").mkdir(exist_ok=True)
    os.link(scene.tree / names[4], scene.tree / wrong)
    backup_id, result = scene.back_up(kind="odoo_filestore")
    assert [name.split(" ")[0] for name in result.findings.named[kinds.CORRUPT]] == [wrong]
    assert scene.entries(backup_id)[wrong.encode()].type == "file"


@pytest.mark.parametrize(
    ("path", "address"),
    [
        (b"ab/ab" + b"0" * 38, "ab" + "0" * 38),
        (b"ab/cd" + b"0" * 38, None),
        (b"checklist/ab/ab" + b"0" * 38, None),
        (b"ab/ab" + b"0" * 37, None),
        (b"AB/AB" + b"0" * 38, None),
        (b"ab/ab" + b"0" * 38 + b"\n", None),
    ],
)
def test_content_addresses(path: bytes, address: str | None) -> None:
    assert content_address(path) == address
