# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a repository is: from what a user wrote to the store that keeps it."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import unquote, urlsplit

from ..errors import InputError
from ..naming import SETTINGS
from . import Store
from .directory import DirectoryStore
from .names import NAME_LIMIT, is_name
from .s3 import S3Store
from .s3_options import S3Options
from .spool import SpoolingStore
from .spool_options import SpoolOptions

_EXAMPLES = "Give /a/directory, file:///a/directory or s3://bucket/prefix."
# Wider than AWS's rule, because older buckets and other servers have such names.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", re.ASCII)
_KEY_LIMIT = 1024


def open_store(settings: t.Mapping[str, t.Any], *, create: bool = False) -> Store:
    """Return the store that the ``repository`` settings describe, without connecting to it.

    Processes that write together may each open it: a spool is shared by all of them.

    :arg settings: ``location``; for S3, ``s3`` (see :class:`~.s3_options.S3Options`); ``spool`` when what cannot be
        delivered is to wait on the local disk (see :class:`~.spool_options.SpoolOptions`); other keys are ignored.
    :arg create: make the directory when it does not exist. A bucket is never made.

    Raises :class:`~..errors.InputError` naming the option that cannot be used, and
    :class:`~..errors.DependencyError` when boto3 is needed and missing.
    """
    location = settings.get("location")
    if not isinstance(location, str) or not location.strip():
        raise InputError("Option location is missing or empty.", _EXAMPLES)
    if location != location.strip() or not location.isprintable():
        raise InputError(f"Option location: {location!r} has white space around it or control characters.", _EXAMPLES)
    store = _open_place(location, _s3_settings(settings), create)
    spool = SpoolOptions.from_settings(settings.get("spool"), store.location)
    return store if spool is None else SpoolingStore(store, spool.path, spool.limit, SETTINGS)


def _open_place(location: str, s3: t.Mapping[str, t.Any], create: bool) -> Store:
    if location.startswith("s3:"):
        return _open_bucket(location, S3Options.from_settings(s3))
    if s3:
        raise InputError(
            f"Option s3.{sorted(map(str, s3))[0]} is given, but the location {location!r} is no bucket.",
            "Remove the s3 options, or give a location such as s3://bucket/prefix.",
        )
    directory = DirectoryStore(_directory_path(location))
    if create:
        directory.create()
    return directory


def _s3_settings(settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    s3 = settings.get("s3")
    if s3 is not None and not isinstance(s3, t.Mapping):
        raise InputError("Option s3 is not a dictionary of options.", "Write its options below it, one a line.")
    return {name: value for name, value in (s3 or {}).items() if value is not None}


def _directory_path(location: str) -> str:
    if location.startswith("/"):
        return location
    url = _split(location)
    if url.scheme == "file":
        if url.netloc not in ("", "localhost") or not url.path.startswith("/") or url.query or url.fragment:
            raise InputError(f"Option location: {location!r} is not a URL of a local directory.", _EXAMPLES)
        return unquote(url.path)
    if url.scheme and "://" in location:
        raise InputError(f"Option location: there is no kind of store for {url.scheme}://.", _EXAMPLES)
    raise InputError(f"Option location: {location!r} is not an absolute path.", _EXAMPLES)


def _open_bucket(location: str, options: S3Options) -> Store:
    url = _split(location)
    if "@" in url.netloc:
        raise InputError(
            "Option location holds credentials.", "Give them as s3.access_key and s3.secret_key, not in the location."
        )
    if not location.startswith("s3://") or not _BUCKET.fullmatch(url.netloc) or url.query or url.fragment:
        raise InputError(f"Option location: {location!r} does not name a bucket.", _EXAMPLES)
    prefix = url.path.strip("/")
    if prefix and not is_name(prefix):
        raise InputError(
            f"Option location: the prefix {prefix!r} has characters or components that object names cannot have.",
            "Use letters, digits and . _ @ + - in each component, starting with a letter, digit or _.",
        )
    if len(prefix) + 1 + NAME_LIMIT > _KEY_LIMIT:
        raise InputError(
            f"Option location: the prefix of {location!r} is longer than {_KEY_LIMIT - NAME_LIMIT - 1} characters.",
            "Choose a shorter prefix: object names end at 1024 bytes.",
        )
    return S3Store(url.netloc, prefix, options)


def _split(location: str) -> t.Any:
    try:
        return urlsplit(location)
    except ValueError:
        raise InputError(f"Option location: {location!r} is not a URL.", _EXAMPLES) from None
