# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Odoo: which database, which filestore, which add-ons, and how to reach the server. Odoo 14 to 19."""

from __future__ import annotations

import configparser
import os
import pwd
import typing as t
from dataclasses import dataclass, fields

from .._postgres.connection import Connection
from .._repository.errors import InputError

#: What an odoo.conf says for "not set".
_UNSET = ("", "false", "none")
#: A directory of add-ons that holds one of these comes with Odoo itself, which is installed again from its packages.
_OWN_ADDONS = ("base", "web")


@dataclass(frozen=True)
class OdooInstallation:
    """One Odoo database and all that belongs to it.

    :arg database: name of the database.
    :arg connection: how backups and restores reach the server.
    :arg filestore: directory of the database's filestore, which holds ``00`` to ``ff``.
    :arg addons: directories of add-ons that do not come with Odoo.
    :arg config: path of ``odoo.conf``, or None.
    :arg container: container that filestore, add-ons and configuration are in, as paths inside it. ``engine``: its
        engine.
    :arg command: how Odoo is called, for example ``odoo`` or ``/opt/odoo/odoo-bin``; None when it cannot be.
    :arg run_as: operating system user to call it as.
    """

    database: str
    connection: Connection
    filestore: str
    addons: tuple[str, ...] = ()
    config: str | None = None
    container: str | None = None
    engine: str | None = None
    command: tuple[str, ...] | None = None
    run_as: str | None = None


class OdooConfig:
    """An ``odoo.conf``, as far as it says where things are.

    Raises :class:`~.._repository.errors.InputError` when it cannot be read or is no such file.
    """

    def __init__(self, path: str, text: str | None = None) -> None:
        self.path = path
        parser = configparser.RawConfigParser(strict=False)
        try:
            if text is None:
                with open(path, encoding="utf-8") as file:
                    text = file.read()
            parser.read_string(text, path)
            self._options = dict(parser.items("options"))
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error).replace("\n", " ")
            raise InputError(
                f"The Odoo configuration {path} cannot be used: {reason}.",
                "Give the path of a readable odoo.conf, or leave it out and set database and data_dir.",
            ) from error

    def get(self, name: str) -> str | None:
        """Return an option, or None where it is not set."""
        value = self._options.get(name, "").strip()
        return None if value.lower() in _UNSET else value

    def names(self, name: str) -> list[str]:
        """Return an option that is a list, separated by commas."""
        return [item.strip() for item in (self.get(name) or "").split(",") if item.strip()]

    def connection(self) -> Connection:
        """Return the connection that Odoo itself uses."""
        user, host = self.get("db_user"), self.get("db_host")
        settings: dict[str, t.Any] = {
            "host": host,
            "user": user,
            "password": self.get("db_password"),
            "sslmode": self.get("db_sslmode"),
            "port": self._port(),
        }
        if host is None and settings["password"] is None and user is not None and _is_os_user(user):
            settings["run_as"] = user  # peer authentication, as packages set it up
        return Connection.from_settings(settings)

    def _port(self) -> int | None:
        port = self.get("db_port")
        if port is not None and not port.isdecimal():
            raise InputError(f"db_port in {self.path} is {port!r}, which is no port.", "Correct it.")
        return None if port is None else int(port)

    def data_dir(self) -> str:
        """Return the data directory; where the file has none, the place that Odoo itself takes."""
        given = self.get("data_dir")
        if given is not None:
            return os.path.expanduser(given)
        user = self.get("db_user")
        home = pwd.getpwnam(user).pw_dir if user is not None and _is_os_user(user) else None
        if home is None:
            raise InputError(f"{self.path} names no data_dir.", "Set data_dir, or filestore.")
        return os.path.join(home, ".local/share/Odoo")

    def addons(self, is_directory: t.Callable[[str], bool] = os.path.isdir) -> list[str]:
        """Return the directories of add-ons that do not come with Odoo."""
        own = []
        for path in self.names("addons_path"):
            directory = os.path.expanduser(path)
            if not any(is_directory(os.path.join(directory, name)) for name in _OWN_ADDONS):
                own.append(directory)
        return own


def _is_os_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def installation_from_settings(settings: t.Mapping[str, t.Any]) -> OdooInstallation:
    """Make an installation from a dictionary; what it does not say is taken from the ``odoo.conf`` it names.

    Entries: ``config``, ``database``, ``connection`` (a dictionary), ``data_dir`` or ``filestore``, ``addons`` (a
    list), ``container``, ``engine``, ``command`` (a string or a list), ``run_as``.

    Raises :class:`~.._repository.errors.InputError` when something is neither there nor in the configuration.
    """
    known = {item.name for item in fields(OdooInstallation)} | {"data_dir"}
    for name in settings:
        if name not in known:
            raise InputError(f"An Odoo has no setting {name!r}.", f"Use only these: {', '.join(sorted(known))}.")
    given = {name: value for name, value in settings.items() if value not in (None, "")}
    readable = given.get("config") if given.get("container") is None else None
    config = OdooConfig(readable) if readable else None
    database = given.get("database") or _only_database(config)
    if "connection" in given:
        connection = Connection.from_settings(given["connection"])
    elif config is not None:
        connection = config.connection()
    else:
        raise InputError("Nothing says how to reach the database of Odoo.", "Set connection, or config.")
    command = given.get("command")
    return OdooInstallation(
        database=database,
        connection=connection,
        filestore=given.get("filestore") or _filestore(given.get("data_dir"), config, database),
        addons=tuple(given["addons"]) if "addons" in given else tuple(config.addons() if config else ()),
        config=given.get("config"),
        container=given.get("container"),
        engine=given.get("engine"),
        command=tuple(command.split() if isinstance(command, str) else command) if command else None,
        run_as=given.get("run_as"),
    )


def _only_database(config: OdooConfig | None) -> str:
    names = config.names("db_name") if config else []
    if len(names) != 1:
        said = f"{config.path} names {len(names)} databases" if config else "No database of Odoo is named"
        raise InputError(f"{said}, and one is backed up at a time.", "Set database.")
    return names[0]


def _filestore(data_dir: str | None, config: OdooConfig | None, database: str) -> str:
    if data_dir is None and config is None:
        raise InputError("Nothing says where the filestore of Odoo is.", "Set data_dir, filestore or config.")
    return os.path.join(data_dir or t.cast("OdooConfig", config).data_dir(), "filestore", database)
