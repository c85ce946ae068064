# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole repository: what goes in comes out, what was meddled with does not, and who may do what."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository import keys
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    FormatError,
    InputError,
    IntegrityError,
    ObjectMissingError,
    SourceError,
    TrustError,
    WrongKeyError,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.references import StreamReference
from ansible_collections.dfr.continuity.plugins.module_utils._repository.repository import Repository
from ansible_collections.dfr.continuity.plugins.module_utils._repository.summary import (
    PartOutcome,
    close_backup,
    read_chain,
    read_summary,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.verification import (
    Sample,
    verify_bytes,
    verify_structure,
)
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

FIRST_ID = "20260101T000000Z-00000001"
CONTENT = random.Random(5).randbytes(3_000_000) + b"a plain sentence " * 100_000


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.configure()
    return made


def test_what_was_stored_comes_back_on_a_machine_that_never_saw_it(site: Site) -> None:
    backup = site.back_up(CONTENT)
    assert site.read_back(backup) == CONTENT
    with site.open() as repository:
        assert read_summary(repository, backup).status == "success"
        assert verify_structure(repository, backup)[0].valid


def test_nothing_stored_is_readable(site: Site) -> None:
    site.back_up(CONTENT)
    for path in site.objects(""):
        assert b"a plain sentence" not in path.read_bytes()


def test_the_same_data_is_stored_once_and_changed_data_mostly_once(site: Site) -> None:
    first = site.back_up(CONTENT)
    size = sum(path.stat().st_size for path in site.objects("packs/"))
    second = site.back_up(CONTENT)
    assert sum(path.stat().st_size for path in site.objects("packs/")) == size
    third = site.back_up(CONTENT[:100] + b"!" + CONTENT[100:])
    assert sum(path.stat().st_size for path in site.objects("packs/")) < 1.5 * size
    assert site.read_back(first) == site.read_back(second) == CONTENT
    assert site.read_back(third) == CONTENT[:100] + b"!" + CONTENT[100:]


def write_empty_part(repository: Repository) -> None:
    with repository.write_part(FIRST_ID, "db1.shop.dump", kind="database") as writer:
        writer.finish(streams={}, facts={})


def break_off(site: Site) -> None:
    """Store the content but let the part end by an error."""
    with site.open() as repository, repository.write_part(FIRST_ID, "db1.shop.dump", kind="database") as writer:
        stream = writer.open_stream()
        stream.write(CONTENT)
        stream.close()
        raise SourceError("The source broke.", "Mend it.")


def test_an_abandoned_part_does_not_exist_but_its_packs_serve_the_next_run(site: Site) -> None:
    with pytest.raises(SourceError):
        break_off(site)
    with site.open() as repository:
        assert read_chain(repository).summaries == []
        with pytest.raises(ObjectMissingError):
            repository.open_part(FIRST_ID, "db1.shop.dump", site.recovery_key)
    assert site.read_back(site.back_up(CONTENT)) == CONTENT


def test_an_unknown_identity_cannot_write_and_a_removed_one_is_not_believed(site: Site) -> None:
    backup = site.back_up(CONTENT)
    stranger = keys.Identity.generate()
    keys.write_key_file(str(site.root / "stranger.pem"), stranger.to_pem())
    with pytest.raises(WrongKeyError):
        site.open("stranger")
    site.hosts = {}
    site.configure()
    with pytest.raises(TrustError, match="not a trusted signer"):
        site.read_back(backup)


def test_a_retired_signer_is_believed_for_what_it_made_before(site: Site) -> None:
    old = site.back_up(CONTENT, backup_id=FIRST_ID)
    new = site.back_up(CONTENT, backup_id="20260301T000000Z-00000001")
    site.configure(signers=site.signers(db1="20260201T000000Z"))
    assert site.read_back(old) == CONTENT
    with pytest.raises(TrustError):
        site.read_back(new)
    with pytest.raises(WrongKeyError):
        site.open("db1")


def test_a_host_cannot_speak_for_another(site: Site) -> None:
    site.hosts["web1"] = keys.Identity.generate()
    keys.write_key_file(str(site.root / "web1.pem"), site.hosts["web1"].to_pem())
    site.configure()
    with site.open("web1", host="db1") as repository:
        write_empty_part(repository)
    with pytest.raises(TrustError, match="signed by web1"):
        site.read_back(FIRST_ID)


def test_wrong_recovery_key_and_host_identity_open_nothing(site: Site) -> None:
    backup = site.back_up(CONTENT)
    with pytest.raises(WrongKeyError, match="was not made for the key"):
        site.read_back(backup, key=keys.RecoveryKey.generate())
    with site.open() as repository, pytest.raises(WrongKeyError):
        repository.open_part(backup, "db1.shop.dump", keys.RecoveryKey.generate())


def test_another_administrator_is_refused(site: Site) -> None:
    other = keys.Identity.generate().signer.text
    with pytest.raises(TrustError, match="not in `trust`"):
        site.open(trust=[other])
    with pytest.raises(InputError, match="No administrator is trusted"):
        site.open(trust=[])


def test_a_new_recipient_opens_what_comes_later_and_with_the_recovery_key_also_what_was(site: Site) -> None:
    old = site.back_up(CONTENT)
    second = keys.RecoveryKey.generate("mlkem768-x25519")
    both = (site.recovery_key.recipient, second.recipient)
    assert site.configure(recipients=both).changed
    new = site.back_up(CONTENT)
    assert site.read_back(new, key=second) == CONTENT
    with pytest.raises(WrongKeyError):
        site.read_back(old, key=second)
    change = site.configure(recipients=both, recovery_key=site.recovery_key)
    assert change.rewrapped == 1
    assert site.read_back(old, key=second) == CONTENT
    assert not site.configure(recipients=both).changed


def test_a_removed_recipient_opens_nothing_any_more(site: Site) -> None:
    second = keys.RecoveryKey.generate("p256")
    site.configure(recipients=(site.recovery_key.recipient, second.recipient))
    backup = site.back_up(CONTENT)
    site.configure(recovery_key=site.recovery_key)
    with pytest.raises(WrongKeyError):
        site.read_back(backup, key=second)
    assert site.read_back(backup) == CONTENT


def test_configuring_twice_changes_nothing_and_a_dry_run_only_tells(site: Site) -> None:
    before = (site.store / "repository.json").read_bytes()
    assert not site.configure().changed
    assert site.configure(compression_level=3, dry_run=True).changed
    assert (site.store / "repository.json").read_bytes() == before
    with pytest.raises(InputError, match="nobody could open"):
        site.configure(recipients=())
    with pytest.raises(InputError, match="out of range"):
        site.configure(compression_level=99)


def test_a_repository_is_never_made_over_something_else(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.store.mkdir()
    (site.store / "somebody.txt").write_text("else")
    with pytest.raises(InputError, match="not empty"):
        site.configure()


def test_settings_put_back_to_an_older_revision_are_noticed(site: Site) -> None:
    shutil.copy(site.store / "repository.json", site.root / "old.json")
    site.configure(compression_level=3)
    site.back_up(CONTENT)
    shutil.copy(site.root / "old.json", site.store / "repository.json")
    with pytest.raises(TrustError, match="revision 1"):
        site.open()


def test_a_newer_format_says_so(site: Site) -> None:
    path = site.store / "repository.json"
    signed = json.loads(path.read_text())
    signed["document"]["format"] = 2
    path.write_text(json.dumps(signed))
    with pytest.raises(FormatError, match="format 2"):
        site.open()


@pytest.mark.parametrize("change", ["recipients", "signers", "epoch"])
def test_settings_changed_by_the_store_are_refused(site: Site, change: str) -> None:
    path = site.store / "repository.json"
    signed = json.loads(path.read_text())
    signed["document"][change] = 7 if change == "epoch" else []
    path.write_text(json.dumps(signed))
    with pytest.raises(TrustError, match="changed or forged"):
        site.open()


def problems_of(site: Site, backup: str) -> list[str]:
    """Verify every byte on a machine that never saw the repository; an error that stops it counts as found."""
    try:
        with site.open(None, cache_dir=str(site.root / "fresh")) as repository:
            return verify_bytes(repository, backup, site.recovery_key).problems
    except (IntegrityError, ObjectMissingError, TrustError, WrongKeyError) as error:
        return [error.message]


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[random.randrange(len(data))] ^= 1
    path.write_bytes(data)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_flip, _truncate, _empty, Path.unlink])
