# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which path was the first name of an inode, for any number of hard links in bounded memory."""

from __future__ import annotations

import os
import sqlite3

#: Kilobytes of names kept in memory; more of them go to a temporary file that has no name and no other reader.
_MEMORY = 16 << 10


class LinkTable:
    """Remembers the first path of each inode that has several names. Used by one thread."""

    def __init__(self) -> None:
        # An empty name makes a private database, which SQLite writes to a deleted file once the cache is full.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(f"PRAGMA cache_size = -{_MEMORY}")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(
            "CREATE TABLE first (device INTEGER, inode INTEGER, path BLOB, PRIMARY KEY (device, inode)) WITHOUT ROWID"
        )

    def first_name(self, status: os.stat_result, path: bytes) -> bytes | None:
        """Return the path under which this inode was met before; None, and remember ``path``, when it was not."""
        # SQLite's integers have a sign, inode numbers have none.
        key = (_signed(status.st_dev), _signed(status.st_ino))
        row = self._database.execute("SELECT path FROM first WHERE device = ? AND inode = ?", key).fetchone()
        if row is not None:
            return bytes(row[0])
        self._database.execute("INSERT INTO first VALUES (?, ?, ?)", (*key, path))
        return None

    def close(self) -> None:
        """Let go of the memory and the temporary file."""
        self._database.close()


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number
