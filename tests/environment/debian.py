# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's archive: where it is, installing a suite into a directory, packages of another suite than this machine's."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def mirror() -> str | None:
    """The Debian mirror this machine uses, or the one in ``DEBIAN_MIRROR``; None lets debootstrap choose."""
    if "DEBIAN_MIRROR" in os.environ:
        return os.environ["DEBIAN_MIRROR"]
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)"],
        check=True,
        capture_output=True,
        text=True,
    )
    for line in targets.stdout.splitlines():
        uri, _, labels = line.partition(" ")
        if labels == "Debian Debian":
            return uri
    return None


def debootstrap(suite: str, packages: t.Iterable[str], root: Path) -> None:
    """Install a suite's base system and packages into ``root``. Raises RuntimeError with the log on failure."""
    include = f"--include={','.join(packages)}"
    address = mirror()
    run = subprocess.run(
        [
            "debootstrap",
            "--variant=minbase",
            f"--keyring={KEYRING}",
            include,
            suite,
            root,
            *([address] if address else []),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if run.returncode:
        raise RuntimeError(f"debootstrap {suite} ended with {run.returncode}:\n{run.stdout[-3000:]}")
