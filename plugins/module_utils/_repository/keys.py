# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recovery keys and recipients (HPKE), identities and signers (Ed25519).

A *recovery key* is private and stays with people; its public half, a *recipient*, goes to every host that writes
backups. An *identity* is a host's or an administrator's private key: it signs, and it opens the repository key, which
opens the index but no data. Its public half is a *signer*.

Public halves are short texts, ``x25519:<base64>`` or ``signer:<base64>``, that fit in an inventory.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
import typing as t
from dataclasses import dataclass, field

from .errors import InputError, IntegrityError, TargetError, TrustError, WrongKeyError
from .passphrase import encrypt_pkcs8
from .third_party import (
    HKDF,
    InvalidSignature,
    InvalidTag,
    ec,
    ed25519,
    hashes,
    hpke,
    mlkem,
    require,
    serialization,
    x25519,
)

KEM_X25519 = "x25519"
KEM_HYBRID = "mlkem768-x25519"
KEM_P256 = "p256"
KEMS = (KEM_X25519, KEM_HYBRID, KEM_P256)
_MLKEM768_PUBLIC = 1184
_PEM_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)


def _suite(kem: str) -> hpke.Suite:
    chosen = {KEM_X25519: hpke.KEM.X25519, KEM_HYBRID: hpke.KEM.MLKEM768_X25519, KEM_P256: hpke.KEM.P256}[kem]
    return hpke.Suite(chosen, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def _decode(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"{what} {text[:24]}… is not valid base64.", "Copy the public key again, whole.") from error


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Recipient:
    """A public key that data keys are wrapped to. ``text`` is its only representation, ``name`` is for people."""

    text: str
    name: str = ""
    _public: t.Any = field(default=None, repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, name: str = "") -> Recipient:
        """Read ``<kem>:<base64>`` or PEM public key text; raise :class:`~.errors.InputError` when it is neither."""
        require()
        text = text.strip()
        if text.startswith("-----BEGIN"):
            text = _recipient_text(_load_public_pem(text.encode()))
        kem, _colon, encoded = text.partition(":")
        if kem not in KEMS:
            raise InputError(
                f"The recipient {text[:32]!r} has no key type of {', '.join(KEMS)}.",
                "Give the public key as repository_key printed it.",
            )
        return cls(text, name, _public_from_raw(kem, _decode(encoded, "The recipient key")))

    @property
    def kem(self) -> str:
        """The key encapsulation mechanism: one of :data:`KEMS`."""
        return self.text.partition(":")[0]

    @property
    def fingerprint(self) -> str:
        """The first 128 bits of SHA-256 over ``text``, in hexadecimal."""
        return _fingerprint(self.text)

    def wrap(self, key: bytes, info: bytes) -> bytes:
        """Encrypt ``key`` to this recipient (RFC 9180 base mode, AES-256-GCM), bound to ``info``."""
        return _suite(self.kem).encrypt(key, self._public, info=info)


def _public_from_raw(kem: str, raw: bytes) -> t.Any:
    try:
        if kem == KEM_X25519:
            return x25519.X25519PublicKey.from_public_bytes(raw)
        if kem == KEM_P256:
            return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
        if len(raw) != _MLKEM768_PUBLIC + 32:
            raise ValueError(f"has {len(raw)} bytes instead of {_MLKEM768_PUBLIC + 32}")
        return hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(raw[:_MLKEM768_PUBLIC]),
            x25519.X25519PublicKey.from_public_bytes(raw[_MLKEM768_PUBLIC:]),
        )
    except ValueError as error:
        raise InputError(f"A {kem} public key is malformed: {error}.", "Copy the public key again, whole.") from error


def _raw_public(key: t.Any) -> bytes:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    raw: bytes = key.public_bytes_raw()
    return raw


