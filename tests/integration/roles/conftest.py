# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site that was set up as the documentation says, and copies of it for each test."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from .small_site import Site


@pytest.fixture(scope="session")
def prepared_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Hosts prepared, keys made, repository created, and one whole backup."""
    site = Site(tmp_path_factory.mktemp("site"))
    site.play_well("keys")
    # One host at a time makes the virtual environment that they share.
    site.play_well("repository", "--forks=1")
    site.play_well("backup")
    return site


@pytest.fixture
def site(prepared_site: Site, tmp_path: Path) -> t.Iterator[Site]:
    """A copy of the prepared site for one test."""
    return prepared_site.copy_to(tmp_path / "site")
