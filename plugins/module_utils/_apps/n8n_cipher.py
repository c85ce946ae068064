# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How n8n encrypts what it keeps in its database, as far as is needed to open it without n8n.

Two formats (``n8n-core/src/encryption`` of 2.40):

* OpenSSL's "Salted__": AES-256-CBC, key and IV from MD5 (EVP_BytesToKey, one round) of the instance key and a salt of
  8 bytes. All of 1.x, and 2.x without key rotation.
* ``<key id>:<base64>`` with key rotation: under a data key of the table ``deployment_key``. AES-256-GCM: a byte 1, salt
  of 32 bytes, tag of 16 bytes, ciphertext; key and IV from HKDF-SHA256 with the info ``n8n-encryption-v1``. The data
  key itself is wrapped so under the SHA-256 of the instance key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from .._repository.third_party import AES, AESGCM, CBC, HKDF, PKCS7, Cipher, InvalidTag, hashes

#: ``Salted__`` in base64, which is how all data without a key's id begins.
SALTED = "U2FsdGVkX1"
_SALT = b"Salted__"
_KEY_ID = re.compile(r"([A-Za-z0-9_-]{1,36}):")
_GCM_VERSION, _GCM_INFO = 1, b"n8n-encryption-v1"
_GCM_SALT, _GCM_TAG, _GCM_KEY, _GCM_IV = 32, 16, 32, 12


class NotOpenedError(ValueError):
    """The data is not encrypted under this key, or not in the format that was taken for it. Says why."""


def key_id(data: str) -> str | None:
    """Return the id of the rotated data key that encrypts ``data``; None for data under the instance key."""
    found = _KEY_ID.match(data)
    return found[1] if found else None


def open_salted(data: str, key: str) -> bytes:
    """Decrypt data of the first format; raise :class:`NotOpenedError`.

    The padding alone would be right by chance once in 256 tries: look at what comes out.
    """
    raw = _decoded(data)
    if raw[:8] != _SALT or len(raw) < 32 or len(raw) % 16:
        raise NotOpenedError("it is in a format that is not known here")
    # JavaScript's "binary" keeps the low byte of each UTF-16 unit.
    secret = key.encode("utf-16-le")[::2] + raw[8:16]
    derived = block = b""
    while len(derived) < 48:
        block = hashlib.md5(block + secret, usedforsecurity=False).digest()
        derived += block
    decryptor = Cipher(AES(derived[:32]), CBC(derived[32:48])).decryptor()
    padded = decryptor.update(raw[16:]) + decryptor.finalize()
    unpadder = PKCS7(128).unpadder()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as error:
        raise NotOpenedError("the key does not fit") from error


def open_gcm(data: str, key: str) -> bytes:
    """Decrypt data of the second format, without its key's id; ``key`` is in hexadecimal. See :func:`open_salted`."""
    raw = _decoded(data)
    start = 1 + _GCM_SALT + _GCM_TAG
    if len(raw) < start or raw[0] != _GCM_VERSION:
        raise NotOpenedError("it is in a format that is not known here")
    try:
        secret = bytes.fromhex(key)
    except ValueError as error:
        raise NotOpenedError("its key is no key of AES-256") from error
    salt, tag = raw[1 : 1 + _GCM_SALT], raw[1 + _GCM_SALT : start]
    derived = HKDF(hashes.SHA256(), _GCM_KEY + _GCM_IV, salt, _GCM_INFO).derive(secret)
    try:
        return AESGCM(derived[:_GCM_KEY]).decrypt(derived[_GCM_KEY:], raw[start:] + tag, None)
    except InvalidTag as error:
        raise NotOpenedError("the key does not fit") from error


def unwrap_data_key(value: str, instance_key: str) -> str:
    """Return a rotated data key, in the form that its algorithm takes; raise :class:`NotOpenedError`."""
    return open_gcm(value, hashlib.sha256(instance_key.encode()).hexdigest()).decode("utf-8", "replace")


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise NotOpenedError("it is not base64") from error
