# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data key of a part, wrapped to every recipient: ``keys/<backup>/<part>``.

The object is signed by the host that made the part, and by the administrator once it was wrapped anew.
"""

from __future__ import annotations

import hmac
import typing as t

from .encoding import canonical_json, parse_json
from .errors import IntegrityError
from .keys import Recipient, RecoveryKey, make_slots, open_slot
from .naming import key_info, key_slots_name
from .stream import KEY_SIZE
from .third_party import HKDF, hashes

if t.TYPE_CHECKING:
    from .repository import Repository


def commitment(key: bytes) -> str:
    """Return a value that fixes ``key`` and says nothing about it: AES-GCM itself does not commit to its key."""
    return HKDF(hashes.SHA256(), 32, None, b"dfr.continuity/1 commitment").derive(key).hex()


def write_data_key(repository: Repository, scope: str, key: bytes) -> None:
    """Store the slots of a new data key. Done before anything is encrypted with it."""
    _write(repository, scope, key, repository.settings.recipients)


def _write(repository: Repository, scope: str, key: bytes, recipients: t.Iterable[Recipient]) -> None:
    slots = make_slots(recipients, key, key_info(repository.repository_id, scope))
    document = {"slots": slots, "commitment": commitment(key)}
    repository.write_signed(key_slots_name(scope), canonical_json(document))


def read_data_key(repository: Repository, scope: str, recovery_key: RecoveryKey) -> bytes:
    """Return the data key of a scope.

    Raises :class:`~.errors.WrongKeyError` when it was not wrapped to this key, :class:`~.errors.IntegrityError` when
    the slot holds another key than was committed to.
    """
    name = key_slots_name(scope)
    slots, committed = _read(repository, scope)
    key = open_slot(slots, recovery_key, key_info(repository.repository_id, scope), f"The part {scope}")
    if len(key) != KEY_SIZE or not hmac.compare_digest(commitment(key), committed):
        raise IntegrityError(
            f"{name} holds another key than it committed to.", "Bring it back from a copy of the store."
        )
    return key


def _read(repository: Repository, scope: str) -> tuple[list[dict[str, str]], str]:
    """Return the slots and the commitment."""
    name = key_slots_name(scope)
    _signer, payload, _digest = repository.read_signed(name, scope.partition("/")[0])
    document = parse_json(payload, name)
    return document["slots"], document["commitment"]


def check_data_key(repository: Repository, scope: str) -> None:
    """Check that the slots of a data key are there and unchanged; needs no recovery key."""
    _read(repository, scope)


def rewrap(repository: Repository, recovery_key: RecoveryKey) -> int:
    """Wrap every data key to the recipients of today; return how many slots objects were rewritten.

    Data is not touched. Raises what :func:`read_data_key` raises, before anything of that part is changed.
    """
    wanted = {recipient.fingerprint for recipient in repository.settings.recipients}
    changed = 0
    for found in list(repository.store.list(key_slots_name(""))):
        scope = found.name[len(key_slots_name("")) :]
        slots, _commitment = _read(repository, scope)
        if {slot["recipient"] for slot in slots} == wanted:
            continue
        _write(repository, scope, read_data_key(repository, scope, recovery_key), repository.settings.recipients)
        changed += 1
    return changed
