# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recovery keys, recipients, identities: round trips, interoperation, and wrong keys of every kind."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ansible_collections.dfr.continuity.plugins.module_utils._repository import keys
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    InputError,
    IntegrityError,
    TargetError,
    TrustError,
    WrongKeyError,
)
from ansible_collections.dfr.continuity.tests.unit.repository import tink_oracle

INFO = b"what it is for"
SECRET = bytes(range(32))


def with_private_bytes(kem: str) -> tuple[keys.RecoveryKey, bytes]:
    """Return a key and its private half as HPKE implementations take it."""
    seed = os.urandom(32)
    if kem == "x25519":
        return keys.RecoveryKey([x25519.X25519PrivateKey.from_private_bytes(seed)]), seed
    if kem == "p256":
        number = int.from_bytes(seed, "big") % (1 << 255) + 1
        return keys.RecoveryKey([ec.derive_private_key(number, ec.SECP256R1())]), number.to_bytes(32, "big")
    # X-Wing expands one seed into both private keys (draft-connolly-cfrg-xwing-kem, section 5.2).
    expanded = hashlib.shake_256(seed).digest(96)
    parts = [
        mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
        x25519.X25519PrivateKey.from_private_bytes(expanded[64:]),
    ]
    return keys.RecoveryKey(parts), seed


@pytest.mark.parametrize("kem", keys.KEMS)
def test_tink_opens_our_slots_and_we_open_those_of_tink(kem: str) -> None:
    key, private = with_private_bytes(kem)
    public = base64.b64decode(key.recipient.text.partition(":")[2])
    assert tink_oracle.hpke_unwrap(kem, public, private, key.recipient.wrap(SECRET, INFO), INFO) == SECRET
    assert key.unwrap(tink_oracle.hpke_wrap(kem, public, SECRET, INFO), INFO) == SECRET


@pytest.mark.parametrize("kem", keys.KEMS)
def test_a_recovery_key_survives_its_file(kem: str) -> None:
    key = keys.RecoveryKey.generate(kem)
    wrapped = keys.Recipient.parse(key.recipient.text).wrap(SECRET, INFO)
    for passphrase in (None, b"correct horse"):
        read = keys.load_recovery_key(key.to_pem(passphrase), passphrase)
        assert read.recipient == key.recipient
        assert read.unwrap(wrapped, INFO) == SECRET


@pytest.mark.parametrize("kem", ["x25519", "p256"])
def test_openssl_reads_a_key_under_a_passphrase(kem: str, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(keys.RecoveryKey.generate(kem).to_pem(b"correct horse"))
    shown = subprocess.run(
        ["openssl", "pkey", "-in", path, "-passin", "stdin", "-noout", "-text"],
        input=b"correct horse",
        check=True,
        capture_output=True,
    )
    assert b"rivate-Key" in shown.stdout


def test_wrong_or_missing_passphrase_says_so() -> None:
    pem = keys.RecoveryKey.generate().to_pem(b"correct horse")
    assert b"ENCRYPTED" in pem
    with pytest.raises(WrongKeyError, match="none was given"):
        keys.load_recovery_key(pem)
    with pytest.raises(WrongKeyError, match="does not open"):
        keys.load_recovery_key(pem, b"battery staple")


@pytest.mark.parametrize("pem", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_what_is_no_key_says_so(pem: bytes) -> None:
    with pytest.raises(InputError):
        keys.load_recovery_key(pem)


def test_keys_of_other_types_are_refused() -> None:
    pem = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(InputError, match="RSA"):
        keys.load_recovery_key(pem)
    with pytest.raises(WrongKeyError, match="signing identity"):
        keys.load_recovery_key(keys.Identity.generate().to_pem())
    with pytest.raises(InputError, match="Ed25519"):
        keys.Identity.from_pem(keys.RecoveryKey.generate().to_pem())


@pytest.mark.parametrize(
    "text", ["", "x25519", "x25519:AAAA", "x25519:***", "rsa:AAAA", "mlkem768-x25519:AAAA", "p256:AAAA"]
)
def test_malformed_recipients_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        keys.Recipient.parse(text)


@pytest.mark.parametrize("text", ["", "signer:", "signer:AAAA", "x25519:AAAA", "signer:*"])
def test_malformed_signers_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        keys.Signer.parse(text)


def test_an_identity_signs_and_opens_its_slot_and_nobody_elses() -> None:
    identity, other = keys.Identity.generate(), keys.Identity.generate()
    read = keys.Identity.from_pem(identity.to_pem())
    assert read.signer == identity.signer
    identity.signer.verify(read.sign(b"message"), b"message", "x")
    with pytest.raises(TrustError):
        identity.signer.verify(other.sign(b"message"), b"message", "x")
    slots = keys.make_slots([identity.signer.recipient], SECRET, INFO)
    assert keys.open_slot(slots, identity, INFO, "x") == SECRET
    with pytest.raises(WrongKeyError, match="was not made for the key"):
        keys.open_slot(slots, other, INFO, "x")
    with pytest.raises(WrongKeyError):
        keys.open_slot(slots, identity, b"another purpose", "x")


def test_too_many_slots_are_refused() -> None:
    key = keys.RecoveryKey.generate()
    slots = keys.make_slots([key.recipient], SECRET, INFO) * (keys.WRAPPED_LIMIT + 1)
    with pytest.raises(IntegrityError, match="65 key slots"):
        keys.open_slot(slots, key, INFO, "x")


def test_a_key_file_is_private_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    keys.write_key_file(str(path), b"first")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(TargetError, match="never replaced"):
        keys.write_key_file(str(path), b"second")
    assert keys.read_key_file(str(path), "The key") == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]
    path.chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        keys.read_key_file(str(path), "The key")
