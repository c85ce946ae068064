# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores that are full, refuse, or go away while the command works: one error, nothing lost, the next run succeeds."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.keys import write_key_file
from ansible_collections.dfr.continuity.tests.environment import s3
from ansible_collections.dfr.continuity.tests.integration.stores.proxy import Fault, Proxy
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

from .conftest import Ended, Program
from .trees import describe

PART = "db1.tree.tree"


def fill(tree: Path, count: int) -> None:
    """Make so many files of 2 MB that cannot be compressed."""
    tree.mkdir(exist_ok=True)
    for number in range(count):
        (tree / f"{number:02}").write_bytes(os.urandom(2_000_000))


class Place:
    """A repository, a tree, and the command with a configuration file for whoever runs it."""

    def __init__(self, root: Path, program: Program, bucket: dict[str, t.Any]) -> None:
        self.root = root
        self.tree = root / "tree"
        self.target = root / "target"
        self._program = program
        self.site = Site(root, bucket=bucket)
        self.site.configure()
        self._key = root / "recovery.pem"
        write_key_file(str(self._key), self.site.recovery_key.to_pem())

    def _configuration(self, changes: dict[str, t.Any]) -> Path:
        access = self.site.access("db1")
        access["s3"] = {**access.get("s3", {}), **changes}
        path = self.root / "continuity.json"
        path.write_text(json.dumps({"repository": {name: value for name, value in access.items() if value}}))
        path.chmod(0o600)
        return path

    def back_up(self, **s3_changes: t.Any) -> Ended:
        return self._program.run("backup", "files", self.tree, "--config", self._configuration(s3_changes))

    def restore(self, **s3_changes: t.Any) -> Ended:
        key = ["--recovery-key", self._key, "--config", self._configuration(s3_changes)]
        return self._program.run("restore", "latest", PART, "--target", self.target, *key)

    def names(self) -> set[str]:
        with self.site.open() as repository:
            return {info.name for info in repository.store.list("")}


def assert_told(ended: Ended, code: int, *words: str) -> None:
    """It ended with this code, and its last two lines are the error, with these words, and the next step."""
    assert ended.code == code, ended.err
    error, step = ended.err.splitlines()[-2:]
    assert (error.partition(": ")[0], step.partition(": ")[0]) == ("error", "next step")
    assert step.partition(": ")[2]
    for word in words:
        assert word in error
    assert "Traceback" not in ended.err


@pytest.fixture
def small_disk(tmp_path: Path, program: Program) -> t.Iterator[Place]:
    """A repository on a file system of 30 MB."""
    store = tmp_path / "repository"
    store.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", store], check=True)
    try:
        yield Place(tmp_path, program, {})
    finally:
        subprocess.run(["umount", "--lazy", store], check=True)


def test_a_repository_whose_disk_fills_up(small_disk: Place) -> None:
    fill(small_disk.tree, 3)
    assert small_disk.back_up().code == 0
    before = describe(small_disk.tree)

    fill(small_disk.tree, 40)
    store = str(small_disk.site.store)
    assert_told(small_disk.back_up(), 3, "No space left on device", store)
    assert not [path for path in small_disk.site.store.rglob(".unfinished-*") if path.is_file()]
    # The older backup has other files of the same names.
    assert small_disk.restore().code == 0
    assert describe(small_disk.target).keys() == before.keys()

    subprocess.run(["mount", "-o", "remount,size=300m", store], check=True)
    assert small_disk.back_up().code == 0
    assert small_disk.restore().code == 0
    assert describe(small_disk.target) == describe(small_disk.tree)


@pytest.fixture
def in_ceph(ceph: t.Any, tmp_path: Path, program: Program) -> Place:
    """A repository in a bucket whose permissions mean something, with one backup."""
    location = f"s3://{ceph.new_bucket()}/prefix"
    place = Place(tmp_path, program, {"location": location, "s3": {**ceph.settings(), "deadline": 20}})
    fill(place.tree, 2)
    assert place.back_up().code == 0
    return place


def test_credentials_without_permission_to_write(in_ceph: Place, ceph: t.Any) -> None:
    user = ceph.new_user()
    bucket = in_ceph.site.bucket["location"].split("/")[2]
    ceph.allow(user, bucket, "s3:GetObject", "s3:ListBucket")
    before = in_ceph.names()
    fill(in_ceph.tree, 3)
    ended = in_ceph.back_up(**user.settings())
    assert_told(ended, 3, "permission was denied", in_ceph.site.bucket["location"])
    assert "s3:PutObject" in ended.err
    assert user.secret_key not in ended.err
    assert in_ceph.names() == before
    assert in_ceph.back_up().code == 0


def test_credentials_without_permission_to_read(in_ceph: Place, ceph: t.Any) -> None:
    user = ceph.new_user()
    ceph.allow(user, in_ceph.site.bucket["location"].split("/")[2], "s3:PutObject", "s3:ListBucket")
    before = in_ceph.names()
    for ended in (in_ceph.restore(**user.settings()), in_ceph.back_up(**user.settings())):
        assert_told(ended, 3, "permission was denied", in_ceph.site.bucket["location"])
        assert "s3:GetObject" in ended.err
    assert not in_ceph.target.exists()
    assert in_ceph.names() == before


def test_a_store_that_goes_away_during_a_restore(tmp_path: Path, program: Program) -> None:
    with s3.rclone_server() as server:
        settings = {**server.settings(), "deadline": 5}
        place = Place(tmp_path, program, {"location": f"s3://{server.new_bucket()}/prefix", "s3": settings})
        fill(place.tree, 30)
        assert place.back_up().code == 0
        # Some of the 60 MB get through, then nothing does.
        faults = [Fault(cut_after=2_000_000)] * 10
        with Proxy(server.endpoint, faults, forever=Fault(cut_after=0)) as proxy:
            assert_told(place.restore(endpoint=proxy.endpoint), 3, proxy.endpoint)
        for path in place.target.rglob("*") if place.target.exists() else ():
            assert path.is_dir() or path.read_bytes() == (place.tree / path.name).read_bytes()
        assert place.restore().code == 0
        assert describe(place.target) == describe(place.tree)
