# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest valid backup, one not later than a moment, and why the newer ones were passed over."""

from __future__ import annotations

import os
import time
import types

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._command.selection import Latest, latest_valid
from ansible_collections.dfr.continuity.plugins.module_utils._repository import summary
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import ObjectMissingError
from ansible_collections.dfr.continuity.plugins.module_utils._repository.keys import Identity, write_key_file
from ansible_collections.dfr.continuity.plugins.module_utils._repository.summary import (
    PartOutcome,
    close_backup,
    read_chain,
)
from ansible_collections.dfr.continuity.plugins.module_utils._status.text import epoch, moment
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

DATABASE, FILES = "db1.shop.dump", "db1.shop.filestore"


def made_on(day: int) -> str:
    return f"202601{day:02d}T000000Z-0000000{day}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """The clock that summaries are dated by; ``day`` sets it."""
    clock = types.SimpleNamespace(day=1, strftime=time.strftime, strptime=time.strptime)
    clock.gmtime = lambda: time.gmtime(epoch(f"2026-01-{clock.day:02d}T00:10:00Z"))
    monkeypatch.setattr(summary, "time", clock)
    return clock


@pytest.fixture
def days(site: Site, clock: types.SimpleNamespace) -> Site:
    """Three good backups on three days."""
    for clock.day in (1, 2, 3):
        site.back_up(os.urandom(1000), backup_id=made_on(clock.day))
    return site


def look(site: Site, parts: tuple[str, ...] = (), not_after: str = "") -> Latest:
    with site.open() as repository:
        return latest_valid(repository, read_chain(repository), parts, moment(not_after) if not_after else None)


def chosen(found: Latest) -> str | None:
    return found.valid.backup_id if found.valid else None


def test_without_a_moment_the_newest_is_chosen_and_nothing_refused(days: Site) -> None:
    found = look(days)
    assert (chosen(found), found.refused) == (made_on(3), {})


@pytest.mark.parametrize(
    ("not_after", "day"),
    [
        ("2026-01-03T00:10:00Z", 3),  # "not later than" includes the very second
        ("2026-01-03T00:09:59Z", 2),
        ("2026-01-02T01:10:00+01:00", 2),
        ("2026-01-02T01:09:59+01:00", 1),
    ],
)
def test_a_moment_decides_by_when_backups_were_finished(days: Site, not_after: str, day: int) -> None:
    found = look(days, not_after=not_after)
    assert chosen(found) == made_on(day)
    assert list(found.refused) == [made_on(newer) for newer in range(3, day, -1)]
    assert all("later than" in reason for reason in found.refused.values())


def test_a_moment_before_the_oldest_backup_fails(days: Site) -> None:
    with pytest.raises(ObjectMissingError) as failed:
        look(days, not_after="2026-01-01T00:09:59Z")
    assert "is as old as 2026-01-01T00:09:59Z" in failed.value.message
    assert made_on(1) in failed.value.message
    assert "2026-01-01T00:10:00Z" in failed.value.next_step


def test_damage_to_the_one_of_that_time_leads_to_an_older_one_never_to_a_newer(days: Site) -> None:
    with days.open() as repository:
        repository.store.delete(f"backups/{made_on(2)}/{DATABASE}/manifest")
    found = look(days, not_after="2026-01-02T12:00:00Z")
    assert chosen(found) == made_on(1)
    assert "later than" in found.refused[made_on(3)]
    assert found.refused[made_on(2)] == "; ".join(found.problems[made_on(2)])
    with days.open() as repository:
        repository.store.delete(f"backups/{made_on(1)}/{DATABASE}/manifest")
    found = look(days, not_after="2026-01-02T12:00:00Z")
    assert chosen(found) is None
    assert list(found.refused) == [made_on(3), made_on(2), made_on(1)]


def test_unfinished_and_unsigned_backups_are_refused_by_name(days: Site, clock: types.SimpleNamespace) -> None:
    days.hosts["db2"] = Identity.generate()
    write_key_file(str(days.root / "db2.pem"), days.hosts["db2"].to_pem())
    days.configure()
    clock.day = 4
    days.back_up(b"x" * 1000, part="db2.shop.dump", who="db2", backup_id=made_on(4))
    del days.hosts["db2"]
    days.configure()  # db2 is no signer any more
    clock.day = 5
    with days.open() as repository, repository.write_part(made_on(5), DATABASE, kind="database") as writer:
        stream = writer.open_stream()
        stream.write(b"x" * 1000)
        writer.finish(streams={"dump": stream.close()}, facts={})
    found = look(days)
    assert chosen(found) == made_on(3)
    assert list(found.refused) == [made_on(5), made_on(4)]
    assert "never finished" in found.refused[made_on(5)]
    assert "sign" in found.refused[made_on(4)]


def test_a_partial_backup_is_refused_only_for_the_parts_it_lacks(days: Site, clock: types.SimpleNamespace) -> None:
    clock.day = 4
    with days.open() as repository:
        with repository.write_part(made_on(4), DATABASE, kind="database") as writer:
            stream = writer.open_stream()
            stream.write(b"x" * 1000)
            writer.finish(streams={"dump": stream.close()}, facts={})
        outcomes = [
            PartOutcome(DATABASE, "db1", "database"),
            PartOutcome(FILES, "db1", "filestore", failed=True, reason="The disk is gone."),
        ]
        close_backup(repository, made_on(4), outcomes)
    assert chosen(look(days, (DATABASE,))) == made_on(4)
    found = look(days)
    assert chosen(found) == made_on(3)
    assert "The disk is gone." in found.refused[made_on(4)]
    found = look(days, (DATABASE, FILES))
    assert chosen(found) is None
    assert found.refused[made_on(4)] == f"{FILES}: it failed when it was made: The disk is gone."
    assert found.refused[made_on(1)] == f"{FILES}: the backup has no such part"
