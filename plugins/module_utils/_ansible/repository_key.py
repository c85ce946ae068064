# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes keys: a recovery key, which opens backups, or a signing identity, which writes them."""

from __future__ import annotations

import os
import typing as t

from .._repository.errors import InputError, WrongKeyError
from .._repository.keys import Identity, RecoveryKey, load_recovery_key, read_key_file, write_key_file
from .running import Result, Work

Key = t.Union[RecoveryKey, Identity]  # noqa: UP007 - evaluated at run time, on Python 3.10 too


def make_key(work: Work) -> Result:
    """Make a key and write it, or describe the one that is there already."""
    params = work.params
    path = params["path"]
    passphrase = params["passphrase"].encode() if params["passphrase"] else None
    if not path and not params["return_private_key"]:
        raise InputError("The private key would be lost: it is neither written nor returned.", "Give path.")
    exists = bool(path) and os.path.lexists(path)
    key = _read(params["type"], path, passphrase) if exists else _generate(params["type"], params["kem"])
    if exists and params["type"] == "recovery" and params["kem"] and _describe(key)["kem"] != params["kem"]:
        raise InputError(
            f"The recovery key {path} is of type {_describe(key)['kem']}, not {params['kem']}.",
            "Give another path, or leave kem out. A key that may open backups is never replaced.",
        )
    if not exists and path and not work.check_mode:
        write_key_file(path, key.to_pem(passphrase))
    result = {"changed": not exists, "file": path, "type": params["type"], **_describe(key)}
    if not exists and work.check_mode:
        # What a key not yet made will be like, nobody knows.
        result.update(public_key=None, fingerprint=None)
    elif params["return_private_key"]:
        result["private_key"] = key.to_pem(passphrase).decode()
    return result


def _generate(kind: str, kem: str | None) -> Key:
    if kind == "signing":
        return Identity.generate()
    return RecoveryKey.generate(kem) if kem else RecoveryKey.generate()


def _read(kind: str, path: str, passphrase: bytes | None) -> Key:
    what = "The identity" if kind == "signing" else "The recovery key"
    pem = read_key_file(path, what)
    if passphrase and b"ENCRYPTED" not in pem:
        raise WrongKeyError(
            f"{what} {path} has no passphrase, but one was given.",
            "Give none, or protect the file by other means; an existing key is never rewritten.",
        )
    if kind == "signing":
        return Identity.from_pem(pem, f"{what} {path}", passphrase)
    return load_recovery_key(pem, passphrase, f"{what} {path}")


def _describe(key: Key) -> dict[str, str | None]:
    if isinstance(key, Identity):
        return {"public_key": key.signer.text, "fingerprint": key.signer.fingerprint, "kem": None}
    return {"public_key": key.recipient.text, "fingerprint": key.recipient.fingerprint, "kem": key.recipient.kem}
