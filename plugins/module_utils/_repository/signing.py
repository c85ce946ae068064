# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed envelopes: who wrote this, and was it meant to stand here."""

from __future__ import annotations

import base64
import typing as t

from .errors import IntegrityError, TrustError
from .keys import Identity, Signer

_MAGIC = b"DFCSIG1\0"
_RAW, _SIGNATURE = 64, 64


def _message(place: bytes, payload: bytes) -> bytes:
    return _MAGIC + len(place).to_bytes(4, "big") + place + payload


def seal(identity: Identity, place: bytes, payload: bytes) -> bytes:
    """Return ``payload`` in an envelope signed for ``place`` (the object's associated data)."""
    raw = base64.b64decode(identity.signer.text.partition(":")[2])
    return _MAGIC + raw + identity.sign(_message(place, payload)) + payload


def unseal(envelope: bytes, place: bytes, trusted: t.Callable[[str], Signer | None], what: str) -> tuple[Signer, bytes]:
    """Return the signer and the payload of an envelope.

    :arg trusted: gives the signer of a text when that signer is to be believed for this object, else None.

    Raises :class:`~.errors.TrustError` for an unknown signer or a wrong signature, and
    :class:`~.errors.IntegrityError` for something that is no envelope.
    """
    start = len(_MAGIC) + _RAW + _SIGNATURE
    if len(envelope) < start or not envelope.startswith(_MAGIC):
        raise IntegrityError(f"{what} is not a signed object.", "Bring it back from a copy, or choose another backup.")
    text = "signer:" + base64.b64encode(envelope[len(_MAGIC) : len(_MAGIC) + _RAW]).decode()
    signer = trusted(text)
    if signer is None:
        raise TrustError(
            f"{what} is signed by {Signer.parse(text).fingerprint}, who is not a trusted signer of this repository.",
            "If this host belongs to you, add it as a signer with the repository module; if not, do not restore it.",
        )
    payload = envelope[start:]
    signer.verify(envelope[len(_MAGIC) + _RAW : start], _message(place, payload), what)
    return signer, payload
