# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creates a repository, and brings its recipients, signers and parameters to what is wanted."""

from __future__ import annotations

import typing as t

from .._command.program import recovery_files
from .._repository.errors import InputError
from .._repository.keys import Recipient, Signer
from .._repository.repository import SettingsChange, WantedSettings, configure_repository, open_repository
from .._repository.settings import RepositorySettings, TrustedSigner
from .recovery_keys import given_recovery_key
from .running import Result, Work

_WANTED = ("recipients", "signers", "compression_level")


def manage_repository(work: Work) -> Result:
    """Do what the module ``repository`` promises."""
    if work.params["state"] == "opened":
        return _open(work)
    wanted = _wanted(work.params)
    change = configure_repository(
        work.params["repository"],
        wanted,
        recovery_key=given_recovery_key(work.params),
        dry_run=work.check_mode,
    )
    location = work.params["repository"]["location"]
    result: Result = {"changed": change.changed, "rewrapped": change.rewrapped, **describe(change.after, location)}
    result["created"] = change.before is None
    if result["created"] and work.check_mode:
        # A repository that was only thought of has no id.
        result["repository_id"] = None
    result["diff"] = _diff(change)
    return result


def describe(settings: RepositorySettings, location: str) -> Result:
    """Return what may be told of a repository."""
    return {
        "location": location,
        "repository_id": settings.repository_id,
        "since": settings.created,
        "revision": settings.revision,
        "epoch": settings.epoch,
        "compression_level": settings.compression_level,
        "recipients": [
            {"name": recipient.name, "key": recipient.text, "fingerprint": recipient.fingerprint}
            for recipient in settings.recipients
        ],
        "signers": [
            {
                "name": entry.signer.name,
                "key": entry.signer.text,
                "fingerprint": entry.signer.fingerprint,
                "retired": entry.retired,
            }
            for entry in settings.signers
        ],
        "recovery_files": sorted(settings.recovery_files),
    }


def _open(work: Work) -> Result:
    given = [name for name in _WANTED if work.params[name] is not None]
    if given:
        raise InputError(f"state: opened changes nothing, but {given[0]} is given.", "Use state: present.")
    with open_repository(work.params["repository"], given_recovery_key(work.params)) as repository:
        return {
            "changed": False,
            "created": False,
            "rewrapped": 0,
            **describe(repository.settings, repository.store.location),
        }


def _wanted(params: t.Mapping[str, t.Any]) -> WantedSettings:
    recipients, signers = params["recipients"], params["signers"]
    return WantedSettings(
        recipients=None if recipients is None else tuple(Recipient.parse(r["key"], r["name"]) for r in recipients),
        signers=None if signers is None else tuple(_signer(entry) for entry in signers),
        compression_level=params["compression_level"],
        recovery_files=recovery_files(),
    )


def _signer(entry: t.Mapping[str, t.Any]) -> TrustedSigner:
    return TrustedSigner(Signer.parse(entry["key"], entry["name"]), entry["retired"] or "")


def _diff(change: SettingsChange) -> dict[str, t.Any]:
    """What changed, without what changes every time (revision, wrapped keys)."""

    def shown(settings: RepositorySettings | None) -> dict[str, t.Any]:
        document = settings.to_json() if settings else {}
        return {key: value for key, value in document.items() if key not in ("revision", "repository_key")}

    return {"before": shown(change.before), "after": shown(change.after)}
