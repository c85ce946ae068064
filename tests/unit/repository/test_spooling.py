# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository whose store goes away: what is still done, what is told, and what is never believed."""

from __future__ import annotations

import json
import os
import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._command.spooled import spool_exclusion, with_spooled
from ansible_collections.dfr.continuity.plugins.module_utils._files.patterns import Exclusion
from ansible_collections.dfr.continuity.plugins.module_utils._repository.deferred import (
    Closing,
    close_deferred,
    close_or_defer,
    left_open,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    ContinuityError,
    InputError,
    ObjectMissingError,
    StoreUnreachableError,
    TrustError,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.keys import Identity
from ansible_collections.dfr.continuity.plugins.module_utils._repository.repository import Repository, open_repository
from ansible_collections.dfr.continuity.plugins.module_utils._repository.summary import (
    PartOutcome,
    close_backup,
    read_chain,
    read_summary,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.verification import verify_bytes

from .site import Site

FIRST, SECOND, THIRD = (f"2026010{day}T000000Z-00000001" for day in (1, 2, 3))
DUMP, FILES = "db1.shop.dump", "db1.shop.files"


class Spooling:
    """A site whose hosts have spools, and whose store can be taken away."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def open(self, who: str = "db1", *, spooling: bool = True, **changes: t.Any) -> Repository:
        spool = {"path": str(self.site.root / f"spool-{who}"), "limit": "64MiB"}
        return open_repository(self.site.access(who, **{"spool": spool, **changes}), spooling=spooling)

    def take_away(self) -> None:
        self.site.store.rename(f"{self.site.store}.away")

    def bring_back(self) -> None:
        Path(f"{self.site.store}.away").rename(self.site.store)

    def write(self, repository: Repository, backup_id: str, content: bytes, part: str = DUMP) -> PartOutcome:
        """Do what modules do with one part; return what they tell of it."""
        repository.deliver_waiting()
        with repository.write_part(backup_id, part, kind="database") as writer:
            stream = writer.open_stream()
            stream.write(content)
            writer.finish(streams={"dump": stream.close()}, facts={})
        return with_spooled(repository, backup_id, PartOutcome(part, repository.host, "database"))

    def back_up(self, backup_id: str, content: bytes, who: str = "db1") -> Closing:
        with self.open(who) as repository:
            return close_or_defer(repository, backup_id, [self.write(repository, backup_id, content)])

    def verify(self, backup_id: str) -> None:
        with self.site.open(None) as repository:
            found = verify_bytes(repository, backup_id, self.site.recovery_key)
            assert found.problems == []
            assert read_chain(repository).findings == []


@pytest.fixture
def spooling(tmp_path: Path) -> Spooling:
    """A repository with one backup, ``FIRST``."""
    site = Site(
        tmp_path, hosts={"db1": Identity.generate(), "db2": Identity.generate(), "control": Identity.generate()}
    )
    site.configure()
    made = Spooling(site)
    assert made.back_up(FIRST, b"first" * 1000).reason == ""
    return made


def test_without_an_outage_nothing_is_different(spooling: Spooling) -> None:
    with spooling.open() as repository:
        assert read_summary(repository, FIRST).status == "success"
        assert repository.spool
        assert repository.spool.spooled.objects == 0
    assert spooling.site.read_back(FIRST) == b"first" * 1000


def test_a_backup_that_begins_while_the_store_is_away_is_delivered_by_the_next(spooling: Spooling) -> None:
    spooling.take_away()
    closing = spooling.back_up(SECOND, b"second" * 1000)
    assert closing.document["status"] == "partial"
    (part,) = closing.document["parts"]
    assert part["status"] == "partial"
    assert part["reason"].startswith("NOT offsite: ")
    assert str(spooling.site.root / "spool-db1") in part["reason"]
    assert "does not exist" in part["reason"]
    assert part["spooled_bytes"] > 0
    assert part["bytes"]["source"] == 6000  # read from the spool
    assert "not closed" in closing.reason
    spooling.bring_back()

    closing = spooling.back_up(THIRD, b"third" * 1000)
    assert (closing.reason, closing.document["status"]) == ("", "success")
    assert [(one["backup"], one["status"]) for one in closing.closed] == [(SECOND, "success")]
    for backup_id, content in ((FIRST, b"first"), (SECOND, b"second"), (THIRD, b"third")):
        assert spooling.site.read_back(backup_id) == content * 1000
        spooling.verify(backup_id)


def test_what_waits_is_not_in_the_store_and_is_told_so(spooling: Spooling) -> None:
    spooling.take_away()
    spooling.back_up(SECOND, b"second" * 1000)
    spooling.bring_back()
    with spooling.site.open(None) as repository:
        assert [summary.backup_id for summary in read_chain(repository).summaries] == [FIRST]
        with pytest.raises(ObjectMissingError):
            repository.open_part(SECOND, DUMP, spooling.site.recovery_key)
    # On the host itself it can be read, and is a backup that was not finished.
    with spooling.open(spooling=False) as repository:
        chain = read_chain(repository)
        assert ([one.backup_id for one in chain.summaries], chain.unfinished) == ([FIRST], [SECOND])
        assert chain.findings == []


def test_nothing_readable_is_spooled(spooling: Spooling) -> None:
    spooling.take_away()
    spooling.back_up(SECOND, b"confidential customer list" * 1000)
    waiting = b"".join(path.read_bytes() for path in spooling.site.root.glob("spool-db1/*/*"))
    assert len(waiting) > 500
    for needle in (b"confidential", DUMP.encode(), b"database", b"PRIVATE"):
        assert needle not in waiting


def test_the_same_chunks_are_not_stored_again_before_or_after_delivery(spooling: Spooling) -> None:
    content = os.urandom(3 << 20)
    spooling.take_away()
    first = spooling.back_up(SECOND, content).document["parts"][0]["bytes"]
    again = spooling.back_up(THIRD, content).document["parts"][0]["bytes"]
    assert (first["new"], again["new"]) == (3 << 20, 0)
    spooling.bring_back()
    last = spooling.back_up("20260104T000000Z-00000001", content)
    assert last.document["parts"][0]["bytes"]["new"] == 0
    assert [one["backup"] for one in last.closed] == [SECOND, THIRD]
    for backup_id in (SECOND, THIRD):
        assert spooling.site.read_back(backup_id) == content
        spooling.verify(backup_id)


def test_an_index_that_may_name_what_was_lost_is_not_relied_on(spooling: Spooling) -> None:
    content = os.urandom(1 << 20)
    spooling.take_away()
    spooling.back_up(SECOND, content)
    shutil.rmtree(spooling.site.root / "spool-db1")
    with pytest.raises(StoreUnreachableError, match="objects were removed from the spool"):
        spooling.back_up(THIRD, content)
    spooling.bring_back()
    closing = spooling.back_up(THIRD, content)
    assert closing.document["parts"][0]["bytes"]["new"] == 1 << 20
    assert spooling.site.read_back(THIRD) == content
    # Since the host is past it, the backup that was lost with its spool is told as what it is.
    assert [(one["backup"], one["status"]) for one in closing.closed] == [(SECOND, "failure")]
    assert "was lost before it was delivered" in closing.closed[0]["parts"][0]["reason"]


def test_the_limit_is_told_with_both_reasons(spooling: Spooling) -> None:
    spooling.take_away()
    with pytest.raises(StoreUnreachableError) as caught:
        spooling.back_up(SECOND, os.urandom(80 << 20))
    assert f"The directory {spooling.site.store} does not exist." in caught.value.message
    assert f"of at most {64 << 20}, and has no room for packs/" in caught.value.message
    assert "raise the spool's limit" in caught.value.next_step
    spooling.bring_back()
    assert spooling.back_up(THIRD, b"third").document["status"] == "success"
    spooling.verify(THIRD)


def test_a_host_that_never_saw_the_repository_cannot_begin_without_it(spooling: Spooling) -> None:
    spooling.take_away()
    with pytest.raises(StoreUnreachableError, match="this host has never opened the repository") as caught:
        spooling.back_up(SECOND, b"x", "db2")
    assert str(spooling.site.store) in caught.value.message


def copies(site: Site) -> list[Path]:
    return list((site.root / "cache-db1").glob("settings-*.json"))


def test_an_older_copy_of_the_settings_is_refused(spooling: Spooling) -> None:
    (copy,) = copies(spooling.site)
    old = copy.read_bytes()
    spooling.site.configure(compression_level=3)
    with spooling.open():
        assert copy.read_bytes() != old
    copy.write_bytes(old)
    spooling.take_away()
    with pytest.raises(TrustError, match="an old one was put back"):
        spooling.back_up(SECOND, b"x")


def test_a_forged_copy_of_the_settings_is_refused(spooling: Spooling) -> None:
    (copy,) = copies(spooling.site)
    spooling.take_away()
    document = json.loads(copy.read_bytes())
    document["document"]["revision"] += 1
    copy.write_text(json.dumps(document))
    with pytest.raises(ContinuityError):
        spooling.back_up(SECOND, b"x")
    assert not list(spooling.site.root.glob("spool-db1/*/*%*"))


def test_a_new_repository_in_the_same_place_is_not_given_what_waits(spooling: Spooling) -> None:
    spooling.take_away()
    spooling.back_up(SECOND, b"second")
    shutil.rmtree(f"{spooling.site.store}.away")
    spooling.site.configure()
    with pytest.raises(InputError, match="objects wait for another repository"):
        spooling.back_up(THIRD, b"x")


def test_an_administrator_never_spools(spooling: Spooling) -> None:
    spooling.site.bucket = {"spool": {"path": str(spooling.site.root / "spool"), "limit": "1GiB"}}
    assert spooling.site.configure(compression_level=5).after.compression_level == 5
    assert not (spooling.site.root / "spool").exists()
    spooling.site.bucket = {"spool": {"path": "spool", "limit": "1GiB"}}
    with pytest.raises(InputError, match=r"Option spool\.path"):
        spooling.site.configure(compression_level=5)


def test_a_reader_elsewhere_is_not_hindered_by_a_spool(spooling: Spooling) -> None:
    access = spooling.site.access(None, spool={"path": "/nonexistent/spool", "limit": "1GiB"})
    with open_repository(access, spooling.site.recovery_key) as repository:
        assert read_summary(repository, FIRST).status == "success"


@pytest.mark.parametrize("name", ["spool-db1", "sp*ol [1]"])
def test_the_spool_is_left_out_of_a_tree_that_it_is_in(spooling: Spooling, name: str) -> None:
    root = spooling.site.root
    (root / name).mkdir(mode=0o700, exist_ok=True)
    with spooling.open(spool={"path": str(root / name), "limit": "64MiB"}) as repository:
        (pattern,) = spool_exclusion(repository, str(root))
        exclusion = Exclusion([pattern])
        assert exclusion.matches(name.encode(), True)
        assert not exclusion.matches(b"spool", True)
        assert spool_exclusion(repository, str(root / "elsewhere")) == []


# Several hosts, of which one closes


def test_a_part_that_waits_on_another_host_keeps_the_backup_open(spooling: Spooling) -> None:
    for who in ("db2", "control"):
        spooling.open(who).close()
    other = "db2.shop.dump"
    spooling.take_away()
    with spooling.open("db2") as repository:
        waiting = spooling.write(repository, SECOND, b"of db2" * 1000, other)
    spooling.bring_back()
    with spooling.open("db1") as repository:
        good = spooling.write(repository, SECOND, b"of db1" * 1000)
    assert (bool(waiting.spooled), bool(good.spooled)) == (True, False)
    bad = PartOutcome("db1.shop.config", "db1", failed=True, reason="No such file.")
    with spooling.open("control") as repository:
        closing = close_or_defer(repository, SECOND, [good, waiting, bad])
        assert closing.reason == f"The backup is not closed: 1 of 3 parts wait in a spool: {other}."
        told = {part["part"]: part for part in closing.document["parts"]}
        assert [told[name]["status"] for name in (DUMP, other, bad.name)] == ["success", "partial", "failure"]
        assert (told[other]["reason"], told[other]["host"]) == (waiting.spooled, "db2")
        with pytest.raises(InputError, match="waits to be closed already"):
            close_or_defer(repository, SECOND, [good])
        # Another run, on another host, closes nothing that still waits.
        with spooling.open("db1") as host:
            later = spooling.write(host, THIRD, b"x")
        assert close_or_defer(repository, THIRD, [later]).reason == ""
        assert left_open(repository) == [SECOND]
        with spooling.open("db2") as host:
            assert host.deliver_waiting() > 0
        assert [(one["backup"], one["status"]) for one in close_deferred(repository)] == [(SECOND, "partial")]
        assert (left_open(repository), close_deferred(repository)) == ([], [])
        summary = read_summary(repository, SECOND)
    assert {part["part"]: part["status"] for part in summary.document["parts"]} == {
        DUMP: "success",
        other: "success",
        bad.name: "failure",
    }
    assert spooling.site.read_back(SECOND, other) == b"of db2" * 1000
    spooling.verify(THIRD)


def test_a_machine_without_memory_goes_on_from_the_summary_that_was_written_last(spooling: Spooling) -> None:
    spooling.open("db2").close()
    spooling.take_away()
    with spooling.open("db2") as repository:
        waiting = spooling.write(repository, SECOND, b"x", "db2.shop.dump")
    spooling.bring_back()
    with spooling.open("db1") as repository:
        close_or_defer(repository, SECOND, [waiting])
    assert spooling.back_up(THIRD, b"third").reason == ""
    with spooling.open("db2") as host:
        host.deliver_waiting()
    with spooling.open("db1") as repository:
        assert [one["sequence"] for one in close_deferred(repository)] == [3]
    shutil.rmtree(spooling.site.root / "cache-db1")
    last = spooling.back_up("20260104T000000Z-00000001", b"x").document
    assert (last["sequence"], last["previous"]["backup"]) == (4, SECOND)
    spooling.verify(SECOND)


def test_a_store_that_is_away_when_the_backup_is_closed_keeps_it_open(spooling: Spooling) -> None:
    with spooling.open() as repository:
        good = spooling.write(repository, SECOND, b"second")
        assert not good.spooled
        spooling.take_away()
        closing = close_or_defer(repository, SECOND, [good])
        assert "does not exist" in closing.reason
        (part,) = closing.document["parts"]
        assert (part["status"], part["reason"].split(":")[0]) == ("partial", "It could not be read back from the store")
        spooling.bring_back()
        assert [one["status"] for one in close_deferred(repository)] == ["success"]


def test_a_summary_written_by_a_process_that_died_is_not_written_again(spooling: Spooling) -> None:
    spooling.take_away()
    with spooling.open() as repository:
        waiting = spooling.write(repository, SECOND, b"second")
        close_or_defer(repository, SECOND, [waiting])
        spooling.bring_back()
        repository.spool.deliver()  # type: ignore[union-attr]
        close_backup(repository.without_spool(), SECOND, [waiting])
        assert left_open(repository) == [SECOND]
        assert close_deferred(repository) == []
        assert left_open(repository) == []
