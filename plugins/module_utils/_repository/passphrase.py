# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private key under a passphrase: PKCS #8 ``ENCRYPTED PRIVATE KEY`` with scrypt.

``cryptography`` writes PBES2 with 2048 rounds of PBKDF2, which is too few for a key that opens everything. It reads
scrypt (RFC 7914 section 7) like OpenSSL does, so that is what is written here; the file stays a standard one.
"""

from __future__ import annotations

import base64
import secrets

from .third_party import AES, CBC, PKCS7, Cipher, Scrypt

#: scrypt parameters: 16 MiB of memory (what every OpenSSL accepts), and sixteen passes, about a second of work.
_COST, _BLOCK, _PARALLEL = 1 << 14, 8, 16

_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    encoded = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 128 | len(encoded)]) + encoded + content


def _sequence(*items: bytes) -> bytes:
    return _der(0x30, b"".join(items))


def _octets(content: bytes) -> bytes:
    return _der(0x04, content)


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def encrypt_pkcs8(private_key_der: bytes, passphrase: bytes) -> bytes:
    """Return PEM text of ``private_key_der`` (PKCS #8, DER) encrypted under ``passphrase``.

    RFC 8018 (PBES2) with scrypt as RFC 7914 section 7 defines it, and AES-256-CBC.
    """
    salt, vector = secrets.token_bytes(16), secrets.token_bytes(16)
    key = Scrypt(salt, 32, _COST, _BLOCK, _PARALLEL).derive(passphrase)
    padder, encryptor = PKCS7(128).padder(), Cipher(AES(key), CBC(vector)).encryptor()
    padded = padder.update(private_key_der) + padder.finalize()
    derivation = _sequence(_SCRYPT, _sequence(_octets(salt), _integer(_COST), _integer(_BLOCK), _integer(_PARALLEL)))
    algorithm = _sequence(_PBES2, _sequence(derivation, _sequence(_AES_256_CBC, _octets(vector))))
    document = _sequence(algorithm, _octets(encryptor.update(padded) + encryptor.finalize()))
    text = base64.encodebytes(document).replace(b"\n", b"")
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN ENCRYPTED PRIVATE KEY-----", *lines, b"-----END ENCRYPTED PRIVATE KEY-----", b""])
