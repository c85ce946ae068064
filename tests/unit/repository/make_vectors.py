# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write vectors.json and version-1.tar, once for a format version: what was written then must be readable for ever.

The constructions are written out here, from docs/repository-format.md alone, so that the vectors do not depend on
the code that they test. Run it by hand; the test reads what it left.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
import tarfile
import tempfile
from pathlib import Path

import zstandard
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

HERE = Path(__file__).parent
REPOSITORY = "000102030405060708090a0b0c0d0e0f"
CONTENT = b"".join(hashlib.sha256(struct.pack(">I", number)).digest() for number in range(50_000))
ROWS = b"A row of the first repository.\n" * 60_000


def hkdf(key: bytes, info: bytes, salt: bytes | None = None) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, info).derive(key)


def info(purpose: str) -> bytes:
    return b"\0".join([b"dfr.continuity/1", b"key", REPOSITORY.encode(), purpose.encode()])


def place(scope: str, name: str) -> bytes:
    return b"\0".join([b"dfr.continuity/1", REPOSITORY.encode(), scope.encode(), name.encode()])


def stream(key: bytes, associated_data: bytes, plaintext: bytes) -> bytes:
    salt, prefix = bytes(range(32, 64)), bytes(range(7))
    cipher = AESGCM(hkdf(key, associated_data, salt))
    first = (1 << 20) - 40 - 16
    pieces = [plaintext[:first]]
    pieces += [plaintext[i : i + (1 << 20) - 16] for i in range(first, len(plaintext), (1 << 20) - 16)]
    out = b"\x28" + salt + prefix
    for number, piece in enumerate(pieces):
        nonce = prefix + struct.pack(">I", number) + (b"\1" if number == len(pieces) - 1 else b"\0")
        out += cipher.encrypt(nonce, piece, None)
    return out


def identity_vectors(seed: bytes) -> dict[str, str]:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    agreement = x25519.X25519PrivateKey.from_private_bytes(hkdf(seed, b"dfr.continuity/1 identity x25519"))
    raw = private.public_key().public_bytes_raw() + agreement.public_key().public_bytes_raw()
    text = "signer:" + base64.b64encode(raw).decode()
    where = place("", "index/x")
    message = b"DFCSIG1\0" + struct.pack(">I", len(where)) + where + b"payload"
    return {
        "seed": seed.hex(),
        "signer": text,
        "fingerprint": hashlib.sha256(text.encode()).hexdigest()[:32],
        "place": where.hex(),
        "payload": b"payload".hex(),
        "envelope": (b"DFCSIG1\0" + raw + private.sign(message) + b"payload").hex(),
    }


def pack_vectors(chunk_key: bytes) -> dict[str, object]:
    chunks = [b"a chunk that repeats " * 100, bytes(range(256))]
    stored = [zstandard.ZstdCompressor(level=1).compress(chunks[0]), chunks[1]]
    ids = [hmac.digest(chunk_key, chunk, "sha256") for chunk in chunks]
    rows = list(zip(ids, stored, chunks, strict=True))
    directory = b"".join(struct.pack(">32sII", i, len(s), len(c)) for i, s, c in rows)
    entries = b"".join(
        struct.pack(">32sIII", i, sum(map(len, stored[:n])), len(s), len(c)) for n, (i, s, c) in enumerate(rows)
    )
    scope = b"20261122T050301Z-1f2e3d4c/db1.shop.database"
    return {
        "chunks": [chunk.hex() for chunk in chunks],
        "ids": [chunk_id.hex() for chunk_id in ids],
        "pack": (b"".join(stored) + directory + struct.pack(">I", 2) + b"DFCPACK1").hex(),
        "index": (
            b"DFCINDX1"
            + struct.pack(">IH", 3, len(scope))
            + scope
            + struct.pack(">16sQI", bytes(16), 1234, 2)
            + entries
        ).hex(),
    }


def vectors() -> dict[str, object]:
    key = bytes(range(32))
    large = CONTENT * 2
    return {
        "repository": REPOSITORY,
        "repository_key": key.hex(),
        "chunk_key": hkdf(key, info("chunk ids")).hex(),
        "metadata_key": hkdf(key, info("metadata")).hex(),
        "commitment": hkdf(key, b"dfr.continuity/1 commitment").hex(),
        "streams": [
            {
                "place": place("", "index/x").hex(),
                "plaintext": b"short".hex(),
                "ciphertext": stream(key, place("", "index/x"), b"short").hex(),
            },
            {
                "place": place("s/p", "packs/aa/aa").hex(),
                "plaintext_is": "SHA-256 of 0 … 49999 (4 bytes each), twice",
                "ciphertext_sha256": hashlib.sha256(stream(key, place("s/p", "packs/aa/aa"), large)).hexdigest(),
            },
        ],
        "identity": identity_vectors(bytes(range(64, 96))),
        **pack_vectors(hkdf(key, info("chunk ids"))),
    }


def write_repository() -> None:
    with tempfile.TemporaryDirectory() as name:
        site = Site(Path(name))
        site.configure()
        site.back_up(ROWS, backup_id="20260101T000000Z-00000001")
        site.back_up(ROWS + b"more", backup_id="20260102T000000Z-00000001")
        (site.root / "recovery.pem").write_bytes(site.recovery_key.to_pem(b"correct horse"))
        (site.root / "trust").write_text(site.administrator.signer.text)
        with tarfile.open(HERE / "version-1.tar", "w") as tar:
            for entry in ("repository", "recovery.pem", "trust"):
                tar.add(site.root / entry, entry)


if __name__ == "__main__":
    (HERE / "vectors.json").write_text(json.dumps(vectors(), indent=1) + "\n")
    write_repository()
