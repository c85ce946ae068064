# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: ``ansible`` runs playbooks, ``installation`` is a repository with its keys."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.keys import Identity, RecoveryKey
from ansible_collections.dfr.continuity.plugins.module_utils._repository.repository import (
    WantedSettings,
    configure_repository,
)

from .playing import Ansible, Installation


def _collections() -> str:
    """The collections path this test runs from (``tests/environment/run`` puts it on the Python path)."""
    for entry in sys.path:
        if (Path(entry) / "ansible_collections" / "dfr" / "continuity").is_dir():
            return entry
    raise RuntimeError("The collection is not on the Python path: run the tests through `make`.")


@pytest.fixture
def ansible(tmp_path: Path) -> Ansible:
    directory = tmp_path / "ansible"
    directory.mkdir()
    return Ansible(directory, _collections())


@pytest.fixture
def installation(ansible: Ansible, tmp_path: Path) -> Installation:
    """A repository whose administrator is also the only host; the modules of ``ansible`` use it by default."""
    identity = Identity.generate()
    recovery = RecoveryKey.generate()
    made = Installation(
        tmp_path,
        {
            "location": str(tmp_path / "repository"),
            "trust": [identity.signer.text],
            "identity_file": str(tmp_path / "identity.pem"),
            "cache_dir": str(tmp_path / "cache"),
            "host": "db1",
        },
    )
    for name, content in (("identity", identity.to_pem()), ("recovery", recovery.to_pem(made.passphrase.encode()))):
        (tmp_path / f"{name}.pem").touch(0o600)
        (tmp_path / f"{name}.pem").write_bytes(content)
    configure_repository(made.repository, WantedSettings(recipients=(recovery.recipient,)))
    ansible.defaults = made.defaults()
    return made
