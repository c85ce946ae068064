# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say how to reach a PostgreSQL server."""

from __future__ import annotations

import argparse

from .._postgres.connection import Connection
from .._repository.keys import read_key_file
from .passphrases import ask


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Add the options of a connection; their meaning is that of :class:`~.._postgres.connection.Connection`."""
    group = parser.add_argument_group("PostgreSQL server")
    group.add_argument("--db-host", metavar="HOST", help="host name, address, or directory of the socket")
    group.add_argument("--db-port", metavar="PORT", type=int, help="port (default: 5432)")
    group.add_argument("--db-user", metavar="ROLE", help="role to connect as")
    ways = group.add_mutually_exclusive_group()
    ways.add_argument("--db-password-file", metavar="FILE", help="file with the role's password (mode 0600)")
    ways.add_argument("--db-ask-password", action="store_true", help="ask for the role's password on the terminal")
    group.add_argument(
        "--db-run-as", metavar="USER", help="system user to run the client programs as, such as postgres"
    )
    group.add_argument("--db-container", metavar="NAME", help="Docker or Podman container that the server runs in")
    group.add_argument("--db-sslmode", metavar="MODE", help="as in libpq: disable, prefer, require, verify-full ...")
    group.add_argument("--db-sslrootcert", metavar="FILE", help="certificate of the authority")
    group.add_argument("--db-programs", metavar="DIR", help="where psql, pg_dump and pg_restore are")
    group.add_argument("--db-maintenance", metavar="NAME", help="database to connect to meanwhile (default: postgres)")


def connection(options: argparse.Namespace) -> Connection:
    """Return the connection that the options describe; asks for the password when told to.

    Raises :class:`~.._repository.errors.InputError` for options that cannot be meant.
    """
    password: bytes | None = None
    if options.db_password_file:
        password = read_key_file(options.db_password_file, "The password file").removesuffix(b"\n")
    elif options.db_ask_password:
        password = ask("Password of the PostgreSQL role: ")
    settings = {
        "host": options.db_host,
        "port": options.db_port,
        "user": options.db_user,
        "password": password.decode() if password is not None else None,
        "run_as": options.db_run_as,
        "container": options.db_container,
        "sslmode": options.db_sslmode,
        "sslrootcert": options.db_sslrootcert,
        "programs": options.db_programs,
        "maintenance_database": options.db_maintenance,
    }
    return Connection.from_settings(settings)
