# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests of PostgreSQL and of the applications that use it."""

from __future__ import annotations

import pytest

from .scene import Scene, furnish


@pytest.fixture
def scene(tmp_path):
    """An empty repository."""
    made = Scene(tmp_path)
    made.configure()
    return made


@pytest.fixture
def shop(postgres):
    """A database with a bit of everything, on the first server."""
    made = furnish(postgres)
    yield made
    postgres.drop_database(made.name)