@pytest.mark.parametrize(
    "kind", ["repository.json", "keys/", "packs/", "index/", "manifest", "record", "packs", "summary"]
)
def test_damage_to_any_object_is_found_and_named(site: Site, kind: str, damage: Callable[[Path], None]) -> None:
    backup = site.back_up(CONTENT)
    [victim, *_more] = [
        path
        for path in site.objects("")
        if str(path.relative_to(site.store)).startswith(kind) or path.parts[-1] == kind
    ]
    damage(victim)
    assert problems_of(site, backup)


def test_objects_that_change_places_are_refused(site: Site) -> None:
    first, second = site.back_up(CONTENT), site.back_up(CONTENT[::-1])
    for name in ("manifest", "record", "packs"):
        source = site.store / "backups" / first / "db1.shop.dump" / name
        target = site.store / "backups" / second / "db1.shop.dump" / name
        kept = target.read_bytes()
        shutil.copy(source, target)
        with site.open(None) as repository:
            assert not verify_structure(repository, second)[0].valid, name
        target.write_bytes(kept)
    shutil.copy(site.store / "backups" / first / "summary", site.store / "backups" / second / "summary")
    with site.open(None) as repository, pytest.raises(IntegrityError):
        read_summary(repository, second)


def test_swapped_packs_and_key_slots_are_found(site: Site) -> None:
    first, second = site.back_up(CONTENT), site.back_up(CONTENT[::-1])
    one, other = site.objects("packs/")[:2]
    kept = one.read_bytes()
    shutil.copy(other, one)
    with site.open(None) as repository:
        problems = [verify_bytes(repository, backup, site.recovery_key).problems for backup in (first, second)]
    assert any(problems)
    one.write_bytes(kept)
    shutil.copy(site.store / "keys" / first / "db1.shop.dump", site.store / "keys" / second / "db1.shop.dump")
    with pytest.raises(IntegrityError):
        site.read_back(second)


