# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the settings of a backed-up n8n as a file of environment variables."""

from __future__ import annotations

import os
import pwd
import stat

from .._apps.n8n_restore import changed_settings, read_settings
from .._apps.n8n_settings import needs_quotes, refuse_secrets, write_environment
from .._repository.errors import InputError, TargetError
from .._status.atomic_file import write_atomically
from .opening import describe_source, opened_part
from .running import Result, Work

_MODE = 0o600


def n8n_settings(work: Work) -> Result:
    """Do what the module ``n8n_settings`` promises."""
    params, path = work.params, work.params["path"]
    if not os.path.isabs(path):
        raise InputError(f"{path!r} is not an absolute path.", "Give a path that starts with /.")
    refuse_secrets(params["settings"] or {}, "settings", "secret_settings")
    given = {**(params["settings"] or {}), **(params["secret_settings"] or {})}
    owner = _owner(params["owner"])
    with opened_part(work) as part:
        source = describe_source(part)
        proof = part.reader.record["facts"].get("key", {})
        environment = changed_settings(read_settings(part.reader), given, params["left_out"])
    if quoted := needs_quotes(environment):
        work.warn([f"In {path}, in quotes as systemd wants it and Docker does not: {', '.join(quoted)}."])
    content = write_environment(environment).encode("utf-8", "surrogateescape")
    changed = _differs(path, content, owner, replace=params["replace"])
    if changed and not work.check_mode:
        _write(path, content, owner)
    work.outcome.size = len(content)
    return {**source, "changed": changed, "target": path, "names": sorted(environment), "key": proof}


def _owner(name: str | None) -> tuple[int, int] | None:
    if name is None:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise InputError(f"There is no user {name!r} on this host.", "Correct owner, or make the user.") from error
    return entry.pw_uid, entry.pw_gid


def _differs(path: str, content: bytes, owner: tuple[int, int] | None, *, replace: bool) -> bool:
    """Tell whether the file must be written; raise TargetError when it is there otherwise and is not to be replaced."""
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            raise TargetError(f"{path} is there, and is no regular file.", "Give another path.")
        with open(path, "rb") as file:
            same = file.read() == content
    except FileNotFoundError:
        return True
    except OSError as error:
        raise _failed(path, error) from error
    if not same and not replace:
        raise TargetError(
            f"{path} exists already, with other settings.", "Set replace to replace it, or give another path."
        )
    owned = owner is None or (status.st_uid, status.st_gid) == owner
    return not same or stat.S_IMODE(status.st_mode) != _MODE or not owned


def _write(path: str, content: bytes, owner: tuple[int, int] | None) -> None:
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        write_atomically(path, content, _MODE)
        if owner is not None:
            os.chown(path, *owner, follow_symlinks=False)
    except OSError as error:
        raise _failed(path, error) from error


def _failed(path: str, error: OSError) -> TargetError:
    return TargetError(f"{path} cannot be used: {error.strerror}.", "Run this as root (become: true).")
