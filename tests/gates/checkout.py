# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gates share: the checkout, its files, and running a tool over it."""

from __future__ import annotations

import os
import subprocess
import typing as t
from fnmatch import fnmatch
from pathlib import Path, PurePath

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]


def collection_dir() -> Path:
    """The checkout as Ansible finds it: ``…/ansible_collections/dfr/continuity`` (a link)."""
    return Path(os.environ["ANSIBLE_COLLECTIONS_PATH"]) / "ansible_collections/dfr/continuity"


def cache_dir() -> Path:
    """A cache folder of this checkout's own."""
    return Path(os.environ["CONTINUITY_CHECKOUT_CACHE"])


def source_files(*patterns: str) -> list[str]:
    """Files that are, or are about to be, in the repository: tracked ones and new ones that are not ignored."""
    listing = subprocess.run(
        # The checkout may belong to somebody else than root.
        [
            "git",
            "-c",
            "safe.directory=*",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "--deduplicate",
            "--",
            *patterns,
        ],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [name for name in listing.stdout.split("\0") if name and (CHECKOUT / name).exists()]


def published_files() -> list[str]:
    """The source files that the published collection holds, by galaxy.yml."""
    ignored = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())["build_ignore"]

    def is_ignored(name: str) -> bool:
        parents = PurePath(name).parents
        return any(fnmatch(str(path), pattern) for path in (name, *parents[:-1]) for pattern in ignored)

    return [name for name in source_files() if not is_ignored(name)]


def passes(*argv: str | os.PathLike[str], cwd: Path = CHECKOUT, env: t.Mapping[str, str] | None = None) -> None:
    """Run a tool; fail the test with what it printed unless it ends with 0."""
    result = subprocess.run(
        argv,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if result.returncode:
        command = " ".join(map(str, argv))
        pytest.fail(f"{command} ended with {result.returncode}:\n{result.stdout}", pytrace=False)
