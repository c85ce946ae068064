# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps secrets out of reports, whoever has put them into the run document.

The journal is to hold none. But evidence comes from many checks, and a report is mailed, printed and kept for years:
what is stored under the name of a secret, stands in a URL before the ``@``, or is known to be a secret is left out.
"""

from __future__ import annotations

import re
import typing as t

REMOVED = "(left out: secret)"

_SECRET_NAME = re.compile(
    r"(?:^|[_. -])(?:pass(?:word|wd|phrase|code)?|pwd|secrets?|tokens?|cookies?|authori[sz]ation|credentials"
    r"|(?:api|private|secret|access|encryption|session|tsig|hmac)[_. -]?keys?|sess(?:ion)?[_. -]?id)$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_URL_PASSWORD = re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s/@:]*:)[^\s/]+(?=@)", re.IGNORECASE)
_AUTHORIZATION = re.compile(r"(?P<before>\b(?:bearer|basic)\s+)(?=\S*[0-9=])[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
)


def without_secrets(value: t.Any, secrets: t.Iterable[str] = ()) -> t.Any:
    """Return a copy of a JSON value in which :data:`REMOVED` stands where a secret was.

    :arg secrets: values that must not be in it, wherever they are; those of fewer than four characters are passed
        over, because words would be torn apart.
    """
    # The longest first: one secret can be the beginning of another.
    known = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)
    return _cleaned(value, known)


def _cleaned(value: t.Any, known: t.Sequence[str]) -> t.Any:
    if isinstance(value, str):
        return _cleaned_text(value, known)
    if isinstance(value, list):
        return [_cleaned(item, known) for item in value]
    if isinstance(value, dict):
        return {
            _cleaned_text(str(name), known): REMOVED if _is_secret(str(name), item) else _cleaned(item, known)
            for name, item in value.items()
        }
    return value


def _is_secret(name: str, value: t.Any) -> bool:
    """Whether a value is a secret by its name. Numbers and true or false are none: ``token: true`` says one is set."""
    if isinstance(value, (bool, int, float)) or not value:
        return False
    return _SECRET_NAME.search(_CAMEL.sub("_", name)) is not None


def _cleaned_text(text: str, known: t.Sequence[str]) -> str:
    for secret in known:
        text = text.replace(secret, REMOVED)
    text = _PRIVATE_KEY.sub(REMOVED, text)
    text = _URL_PASSWORD.sub(rf"\g<before>{REMOVED}", text)
    return _AUTHORIZATION.sub(rf"\g<before>{REMOVED}", text)