def _recipient_text(keys: list[t.Any]) -> str:
    """Return the text form of the public keys of one recipient (two for the hybrid, in the order of KEM_HYBRID)."""
    kinds = [type(key) for key in keys]
    if len(keys) == 1 and isinstance(keys[0], x25519.X25519PublicKey):
        kem = KEM_X25519
    elif len(keys) == 1 and isinstance(keys[0], ec.EllipticCurvePublicKey) and keys[0].curve.name == "secp256r1":
        kem = KEM_P256
    elif (
        len(keys) == 2 and isinstance(keys[0], mlkem.MLKEM768PublicKey) and isinstance(keys[1], x25519.X25519PublicKey)
    ):
        kem = KEM_HYBRID
    else:
        raise InputError(
            f"A key of type {', '.join(kind.__name__ for kind in kinds)} cannot be a recovery key.",
            f"Make one with repository_key; the types are {', '.join(KEMS)}.",
        )
    return f"{kem}:" + base64.b64encode(b"".join(_raw_public(key) for key in keys)).decode()


def _pem_blocks(pem: bytes, what: str) -> list[bytes]:
    blocks = [match.group(0) + b"\n" for match in _PEM_BLOCK.finditer(pem)]
    if not blocks:
        raise InputError(f"{what} holds no PEM block.", "Give the file that repository_key wrote, unchanged.")
    return blocks


def _load_public_pem(pem: bytes) -> list[t.Any]:
    try:
        return [serialization.load_pem_public_key(block) for block in _pem_blocks(pem, "The public key")]
    except (ValueError, TypeError) as error:
        raise InputError(f"The public key cannot be read: {error}.", "Copy it again, whole.") from error


def _load_private_pem(pem: bytes, passphrase: bytes | None, what: str) -> list[t.Any]:
    keys = []
    for block in _pem_blocks(pem, what):
        locked = b"ENCRYPTED" in block
        if locked and not passphrase:
            raise WrongKeyError(f"{what} is under a passphrase and none was given.", "Give the passphrase.")
        try:
            keys.append(serialization.load_pem_private_key(block, passphrase if locked else None))
        except (ValueError, TypeError) as error:
            if locked:
                raise WrongKeyError(f"The passphrase does not open {what}.", "Check the passphrase.") from error
            raise InputError(
                f"{what} cannot be read: {error}.", "Give the file that repository_key wrote, unchanged."
            ) from error
    return keys


def _private_pem(keys: t.Iterable[t.Any], passphrase: bytes | None) -> bytes:
    pem = b""
    for key in keys:
        encoding = serialization.Encoding.DER if passphrase else serialization.Encoding.PEM
        plain = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        pem += encrypt_pkcs8(plain, passphrase) if passphrase else plain
    return pem


class RecoveryKey:
    """The private key that opens backups."""

    def __init__(self, parts: list[t.Any]) -> None:
        self._parts = parts
        self.recipient = Recipient.parse(_recipient_text([part.public_key() for part in parts]))
        self._private = hpke.MLKEM768X25519PrivateKey(*parts) if len(parts) == 2 else parts[0]

    @classmethod
    def generate(cls, kem: str = KEM_X25519) -> RecoveryKey:
        """Make a new key for one of :data:`KEMS`."""
        require()
        if kem == KEM_X25519:
            return cls([x25519.X25519PrivateKey.generate()])
        if kem == KEM_P256:
            return cls([ec.generate_private_key(ec.SECP256R1())])
        if kem == KEM_HYBRID:
            return cls([mlkem.MLKEM768PrivateKey.generate(), x25519.X25519PrivateKey.generate()])
        raise InputError(f"There is no recovery key type {kem!r}.", f"Choose one of {', '.join(KEMS)}.")

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes:
        """Return what was wrapped; raise :class:`~.errors.WrongKeyError` when it was not wrapped to this key."""
        try:
            return _suite(self.recipient.kem).decrypt(wrapped, self._private, info=info)
        except (InvalidTag, ValueError) as error:
            raise WrongKeyError(
                f"The recovery key {self.recipient.fingerprint} does not open this key slot.",
                "Use the recovery key whose fingerprint the backup names.",
            ) from error

    def to_pem(self, passphrase: bytes | None = None) -> bytes:
        """Return PKCS #8 PEM text, one block (two for the hybrid), encrypted when a passphrase is given."""
        return _private_pem(self._parts, passphrase)


