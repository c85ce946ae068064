# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's archive: where it is, installing a suite into a directory, packages of another suite than this machine's."""

from __future__ import annotations

import os
import re
import subprocess
import typing as t
from pathlib import Path

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
#: Names Debian's own "mirror near you", for machines that use none of Debian's, such as Ubuntu's.
_DEBOOTSTRAP = Path("/usr/sbin/debootstrap")


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


def _usual_mirror() -> str:
    """The mirror that debootstrap takes when it is given none."""
    found = re.search(r'^DEF_MIRROR="([^"]+)"$', _DEBOOTSTRAP.read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{_DEBOOTSTRAP} names no mirror of Debian: give one in DEBIAN_MIRROR.")
    return found[1]


def debootstrap(suite: str, packages: t.Iterable[str], root: Path) -> None:
    """Install a suite's base system and packages into ``root``. Raises RuntimeError with the log on failure."""
    address = mirror()
    words = ["--variant=minbase", f"--keyring={KEYRING}", f"--include={','.join(packages)}", suite, os.fspath(root)]
    # It asks for each file once only; a second call goes on with what it has.
    for remaining in (2, 1, 0):
        run = subprocess.run(
            ["debootstrap", *words, *([address] if address else [])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        if run.returncode == 0:
            return
        if not remaining or not re.search("Couldn.t download|Failed getting", run.stdout):
            raise RuntimeError(f"debootstrap {suite} ended with {run.returncode}:\n{run.stdout[-3000:]}")


def download(suite: str, packages: t.Iterable[str], directory: Path) -> list[Path]:
    """Download packages of a suite that this machine does not use; its own apt state is left alone.

    Returns the packages' files in ``directory``. Raises RuntimeError with apt's output on failure.
    """
    state = directory / "apt"
    (state / "lists/partial").mkdir(parents=True)
    (state / "status").touch()
    sources = state / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror() or _usual_mirror()} {suite} main\n")
    options = {
        "Dir::State": state,
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Sandbox::User": "root",
        "Acquire::Retries": "3",
    }
    words = ["apt-get", "--quiet", *(f"--option={name}={value}" for name, value in options.items())]
    for command in (["update"], ["download", *packages]):
        run = subprocess.run([*words, *command], cwd=directory, capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(
                f"apt-get {command[0]} of {suite} ended with {run.returncode}:\n{run.stdout}{run.stderr}"
            )
    return sorted(directory.glob("*.deb"))
