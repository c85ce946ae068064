# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory as a store: durability in the right order, nothing half-done, nothing outside of it."""

from __future__ import annotations

import os
import stat
import time

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    InputError,
    ObjectMissingError,
    SourceError,
    StoreError,
    StoreUnreachableError,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.directory import DirectoryStore

UNFINISHED = ".unfinished-0123456789abcdef"


@pytest.fixture
def store(tmp_path):
    made = DirectoryStore(str(tmp_path))
    yield made
    made.close()


def names(store, prefix=""):
    return [info.name for info in store.list(prefix)]


def files_below(path):
    return sorted(str(found.relative_to(path)) for found in path.rglob("*") if not found.is_dir())


def test_files_are_private(store, tmp_path):
    store.put("packs/ab/abcd", [b"content"])
    assert stat.S_IMODE((tmp_path / "packs/ab/abcd").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "packs/ab").stat().st_mode) == 0o700


def test_the_order_of_writing_survives_a_power_failure(store, tmp_path, monkeypatch):
    """Content is on disk before it has a name, and each name before anyone is told."""
    steps = []
    really = {name: getattr(os, name) for name in ("fsync", "replace", "mkdir")}

    def place(descriptor):
        return os.readlink(f"/proc/self/fd/{descriptor}").removeprefix(f"{tmp_path}").lstrip("/") or "."

    def fsync(descriptor):
        name = place(descriptor)
        steps.append("fsync file" if ".unfinished-" in name else f"fsync {name}")
        really["fsync"](descriptor)

    def replace(source, target, *, src_dir_fd, dst_dir_fd):
        assert src_dir_fd == dst_dir_fd
        steps.append(f"rename in {place(dst_dir_fd)}")
        really["replace"](source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def mkdir(name, mode, *, dir_fd):
        steps.append(f"mkdir {name} in {place(dir_fd)}")
        really["mkdir"](name, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(os, "mkdir", mkdir)
    store.put("packs/ab/abcd", [b"content"])
    writing = ["fsync file", "rename in packs/ab", "fsync packs/ab"]
    assert steps == ["mkdir packs in .", "fsync .", "mkdir ab in packs", "fsync packs", *writing]
    steps.clear()
    store.put("packs/ab/efgh", [b"content"])
    assert steps == writing


def test_directories_made_by_others_are_made_durable_too(tmp_path, monkeypatch):
    (tmp_path / "packs").mkdir()
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd)))
    DirectoryStore(str(tmp_path)).put("packs/x", [b""])
    assert synced[0] == str(tmp_path)


def test_failing_content_leaves_nothing(store, tmp_path):
    def content():
        yield b"some"
        raise SourceError("The source broke.", "Mend it.")

    with pytest.raises(SourceError):
        store.put("packs/x", content())
    assert files_below(tmp_path) == []


def test_an_oserror_of_the_content_is_not_blamed_on_the_store(store):
    def content():
        yield b"some"
        raise PermissionError("the source's own")

    with pytest.raises(PermissionError, match="the source's own"):
        store.put("x", content())


def test_what_killed_writers_left_is_no_object_and_removed_after_a_day(tmp_path):
    for folder in (tmp_path, tmp_path / "packs", tmp_path / "other"):
        folder.mkdir(exist_ok=True)
        for name, age in (("old", 86500), ("new", 80000)):
            path = folder / f"{UNFINISHED}{name}"
            path.write_bytes(b"half")
            os.utime(path, (time.time() - age,) * 2)
        (folder / ".foreign").write_bytes(b"")
        os.utime(folder / ".foreign", (0, 0))
    store = DirectoryStore(str(tmp_path))
    assert names(store) == []
    with pytest.raises(InputError):
        store.get(f"packs/{UNFINISHED}old")
    assert len(files_below(tmp_path)) == 9  # reading changes nothing
    store.put("packs/x", [b""])
    assert files_below(tmp_path) == [
        ".foreign",
        f"{UNFINISHED}new",
        "other/.foreign",
        f"other/{UNFINISHED}new",
        f"other/{UNFINISHED}old",
        "packs/.foreign",
        f"packs/{UNFINISHED}new",
        "packs/x",
    ]


