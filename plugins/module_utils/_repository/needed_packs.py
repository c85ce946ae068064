# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packs that a part needs, and how they are read when the index objects that named them are lost or damaged.

Packs have directories, so whoever has a recovery key reads a backup without the index too, at the price of fetching
the packs that it does not know once more.
"""

from __future__ import annotations

import contextlib
import hashlib
import typing as t

from . import stream
from .errors import IntegrityError, ObjectMissingError, TrustError, WrongKeyError
from .index import IndexedPack, IndexObject
from .key_slots import read_data_key
from .keys import RecoveryKey
from .naming import KEYS, associated_data, pack_name, part_object_name, scope_of
from .pack import read_directory
from .part_reader import read_record

if t.TYPE_CHECKING:
    from .repository import Repository

#: Older than every other: no writer refers to a pack of which nobody knows who can open it.
_NO_EPOCH = 0


def read_pack_list(repository: Repository, scope: str, record: t.Mapping[str, t.Any]) -> dict[bytes, int]:
    """Return the packs that a part needs (id to size in bytes)."""
    name = part_object_name(scope, "packs")
    body = repository.read_metadata(name)
    if hashlib.sha256(body).hexdigest() != record["packs"]["sha256"]:
        raise IntegrityError(f"{name} is not the list that was signed.", "Choose another backup.")
    return {body[i : i + 16]: int.from_bytes(body[i + 16 : i + 24], "big") for i in range(0, len(body), 24)}


def complete_index(repository: Repository, backup_id: str, part: str, recovery_key: RecoveryKey) -> None:
    """Make the local index know every pack of a part that can be read, though index objects are lost or damaged.

    Raises nothing for a part that is damaged itself: who reads it then finds out what is wrong with it.
    """
    scope = scope_of(backup_id, part)
    try:
        packs = read_pack_list(repository, scope, read_record(repository, backup_id, part))
    except (IntegrityError, ObjectMissingError, TrustError):
        return
    unknown = [pack_id for pack_id in packs if repository.index.pack_by_id(pack_id) is None]
    if unknown:
        _DirectoryReader(repository, scope, recovery_key).take_in(unknown)


class _DirectoryReader:
    """Takes packs into the local index from their own directories."""

    def __init__(self, repository: Repository, scope: str, recovery_key: RecoveryKey) -> None:
        self._repository = repository
        self._recovery_key = recovery_key
        #: Whose data key may open a pack, the most likely first; the others are asked for when none of these does.
        self._scopes = [scope]
        self._all_listed = False
        self._keys: dict[str, bytes | None] = {}

    def take_in(self, packs: t.Iterable[bytes]) -> None:
        for pack_id in packs:
            # A pack that is missing, or that no data key opens, is told of by who needs a chunk of it.
            with contextlib.suppress(IntegrityError, ObjectMissingError):
                self._take_in(pack_id)

    def _take_in(self, pack_id: bytes) -> None:
        name = pack_name(pack_id)
        data = self._repository.store.get(name)
        for scope in self._candidates():
            plaintext = self._open(name, data, scope)
            if plaintext is not None:
                pack = IndexedPack(pack_id, len(data), read_directory(plaintext, name))
                self._repository.index.add_unnamed(IndexObject(_NO_EPOCH, scope, [pack]))
                self._scopes.remove(scope)
                self._scopes.insert(0, scope)
                return

    def _candidates(self) -> t.Iterator[str]:
        yield from list(self._scopes)
        if not self._all_listed:
            self._all_listed = True
            listed = {info.name[len(KEYS) :] for info in self._repository.store.list(KEYS)}
            further = sorted(listed - set(self._scopes), reverse=True)
            self._scopes += further
            yield from further

    def _open(self, name: str, data: bytes, scope: str) -> bytes | None:
        key = self._data_key(scope)
        if key is None:
            return None
        try:
            return stream.decrypt(key, associated_data(self._repository.repository_id, scope, name), data, name)
        except IntegrityError:
            return None

    def _data_key(self, scope: str) -> bytes | None:
        if scope not in self._keys:
            try:
                self._keys[scope] = read_data_key(self._repository, scope, self._recovery_key)
            except (IntegrityError, ObjectMissingError, TrustError, WrongKeyError):
                self._keys[scope] = None
        return self._keys[scope]
