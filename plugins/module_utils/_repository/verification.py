# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a backup whole? Its structure, without any key that opens data; or every byte, with a recovery key."""

from __future__ import annotations

import hashlib
import hmac
import time
import typing as t
from dataclasses import dataclass, field

from . import stream
from .compression import decompress
from .errors import InputError, IntegrityError, ObjectMissingError, TrustError
from .index_cache import PackInfo
from .key_slots import check_data_key, read_data_key
from .keys import RecoveryKey
from .naming import PACKS, associated_data, pack_name, part_object_name, scope_of
from .needed_packs import complete_index, read_pack_list
from .pack import read_directory
from .part_reader import PartReader, read_record
from .progress import Progress
from .references import StreamReference
from .summary import FAILURE, Summary, read_summary
from .worker_pool import WorkerPool, worker_count

if t.TYPE_CHECKING:
    from .repository import Repository


#: Packs that are held in memory at the same time, encrypted and decrypted: about 100 MiB each with what surrounds them.
_PACKS_AT_ONCE = 3
#: So many index objects that cannot be used are named at most.
_TOLD = 3
#: By the kind of a part: what yields (name for people, reference) of everything that its streams refer to.
NestedReferences = t.Mapping[str, t.Callable[[PartReader], t.Iterable[tuple[str, StreamReference]]]]