def test_symbolic_links_are_not_followed(store, tmp_path):
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (tmp_path / "packs").symlink_to(outside)
    (tmp_path / "index").mkdir()
    (tmp_path / "index/secret").symlink_to(outside / "secret")
    for use in (
        lambda: store.get("packs/secret"),
        lambda: store.stat("packs/secret"),
        lambda: store.put("packs/new", [b""]),
        lambda: store.delete("packs/secret"),
        lambda: list(store.list("packs/")),
        lambda: store.get("index/secret"),
        lambda: store.stat("index/secret"),
    ):
        with pytest.raises(StoreError, match="not followed") as caught:
            use()
        assert type(caught.value) is StoreError
        assert str(tmp_path) in caught.value.message
    assert names(store) == []
    # Writing over a link replaces the link, deleting removes it.
    store.put("index/secret", [b"mine"])
    assert not (tmp_path / "index/secret").is_symlink()
    assert (outside / "secret").read_bytes() == b"secret"
    assert files_below(outside) == ["secret"]


def test_the_directory_itself_may_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    DirectoryStore(str(tmp_path / "link")).put("x", [b"content"])
    assert (tmp_path / "real/x").read_bytes() == b"content"


def test_a_pipe_in_place_of_an_object(store, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for use in (lambda: store.get("pipe"), lambda: store.stat("pipe")):
        with pytest.raises(StoreError, match="not a regular file"):
            use()
    assert names(store) == []


def test_a_file_in_place_of_a_directory(store):
    store.put("packs", [b""])
    for use in (lambda: store.put("packs/x", [b""]), lambda: store.get("packs/x"), lambda: list(store.list("packs/"))):
        with pytest.raises(StoreError, match="/packs"):
            use()


def test_a_directory_in_place_of_an_object(store, tmp_path):
    store.put("packs/x", [b""])
    with pytest.raises(StoreError, match=f"Cannot write {tmp_path}/packs"):
        store.put("packs", [b""])
    assert files_below(tmp_path) == ["packs/x"]


def test_names_a_repository_does_not_use_are_no_objects(store, tmp_path):
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "lost+found/#123").write_bytes(b"")
    (tmp_path / "lost+found/123").write_bytes(b"")
    (tmp_path / "with space").write_bytes(b"")
    (tmp_path / os.fsdecode(b"broken-\xff")).write_bytes(b"")
    (tmp_path / ".snapshots").mkdir()
    (tmp_path / ".snapshots/x").write_bytes(b"")
    store.put("x", [b""])
    assert names(store) == ["x"]


def test_a_directory_that_does_not_exist(tmp_path):
    store = DirectoryStore(str(tmp_path / "missing"))
    for use in (
        lambda: store.put("x", [b""]),
        lambda: store.get("x"),
        lambda: store.stat("x"),
        lambda: store.delete("x"),
        lambda: list(store.list("")),
    ):
        with pytest.raises(StoreUnreachableError, match=f"The directory {tmp_path}/missing does not exist"):
            use()
    assert not (tmp_path / "missing").exists()


def test_a_location_that_is_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="is not a directory"):
        DirectoryStore(str(tmp_path / "file")).get("x")


def test_a_directory_that_is_replaced_meanwhile(tmp_path):
    place = tmp_path / "store"
    place.mkdir()
    store = DirectoryStore(str(place))
    store.put("packs/x", [b""])
    place.rename(tmp_path / "elsewhere")
    with pytest.raises(StoreUnreachableError, match="does not exist"):
        store.put("packs/y", [b""])
    place.mkdir()
    for use in (lambda: store.put("packs/y", [b""]), lambda: store.get("packs/x"), lambda: list(store.list(""))):
        with pytest.raises(StoreUnreachableError, match="no longer the one that was opened"):
            use()
    assert list(place.iterdir()) == []
    place.rmdir()
    (tmp_path / "elsewhere").rename(place)
    assert names(store) == ["packs/x"]


def test_a_list_goes_on_when_objects_vanish(store, tmp_path):
    for name in ("a/x", "b/y", "c/z"):
        store.put(name, [b""])
    listing = store.list("")
    assert next(listing).name == "a/x"
    (tmp_path / "b/y").unlink()
    (tmp_path / "b").rmdir()
    assert [info.name for info in listing] == ["c/z"]


def test_descriptors_are_given_back(store):
    store.put("packs/ab/x", [b"content"])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        store.put("packs/ab/y", [b"content"])
        store.get("packs/ab/x")
        store.stat("packs/ab/x")
        next(store.list(""))
        store.delete("packs/ab/y")
        for use in (store.get, store.stat):
            with pytest.raises(ObjectMissingError):
                use("packs/missing/x")
    assert len(os.listdir("/proc/self/fd")) == before


def test_after_closing_it_opens_again(store):
    store.put("x", [b"content"])
    store.close()
    store.close()
    assert store.get("x") == b"content"


def test_a_relative_path_is_refused():
    with pytest.raises(InputError, match="'backup' is not an absolute path"):
        DirectoryStore("backup")
