# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages that role `runtime` installs, as wheels for Debian 12: test hosts have no way to a registry."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from .processes import announce, cache_dir, locked

_REQUIREMENTS = Path(__file__).parents[2] / "roles/runtime/files/requirements.txt"
_GLIBC = ("2014", "_2_17", "_2_24", "_2_28", "_2_31", "_2_34", "_2_35", "_2_36")


def wheel_folder() -> Path:
    """Return a folder of wheels for the requirements of today, downloaded once."""
    digest = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:16]
    folder = cache_dir() / f"wheels-{digest}"
    with locked("wheels"):
        if not folder.exists():
            announce("downloading the packages of role runtime")
            unfinished = folder.with_suffix(".unfinished")
            machine = os.uname().machine
            platforms = [f"--platform=manylinux{version}_{machine}" for version in _GLIBC]
            subprocess.run(
                [
                    *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
                    *("--only-binary=:all:", "--python-version=3.11", "--implementation=cp", *platforms),
                    *("--requirement", _REQUIREMENTS, "--dest", unfinished),
                ],
                check=True,
            )
            unfinished.rename(folder)
    return folder
