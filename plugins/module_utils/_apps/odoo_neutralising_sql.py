# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the SQL comes from that makes a copy of an Odoo harmless: no mail, no jobs, no payments.

Odoo prints it since 16; for 14 and 15 it is made here. It is saved with each backup, since it belongs to exactly the
modules that are installed; at restore time Odoo may not be there to print it.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import threading
import typing as t

from .._postgres.connection import Connection
from .._postgres.process import Child, User
from .._postgres.programs import Client
from .._postgres.session import Session
from .._repository.errors import ContinuityError, InputError
from .._repository.part_reader import PartReader
from .odoo_database import is_supported
from .odoo_installation import OdooInstallation
from .odoo_neutralise_rules import measures, read_schema, script, statements

#: Since this series there is ``odoo neutralize``.
_SINCE = 16
_USUAL_COMMANDS = ("odoo", "odoo-bin")
#: Seconds that Odoo may take to print some kilobytes.
_PATIENCE = 120.0
_BEGIN, _COMMIT = b"BEGIN;\n", b"COMMIT;"
#: Bytes of a file that is read as SQL: that of all of Odoo's modules together has 20 kB.
_MOST = 16 << 20


def prints_it(series: str) -> bool:
    """Tell whether an Odoo of this series has ``odoo neutralize``."""
    major = re.search(r"\d+", series)
    return major is not None and int(major[0]) >= _SINCE


class Neutralising(t.NamedTuple):
    """The SQL, or why there is none."""

    sql: bytes | None
    reason: str = ""


def neutralising_sql(installation: OdooInstallation, series: str) -> Neutralising:
    """Have Odoo print the SQL of every installed module; where it cannot yet, make it from the tables there are.

    Nothing is changed by that.
    """
    if not is_supported(series):
        return Neutralising(None, f"Odoo {series} is no series whose tables are known here")
    if not prints_it(series):
        return _of_tables(installation)
    if installation.container is not None:
        return Neutralising(None, "Odoo runs in a container")
    if installation.config is None:
        return Neutralising(None, "no odoo.conf was given, which Odoo needs to find its modules")
    command = installation.command or _usual_command()
    if command is None:
        return Neutralising(None, "no Odoo program was found on this host; set command")
    return _print(command, installation)


def _of_tables(installation: OdooInstallation) -> Neutralising:
    try:
        with Session(Client(installation.connection), installation.database) as session:
            schema = read_schema(session)
    except ContinuityError as error:
        return Neutralising(None, error.message)
    return Neutralising(script(statements(schema, measures(schema, built_in=True))))


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
    start = output.find(_BEGIN)
    if start < 0 or not output.rstrip().endswith(_COMMIT):
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


def saved_sql(reader: PartReader) -> bytes | None:
    """Return the SQL that was saved with a backup, without its BEGIN and COMMIT; None when the backup holds none.

    Raises :class:`~.._repository.errors.InputError` when what it holds is no such SQL.
    """
    reference = reader.streams.get("neutralise")
    if reference is None:
        return None
    return _within(b"".join(reader.read_stream(reference)), f"The stream neutralise of the part {reader.part}")


def why_not_saved(reader: PartReader) -> str:
    """Say why a backup holds no neutralising SQL."""
    return str(reader.record["facts"].get("odoo", {}).get("neutralise", "it is not of an Odoo"))


def sql_of_file(path: str) -> bytes:
    """Return the SQL in a file that ``odoo neutralize --stdout`` has printed, without its BEGIN and COMMIT.

    Raises :class:`~.._repository.errors.InputError` when it cannot be read or is no such SQL.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(_MOST + 1)
    except OSError as error:
        raise InputError(f"The file {path} cannot be read: {error.strerror}.", "Correct sql_file.") from error
    return _within(text, f"The file {path}")


def _within(text: bytes, what: str) -> bytes:
    """Take away BEGIN and COMMIT, since more belongs to the same transaction, and what Odoo has logged before."""
    start, end = text.find(_BEGIN), text.rstrip().rfind(_COMMIT)
    if start < 0 or end != len(text.rstrip()) - len(_COMMIT) or end < start or len(text) > _MOST:
        raise InputError(
            f"{what} is not what `odoo neutralize --stdout` prints: one transaction from BEGIN; to COMMIT;.",
            "Have Odoo print it again.",
        )
    inner = text[start + len(_BEGIN) : end]
    # It must not end the transaction before all is proved. END is left out: it ends the blocks of PL/pgSQL too.
    if re.search(rb"(?im)^\s*(BEGIN|COMMIT|ROLLBACK|ABORT)(\s+(WORK|TRANSACTION))?\s*;", inner):
        raise InputError(f"{what} holds more than one transaction.", "Give what `odoo neutralize --stdout` printed.")
    return inner
