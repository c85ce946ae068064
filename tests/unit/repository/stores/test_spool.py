# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The spool: what waits, in which order it is delivered, and what it refuses."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    InputError,
    ObjectMissingError,
    SourceError,
    StoreDeniedError,
    StoreError,
    StoreUnreachableError,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores import spool
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.directory import DirectoryStore
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.spool import Spooled, SpoolingStore


class Place(DirectoryStore):
    """A store that can be taken away, and remembers in which order objects came."""

    def __init__(self, path):
        super().__init__(str(path))
        self.arrived = []
        self.tries = 0

    def put(self, name, content):
        self.tries += 1
        size = super().put(name, content)
        self.arrived.append(name)
        return size

    def take_away(self):
        os.rename(self.location, f"{self.location}.away")

    def bring_back(self):
        os.rename(f"{self.location}.away", self.location)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "store").mkdir()
    return Place(tmp_path / "store")


@pytest.fixture
def store(place, tmp_path):
    return SpoolingStore(place, str(tmp_path / "spool"), 1000)


def names(store, prefix=""):
    return [info.name for info in store.list(prefix)]


def test_a_store_that_answers_needs_no_spool(store, place):
    store.put("x", [b"content"])
    assert place.arrived == ["x"]
    assert store.spooled == Spooled(0, 0, 0.0)
    assert store.deliver() == 0


def test_what_could_not_be_sent_waits_and_is_delivered_in_order(store, place):
    place.take_away()
    for name in ("keys/a", "packs/z", "packs/b", "index/c", "backups/a/record"):
        assert store.put(name, [name.encode(), b"!"]) == len(name) + 1
    assert (store.spooled.objects, store.spooled.bytes) == (5, 48)
    place.bring_back()
    assert place.arrived == []
    assert store.deliver() == 5
    assert place.arrived == ["keys/a", "packs/z", "packs/b", "index/c", "backups/a/record"]
    assert place.get("packs/z") == b"packs/z!"
    assert store.spooled == Spooled(0, 0, 0.0)


def test_a_store_known_to_be_away_is_not_tried_for_each_object(store, place):
    place.take_away()
    for number in range(5):
        store.put(f"packs/{number}", [b""])
    assert place.tries == 1


def test_a_later_run_delivers_first(store, place, tmp_path):
    place.take_away()
    store.put("packs/a", [b"1"])
    store.put("packs/b", [b"2"])
    place.bring_back()
    later = SpoolingStore(place, str(tmp_path / "spool"), 1000)
    later.deliver()
    later.put("packs/c", [b"3"])
    assert place.arrived == ["packs/a", "packs/b", "packs/c"]
    assert later.spooled.objects == 0


def test_the_same_run_delivers_when_the_store_is_back(store, place, monkeypatch):
    monkeypatch.setattr(spool, "RETRY_AFTER", 0.0)
    place.take_away()
    store.put("packs/a", [b"1"])
    place.bring_back()
    store.put("packs/b", [b"2"])
    assert place.arrived == ["packs/a", "packs/b"]


def test_while_something_waits_everything_waits_behind_it(store, place):
    place.take_away()
    store.put("packs/a", [b"1"])
    place.bring_back()
    store.put("backups/record", [b"needs packs/a"])  # the store is there again, but not tried yet
    assert place.arrived == []
    store.deliver()
    assert place.arrived == ["packs/a", "backups/record"]


def test_delivery_that_fails_half_way_keeps_the_rest(store, place, tmp_path):
    place.take_away()
    for name in ("a", "b", "c"):
        store.put(name, [name.encode()])
    place.bring_back()
    (tmp_path / "store/b").mkdir()
    (tmp_path / "store/b/in-the-way").write_bytes(b"")
    with pytest.raises(Exception, match="Cannot write"):
        store.deliver()
    assert place.arrived == ["a"]
    assert (store.spooled.objects, store.spooled.bytes) == (2, 2)
    (tmp_path / "store/b/in-the-way").unlink()
    (tmp_path / "store/b").rmdir()
    assert store.deliver() == 2
    assert place.arrived == ["a", "b", "c"]


def test_waiting_objects_are_read(store, place):
    store.put("packs/delivered", [b"delivered"])
    store.put("packs/both", [b"older and longer"])
    place.take_away()
    store.put("packs/waiting", [b"0123456789"])
    store.put("packs/both", [b"old"])
    store.put("packs/both", [b"newer"])
    assert store.get("packs/waiting") == b"0123456789"
    assert store.get("packs/waiting", 3, 4) == b"3456"
    assert store.get("packs/waiting", 8, 100) == b"89"
    assert store.get("packs/both") == b"newer"
    assert store.stat("packs/both").size == 5
    with pytest.raises(StoreUnreachableError):
        store.get("packs/delivered")
    with pytest.raises(StoreUnreachableError):
        names(store)  # what is in the store cannot be known
    place.bring_back()
    assert names(store) == ["packs/both", "packs/delivered", "packs/waiting"]
    assert names(store, "packs/d") == ["packs/delivered"]
    assert next(info for info in store.list("packs/both")).size == 5
    with pytest.raises(ObjectMissingError):
        store.get("packs/never")


