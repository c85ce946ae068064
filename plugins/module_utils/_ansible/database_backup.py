# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backs up one PostgreSQL database."""

from __future__ import annotations

from .._postgres.connection import Connection
from .._postgres.dump import DumpOptions, backup_database
from .._postgres.programs import Client
from .._postgres.session import Session
from .._repository.part_writer import PartWriter
from .parts import Written, write_part
from .running import Result, Work


def database_backup(work: Work) -> Result:
    """Do what the module ``database_backup`` promises."""
    params = work.params
    connection = Connection.from_settings(params["connection"] or {})
    options = DumpOptions(lock_timeout=params["lock_timeout"], checksums=params["checksums"])

    def check() -> None:
        Session(Client(connection), params["database"]).close()

    def back_up(part: PartWriter) -> Written:
        return Written(backup_database(part, connection, params["database"], options))

    return write_part(work, "database", check, back_up)
