# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program in one file, run as people run it; and a machine that has no more than it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._command.program import PROGRAM_NAME, recovery_files
from ansible_collections.dfr.continuity.plugins.module_utils._repository.keys import write_key_file
from ansible_collections.dfr.continuity.tests.environment.postgres import Server
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

REQUIREMENTS = Path(__file__).parents[2] / "requirements.txt"
#: All that the recovery program may need.
PACKAGES = ("cryptography", "zstandard")


@dataclass(frozen=True)
class Ended:
    """How the program ended and what it said."""

    code: int
    out: bytes
    err: str

    @property
    def document(self) -> dict[str, t.Any]:
        """The JSON result."""
        assert self.code in (0, 1), self.err
        found: dict[str, t.Any] = json.loads(self.out)
        return found


@dataclass(frozen=True)
class Program:
    """``continuity.pyz`` and the interpreter it is run with; nothing of this checkout or its tools is importable."""

    python: Path
    file: Path
    home: Path

    def argv(self, *arguments: str | Path) -> list[str]:
        """Return the command line."""
        return [str(self.python), "-I", str(self.file), *map(str, arguments)]

    @property
    def environment(self) -> dict[str, str]:
        """What a plain shell would give it."""
        return {"HOME": str(self.home), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}

    def run(self, *arguments: str | Path, **options: t.Any) -> Ended:
        """Run it to its end."""
        given = {"stdin": subprocess.DEVNULL, "cwd": "/", "env": self.environment, **options}
        done = subprocess.run(self.argv(*arguments), capture_output=True, **given)
        return Ended(done.returncode, done.stdout, done.stderr.decode())


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Debian's Python with nothing but the two packages, from PyPI."""
    directory = tmp_path_factory.mktemp("bare") / "venv"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    subprocess.run(["/usr/bin/python3", "-I", "-m", "venv", directory], check=True, env=environment)
    pins = [line for line in REQUIREMENTS.read_text().split() if line.partition("==")[0] in PACKAGES]
    assert len(pins) == len(PACKAGES)
    install = [directory / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *pins]
    subprocess.run(install, check=True, env=environment)
    return directory / "bin/python"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program with the tests' own interpreter, which has boto3 too."""
    file = tmp_path / PROGRAM_NAME
    file.write_bytes(recovery_files()[PROGRAM_NAME])
    (tmp_path / "home").mkdir()
    return Program(Path(sys.executable), file, tmp_path / "home")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A repository without backups that carries its recovery, and the recovery key in a file."""
    made = Site(tmp_path)
    made.configure(recovery_files=recovery_files())
    write_key_file(str(tmp_path / "recovery.pem"), made.recovery_key.to_pem())
    return made


@pytest.fixture
def host(site: Site) -> list[str]:
    """The options of a host that backs up."""
    return [
        *("--repository", str(site.store), "--trust", site.administrator.signer.text, "--host", "db1"),
        *("--identity", str(site.root / "db1.pem"), "--cache-dir", str(site.root / "cache-db1"), "--json"),
    ]


@pytest.fixture
def person(site: Site) -> list[str]:
    """The options of a person who has nothing but the recovery key and a fingerprint on paper."""
    return [
        *("--repository", str(site.store), "--trust", site.administrator.signer.fingerprint),
        *("--recovery-key", str(site.root / "recovery.pem")),
    ]


def server_options(server: Server, directory: Path) -> list[str]:
    """Return the options that reach a PostgreSQL server as its superuser."""
    password = directory / f"password-{server.port}"
    if not password.exists():
        write_key_file(str(password), server.password.encode() + b"\n")
    reached = ["--db-host", server.host, "--db-port", str(server.port), "--db-user", server.superuser]
    return [*reached, "--db-password-file", str(password)]
