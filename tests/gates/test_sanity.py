# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-test sanity``, on a copy of the sources: it wants a git work tree of the collection's name, no link."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_test._internal.python_requirements import get_venv_packages

from ansible_collections.dfr.continuity.tests.environment.processes import cache_dir, locked

from . import checkout

_BOOTSTRAP = """\
import ensurepip
ensurepip.bootstrap(upgrade=True, default_pip=True)
"""
#: Where pip looks for its settings below the home directory.
_PIP_SETTINGS = (".config", ".pip", ".netrc")


@pytest.fixture
def published() -> Path:
    """A copy of what is published: the sources without our tests, of which only ansible-test's own settings are."""
    target = checkout.cache_dir() / "sanity/ansible_collections/dfr/continuity"
    shutil.rmtree(target, ignore_errors=True)
    for name in checkout.published_files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(checkout.CHECKOUT / name, target / name, follow_symlinks=False)
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)
    subprocess.run(["git", "add", "--all"], cwd=target, check=True)
    return target


@pytest.fixture
def home() -> t.Iterator[Path]:
    """A home directory for ansible-test, which keeps virtual environments there and cannot be run twice at once.

    It downloads pip's bootstrap from a site of its own, unless its cache has one: Python brings pip.
    """
    path = cache_dir() / "ansible-test"
    version = get_venv_packages(SimpleNamespace(version=""))["pip"]
    script = path / f".ansible/test/cache/get_pip_{version.replace('.', '_')}.py"
    with locked("ansible-test"):
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(_BOOTSTRAP)
        for name in _PIP_SETTINGS:
            (path / name).unlink(missing_ok=True)
            (path / name).symlink_to(Path.home() / name)
        yield path


def test_ansible_test_sanity(published, home):
    # Its own collections path and import path: the copy's.
    ours = ("PYTHONPATH", "PYTHONPYCACHEPREFIX", "ANSIBLE_COLLECTIONS_PATH")
    environment = {"HOME": str(home), **{name: "" for name in ours if name in os.environ}}
    # Only this Python: others that are found may be mere shims. Older syntax is ruff's and mypy's business.
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    sanity = ["ansible-test", "sanity", "--local", "--requirements", "--python", python, "--color", "no"]
    checkout.passes(*sanity, cwd=published, env=environment)
