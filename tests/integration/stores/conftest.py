# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores over every kind of server."""

from __future__ import annotations

import functools
import itertools
import typing as t

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores import Store
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.directory import DirectoryStore
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.location import open_store
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.spool import SpoolingStore

_numbers = itertools.count(1)


@functools.cache
def _shared_bucket(endpoint: str, new_bucket: t.Callable[[], str]) -> str:
    return new_bucket()


def open_bucket(server: t.Any, bucket: str | None = None, **options: t.Any) -> Store:
    """An empty store in a bucket of a server of the test bed."""
    bucket = bucket or _shared_bucket(server.endpoint, server.new_bucket)
    location = f"s3://{bucket}/prefix/{next(_numbers)}"
    return open_store({"location": location, "s3": {**server.settings(), "deadline": 30, **options}})


@pytest.fixture(params=["directory", "spool", "moto", "rclone", "rclone_https", "ceph", "ceph without checksums"])
def store(request: pytest.FixtureRequest, tmp_path: t.Any) -> t.Iterator[Store]:
    """An empty store of each kind."""
    kind, _, without_checksums = request.param.partition(" ")
    if kind == "directory":
        made: Store = DirectoryStore(str(tmp_path))
    elif kind == "spool":
        (tmp_path / "store").mkdir()
        made = SpoolingStore(DirectoryStore(str(tmp_path / "store")), str(tmp_path / "spool"), 1 << 30)
    else:
        checksums = "when_required" if without_checksums else "when_supported"
        made = open_bucket(request.getfixturevalue(kind), checksums=checksums)
    yield made
    made.close()
