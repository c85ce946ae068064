# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring a database to a PostgreSQL server from the command line."""

from __future__ import annotations

import argparse
import os
import typing as t

from .._apps.neutralise import neutraliser
from .._postgres.restore import RestoreOptions, plan_restore, restore_database
from .._repository.errors import InputError
from .._repository.part_reader import PartReader
from .databases import connection

#: Options that mean something with ``--database`` only.
_ONLY_DATABASE = (
    "owner",
    "restore_roles",
    "keep_replaced",
    "jobs",
    "directory",
    "locale",
    "no_privileges",
    "no_space_check",
    "no_checksums",
    "neutralise",
)


def add_database_options(parser: argparse.ArgumentParser) -> None:
    """Add the options; their meaning is that of :class:`~.._postgres.restore.RestoreOptions`."""
    group = parser.add_argument_group("restoring a database")
    group.add_argument("--owner", metavar="ROLE", help="role to own everything (default: the owners of the backup)")
    group.add_argument("--restore-roles", action="store_true", help="create roles that the server lacks")
    group.add_argument("--no-privileges", action="store_true", help="do not restore GRANTs")
    group.add_argument(
        "--keep-replaced", action="store_true", help="with --replace: keep the old one as NAME_replaced_TIME"
    )
    group.add_argument(
        "--neutralise",
        action="store_true",
        help="make an Odoo or n8n harmless before it gets its name: no mail, no scheduled jobs, no payments",
    )
    group.add_argument("--jobs", metavar="N", type=int, help="connections that restore at a time; needs --directory")
    group.add_argument("--directory", metavar="DIR", help="where the dump may lie in plaintext for --jobs")
    group.add_argument("--locale", metavar="NAME", help="instead of the backup's, where the server lacks that one")
    group.add_argument("--no-space-check", action="store_true", help="try even where the disk seems too small")
    group.add_argument("--no-checksums", action="store_true", help="do not compare checksums of rows")


def check_database_options(options: argparse.Namespace) -> None:
    """Raise :class:`~.._repository.errors.InputError` for options without ``--database`` that need it."""
    for name in _ONLY_DATABASE:
        if getattr(options, name) and not options.database:
            raise InputError(f"--{name.replace('_', '-')} is for --database.", "Add --database NAME, or leave it out.")


def restore_to_server(reader: PartReader, options: argparse.Namespace) -> dict[str, t.Any]:
    """Restore a database part; return what was done, for JSON."""
    how = RestoreOptions(
        name=options.database,
        owner=options.owner,
        privileges=False if options.no_privileges else None,
        replace=options.replace,
        keep_replaced=options.keep_replaced,
        restore_roles=options.restore_roles,
        jobs=options.jobs,
        directory=os.path.abspath(options.directory) if options.directory else None,
        locale=options.locale,
        check_space=not options.no_space_check,
        checksums=not options.no_checksums,
    )
    if options.dry_run:
        plan = plan_restore(reader, connection(options), how).to_json()
        return {**plan, "neutralised": False, "checks": {}, "kept_as": None}
    finish = neutraliser(reader) if options.neutralise else None
    result = restore_database(reader, connection(options), how, finish)
    return {**result.to_json(), "neutralised": options.neutralise}
