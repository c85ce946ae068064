# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every Molecule scenario, on systemd test hosts under Podman. Each is one test that shows Molecule's output."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.tests.environment import containers

#: The checkout as Ansible finds it: Molecule's playbooks use the collection by its full name.
_COLLECTION = Path(os.environ["ANSIBLE_COLLECTIONS_PATH"]) / "ansible_collections/dfr/continuity"
_SCENARIOS = sorted(path.parent.name for path in _COLLECTION.glob("molecule/*/molecule.yml"))


def test_there_is_a_scenario():
    assert _SCENARIOS


@pytest.mark.parametrize("scenario", _SCENARIOS)
def test_scenario(scenario):
    containers.HOST.build()
    result = subprocess.run(
        ["molecule", "test", "--scenario-name", scenario],
        cwd=_COLLECTION,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if result.returncode:
        pytest.fail(f"molecule ended with {result.returncode}:\n{result.stdout}", pytrace=False)
