# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL that makes a copy of an Odoo harmless: no mail, no jobs, no payments. Odoo prints it since 16.

It is saved with each backup, since it belongs to exactly the modules that are installed; at restore time Odoo may not
be there to print it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import threading
import typing as t

from .._postgres.connection import Connection
from .._postgres.load import run_script
from .._postgres.process import Child, User
from .._postgres.programs import Client
from .._postgres.session import Session
from .._repository.errors import InputError, TargetError
from .._repository.part_reader import PartReader
from .odoo_database import is_supported
from .odoo_installation import OdooInstallation

#: Since this series there is ``odoo neutralize``.
_SINCE = 16
_USUAL_COMMANDS = ("odoo", "odoo-bin")
#: Seconds that Odoo may take to print some kilobytes.
_PATIENCE = 120.0


class Neutralising(t.NamedTuple):
    """The SQL, or why there is none."""

    sql: bytes | None
    reason: str = ""


def neutralising_sql(installation: OdooInstallation, series: str) -> Neutralising:
    """Have Odoo print the SQL of every installed module; nothing is changed by that."""
    major = int("".join(filter(str.isdigit, series.split(".", maxsplit=1)[0])) or 0)
    if major < _SINCE or not is_supported(series):
        return Neutralising(None, f"Odoo {series} cannot print it, {_SINCE}.0 and later can")
    if installation.container is not None:
        return Neutralising(None, "Odoo runs in a container")
    if installation.config is None:
        return Neutralising(None, "no odoo.conf was given, which Odoo needs to find its modules")
    command = installation.command or _usual_command()
    if command is None:
        return Neutralising(None, "no Odoo program was found on this host; set command")
    return _print(command, installation)


def _usual_command() -> tuple[str, ...] | None:
    found = (shutil.which(name) for name in _USUAL_COMMANDS)
    return next(((path,) for path in found if path), None)


def _print(command: tuple[str, ...], installation: OdooInstallation) -> Neutralising:
    arguments = [*command, "neutralize", "-c", t.cast("str", installation.config), "-d", installation.database]
    user = _user(installation)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    if user is not None:
        environment.update(HOME=user.home, USER=user.name, LOGNAME=user.name)
    try:
        child = Child([*arguments, "--stdout"], name="odoo neutralize", environment=environment, user=user)
    except OSError as error:
        return Neutralising(None, f"{command[0]} could not be started: {error.strerror}")
    alarm = threading.Timer(_PATIENCE, child.kill)
    alarm.start()
    try:
        with child:
            output = b"".join(iter(child.read, b""))
            outcome = child.finish()
    finally:
        alarm.cancel()
    if not outcome.succeeded:
        return Neutralising(None, f"{outcome.ending}: {outcome.stderr[-500:]}")
    start = output.find(b"BEGIN;\n")
    if start < 0 or not output.rstrip().endswith(b"COMMIT;"):
        return Neutralising(None, "Odoo printed something else than SQL")
    return Neutralising(output[start:])


def _user(installation: OdooInstallation) -> User | None:
    """Return whom to run Odoo as: as named, or the owner of its filestore; Odoo refuses some things as root."""
    name = installation.run_as
    if name is None and os.geteuid() == 0:
        try:
            name = pwd.getpwuid(os.stat(installation.filestore).st_uid).pw_name
        except (OSError, KeyError):
            return None
    return None if name is None else Connection(run_as=name).os_user()


def neutraliser(reader: PartReader) -> t.Callable[[Client, str], None]:
    """Return what makes a restored Odoo harmless before it gets its name: ``restore_database`` takes it as ``finish``.

    Raises :class:`~.._repository.errors.InputError` when the backup holds no neutralising SQL.
    """
    reference = reader.streams.get("neutralise")
    if reference is None:
        reason = reader.record["facts"].get("odoo", {}).get("neutralise", "it is not of an Odoo")
        raise InputError(
            f"The part {reader.part} holds no SQL to neutralise Odoo: {reason}.",
            "Restore without neutralising, keep Odoo from starting on it, and run `odoo neutralize` first.",
        )

    def neutralise(client: Client, database: str) -> None:
        with Session(client, client.connection.maintenance_database) as session:
            psql = client.suitable("psql", session.major)
            # Odoo's SQL names tables without their schema.
            pieces = [b"SET search_path = public;\n", *reader.read_stream(reference)]
            run_script(session, database, psql, pieces)
        with Session(client, database) as restored:
            query = "SELECT value FROM public.ir_config_parameter WHERE key = 'database.is_neutralized'"
            if str(restored.value(query)).lower() not in ("true", "1"):
                raise TargetError(
                    "Odoo's neutralising SQL ran, but database.is_neutralized is not set.",
                    "Look at the stream neutralise of the part; nothing was put in place.",
                )

    return neutralise
