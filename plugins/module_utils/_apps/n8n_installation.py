# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One n8n: which database, which folders, which settings. 1.x and 2.x on PostgreSQL."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .._postgres.connection import Connection
from .._repository.errors import InputError
from .n8n_database import Tables
from .n8n_settings import N8nSettings, SettingsSource

#: Directories outside the user folder that settings may name; a list is separated by semicolons.
_ELSEWHERE = ("N8N_BINARY_DATA_STORAGE_PATH", "N8N_STORAGE_PATH", "N8N_CUSTOM_EXTENSIONS")
_SOURCE = ("env_file", "unit", "container", "engine", "user_folder", "encryption_key")


@dataclass(frozen=True)
class N8nInstallation:
    """One n8n and all that belongs to it.

    :arg database: name of the database.
    :arg connection: how backups reach its server.
    :arg settings: what it runs with.
    :arg folder: its own folder, ``.n8n`` in the user folder.
    :arg more_folders: folders of binary data and custom nodes that are elsewhere.
    :arg container: container that the folders are in. ``engine``: its engine.
    """

    database: str
    connection: Connection
    settings: N8nSettings
    folder: str
    more_folders: tuple[str, ...] = ()
    container: str | None = None
    engine: str | None = None

    @property
    def tables(self) -> Tables:
        """Where in the database its tables are."""
        environment = self.settings.environment
        return Tables(environment.get("DB_POSTGRESDB_SCHEMA") or "public", environment.get("DB_TABLE_PREFIX") or "")


def n8n_from_settings(given: t.Mapping[str, t.Any]) -> N8nInstallation:
    """Make an installation from a dictionary; what it does not say is taken from the settings that n8n runs with.

    Entries: ``environment`` (a dictionary), ``env_file``, ``unit``, ``container``, ``engine``, ``user_folder``,
    ``encryption_key``, ``database``, ``connection`` (a dictionary), ``more_folders`` (a list).

    Raises :class:`~.._repository.errors.InputError` when something is nowhere to be found.
    """
    source = SettingsSource(given.get("environment"), **{name: given.get(name) for name in _SOURCE})
    settings = source.read()
    environment = settings.environment
    kind = environment.get("DB_TYPE") or ("postgresdb" if given.get("connection") else "sqlite")
    if kind != "postgresdb":
        raise InputError(
            f"This n8n ({settings.source}) keeps its data in {kind}, and only PostgreSQL is backed up here.",
            "Move n8n to PostgreSQL (export:entities and import:entities), or correct where its settings are.",
        )
    connection = given.get("connection")
    folder = os.path.join(settings.user_folder, ".n8n")
    more = given.get("more_folders")
    return N8nInstallation(
        database=given.get("database") or environment.get("DB_POSTGRESDB_DATABASE") or "n8n",
        connection=Connection.from_settings(connection) if connection else own_connection(environment),
        settings=settings,
        folder=folder,
        more_folders=tuple(more) if more is not None else tuple(_elsewhere(environment, folder)),
        container=given.get("container"),
        engine=given.get("engine"),
    )


def own_connection(environment: t.Mapping[str, str]) -> Connection:
    """Return the connection that n8n itself uses."""
    port = environment.get("DB_POSTGRESDB_PORT") or "5432"
    if not port.isdecimal():
        raise InputError(f"DB_POSTGRESDB_PORT is {port!r}, which is no port.", "Correct it, or set connection.")
    encrypted = environment.get("DB_POSTGRESDB_SSL_ENABLED", "").lower() == "true"
    return Connection.from_settings(
        {
            "host": environment.get("DB_POSTGRESDB_HOST") or "localhost",
            "port": int(port),
            "user": environment.get("DB_POSTGRESDB_USER") or "postgres",
            "password": environment.get("DB_POSTGRESDB_PASSWORD"),
            "sslmode": "require" if encrypted else None,
        }
    )


def _elsewhere(environment: t.Mapping[str, str], folder: str) -> t.Iterator[str]:
    seen = set()
    for name in _ELSEWHERE:
        for path in environment.get(name, "").split(";"):
            path = os.path.normpath(path.strip()) if path.strip() else ""
            if os.path.isabs(path) and path not in seen and not (path + "/").startswith(folder.rstrip("/") + "/"):
                seen.add(path)
                yield path
