# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scan: everything, in order, once, and nothing outside."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._files import findings as kinds
from ansible_collections.dfr.continuity.plugins.module_utils._files.directory import Directory
from ansible_collections.dfr.continuity.plugins.module_utils._files.entries import order
from ansible_collections.dfr.continuity.plugins.module_utils._files.findings import Findings
from ansible_collections.dfr.continuity.plugins.module_utils._files.links import LinkTable
from ansible_collections.dfr.continuity.plugins.module_utils._files.patterns import Exclusion
from ansible_collections.dfr.continuity.plugins.module_utils._files.scan import scan


def open_directory(path: Path) -> Directory:
    return Directory(os.open(path, os.O_RDONLY | os.O_DIRECTORY))


def paths(root: Path, findings: Findings | None = None, *exclude: str) -> list[bytes]:
    return [
        found.path
        for found in scan(open_directory(root), findings or Findings(), Exclusion(exclude) if exclude else None)
    ]


def make(root: Path, *names: str | bytes) -> None:
    for name in names:
        path = os.path.join(os.fsencode(root), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def test_order_is_depth_first_and_bytewise(tmp_path: Path) -> None:
    make(tmp_path, "b", "a/z", "a-b", "a.c", "a/y/1", "Z", "ä", "\uffee", "\U0001f600", b"\xff\xfe", "new\nline")
    found = paths(tmp_path)
    assert found == sorted(found, key=order)
    assert found[:3] == [b"", b"Z", b"a"]
    assert {b"a/y/1", b"new\nline", b"\xff\xfe", "\U0001f600".encode()} < set(found)
    assert len(set(found)) == len(found) == 14


def test_symbolic_links_are_not_followed(tmp_path: Path) -> None:
    make(tmp_path, "outside/secret", "tree/real/file")
    (tmp_path / "tree/away").symlink_to("../outside")
    (tmp_path / "tree/loop").symlink_to(".")
    assert paths(tmp_path / "tree") == [b"", b"away", b"loop", b"real", b"real/file"]


def test_a_directory_exchanged_for_a_link_leads_nowhere(tmp_path: Path) -> None:
    make(tmp_path, "outside/secret", "tree/a", "tree/b/file")
    findings = Findings()
    seen = []
    for found in scan(open_directory(tmp_path / "tree"), findings):
        seen.append(found.path)
        if found.path == b"a":
            # Behind the scan's back, after it has listed the root.
            os.rename(tmp_path / "tree/b", tmp_path / "gone")
            (tmp_path / "tree/b").symlink_to("../outside")
    assert seen == [b"", b"a", b"b"]
    assert findings.counts[kinds.FAILED] == 0


def test_a_directory_that_moves_away_is_still_read_where_it_was(tmp_path: Path) -> None:
    make(tmp_path, "tree/b/1", "tree/b/2", "outside/2")
    seen = []
    for found in scan(open_directory(tmp_path / "tree"), Findings()):
        seen.append((found.path, stat.S_ISREG(found.status.st_mode)))
        if found.path == b"b/1":
            os.rename(tmp_path / "tree/b", tmp_path / "moved")
            (tmp_path / "tree/b").symlink_to("../outside")
            (tmp_path / "moved/2").unlink()
            (tmp_path / "moved/2").mkdir()
    assert seen[-1] == (b"b/2", False)


def test_what_vanishes_is_named(tmp_path: Path) -> None:
    make(tmp_path, "a", "b", "c/d")
    findings = Findings()
    seen = []
    for found in scan(open_directory(tmp_path), findings):
        seen.append(found.path)
        if found.path == b"a":
            os.unlink(tmp_path / "b")
    assert seen == [b"", b"a", b"c", b"c/d"]
    assert findings.named[kinds.VANISHED] == ["b"]


def test_exclusions_are_not_descended_into(tmp_path: Path) -> None:
    make(tmp_path, "keep/1", "cache/2", "keep/cache/3", "keep/x.log", "cache.txt")
    assert paths(tmp_path, None, "cache/", "*.log") == [b"", b"cache.txt", b"keep", b"keep/1"]


def test_sockets_are_told_and_left_out(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        findings = Findings()
        assert paths(tmp_path, findings) == [b""]
        assert findings.named[kinds.SKIPPED] == ["s"]
        assert paths(tmp_path, excluded := Findings(), "s") == [b""]
        assert excluded.counts[kinds.SKIPPED] == 0


def test_too_many_levels_are_named_not_fatal(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    for _level in range(520):
        os.mkdir("d", dir_fd=directory)
        below = os.open("d", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = below
    os.close(directory)
    findings = Findings()
    found = paths(tmp_path, findings)
    assert len(found) == 501
    assert findings.counts[kinds.FAILED] == 1
    assert "500 directories deep" in findings.named[kinds.FAILED][0]


def test_descriptors_are_closed(tmp_path: Path) -> None:
    make(tmp_path, *(f"{one}/{two}/x" for one in range(20) for two in range(5)))
    before = os.listdir("/proc/self/fd")
    assert len(paths(tmp_path)) == 221
    assert os.listdir("/proc/self/fd") == before


def test_link_table_knows_first_names(tmp_path: Path) -> None:
    make(tmp_path, "a", "b")
    table = LinkTable()
    a, b = os.stat(tmp_path / "a"), os.stat(tmp_path / "b")
    assert table.first_name(a, b"a\xff\n") is None
    assert table.first_name(b, b"b") is None
    assert table.first_name(a, b"other") == b"a\xff\n"
    huge = os.stat_result((*a[:1], (1 << 64) - 1, (1 << 63) + 5, *a[3:]))
    assert table.first_name(huge, b"huge") is None
    assert table.first_name(huge, b"again") == b"huge"
    table.close()


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"plain", "plain"),
        (b"", "."),
        ("ä".encode(), "ä"),
        (b"x\xff", "x\\xff"),
        (b"a\nb\x1b[1m", "a\\nb\\x1b[1m"),
    ],
)
def test_paths_are_shown_on_one_line(path: bytes, shown: str) -> None:
    assert kinds.show(path) == shown


def test_findings_keep_memory_bounded() -> None:
    findings = Findings()
    for number in range(5000):
        findings.add(kinds.FAILED, b"%d" % number, "Permission denied")
    assert findings.counts[kinds.FAILED] == 5000
    assert len(findings.named[kinds.FAILED]) == 1000
    sentence = findings.sentence(kinds.FAILED)
    assert sentence.startswith("5000 of the files could not be read and are not in the backup: 0 (Permission denied)")
    assert sentence.endswith("and 4990 more.")
    assert findings.sentences() == [sentence]
