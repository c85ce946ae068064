# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach an S3 bucket: the ``s3`` options of a repository, checked one by one."""

from __future__ import annotations

import difflib
import os
import re
import typing as t
from dataclasses import dataclass, field, fields
from urllib.parse import urlsplit

from ..errors import InputError

ADDRESSING = ("auto", "path", "virtual")
CHECKSUMS = ("when_supported", "when_required")
#: Seconds; 32 MiB take this long at 0.5 Mbit/s.
DEFAULT_DEADLINE = 600.0

_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", re.ASCII)


@dataclass(frozen=True)
class S3Options:
    """Options of an S3 store; the secrets among them are in no text form of this object.

    :arg endpoint: URL of the service, ``http(s)://host[:port][/path]``; None for AWS.
    :arg region: for the signature; None for ``us-east-1``, which servers other than AWS mostly accept.
    :arg access_key: together with ``secret_key``; without them, AWS's usual chain (environment, configuration
        files, instance role) is asked.
    :arg secret_key: see ``access_key``.
    :arg session_token: of temporary credentials.
    :arg addressing: ``path``, ``virtual``, or ``auto`` (virtual on AWS, path elsewhere).
    :arg ca_file: certificates to trust instead of the system's, a PEM file.
    :arg checksums: ``when_supported`` sends a CRC-32 header with every object; ``when_required`` is for servers
        that refuse it.
    :arg deadline: seconds within which one object, or one 32 MiB part of a larger one, must have been transferred,
        repeated tries included.
    """

    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    addressing: str = "auto"
    ca_file: str | None = None
    checksums: str = "when_supported"
    deadline: float = DEFAULT_DEADLINE

    @classmethod
    def from_settings(cls, settings: t.Mapping[str, t.Any]) -> S3Options:
        """Check options as a user wrote them; None means not given.

        Raises :class:`~..errors.InputError` that names the option, and never the value of a secret.
        """
        given = {name: value for name, value in settings.items() if value is not None}
        known = [entry.name for entry in fields(cls)]
        for name in given:
            if name not in known:
                raise _unknown(str(name), known)
        for name, value in given.items():
            _CHECKS[name](name, value)
        if ("access_key" in given) != ("secret_key" in given):
            missing = "secret_key" if "access_key" in given else "access_key"
            raise InputError(
                f"Option s3.{missing} is missing: access_key and secret_key belong together.",
                "Give both, or neither to use the credentials of the machine's role or AWS configuration.",
            )
        if "session_token" in given and "access_key" not in given:
            raise InputError(
                "Option s3.session_token is given without s3.access_key and s3.secret_key.",
                "Give all three of the temporary credentials.",
            )
        return cls(**{**given, "deadline": float(given.get("deadline", DEFAULT_DEADLINE))})

    @property
    def secrets(self) -> list[str]:
        """What must appear in no message."""
        return [secret for secret in (self.access_key, self.secret_key, self.session_token) if secret]


def _unknown(name: str, known: t.Sequence[str]) -> InputError:
    close = difflib.get_close_matches(name, known, 1)
    guess = f" Did you mean {close[0]}?" if close else ""
    return InputError(f"There is no option s3.{name}.{guess}", f"The options are: {', '.join(known)}.")


def _bad(name: str, value: object, reason: str, next_step: str) -> InputError:
    return InputError(f"Option s3.{name}: {value!r} {reason}.", next_step)


def _check_endpoint(name: str, value: t.Any) -> None:
    example = "Give a URL such as https://s3.example.org or http://10.0.0.5:9000."
    try:
        url = urlsplit(value)
        port_is_valid = url.port is None or url.port > 0
    except (ValueError, AttributeError, TypeError):
        raise _bad(name, value, "is not a URL", example) from None
    if url.username is not None or url.password is not None:
        raise InputError(
            f"Option s3.{name} holds a user name or password.", "Give credentials as s3.access_key and s3.secret_key."
        )
    if url.scheme not in ("http", "https") or not url.hostname or not port_is_valid or re.search(r"\s", value):
        raise _bad(name, value, "is not an http or https URL with a host", example)
    if url.query or url.fragment:
        raise _bad(name, value, "has a query or a fragment", example)


def _check_region(name: str, value: t.Any) -> None:
    if not isinstance(value, str) or not _REGION.fullmatch(value):
        raise _bad(name, value, "is not the name of a region", "Give a region such as eu-central-1.")


def _check_secret(name: str, value: t.Any) -> None:
    if not isinstance(value, str) or not value or not value.isascii() or re.search(r"[\s\0]", value):
        raise InputError(
            f"Option s3.{name} is empty, or holds white space or characters that are not ASCII.",
            "Copy it again from where it was issued; look for a line break at its end.",
        )


def _check_ca_file(name: str, value: t.Any) -> None:
    if not isinstance(value, str) or not os.path.isabs(value):
        raise _bad(name, value, "is not an absolute path", "Give the path of a PEM file with CA certificates.")
    try:
        with open(value, "rb") as file:
            holds_certificates = b"-----BEGIN" in file.read()
    except OSError as error:
        raise _bad(
            name, value, f"cannot be read: {error.strerror}", "Correct the path, or make the file readable."
        ) from error
    if not holds_certificates:
        raise _bad(name, value, "holds no certificates in PEM form", "Give a PEM file with CA certificates.")


def _check_choice(choices: t.Sequence[str]) -> t.Callable[[str, t.Any], None]:
    def check(name: str, value: t.Any) -> None:
        if value not in choices:
            raise _bad(name, value, "is not one of the choices", f"Choose one of: {', '.join(choices)}.")

    return check


def _check_deadline(name: str, value: t.Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= 86400:
        raise _bad(name, value, "is not a number of seconds from 1 to 86400", "Give a number such as 600.")


_CHECKS: dict[str, t.Callable[[str, t.Any], None]] = {
    "endpoint": _check_endpoint,
    "region": _check_region,
    "access_key": _check_secret,
    "secret_key": _check_secret,
    "session_token": _check_secret,
    "addressing": _check_choice(ADDRESSING),
    "ca_file": _check_ca_file,
    "checksums": _check_choice(CHECKSUMS),
    "deadline": _check_deadline,
}
