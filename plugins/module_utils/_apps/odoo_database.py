# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Odoo keeps in its database that a backup must know: version, modules, attachments; and holding off the
collection of unused files."""

from __future__ import annotations

import contextlib
import re
import typing as t

from .._postgres.failures import QueryError
from .._postgres.programs import Client
from .._postgres.session import Session
from .._repository.errors import ContinuityError, InputError

_FIRST_SERIES, _LAST_SERIES = 14, 19
_UNDEFINED = ("42P01", "3F000")


def series_of(version: str) -> str:
    """Return the series of a module version: "19.0" for "19.0.1.3", "saas~18.2" for "saas~18.2.1.3"."""
    found = re.match(r"((?:saas[~-])?\d+\.\d+)(?:\.|$)", version)
    if found is None:
        raise InputError(f"{version!r} is no version of an Odoo module.", "Look whether this is a database of Odoo.")
    return found[1]


def odoo_facts(session: Session) -> dict[str, t.Any]:
    """Return version, series, modules and identity of the Odoo whose database the session is connected to.

    Raises :class:`~.._repository.errors.InputError` when it is no database of Odoo.
    """
    try:
        modules = session.query(
            "SELECT name, latest_version AS version FROM public.ir_module_module"
            " WHERE state IN ('installed', 'to upgrade', 'to remove') ORDER BY name"
        )
        parameters = session.query(
            "SELECT key, value FROM public.ir_config_parameter WHERE key IN"
            " ('database.uuid', 'database.is_neutralized', 'ir_attachment.location', 'web.base.url')"
        )
    except QueryError as error:
        if error.sqlstate not in _UNDEFINED:
            raise
        raise InputError(
            f"The database {session.database} of {session.connection.place} is not one of Odoo: {error.message}",
            "Correct the database's name, or back it up as an ordinary database.",
        ) from error
    versions = {row["name"]: row["version"] for row in modules}
    if not versions.get("base"):
        raise InputError(
            f"The Odoo in database {session.database} is not installed: its module base is not.",
            "Back it up when its installation is done.",
        )
    values = {row["key"]: row["value"] for row in parameters}
    return {
        "version": versions["base"],
        "series": series_of(versions["base"]),
        "modules": versions,
        "uuid": values.get("database.uuid"),
        "neutralized": str(values.get("database.is_neutralized", "")).lower() in ("true", "1"),
        "attachment_location": values.get("ir_attachment.location") or "file",
        "base_url": values.get("web.base.url"),
    }


def is_supported(series: str) -> bool:
    """Tell whether this is a series whose layout is known here."""
    major = re.search(r"\d+", series)
    return major is not None and _FIRST_SERIES <= int(major[0]) <= _LAST_SERIES


class HoldOff:
    """Whether Odoo's collection of unused files is held off, and why not."""

    def __init__(self, session: Session | None, reason: str = "") -> None:
        self._session = session
        self.reason = reason

    @property
    def held(self) -> bool:
        """Tell whether the lock is held at this moment."""
        if self._session is None:
            return False
        try:
            return bool(
                self._session.value(
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND granted"
                    " AND mode = 'RowExclusiveLock' AND relation = 'public.ir_attachment'::regclass) AS held"
                )
            )
        except ContinuityError as error:
            self._session, self.reason = None, error.message
            return False

    def release(self) -> None:
        """Let the collector do its work again."""
        self._session = None


@contextlib.contextmanager
def collection_held_off(client: Client, database: str, lock_timeout: int) -> t.Iterator[HoldOff]:
    """Keep Odoo from deleting files of the filestore while the block runs.

    Odoo's collector locks ``ir_attachment`` in SHARE mode, waits 10 seconds for it, and gives up until its next run
    (14 to 19). The ROW EXCLUSIVE lock taken here is the one every writer takes: it keeps out the collector and nobody
    else. A backup goes on without it, since collection only endangers files that became unused within its time, and
    the accounting of attachments would name them; but it says so.

    :arg lock_timeout: seconds to wait for a collector that is at work now.
    """
    with contextlib.ExitStack() as stack:
        try:
            session = stack.enter_context(Session(client, database))
            session.execute("BEGIN")
            session.execute(f"SET LOCAL lock_timeout = '{lock_timeout}s'")
            session.execute("LOCK TABLE public.ir_attachment IN ROW EXCLUSIVE MODE")
        except ContinuityError as error:
            hold_off = HoldOff(None, error.message)
        else:
            hold_off = HoldOff(session)
            stack.callback(hold_off.release)
        yield hold_off
