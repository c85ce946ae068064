# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Format version 1 as it was written down, and a repository as it was written then."""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
import tarfile
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository import keys, naming, signing, stream
from ansible_collections.dfr.continuity.plugins.module_utils._repository.compression import decompress
from ansible_collections.dfr.continuity.plugins.module_utils._repository.index import decode_index, encode_index
from ansible_collections.dfr.continuity.plugins.module_utils._repository.key_slots import commitment
from ansible_collections.dfr.continuity.plugins.module_utils._repository.pack import PackBuilder, read_directory
from ansible_collections.dfr.continuity.plugins.module_utils._repository.repository import open_repository
from ansible_collections.dfr.continuity.plugins.module_utils._repository.summary import read_chain
from ansible_collections.dfr.continuity.plugins.module_utils._repository.third_party import HKDF, ed25519, hashes

HERE = Path(__file__).parent
VECTORS = json.loads((HERE / "vectors.json").read_text())
KEY = bytes.fromhex(VECTORS["repository_key"])
CONTENT = b"".join(hashlib.sha256(struct.pack(">I", number)).digest() for number in range(50_000))
ROWS = b"A row of the first repository.\n" * 60_000


def test_derived_keys() -> None:
    for purpose, expected in (("chunk ids", "chunk_key"), ("metadata", "metadata_key")):
        info = naming.key_info(VECTORS["repository"], purpose)
        assert HKDF(hashes.SHA256(), 32, None, info).derive(KEY).hex() == VECTORS[expected]
    assert commitment(KEY) == VECTORS["commitment"]


def test_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    short, large = VECTORS["streams"]
    place = bytes.fromhex(short["place"])
    assert place == naming.associated_data(VECTORS["repository"], "", "index/x")
    assert stream.decrypt(KEY, place, bytes.fromhex(short["ciphertext"]), "x").hex() == short["plaintext"]
    chosen = {32: bytes(range(32, 64)), 7: bytes(range(7))}
    monkeypatch.setattr(stream.secrets, "token_bytes", chosen.__getitem__)
    place = naming.associated_data(VECTORS["repository"], "s/p", "packs/aa/aa")
    ciphertext = b"".join(stream.encrypt(KEY, place, CONTENT * 2))
    assert place.hex() == large["place"]
    assert hashlib.sha256(ciphertext).hexdigest() == large["ciphertext_sha256"]


def test_identity_and_envelope() -> None:
    vector = VECTORS["identity"]
    identity = keys.Identity(ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vector["seed"])))
    assert identity.signer.text == vector["signer"]
    assert identity.signer.fingerprint == vector["fingerprint"]
    place, payload = bytes.fromhex(vector["place"]), bytes.fromhex(vector["payload"])
    assert signing.seal(identity, place, payload).hex() == vector["envelope"]
    opened = signing.unseal(bytes.fromhex(vector["envelope"]), place, keys.Signer.parse, "x")
    assert opened == (identity.signer, payload)


def test_pack_and_index() -> None:
    chunks = [bytes.fromhex(chunk) for chunk in VECTORS["chunks"]]
    pack = bytes.fromhex(VECTORS["pack"])
    entries = read_directory(pack, "x")
    assert [entry.chunk_id.hex() for entry in entries] == VECTORS["ids"]
    builder = PackBuilder()
    for entry, chunk in zip(entries, chunks, strict=True):
        stored = pack[entry.offset : entry.offset + entry.stored]
        assert decompress(stored, entry.size, "x") == chunk
        assert hmac.digest(bytes.fromhex(VECTORS["chunk_key"]), chunk, "sha256") == entry.chunk_id
        builder.add(entry.chunk_id, stored, entry.size)
    assert b"".join(builder.take()) == pack
    index = decode_index(bytes.fromhex(VECTORS["index"]), "x")
    assert (index.epoch, index.scope) == (3, "20261122T050301Z-1f2e3d4c/db1.shop.database")
    assert list(index.packs[0].entries) == entries
    assert encode_index(index).hex() == VECTORS["index"]


def test_a_repository_written_then_is_readable_now(tmp_path: Path) -> None:
    with tarfile.open(HERE / "version-1.tar") as tar:
        tar.extractall(tmp_path, filter="data")
    recovery_key = keys.load_recovery_key((tmp_path / "recovery.pem").read_bytes(), b"correct horse")
    given = {
        "location": str(tmp_path / "repository"),
        "trust": [(tmp_path / "trust").read_text()],
        "cache_dir": str(tmp_path / "cache"),
    }
    with open_repository(given, recovery_key) as repository:
        chain = read_chain(repository)
        assert chain.findings == []
        assert [summary.backup_id for summary in chain.summaries] == [
            "20260101T000000Z-00000001",
            "20260102T000000Z-00000001",
        ]
        for summary, content in zip(chain.summaries, (ROWS, ROWS + b"more"), strict=True):
            with repository.open_part(summary.backup_id, "db1.shop.dump", recovery_key) as reader:
                assert b"".join(reader.read_stream(reader.streams["dump"])) == content
