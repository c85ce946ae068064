# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which repository is meant: the configuration file, and the options that take its place or add to it."""

from __future__ import annotations

import argparse
import atexit
import difflib
import json
import os
import shutil
import stat
import tempfile
import typing as t

from .._repository.errors import InputError
from .._repository.repository import DEFAULT_CACHE

DEFAULT_CONFIG = "/etc/dfr-continuity/continuity.json"
_KNOWN = ("location", "trust", "identity_file", "cache_dir", "host", "s3", "spool")
_SECRETS = ("access_key", "secret_key", "session_token")
_EXAMPLE = 'It holds {"repository": {"location": "/backup", "trust": ["signer:..."]}}; see docs/command.md.'


def repository_settings(options: argparse.Namespace) -> dict[str, t.Any]:
    """Return the ``repository`` dictionary that the options of :func:`~.arguments.add_repository` describe.

    A location on the command line means another repository: then the default configuration file is not read, so
    that its keys and credentials are not taken for that one. ``--config`` is always read.

    Raises :class:`~.._repository.errors.InputError` when no repository is named or the file is not as it should be.
    """
    settings = _configured(options)
    if options.repository:
        settings["location"] = _location(options.repository)
    if options.trust:
        settings["trust"] = options.trust
    if options.identity:
        settings["identity_file"] = os.path.abspath(options.identity)
    if options.host:
        settings["host"] = options.host
    if options.s3_option:
        settings["s3"] = {**(settings.get("s3") or {}), **dict(map(_s3_option, options.s3_option))}
    settings["cache_dir"] = os.path.abspath(options.cache_dir or settings.get("cache_dir") or _usual_cache())
    return settings


def _configured(options: argparse.Namespace) -> dict[str, t.Any]:
    if options.config:
        return read_configuration(options.config)
    if options.repository:
        return {}
    if os.path.exists(DEFAULT_CONFIG):
        return read_configuration(DEFAULT_CONFIG)
    raise InputError(
        f"No repository is named, and there is no {DEFAULT_CONFIG}.",
        "Give --repository LOCATION (a directory or s3://bucket/prefix), or --config FILE.",
    )


def read_configuration(path: str) -> dict[str, t.Any]:
    """Return the ``repository`` dictionary of a configuration file, its keys checked."""
    try:
        with open(path, encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            document = json.load(file)
    except OSError as error:
        raise InputError(
            f"The configuration file {path} cannot be read: {error.strerror}.", "Check the path and who runs this."
        ) from error
    except ValueError as error:
        raise InputError(f"The configuration file {path} is not JSON: {error}.", _EXAMPLE) from error
    repository = document.get("repository") if isinstance(document, dict) else None
    if not isinstance(repository, dict):
        raise InputError(f'The configuration file {path} has no dictionary "repository".', _EXAMPLE)
    _check(repository, path, mode)
    return dict(repository)


def _check(repository: t.Mapping[str, t.Any], path: str, mode: int) -> None:
    for name in repository:
        if name not in _KNOWN:
            close = difflib.get_close_matches(name, _KNOWN, 1)
            guess = f" Did you mean {close[0]}?" if close else ""
            raise InputError(
                f"{path}: there is no repository setting {name!r}.{guess}", f"The settings are: {', '.join(_KNOWN)}."
            )
    trust = repository.get("trust", [])
    if not isinstance(trust, list) or not all(isinstance(pin, str) for pin in trust):
        raise InputError(f"{path}: trust is not a list of texts.", 'Write it as ["signer:..."].')
    for name in ("location", "identity_file", "cache_dir", "host"):
        if not isinstance(repository.get(name, ""), str):
            raise InputError(f"{path}: {name} is not a text.", _EXAMPLE)
    s3 = repository.get("s3")
    if isinstance(s3, dict) and any(s3.get(name) for name in _SECRETS) and mode & (stat.S_IRWXO):
        raise InputError(
            f"The configuration file {path} holds credentials and is open to everybody "
            f"(mode {stat.S_IMODE(mode):04o}).",
            f"Run: chmod o-rwx {path}",
        )


def _location(given: str) -> str:
    """A path may be relative on the command line; nowhere else, where nobody knows relative to what."""
    return given if "://" in given or given.startswith("s3:") else os.path.abspath(given)


def _s3_option(text: str) -> tuple[str, t.Any]:
    name, equals, value = text.partition("=")
    if name in _SECRETS:
        raise InputError(
            f"s3.{name} was given on the command line, where everybody on this machine can read it.",
            f"Change that key now. Write it to the configuration file (s3.{name}) or to AWS's credentials file.",
        )
    if not equals:
        raise InputError(
            f"--s3-option {text!r} is not NAME=VALUE.", "Write for example endpoint=https://s3.example.org"
        )
    if name == "deadline":
        try:
            return name, float(value)
        except ValueError:
            raise InputError(f"--s3-option deadline={value!r} is no number.", "Give seconds, such as 600.") from None
    return name, value


def _usual_cache() -> str:
    """Return a directory for the cache that can be written: the machine's, the user's, or one for this run."""
    user = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "dfr-continuity")
    for directory in (DEFAULT_CACHE, user):
        if os.path.isabs(directory) and _can_write(directory):
            return directory
    temporary = tempfile.mkdtemp(prefix="dfr-continuity-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return temporary


def _can_write(directory: str) -> bool:
    """Tell whether a directory exists or can be made, and can be written to, by trying."""
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False
