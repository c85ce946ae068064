# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A local copy of ``repository.json``, so that a backup can begin while the store is away.

It holds what the store shows everybody who may read it. Whoever reads the copy checks it like the original: the
administrator's signature, and that its revision is not older than the newest one that was seen here.
"""

from __future__ import annotations

import hashlib
import os

from .stores import Store
from .stores.durable_file import DIRECTORY_FLAGS, explained, write_durably


class KnownSettings:
    """The copy for one place. It is no older than the store's own at the last run that reached the store.

    :arg cache_dir: the ``cache_dir`` of the ``repository`` dictionary.
    :arg store: the store that the repository is in.
    """

    def __init__(self, cache_dir: str, store: Store) -> None:
        self._directory = cache_dir
        place = hashlib.sha256(f"{store.server} {store.location}".encode()).hexdigest()[:16]
        self._file_name = f"settings-{place}.json"
        self.path = os.path.join(cache_dir, self._file_name)

    def remember(self, data: bytes) -> None:
        """Keep the bytes of ``repository.json``; raises :class:`~.errors.StoreError` when they cannot be written."""
        if self.recall() == data:
            return
        with explained("write", self.path):
            descriptor = os.open(self._directory, DIRECTORY_FLAGS & ~os.O_NOFOLLOW)
        try:
            write_durably(descriptor, self._file_name, [data], self.path)
        finally:
            os.close(descriptor)

    def recall(self) -> bytes | None:
        """Return the bytes that were kept, or None."""
        try:
            with open(self.path, "rb") as file:
                return file.read()
        except OSError:
            return None
