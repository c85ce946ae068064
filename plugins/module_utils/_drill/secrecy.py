# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks like a secret: a plan must not hold one, and a journal does not."""

from __future__ import annotations

import re
import typing as t

HIDDEN = "(hidden)"

_TELLING = re.compile(
    r"pass(word|wd|phrase)|secret|token|credential|(api|access|private|encryption|tsig)_?key|^key$", re.IGNORECASE
)
#: Names that tell of a secret, and are none: the place, the name or the kind of one.
_HARMLESS = re.compile(r"_(file|path|name|id|algorithm|type|variable)$|^(secrets|access_key_id)$", re.IGNORECASE)
_CONTENT = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\$ANSIBLE_VAULT;|\b[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@|\bAKIA[0-9A-Z]{16}\b"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.|\b(?:ghp|gho|xox[bp]|sk_live)[_-][\w-]{10,}"
)


def names_secret(key: str) -> bool:
    """Tell whether what is kept under a name is a secret, judging by the name."""
    return bool(_TELLING.search(key)) and not _HARMLESS.search(key)


def holds_secret(value: t.Any) -> bool:
    """Tell whether a text is or holds a secret, judging by its form: a private key, a URL with a password, a token."""
    return isinstance(value, str) and bool(_CONTENT.search(value))


def without_secrets(document: t.Any) -> t.Any:
    """Return a copy of a JSON document in which ``(hidden)`` stands for what looks like a secret."""
    if isinstance(document, dict):
        return {
            key: HIDDEN if names_secret(str(key)) and _is_value(value) else without_secrets(value)
            for key, value in document.items()
        }
    if isinstance(document, (list, tuple)):
        return [without_secrets(value) for value in document]
    return HIDDEN if holds_secret(document) else document


def _is_value(value: t.Any) -> bool:
    return isinstance(value, str) and bool(value)