def test_a_missing_summary_in_the_chain_is_named(site: Site) -> None:
    ids = [site.back_up(bytes([number]) * 1000, backup_id=f"2026010{number}T000000Z-00000001") for number in (1, 2, 3)]
    with site.open(None) as repository:
        assert read_chain(repository).findings == []
    (site.store / "backups" / ids[1] / "summary").unlink()
    with site.open(None, cache_dir=str(site.root / "fresh")) as repository:
        chain = read_chain(repository)
    assert chain.unfinished == [ids[1]]
    assert len(chain.findings) == 1
    assert ids[0] in chain.findings[0]
    assert ids[2] in chain.findings[0]


def test_a_newest_backup_that_vanishes_is_noticed_where_it_was_seen(site: Site) -> None:
    site.back_up(b"one", backup_id=FIRST_ID)
    newest = site.back_up(b"two", backup_id="20260102T000000Z-00000001")
    shutil.rmtree(site.store / "backups" / newest)
    with site.open("db1") as repository:
        assert any(newest in finding and "gone" in finding for finding in read_chain(repository).findings)


def test_a_part_that_failed_makes_the_backup_partial_and_none_a_failure(site: Site) -> None:
    with site.open() as repository:
        write_empty_part(repository)
        good = PartOutcome("db1.shop.dump", "db1", "database")
        bad = PartOutcome("db1.shop.files", "db1", "tree", failed=True, reason="Gone.", next_step="Look.")
        document = close_backup(repository, FIRST_ID, [good, bad])
        assert document["status"] == "partial"
        assert [part["status"] for part in document["parts"]] == ["success", "failure"]
        with pytest.raises(InputError, match="closed already"):
            close_backup(repository, FIRST_ID, [good])
        assert close_backup(repository, "20260102T000000Z-00000001", [bad])["status"] == "failure"
        claimed = PartOutcome("db1.shop.ghost", "db1", "tree")
        document = close_backup(repository, "20260103T000000Z-00000001", [claimed])
        assert document["status"] == "failure"
        assert "no part" in document["parts"][0]["reason"]


def test_samples_cover_every_pack_once() -> None:
    packs = [random.Random(number).randbytes(16) for number in range(500)]
    shares = [[pack for pack in packs if Sample(number, 7).covers(pack)] for number in range(1, 8)]
    assert sorted(pack for share in shares for pack in share) == sorted(packs)
    assert all(shares)
    assert {Sample.of_day(7, now=day * 86400.0).number for day in range(7)} == set(range(1, 8))
    for text in ("", "0/7", "8/7", "1", "a/b", "1/0"):
        with pytest.raises(InputError):
            Sample.parse(text)


def test_two_writers_at_once_both_succeed(site: Site) -> None:
    with site.open() as one, site.open() as other:
        first = one.write_part(FIRST_ID, "db1.a.dump", kind="database")
        second = other.write_part(FIRST_ID, "db1.b.dump", kind="database")
        with first, second:
            streams = [writer.open_stream() for writer in (first, second)]
            for start in range(0, len(CONTENT), 100_000):
                for stream in streams:
                    stream.write(CONTENT[start : start + 100_000])
            for writer, stream in zip((first, second), streams, strict=True):
                writer.finish(streams={"dump": stream.close()}, facts={})
    for part in ("db1.a.dump", "db1.b.dump"):
        assert site.read_back(FIRST_ID, part) == CONTENT


def test_names_that_leave_their_place_are_refused(site: Site) -> None:
    with site.open() as repository:
        for backup_id in ("../../etc", "", "20260101T000000Z"):
            with pytest.raises(InputError):
                repository.write_part(backup_id, "a", kind="tree")
        for part in ("", "..", "a/b", "a b", ".hidden", "x" * 129):
            with pytest.raises(InputError):
                repository.write_part(FIRST_ID, part, kind="tree")


def test_a_damaged_cache_is_made_again(site: Site) -> None:
    backup = site.back_up(CONTENT)
    [cache] = (site.root / "cache-db1").rglob("index.sqlite3")
    cache.write_bytes(b"not a database at all" * 1000)
    for extra in cache.parent.glob("index.sqlite3-*"):
        extra.unlink()
    assert site.back_up(CONTENT) != backup


def test_signers_listed_twice_are_refused(site: Site) -> None:
    [signer] = site.signers()
    with pytest.raises(InputError, match="stands twice"):
        site.configure(signers=(signer, replace(signer)))


def test_a_reference_inside_a_stream_that_leads_nowhere_is_found(site: Site) -> None:
    backup = site.back_up(CONTENT)
    ghost = StreamReference(5, (bytes(32),))
    with site.open(None) as repository:
        found = verify_bytes(
            repository, backup, site.recovery_key, nested={"database": lambda _reader: [("a ghost", ghost)]}
        )
    assert found.problems == ["db1.shop.dump: a chunk of a ghost is in no pack that the store has."]
