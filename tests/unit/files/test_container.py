# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths in a container are resolved inside it, whatever its symbolic links say."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._files.container import find_container, resolve_inside
from ansible_collections.dfr.continuity.plugins.module_utils._files.directory import Directory
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root file system beside something secret, with links that want to get there."""
    (tmp_path / "secret").write_text("host")
    inside = tmp_path / "root"
    for directory in ("var/lib/odoo/filestore", "srv/data", "etc", "mnt"):
        (inside / directory).mkdir(parents=True)
    (inside / "srv/data/file").write_text("in")
    (inside / "etc/passwd").write_text("inside")
    links = {
        "absolute": "/srv/data",
        "relative": "srv/../srv/data",
        "mnt/up": "../../../../secret",
        "mnt/away": "/../../secret",
        "mnt/passwd": "/etc/passwd",
        "mnt/chain": "../absolute",
        "loop": "loop",
        "proc-root": str(tmp_path),
        "data": "/absolute/../data/file",
    }
    for name, target in links.items():
        (inside / name).symlink_to(target)
    return inside


def resolve(root: Path, path: str) -> tuple[str, bytes]:
    """Return where a path ends, seen from the host."""
    directory, name = resolve_inside(Directory(os.open(root, os.O_PATH)), path)
    return os.path.relpath(os.readlink(f"/proc/self/fd/{directory.fd}"), root), name


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", (".", b".")),
        ("/..", (".", b".")),
        ("/srv/data", ("srv/data", b".")),
        ("//srv/./data/", ("srv/data", b".")),
        ("/srv/data/file", ("srv/data", b"file")),
        ("/srv/data/../../../../srv", ("srv", b".")),
        ("/absolute", ("srv/data", b".")),
        ("/absolute/file", ("srv/data", b"file")),
        ("/relative/file", ("srv/data", b"file")),
        ("/mnt/passwd", ("etc", b"passwd")),
        ("/mnt/chain/file", ("srv/data", b"file")),
        ("/data", ("srv/data", b"file")),
    ],
)
def test_a_path_ends_where_the_container_says(root: Path, path: str, expected: tuple[str, bytes]) -> None:
    assert resolve(root, path) == expected


@pytest.mark.parametrize("path", ["/mnt/up", "/mnt/away", "/proc-root/secret", "/nowhere/x", "/srv/data/file/x"])
def test_no_path_leads_out(root: Path, path: str) -> None:
    with pytest.raises((FileNotFoundError, NotADirectoryError)):
        resolve(root, path)


def test_a_loop_ends(root: Path) -> None:
    with pytest.raises(OSError, match="symbolic links") as raised:
        resolve(root, "/loop/x")
    assert raised.value.errno == errno.ELOOP


@pytest.mark.parametrize("name", ["", "--help", "a b", "../x", "a/b", "-f"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="not the name of a container"):
        find_container(name)
