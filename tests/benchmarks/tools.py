# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this collection is compared with: restic, and the pipeline that people write themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ansible_collections.dfr.continuity.tests.environment import debian
from ansible_collections.dfr.continuity.tests.environment.postgres import Cluster
from ansible_collections.dfr.continuity.tests.environment.processes import locked

from . import product
from .datasets import directory
from .measuring import Run, measure


class _Fresh:
    """Places that have not been used before.

    What earlier runs restored is left until the end: ext4 prefers inodes that were not deleted lately, and creating
    files soon after many were deleted takes much longer.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0

    @property
    def path(self) -> Path:
        return self._path.with_name(f"{self._path.name}-{self._number}")

    def next(self) -> Path:
        self._number += 1
        return self.path


class Continuity:
    """This collection."""

    name = "continuity"

    def __init__(self, work: Path) -> None:
        self._work = work / "continuity"
        self._restored = _Fresh(work / "continuity-restored")

    def _run(self, *words: str | Path) -> Run:
        return measure([sys.executable, product.__file__, self._work, *words])

    def start(self) -> None:
        """Make an empty repository in place of the last one."""
        shutil.rmtree(self._work, ignore_errors=True)
        self._run("repository")

    def back_up(self, root: Path) -> Run:
        """Back up a filestore; each file's SHA-1 is compared with its name as well."""
        return self._run("files", root)

    def back_up_database(self, server: Cluster, name: str) -> Run:
        """Dump a database."""
        connection = f'{{"host": "{server.socket_dir}", "port": {server.port}, "user": "{server.superuser}"}}'
        return self._run("database", name, connection)

    def restore(self) -> Run:
        """Restore the last backup of files to an empty place."""
        return self._run("restore-files", self._restored.next())

    def repository(self) -> Path:
        """The directory of the repository."""
        return self._work / "repository"

    def restored(self) -> Path:
        """Where the last restore has put the files."""
        return self._restored.path


class Restic:
    """restic with its defaults, its newest version that Debian has."""

    name = "restic"

    def __init__(self, work: Path) -> None:
        self._program = _restic()
        self._work = work / "restic"
        self._restored = _Fresh(work / "restic-restored")
        self.version = subprocess.run([self._program, "version"], check=True, capture_output=True, text=True).stdout

    def _run(self, *words: str | Path) -> Run:
        environment = {
            "RESTIC_REPOSITORY": str(self.repository()),
            "RESTIC_PASSWORD": "benchmark",
            "RESTIC_CACHE_DIR": str(self._work / "cache"),
        }
        return measure([self._program, "--quiet", *words], environment=environment)

    def start(self) -> None:
        """Make an empty repository in place of the last one."""
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir()
        self._run("init")

    def back_up(self, root: Path) -> Run:
        """Back up a tree."""
        return self._run("backup", root)

    def restore(self) -> Run:
        """Restore the last backup to an empty place."""
        return self._run("restore", "latest", "--target", self._restored.next())

    def repository(self) -> Path:
        """The directory of the repository."""
        return self._work / "repository"

    def restored(self) -> Path:
        """Where the last restore has put the files."""
        return self._restored.path


def _restic() -> Path:
    target = directory() / "restic"
    program = target / "usr/bin/restic"
    with locked("bench-restic"):
        if not program.exists():
            print("[bench] fetching restic from Debian sid", flush=True)
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            (package,) = debian.download("sid", ["restic"], target)
            subprocess.run(["dpkg-deb", "--extract", package, target], check=True)
    return program


class Pipeline:
    """``pg_dump -Fc -Z0 | zstd -3 -T2 | openssl enc -aes-256-ctr``."""

    name = "pipeline"

    def __init__(self, work: Path) -> None:
        self._output = work / "dump.zst.enc"
        self._password = work / "password"
        self._password.write_text("benchmark")

    def start(self) -> None:
        """Remove the last dump."""
        self._output.unlink(missing_ok=True)

    def repository(self) -> Path:
        """The file of the dump."""
        return self._output

    def back_up_database(self, server: Cluster, name: str) -> Run:
        """Dump a database to a file."""
        connection = ["--host", server.socket_dir, "--port", str(server.port), "--username", server.superuser]
        return measure(
            [server.bin / "pg_dump", "-Fc", "-Z0", *connection, name],
            ["zstd", "-3", "-T2", "--quiet", "--stdout"],
            ["openssl", "enc", "-aes-256-ctr", "-pbkdf2", "-pass", f"file:{self._password}", "-out", self._output],
        )


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files in a directory."""
    if path.is_file():
        return path.stat().st_size
    return sum(os.stat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(path) for name in names)