def test_deleting_removes_what_waits(store, place):
    store.put("x", [b"old"])
    place.take_away()
    store.put("x", [b"new"])
    store.put("y", [b"y"])
    place.bring_back()
    store.delete("x")
    store.deliver()
    assert names(store) == ["y"]


def test_the_limit(store, place, tmp_path):
    place.take_away()
    store.put("packs/a", [b"x" * 600])
    with pytest.raises(StoreUnreachableError) as caught:
        store.put("packs/b", [b"x" * 300, b"x" * 300])
    assert f"{place.location} does not exist" in caught.value.message
    assert "holds 600 bytes of at most 1000, and has no room for packs/b" in caught.value.message
    assert "raise the spool's limit" in caught.value.next_step
    assert (store.spooled.objects, store.spooled.bytes) == (1, 600)
    store.put("packs/c", [b"x" * 400])
    assert not list(tmp_path.rglob(".unfinished-*"))


def test_a_refusal_is_not_spooled(store, place):
    def refused(name, content):
        raise StoreDeniedError("No.", "Ask.")

    place.put = refused
    with pytest.raises(StoreDeniedError):
        store.put("x", [b""])
    assert store.spooled.objects == 0


class HalfWay(Place):
    """A store that takes so many pieces and then is gone."""

    pieces = 3

    def put(self, name, content):
        if self.pieces:
            for _ in range(self.pieces):
                next(content)
            self.pieces = 0
            raise StoreUnreachableError("Gone.", "Wait.")
        return super().put(name, content)


@pytest.fixture
def half_way(tmp_path):
    (tmp_path / "half").mkdir()
    return HalfWay(tmp_path / "half")


def test_what_was_sent_in_vain_is_not_lost(half_way, tmp_path):
    store = SpoolingStore(half_way, str(tmp_path / "spool"), 1000)
    assert store.put("x", iter([b"1", memoryview(b"22"), b"333", b"4444"])) == 10
    assert store.get("x") == b"1223334444"
    store.deliver()
    assert half_way.get("x") == b"1223334444"


def test_too_much_sent_in_vain_is_an_error(half_way, tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "REPLAY_LIMIT", 5)
    store = SpoolingStore(half_way, str(tmp_path / "spool"), 1000)
    with pytest.raises(StoreUnreachableError, match=r"^Gone\. x is too large to be spooled"):
        store.put("x", iter([b"1", b"22", b"333", b"4444"]))
    assert store.spooled.objects == 0


def test_content_that_fails_is_never_spooled(store, place):
    def content(error):
        yield b"some"
        raise error

    for error in (SourceError("Broke.", "Mend."), StoreUnreachableError("The source's store.", "Wait.")):
        with pytest.raises(type(error)) as caught:
            store.put("x", content(error))
        assert caught.value is error
    place.take_away()
    with pytest.raises(SourceError):
        store.put("x", content(SourceError("Broke.", "Mend.")))
    assert store.spooled.objects == 0


def test_age_is_that_of_the_oldest(store, place, tmp_path):
    place.take_away()
    store.put("a", [b""])
    store.put("b", [b""])
    (first,) = tmp_path.glob("spool/*/*1%a")
    os.utime(first, (time.time() - 3600,) * 2)
    assert 3600 <= store.spooled.age < 3700


def test_stores_do_not_mix(store, place, tmp_path):
    (tmp_path / "other").mkdir()
    other_place = Place(tmp_path / "other")
    other = SpoolingStore(other_place, str(tmp_path / "spool"), 1000)
    place.take_away()
    store.put("x", [b"for the first"])
    assert other.spooled.objects == 0
    assert other.deliver() == 0
    other.put("y", [b""])
    assert other_place.arrived == ["y"]


def test_the_spool_is_private(store, place, tmp_path):
    place.take_away()
    store.put("x", [b""])
    for path in (tmp_path / "spool", next((tmp_path / "spool").iterdir())):
        assert path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_spool_that_others_may_write_in_is_refused(place, tmp_path, mode):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(mode)
    with pytest.raises(InputError, match=r"/open belongs to another user, or others may write in it"):
        SpoolingStore(place, str(tmp_path / "open"), 1000).put("x", [b""])


