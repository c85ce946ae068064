# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache of the last run: unchanged files are found, changed ones never taken for unchanged, damage is ignored."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._files.cache import (
    RACY,
    CacheReader,
    CacheWriter,
    is_racy,
    make_record,
)

IDENTITY = {"kind": "tree"}
PATHS = [b"a", b"a/b", b"a/b\nc", b"a-b", b"bro\xffken", b"z"]


def status(size: int = 5, mtime: int = 1, ctime: int = 2, inode: int = 3) -> os.stat_result:
    """Make a status with the four values that count."""
    fields = {"st_mtime_ns": mtime, "st_ctime_ns": ctime}
    return os.stat_result((0o100644, inode, 0, 1, 0, 0, size, 0, 0, 0), fields)


def write(path: Path, paths: list[bytes] = PATHS, identity: dict[str, str] | None = None) -> None:
    writer = CacheWriter(str(path), identity or IDENTITY)
    for number, one in enumerate(paths):
        writer.add(make_record(one, status(), [bytes([number]) * 32], b'{"path":%d}' % number))
    writer.commit(len(paths), 12345)


def found(path: Path, paths: list[bytes], now: os.stat_result | None = None) -> list[bytes]:
    reader = CacheReader(str(path), IDENTITY)
    entries = [reader.find(one, now or status()) for one in paths]
    reader.close()
    return [one for one, known in zip(paths, entries, strict=True) if known is not None]


def test_the_status_made_here_is_one() -> None:
    assert (status().st_size, status().st_mtime_ns, status().st_ctime_ns, status().st_ino) == (5, 1, 2, 3)


def test_what_was_stored_is_found_again(tmp_path: Path) -> None:
    cache = tmp_path / "deep/er/cache"
    write(cache)
    reader = CacheReader(str(cache), IDENTITY)
    assert (reader.files, reader.bytes) == (len(PATHS), 12345)
    for number, path in enumerate(PATHS):
        known = reader.find(path, status())
        assert known is not None
        assert known.ids == [bytes([number]) * 32]
        assert known.entry == b'{"path":%d}' % number
        assert known.record == make_record(path, status(), known.ids, known.entry)
    assert cache.stat().st_mode & 0o777 == 0o600
    assert os.listdir(cache.parent) == ["cache"]


def test_files_that_came_and_went_do_not_disturb(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    write(cache)
    assert found(cache, [b"0", b"a", b"a/b", b"a/c", b"a-b", b"zz"]) == [b"a", b"a/b", b"a-b"]
    assert found(cache, [b"z"]) == [b"z"]


@pytest.mark.parametrize("change", ["size", "mtime", "ctime", "inode"])
def test_any_difference_makes_a_file_changed(tmp_path: Path, change: str) -> None:
    cache = tmp_path / "cache"
    write(cache)
    assert found(cache, PATHS) == PATHS
    assert found(cache, PATHS, status(**{change: 77})) == []


def test_a_file_changed_lately_is_not_remembered() -> None:
    started = time.time_ns()
    assert is_racy(status(ctime=started), started)
    assert is_racy(status(ctime=started - RACY), started)
    assert is_racy(status(ctime=started + 10 * RACY), started)
    assert not is_racy(status(ctime=started - RACY - 1), started)


@pytest.mark.parametrize("where", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_one_flipped_bit_anywhere_empties_it(tmp_path: Path, where: float) -> None:
    cache = tmp_path / "cache"
    write(cache)
    data = bytearray(cache.read_bytes())
    data[int(where * len(data))] ^= 1
    cache.write_bytes(data)
    assert found(cache, PATHS) == []


def test_any_truncation_empties_it(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    write(cache)
    whole = cache.read_bytes()
    for length in range(len(whole) - 1):
        cache.write_bytes(whole[:length])
        assert found(cache, PATHS) == [], length


def test_one_of_another_tree_or_none_is_empty(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert found(cache, PATHS) == []
    write(cache, identity={"kind": "odoo_filestore"})
    assert found(cache, PATHS) == []


def test_only_a_commit_replaces_the_old_one(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    write(cache)
    writer = CacheWriter(str(cache), IDENTITY)
    writer.add(make_record(b"new", status(), [], b"{}"))
    assert found(cache, PATHS) == PATHS
    writer.discard()
    assert found(cache, PATHS) == PATHS
    assert os.listdir(tmp_path) == ["cache"]


def test_two_runs_at_once_leave_a_whole_one(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = CacheWriter(str(cache), IDENTITY)
    second = CacheWriter(str(cache), IDENTITY)
    first.add(make_record(b"first", status(), [], b"{}"))
    second.add(make_record(b"second", status(), [], b"{}"))
    second.commit(1, 1)
    first.commit(1, 1)
    assert found(cache, [b"first", b"second"]) == [b"first"]


def test_what_a_killed_run_left_behind_is_used_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (tmp_path / "cache.new").write_bytes(b"left behind " * 1000)
    write(cache)
    assert found(cache, PATHS) == PATHS
    assert os.listdir(tmp_path) == ["cache"]


def test_many_lines_are_all_there(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    paths = [b"%06d" % number for number in range(3000)]
    writer = CacheWriter(str(cache), IDENTITY)
    for path in paths:
        writer.add(make_record(path, status(), [], b"{}"))
    writer.commit(3000, 0)
    assert found(cache, paths) == paths