@dataclass(frozen=True)
class Sample:
    """Verify one of ``of`` shares of the packs; runs with ``number`` 1 … ``of`` cover all of them."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Sample:
        """Read ``n/t``; raise :class:`~.errors.InputError` when it is not that."""
        number, _slash, of = text.partition("/")
        if not (number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
            raise InputError(f"{text!r} is not a sample.", "Give n/t, such as 1/7, with n from 1 to t.")
        return cls(int(number), int(of))

    @classmethod
    def of_day(cls, of: int, now: float | None = None) -> Sample:
        """Return the share whose turn it is today, so that ``of`` daily runs cover everything."""
        return cls(int((time.time() if now is None else now) // 86400) % of + 1, of)

    def covers(self, pack_id: bytes) -> bool:
        """Tell whether a pack is in this share."""
        return int.from_bytes(hashlib.sha256(pack_id).digest()[:8], "big") % self.of == self.number - 1


@dataclass
class Verification:
    """What was checked and what was found. A backup is valid when there are no problems."""

    backup_id: str
    parts: list[str] = field(default_factory=list)
    packs: int = 0
    packs_read: int = 0
    bytes_read: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        """Tell whether nothing was found wrong."""
        return not self.problems


class StoreListing:
    """The packs that are in the store, listed once for any number of verifications."""

    def __init__(self, repository: Repository) -> None:
        self.packs = {info.name[len(PACKS) + 3 :]: info.size for info in repository.store.list(PACKS)}


def verify_structure(
    repository: Repository, backup_id: str, listing: StoreListing | None = None
) -> tuple[Verification, dict[str, dict[bytes, int]]]:
    """Check signatures and hashes, and that every object a backup needs is there with the right size.

    Returns also the packs (id to size) that each whole part needs.
    """
    result = Verification(backup_id)
    listing = listing or StoreListing(repository)
    summary = read_summary(repository, backup_id)
    needed: dict[str, dict[bytes, int]] = {}
    for part in summary.document["parts"]:
        result.parts.append(part["part"])
        if part["status"] == FAILURE:
            result.problems.append(f"{part['part']}: it failed when it was made: {part['reason']}")
            continue
        try:
            needed[part["part"]] = _part_structure(repository, summary, part, listing)
        except (IntegrityError, ObjectMissingError, TrustError) as error:
            result.problems.append(f"{part['part']}: {error.message}")
    result.packs = len({pack_id for packs in needed.values() for pack_id in packs})
    return result, needed


def _part_structure(
    repository: Repository, summary: Summary, part: t.Mapping[str, t.Any], listing: StoreListing
) -> dict[bytes, int]:
    scope = scope_of(summary.backup_id, part["part"])
    record = read_record(repository, summary.backup_id, part["part"])
    if repository.read_signed(part_object_name(scope, "record"), summary.backup_id)[2] != part["sha256"]:
        raise IntegrityError("Its record is not the one that the summary names.", "")
    manifest = part_object_name(scope, "manifest")
    if hashlib.sha256(repository.store.get(manifest)).hexdigest() != record["manifest"]["sha256"]:
        raise IntegrityError("Its manifest is not the one that was signed.", "")
    packs = read_pack_list(repository, scope, record)
    missing = [pack_id.hex() for pack_id in packs if pack_id.hex() not in listing.packs]
    wrong = [pack_id.hex() for pack_id, size in packs.items() if listing.packs.get(pack_id.hex(), size) != size]
    if missing:
        raise IntegrityError(f"{len(missing)} of {len(packs)} packs are missing, the first is {missing[0]}.", "")
    if wrong:
        raise IntegrityError(f"{len(wrong)} of {len(packs)} packs have a wrong size, the first is {wrong[0]}.", "")
    check_data_key(repository, scope)
    return packs


def verify_bytes(
    repository: Repository,
    backup_id: str,
    recovery_key: RecoveryKey,
    *,
    sample: Sample | None = None,
    progress: Progress | None = None,
    listing: StoreListing | None = None,
    findings: dict[bytes, str] | None = None,
    nested: NestedReferences | None = None,
) -> Verification:
    """Check the structure, then read packs: decrypt them and check every chunk against its id.

    Also that every stream of every part leads to chunks that are there.

    :arg findings: packs that were read before (id to what is wrong, or an empty text); they are not read again, and
        what is read now is added. Lets many backups that share packs be verified at the price of reading each once.
    :arg nested: for each kind of part, what yields the references that stand inside its streams.
    """
    listing = listing or StoreListing(repository)
    result, needed = verify_structure(repository, backup_id, listing)
    repository.update_index()
    share = sample or Sample()
    packs = {pack_id: size for part in needed.values() for pack_id, size in part.items()}
    result.problems += _index_problems(repository, packs)
    for part in needed:
        complete_index(repository, backup_id, part, recovery_key)
    seen = {} if findings is None else findings
    due = [pack_id for pack_id in sorted(packs) if share.covers(pack_id) and pack_id not in seen]
    chosen = [(pack_id, packs[pack_id]) for pack_id in due]
    watched = progress or Progress()
    watched.begin(f"verify {backup_id}", sum(size for _pack_id, size in chosen))
    checker = _PackChecker(repository, recovery_key, watched)
    pool = WorkerPool(min(worker_count(), _PACKS_AT_ONCE))
    try:
        for pack_id, problem in zip(due, pool.map_ordered(checker.check, chosen), strict=True):
            seen[pack_id] = problem
    finally:
        pool.close(cancel=True)
    result.problems += [seen[pack_id] for pack_id in sorted(packs) if seen.get(pack_id)]
    result.packs_read, result.bytes_read = len(chosen), sum(size for _pack_id, size in chosen)
    for part in needed:
        watched.begin(f"follow the streams of {part}")
        try:
            with PartReader(repository, backup_id, part, recovery_key, watched) as reader:
                result.problems += _stream_problems(reader, listing, nested or {})
        except (IntegrityError, ObjectMissingError) as error:
            result.problems.append(f"{part}: {error.message}")
    return result


def _index_problems(repository: Repository, packs: t.Collection[bytes]) -> list[str]:
    """Say which packs no index object names, and which index objects might have named them."""
    unknown = sorted(pack_id for pack_id in packs if not repository.index.is_indexed(pack_id))
    if not unknown:
        return []
    reasons = [f" {repository.unusable_index[name]}" for name in sorted(repository.unusable_index)[:_TOLD]]
    return [
        f"{len(unknown)} of {len(packs)} packs are in no index that can be used, the first is {pack_name(unknown[0])}; "
        f"a restore reads their own directories instead.{''.join(reasons)}"
    ]


class _PackChecker:
    def __init__(self, repository: Repository, recovery_key: RecoveryKey, progress: Progress) -> None:
        self._repository = repository
        self._recovery_key = recovery_key
        self._progress = progress
        self._keys: dict[str, bytes] = {}

    def check(self, pack: tuple[bytes, int]) -> str:
        """Return what is wrong with a pack, or an empty text."""
        pack_id, size = pack
        name = pack_name(pack_id)
        try:
            info = self._repository.index.pack_by_id(pack_id)
            if info is None:
                return f"The index does not know {name}."
            self._read(info, name)
        except (IntegrityError, ObjectMissingError) as error:
            return error.message
        finally:
            self._progress.add(done=size, items=1)
        return ""

    def _read(self, info: PackInfo, name: str) -> None:
        if info.scope not in self._keys:
            self._keys[info.scope] = read_data_key(self._repository, info.scope, self._recovery_key)
        place = associated_data(self._repository.repository_id, info.scope, name)
        plaintext = stream.decrypt(self._keys[info.scope], place, self._repository.store.get(name), name)
        for entry in read_directory(plaintext, name):
            stored = plaintext[entry.offset : entry.offset + entry.stored]
            chunk = decompress(stored, entry.size, name)
            chunk_id = hmac.digest(self._repository.chunk_key, chunk, "sha256")
            if not hmac.compare_digest(chunk_id, entry.chunk_id):
                raise IntegrityError(f"A chunk in {name} is not the one its directory names.", "Choose another backup.")


def _stream_problems(reader: PartReader, listing: StoreListing, nested: NestedReferences) -> t.Iterator[str]:
    """Follow every stream of a part: each chunk must be known, and in a pack that the store has."""
    for name, reference in reader.streams.items():
        yield from _reference_problems(reader, listing, f"its stream {name}", reference)
    if reader.record["kind"] in nested:
        for name, reference in nested[reader.record["kind"]](reader):
            yield from _reference_problems(reader, listing, name, reference)


def _reference_problems(
    reader: PartReader, listing: StoreListing, name: str, reference: StreamReference
) -> t.Iterator[str]:
    size = 0
    for chunk_id in reader.chunk_ids(reference):
        location = reader.repository.index.locate(chunk_id)
        if location is None or location.pack.pack_id.hex() not in listing.packs:
            yield f"{reader.part}: a chunk of {name} is in no pack that the store has."
            return
        size += location.entry.size
    if size != reference.size:
        yield f"{reader.part}: {name} has {size} bytes instead of {reference.size}."
