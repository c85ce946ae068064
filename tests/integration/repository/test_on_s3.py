# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository in a bucket of each server: backup, verification, restore, and a server that is not there."""

from __future__ import annotations

import random
import signal
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    IntegrityError,
    StoreUnreachableError,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.repository import Repository
from ansible_collections.dfr.continuity.plugins.module_utils._repository.summary import read_chain
from ansible_collections.dfr.continuity.plugins.module_utils._repository.verification import verify_bytes
from ansible_collections.dfr.continuity.tests.environment import s3
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

# Several packs, one of them sent in parts.
CONTENT = random.Random(8).randbytes(70_000_000)


def site_in_bucket(root: Path, server: t.Any, **options: t.Any) -> Site:
    bucket = {"location": f"s3://{server.new_bucket()}/odoo", "s3": {**server.settings(), "deadline": 20, **options}}
    site = Site(root, bucket=bucket)
    site.configure()
    return site


def stop_while_writing(repository: Repository, stop: t.Callable[[], None]) -> None:
    with repository.write_part("20260101T000000Z-00000001", "db1.shop.dump", kind="database") as writer:
        stream = writer.open_stream()
        for number, start in enumerate(range(0, len(CONTENT), 1 << 20)):
            stream.write(CONTENT[start : start + (1 << 20)])
            if number == 40:
                stop()
        writer.finish(streams={"dump": stream.close()}, facts={})


def test_backup_verification_and_restore_over_every_server(s3_server: t.Any, tmp_path: Path) -> None:
    site = site_in_bucket(tmp_path, s3_server)
    backup = site.back_up(CONTENT)
    assert site.read_back(backup) == CONTENT
    with site.open(None) as repository:
        result = verify_bytes(repository, backup, site.recovery_key)
        assert result.problems == []
        assert result.packs_read == result.packs > 1
        [victim, *_rest] = [info.name for info in repository.store.list("packs/")]
        whole = repository.store.get(victim)
        repository.store.put(victim, [whole[:-1], bytes([whole[-1] ^ 1])])
        assert len(verify_bytes(repository, backup, site.recovery_key).problems) == 1
    with pytest.raises(IntegrityError):
        site.read_back(backup)


def test_a_server_that_dies_during_a_backup_leaves_nothing_half_and_the_next_run_succeeds(tmp_path: Path) -> None:
    with s3.moto_server() as server:
        site = site_in_bucket(tmp_path, server, deadline=5)
        first = site.back_up(CONTENT[:1000])
        with site.open() as repository, pytest.raises(StoreUnreachableError) as raised:
            stop_while_writing(repository, lambda: server.program.send(signal.SIGSTOP))
        assert server.endpoint.partition("//")[2] in str(raised.value)
        server.program.send(signal.SIGCONT)
        with site.open() as repository:
            chain = read_chain(repository)
        assert [summary.backup_id for summary in chain.summaries] == [first]
        assert site.read_back(site.back_up(CONTENT)) == CONTENT