def test_foreign_files_in_the_spool_are_left_alone(store, place, tmp_path):
    place.take_away()
    store.put("x", [b"content"])
    folder = next((tmp_path / "spool").iterdir())
    (folder / "notes.txt").write_bytes(b"")
    assert store.spooled.objects == 1
    place.bring_back()
    store.deliver()
    assert sorted(path.name for path in folder.iterdir()) == [
        ".delivered-0000000000000001",
        ".delivery",
        ".lock",
        "notes.txt",
    ]


@pytest.mark.parametrize(("directory", "limit"), [("spool", 10), ("/tmp/x", 0), ("/tmp/x", -1)])
def test_settings_that_cannot_be(place, directory, limit):
    with pytest.raises(InputError, match=r"[Ss]pool"):
        SpoolingStore(place, directory, limit)


def test_a_place_without_the_marker_is_not_the_store(place, tmp_path):
    store = SpoolingStore(place, str(tmp_path / "spool"), 1000, "repository.json")
    store.put("packs/a", [b"1"])  # the directory that an unmounted file system has left
    assert (place.arrived, store.spooled.objects) == ([], 1)
    assert "has no repository.json: it is not the repository" in store.away.error.message
    with pytest.raises(StoreUnreachableError, match="it is not the repository"):
        store.deliver()
    place.put("repository.json", [b""])
    assert store.deliver() == 1
    assert store.away is None


def test_what_was_removed_by_hand_is_missed(store, place, tmp_path):
    place.take_away()
    for name in ("packs/a", "packs/b", "index/c"):
        store.put(name, [b"x"])
    assert store.is_whole_since(3)
    next(tmp_path.glob("spool/*/*2%packs%b")).unlink()
    assert not store.is_whole_since(0)
    place.bring_back()
    with pytest.raises(StoreError, match="Objects are missing from the spool") as caught:
        store.deliver()
    assert "remove" in caught.value.next_step
    assert place.arrived == []


def test_a_spool_that_was_removed_as_a_whole_is_missed(store, place, tmp_path):
    place.take_away()
    store.put("packs/a", [b"x"])
    assert store.is_whole_since(1)
    shutil.rmtree(tmp_path / "spool")
    assert not SpoolingStore(place, str(tmp_path / "spool"), 1000).is_whole_since(1)


def test_numbers_go_on_after_delivery(store, place):
    for turn in range(1, 4):
        place.take_away()
        store.put("packs/a", [b"x"])
        place.bring_back()
        store.deliver()
        assert (store.last, store.is_whole_since(turn), store.is_whole_since(turn + 1)) == (turn, True, False)


def test_an_object_is_not_sent_again_over_a_newer_one(store, place, tmp_path):
    place.take_away()
    store.put("keys/a", [b"old"])
    (waiting,) = tmp_path.glob("spool/*/*1%keys%a")
    kept = waiting.read_bytes()
    place.bring_back()
    store.deliver()
    waiting.write_bytes(kept)  # as a copy of the directory brings it back
    place.put("keys/a", [b"new"])
    place.take_away()
    store.put("keys/b", [b""])
    place.bring_back()
    assert store.deliver() == 1
    assert place.get("keys/a") == b"new"


def test_processes_share_that_the_store_is_away(store, place, tmp_path):
    place.take_away()
    store.put("packs/a", [b"1"])
    other = SpoolingStore(place, str(tmp_path / "spool"), 1000)
    other.put("packs/b", [b"2"])
    assert (place.tries, other.is_away) == (1, True)
    place.bring_back()
    other.deliver()
    store.put("packs/c", [b"3"])
    assert place.arrived == ["packs/a", "packs/b", "packs/c"]


def test_a_spool_is_for_one_repository(store, place):
    store.bind("first")
    store.bind("second")  # nothing waits
    place.take_away()
    store.put("x", [b""])
    store.bind("second")
    with pytest.raises(InputError, match=r"objects wait for another repository \(second\)"):
        store.bind("third")


def test_a_spool_whose_parent_is_missing(place, tmp_path):
    with pytest.raises(InputError, match="The spool cannot be used") as caught:
        SpoolingStore(place, str(tmp_path / "no/spool"), 1000).put("x", [b""])
    assert caught.value.next_step.startswith(f"Create {tmp_path}/no, or")


def test_what_is_delivered_gives_its_room_back_at_once(store, place, tmp_path):
    place.take_away()
    for number in range(3):
        store.put(f"packs/{number}", [b"x" * 300])
    place.bring_back()
    sizes = []
    store.deliver(lambda _size: sizes.append(sum(path.stat().st_size for path in tmp_path.glob("spool/*/.d*"))))
    assert sizes == [0, 0, 0]
    assert len(list(tmp_path.glob("spool/*/.delivered-*"))) == 1
