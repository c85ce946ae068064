# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the file tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.tests.integration.files.scene import Scene, use_processes


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A repository, and an empty tree to fill."""
    return Scene(tmp_path / "scene")


@pytest.fixture(params=["threads", "processes"])
def workers(request: pytest.FixtureRequest, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who deals with small files: threads, or from the first file on processes."""
    if request.param == "processes":
        scene.processes = True
        use_processes(monkeypatch.setattr)
    return str(request.param)