def load_recovery_key(pem: bytes, passphrase: bytes | None = None, what: str = "The recovery key") -> RecoveryKey:
    """Read a recovery key from PEM text.

    Raises :class:`~.errors.WrongKeyError` for a wrong or missing passphrase and :class:`~.errors.InputError` for
    anything that is not such a key. ``what`` names it in messages.
    """
    require()
    keys = _load_private_pem(pem, passphrase, what)
    if any(isinstance(key, ed25519.Ed25519PrivateKey) for key in keys):
        raise WrongKeyError(f"{what} is a signing identity, which opens no backup.", "Give the recovery key.")
    if not all(hasattr(key, "public_key") for key in keys):
        raise InputError(f"{what} is no private key.", "Give the file that repository_key wrote, unchanged.")
    return RecoveryKey(keys)


@dataclass(frozen=True)
class Signer:
    """The public half of an identity: ``signer:<base64 of the Ed25519 key and an X25519 key>``."""

    text: str
    name: str = ""

    @classmethod
    def parse(cls, text: str, name: str = "") -> Signer:
        """Read a signer's text; raise :class:`~.errors.InputError` when it is none."""
        require()
        kind, _colon, encoded = text.strip().partition(":")
        if kind != "signer" or len(_decode(encoded, "The signer")) != 64:
            raise InputError(
                f"{text[:32]!r} is not a signer.", "Give the public identity as repository_key printed it: signer:…"
            )
        return cls(text.strip(), name)

    @property
    def _raw(self) -> bytes:
        return base64.b64decode(self.text.partition(":")[2])

    @property
    def fingerprint(self) -> str:
        """The first 128 bits of SHA-256 over ``text``, in hexadecimal."""
        return _fingerprint(self.text)

    @property
    def recipient(self) -> Recipient:
        """The recipient to which the repository key is wrapped for this identity."""
        return Recipient.parse(f"{KEM_X25519}:" + base64.b64encode(self._raw[32:]).decode(), self.name)

    def verify(self, signature: bytes, message: bytes, what: str) -> None:
        """Raise :class:`~.errors.TrustError` unless ``signature`` is this signer's over ``message``."""
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(self._raw[:32]).verify(signature, message)
        except InvalidSignature as error:
            raise TrustError(
                f"The signature of {what} is not the one of {self.name or self.fingerprint}: it was changed or forged.",
                "Do not restore from it; look who can write to the store, and choose an older backup.",
            ) from error


@dataclass(frozen=True)
class Fingerprint:
    """A signer of whom only the fingerprint is known: what a person copies from a sheet of paper."""

    fingerprint: str


def parse_pin(text: str, name: str = "") -> Signer | Fingerprint:
    """Read what a machine pins: a signer's text, or its fingerprint (blanks, colons and upper case do not matter).

    Raises :class:`~.errors.InputError` when it is neither.
    """
    digits = re.sub(r"[\s:]", "", text).lower()
    return Fingerprint(digits) if re.fullmatch(r"[0-9a-f]{32}", digits) else Signer.parse(text, name)


