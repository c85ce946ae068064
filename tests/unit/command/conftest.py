# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository with backups, and the command run in this process."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._command.main import main
from ansible_collections.dfr.continuity.plugins.module_utils._repository.keys import write_key_file
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site


@dataclass(frozen=True)
class Ended:
    """How the command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, t.Any]:
        """The JSON result."""
        found: dict[str, t.Any] = json.loads(self.out)
        return found


class Command:
    """Runs ``continuity`` as a host, or as a person with the recovery key."""

    def __init__(self, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
        self._site = site
        self._capsys = capsys
        self.recovery_key = site.root / "recovery.pem"
        write_key_file(str(self.recovery_key), site.recovery_key.to_pem())

    def bare(self, *arguments: str | Path) -> Ended:
        """Run with these arguments alone."""
        self._capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return Ended(code, out, err)

    def place(self, cache: str) -> list[str]:
        """Return the options that name the repository and whom to trust."""
        trust = self._site.administrator.signer.fingerprint
        return ["--repository", str(self._site.store), "--trust", trust, "--cache-dir", str(self._site.root / cache)]

    def host(self, *arguments: str | Path) -> Ended:
        """Run on the host db1, which has an identity."""
        identity = ["--identity", str(self._site.root / "db1.pem"), "--host", "db1"]
        return self.bare(*arguments, *self.place("cache-db1"), *identity)

    def person(self, *arguments: str | Path) -> Ended:
        """Run where there is only the recovery key."""
        return self.bare(*arguments, *self.place("cache-person"), "--recovery-key", self.recovery_key)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A repository without backups."""
    made = Site(tmp_path)
    made.configure()
    return made


@pytest.fixture
def command(site: Site, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command, on the repository of ``site``."""
    return Command(site, capsys)
