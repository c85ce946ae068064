# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``repository.json``: who may read, who may write, and the parameters; signed by an administrator."""

from __future__ import annotations

import base64
import typing as t
from dataclasses import dataclass, field, replace

from .encoding import canonical_json, parse_json
from .errors import FormatError, InputError, IntegrityError, TrustError
from .keys import Fingerprint, Identity, Recipient, RecoveryKey, Signer, make_slots, open_slot
from .naming import FORMAT_VERSION, SETTINGS, key_info

#: The name under which an administrator stands on the list of signers; it may sign for any host.
ADMINISTRATOR = "administrator"
_PURPOSE = "repository"


@dataclass(frozen=True)
class TrustedSigner:
    """A signer on the list. ``retired`` is an id-like UTC time after which its backups are no longer believed."""

    signer: Signer
    retired: str = ""


@dataclass(frozen=True)
class RepositorySettings:
    """The content of ``repository.json``.

    ``revision`` grows with every change. ``epoch`` grows when a recipient is added that cannot open what is already
    stored: chunks of an older epoch are then stored again instead of being referred to.
    """

    repository_id: str
    created: str
    recipients: tuple[Recipient, ...]
    signers: tuple[TrustedSigner, ...]
    key_slots: tuple[t.Mapping[str, str], ...] = ()
    revision: int = 1
    epoch: int = 1
    compression_level: int = 1
    recovery_files: t.Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, t.Any]:
        """Return the document that is signed."""
        return {
            "format": FORMAT_VERSION,
            "repository": self.repository_id,
            "created": self.created,
            "revision": self.revision,
            "epoch": self.epoch,
            "compression_level": self.compression_level,
            "recipients": [{"name": r.name, "key": r.text} for r in self.recipients],
            "signers": [{"name": s.signer.name, "key": s.signer.text, "retired": s.retired} for s in self.signers],
            "repository_key": [dict(slot) for slot in self.key_slots],
            "recovery_files": dict(self.recovery_files),
        }

    @classmethod
    def from_json(cls, document: t.Mapping[str, t.Any]) -> RepositorySettings:
        """Read a document whose signature has been checked."""
        return cls(
            repository_id=document["repository"],
            created=document["created"],
            recipients=tuple(Recipient.parse(r["key"], r["name"]) for r in document["recipients"]),
            signers=tuple(TrustedSigner(Signer.parse(s["key"], s["name"]), s["retired"]) for s in document["signers"]),
            key_slots=tuple(document["repository_key"]),
            revision=document["revision"],
            epoch=document["epoch"],
            compression_level=document["compression_level"],
            recovery_files=document["recovery_files"],
        )

    def trusted(self, text: str, backup_id: str | None = None) -> Signer | None:
        """Return the signer with this text if it is believed, for a backup made at the time in ``backup_id``."""
        for entry in self.signers:
            if entry.signer.text == text and not (entry.retired and backup_id and backup_id > entry.retired):
                return entry.signer
        return None

    def wrap_repository_key(self, key: bytes) -> RepositorySettings:
        """Return the settings with slots of the repository key for every recipient and every active signer."""
        openers = [*self.recipients, *(entry.signer.recipient for entry in self.signers if not entry.retired)]
        return replace(self, key_slots=tuple(make_slots(openers, key, key_info(self.repository_id, _PURPOSE))))

    def open_repository_key(self, opener: Identity | RecoveryKey) -> bytes:
        """Return the repository key; raise :class:`~.errors.WrongKeyError` when ``opener`` has no slot."""
        return open_slot(self.key_slots, opener, key_info(self.repository_id, _PURPOSE), "This repository")


def _place(document: bytes) -> bytes:
    return b"dfr.continuity/1 settings\0" + document


def encode_settings(settings: RepositorySettings, administrator: Identity) -> bytes:
    """Return the bytes of ``repository.json``: the document and an administrator's signature over it."""
    document = settings.to_json()
    signature = administrator.sign(_place(canonical_json(document)))
    signed = {
        "document": document,
        "administrator": administrator.signer.text,
        "signature": base64.b64encode(signature).decode(),
    }
    return canonical_json(signed)


def decode_settings(data: bytes, trust: t.Sequence[Signer | Fingerprint]) -> RepositorySettings:
    """Read ``repository.json`` and check it against the pinned administrators.

    Raises :class:`~.errors.FormatError` for a newer format, :class:`~.errors.TrustError` for another administrator or
    a wrong signature, :class:`~.errors.IntegrityError` for anything else.
    """
    signed = parse_json(data, SETTINGS)
    try:
        document, named = signed["document"], Signer.parse(str(signed["administrator"]), ADMINISTRATOR)
        version, signature = document["format"], base64.b64decode(signed["signature"])
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise IntegrityError(
            f"{SETTINGS} lacks what it must hold ({error}).", "Bring it back from a copy of the store."
        ) from error
    if version != FORMAT_VERSION:
        raise FormatError(
            f"The repository has format {version!r}; this program reads format {FORMAT_VERSION}.",
            "Use the version of dfr.continuity that wrote it, or a newer one.",
        )
    if not trust:
        raise InputError(
            f"No administrator is trusted; the repository names one with the fingerprint {named.fingerprint}.",
            "Compare it, digit by digit, with the fingerprint noted when the repository was made (on paper, in your "
            "inventory); give it as `trust` when they are equal, and only then.",
        )
    if not any(pinned.fingerprint == named.fingerprint for pinned in trust):
        raise TrustError(
            f"{SETTINGS} is signed by the administrator {named.fingerprint}, who is not in `trust`.",
            "Check that this is your repository; then check the administrator's public identity in `trust`.",
        )
    named.verify(signature, _place(canonical_json(document)), SETTINGS)
    return RepositorySettings.from_json(document)