class Identity:
    """A private Ed25519 key, and an X25519 key derived from its seed that opens the repository key."""

    def __init__(self, private: t.Any) -> None:
        self._private = private
        seed = private.private_bytes_raw()
        derived = HKDF(hashes.SHA256(), 32, None, b"dfr.continuity/1 identity x25519").derive(seed)
        self._opener = RecoveryKey([x25519.X25519PrivateKey.from_private_bytes(derived)])
        agreement = base64.b64decode(self._opener.recipient.text.partition(":")[2])
        raw = private.public_key().public_bytes_raw() + agreement
        self.signer = Signer("signer:" + base64.b64encode(raw).decode())

    @classmethod
    def generate(cls) -> Identity:
        """Make a new identity."""
        require()
        return cls(ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes, what: str = "The identity", passphrase: bytes | None = None) -> Identity:
        """Read an identity from PEM text; raise :class:`~.errors.InputError` when it is none."""
        require()
        keys = _load_private_pem(pem, passphrase, what)
        if len(keys) != 1 or not isinstance(keys[0], ed25519.Ed25519PrivateKey):
            raise InputError(f"{what} is not an Ed25519 private key.", "Make one with repository_key, type: signing.")
        return cls(keys[0])

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature (64 bytes) over ``message``."""
        signature: bytes = self._private.sign(message)
        return signature

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes:
        """Open a key slot made for this identity's :attr:`Signer.recipient`."""
        return self._opener.unwrap(wrapped, info)

    @property
    def recipient_fingerprint(self) -> str:
        """The fingerprint under which this identity's slot is found."""
        return self._opener.recipient.fingerprint

    def to_pem(self, passphrase: bytes | None = None) -> bytes:
        """Return PKCS #8 PEM text."""
        return _private_pem([self._private], passphrase)


def read_key_file(path: str, what: str) -> bytes:
    """Return the content of a key file.

    Raises :class:`~.errors.InputError` when it cannot be read or when others than its owner can read it too.
    """
    try:
        mode = os.stat(path).st_mode
        with open(path, "rb") as file:
            content = file.read(65536)
    except OSError as error:
        raise InputError(
            f"{what} {path} cannot be read: {error.strerror}.", "Check the path and who runs this."
        ) from error
    if mode & 0o077:
        raise InputError(f"{what} {path} can be read by others (mode {mode & 0o777:04o}).", f"Run: chmod 600 {path}")
    return content


def write_key_file(path: str, content: bytes) -> None:
    """Write a private key to a new file of mode 0600, durably; never replaces a file.

    Raises :class:`~.errors.TargetError` when a file is there already or cannot be made.
    """
    temporary = f"{path}.{secrets.token_hex(4)}.new"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)
        finally:
            os.unlink(temporary)
    except OSError as error:
        raise TargetError(
            f"The key file {path} cannot be written: {error.strerror}.",
            "Choose another path; an existing key is never replaced, because it may open backups.",
        ) from error


WRAPPED_LIMIT = 64


def open_slot(slots: t.Sequence[t.Mapping[str, str]], opener: RecoveryKey | Identity, info: bytes, what: str) -> bytes:
    """Find the slot made for ``opener`` and return the key in it.

    Raises :class:`~.errors.WrongKeyError` naming the recipients that could open it, and
    :class:`~.errors.IntegrityError` for more than :data:`WRAPPED_LIMIT` slots (work an attacker could impose).
    """
    if len(slots) > WRAPPED_LIMIT:
        raise IntegrityError(f"{what} has {len(slots)} key slots, more than {WRAPPED_LIMIT}.", "Look who wrote it.")
    fingerprint = opener.recipient_fingerprint if isinstance(opener, Identity) else opener.recipient.fingerprint
    for slot in slots:
        if slot["recipient"] == fingerprint:
            return opener.unwrap(_decode(slot["wrapped"], "The key slot"), info)
    made_for = ", ".join(slot.get("name") or slot["recipient"] for slot in slots) or "nobody"
    raise WrongKeyError(
        f"{what} was not made for the key {fingerprint}, but for: {made_for}.",
        "Use one of those keys, or have the administrator add yours as a recipient.",
    )


def make_slots(recipients: t.Iterable[Recipient], key: bytes, info: bytes) -> list[dict[str, str]]:
    """Wrap ``key`` to every recipient."""
    return [
        {
            "recipient": recipient.fingerprint,
            "name": recipient.name,
            "kem": recipient.kem,
            "wrapped": base64.b64encode(recipient.wrap(key, info)).decode(),
        }
        for recipient in recipients
    ]
