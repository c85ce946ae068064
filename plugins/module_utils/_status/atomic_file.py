# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files that readers always see whole: the old content or the new one."""

from __future__ import annotations

import contextlib
import os
import secrets


def write_atomically(path: str, content: bytes, mode: int = 0o644, *, durable: bool = True) -> None:
    """Replace ``path`` by a file holding ``content`` with permissions ``mode``, whatever the umask.

    The new file is written beside the old one and renamed over it; with ``durable`` both the file and the rename are
    on disk when this returns. On failure the old file stays and nothing is left behind. Raises :class:`OSError`.
    """
    folder = os.path.dirname(path) or "."
    # A leading dot and no known ending: neither people nor node_exporter (*.prom) take it for a finished file.
    temporary = os.path.join(folder, f".{os.path.basename(path)}.{secrets.token_hex(4)}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            if durable:
                os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    if durable:
        _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
