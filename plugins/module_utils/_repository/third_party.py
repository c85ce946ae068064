# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place in this package that imports third-party code.

``ansible-test sanity`` loads every file without it, and a user without it must be told which interpreter
lacks what; so the imports are guarded and :func:`require` is called before any of them is used.
"""

from __future__ import annotations

import sys
import traceback
import typing as t

from .errors import DependencyError

MISSING: dict[str, str] = {}

try:
    import zstandard
except ImportError:
    MISSING["zstandard"] = traceback.format_exc()

try:
    from cryptography.exceptions import InvalidSignature, InvalidTag
    from cryptography.hazmat.primitives import hashes, hpke, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, x25519
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import CBC
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    from cryptography.hazmat.primitives.padding import PKCS7
except ImportError:
    MISSING["cryptography >= 47"] = traceback.format_exc()


def __getattr__(name: str) -> t.Any:
    """Stand in for a name that could not be imported, so that every file of ours loads and can tell what is missing."""
    if name in __all__:
        return None
    raise AttributeError(name)


def require() -> None:
    """Raise :class:`~.errors.DependencyError` when this interpreter lacks ``cryptography`` or ``zstandard``."""
    if MISSING:
        raise DependencyError(
            f"The Python interpreter {sys.executable} has no {' and no '.join(MISSING)}.",
            f"Install it, for example with: {sys.executable} -m pip install 'cryptography>=47' zstandard",
        )


__all__ = [
    "AES",
    "AESGCM",
    "CBC",
    "HKDF",
    "MISSING",
    "PKCS7",
    "Cipher",
    "InvalidSignature",
    "InvalidTag",
    "Scrypt",
    "ec",
    "ed25519",
    "hashes",
    "hpke",
    "mlkem",
    "require",
    "serialization",
    "x25519",
    "zstandard",
]
