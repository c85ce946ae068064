# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Object names, and the associated data that ties an object to its place."""

from __future__ import annotations

FORMAT_VERSION = 1
SETTINGS = "repository.json"
PACKS, INDEX, BACKUPS, KEYS, RECOVERY = "packs/", "index/", "backups/", "keys/", "recovery/"
_DOMAIN = b"dfr.continuity/1"


def pack_name(pack_id: bytes) -> str:
    """Return the name of a pack (its id is 16 random bytes)."""
    text = pack_id.hex()
    return f"{PACKS}{text[:2]}/{text}"


def scope_of(backup_id: str, part: str) -> str:
    """Return the name of one part's realm: what its data key encrypts."""
    return f"{backup_id}/{part}"


def key_slots_name(scope: str) -> str:
    """Return the name of the object that holds the data key of a scope, wrapped."""
    return KEYS + scope


def part_object_name(scope: str, kind: str) -> str:
    """Return the name of a part's ``record``, ``manifest`` or ``packs``."""
    return f"{BACKUPS}{scope}/{kind}"


def summary_name(backup_id: str) -> str:
    """Return the name of a backup's signed summary."""
    return f"{BACKUPS}{backup_id}/summary"


def associated_data(repository_id: str, scope: str, name: str) -> bytes:
    """Return what binds an object to its repository, its scope and its name.

    ``scope`` is empty for objects under the metadata key.
    """
    return b"\0".join([_DOMAIN, repository_id.encode(), scope.encode(), name.encode()])


def key_info(repository_id: str, purpose: str) -> bytes:
    """Return the HPKE or HKDF ``info`` that binds a key to its repository and purpose."""
    return b"\0".join([_DOMAIN, b"key", repository_id.encode(), purpose.encode()])
