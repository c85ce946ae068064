# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server must have before a dump can be restored to it: looked at before anything is changed."""

from __future__ import annotations

import os
import typing as t

from .._repository.errors import InputError, TargetError
from .failures import QueryError
from .programs import Client
from .session import Session

_OWN_DATABASES = ("postgres", "template0", "template1")


def check_name(session: Session, name: str) -> None:
    """Raise InputError for a name that no restore may give a database."""
    if name in _OWN_DATABASES or name == session.connection.maintenance_database:
        raise InputError(f"The database {name} is the server's own; nothing is restored over it.", "Give another name.")


def check_version(session: Session, dumped_by: int) -> None:
    """Raise TargetError when the server is older than the one that was dumped, whose SQL it may not understand."""
    if session.major < dumped_by:
        raise TargetError(
            f"The dump is of PostgreSQL {dumped_by}, and {session.connection.place} is the older {session.major}.",
            f"Restore to PostgreSQL {dumped_by} or newer.",
        )


def check_role(session: Session, owner: str | None) -> None:
    """Raise TargetError when our role may not create databases, or not ones of this owner."""
    row = session.query(
        "SELECT current_user AS name, r.rolsuper, r.rolcreatedb,"
        " EXISTS (SELECT FROM pg_roles o WHERE o.rolname = %s) AS owner_exists"
        " FROM pg_roles r WHERE r.rolname = current_user",
        owner or "",
    )[0]
    place = session.connection.place
    if not (row["rolsuper"] or row["rolcreatedb"]):
        raise TargetError(
            f"Role {row['name']} may not create databases on {place}.", "Use a superuser or a role with CREATEDB."
        )
    if owner is None:
        return
    if not row["owner_exists"]:
        raise TargetError(f"The role {owner} that is to own the database does not exist on {place}.", "Create it.")
    member = session.value("SELECT pg_has_role(current_user, %s, 'MEMBER') AS member", owner)
    if not (row["rolsuper"] or member):
        raise TargetError(
            f"Role {row['name']} is no member of role {owner}, so it cannot make a database for it on {place}.",
            f"Use a superuser, or GRANT {owner} TO {row['name']}.",
        )


def is_superuser(session: Session) -> bool:
    """Tell whether our role is a superuser."""
    return bool(session.value("SELECT rolsuper AS yes FROM pg_roles WHERE rolname = current_user"))


def check_extensions(session: Session, wanted: t.Sequence[t.Mapping[str, str]]) -> list[str]:
    """Raise TargetError for extensions that the server lacks; return warnings for those of another version."""
    rows = session.query(
        "SELECT name, default_version FROM pg_available_extensions WHERE name = ANY (%s)",
        [item["name"] for item in wanted],
    )
    there = {row["name"]: row["default_version"] for row in rows}
    missing = [f"{item['name']} {item['version']}" for item in wanted if item["name"] not in there]
    if missing:
        raise TargetError(
            f"Extensions that the database needs are missing on {session.connection.place}: {', '.join(missing)}.",
            "Install them on the server, on Debian as packages named postgresql-<version>-<extension>"
            " or postgresql-contrib.",
        )
    return [
        f"Extension {item['name']} was {item['version']} and is now {there[item['name']]}."
        for item in wanted
        if item["version"] != there[item["name"]]
    ]


def untrusted_extensions(session: Session, wanted: t.Sequence[t.Mapping[str, str]]) -> frozenset[str]:
    """Return those extensions that only a superuser may create."""
    rows = session.query(
        "SELECT DISTINCT a.name FROM pg_available_extension_versions a JOIN pg_available_extensions d"
        " ON d.name = a.name AND d.default_version = a.version"
        " WHERE a.superuser AND NOT a.trusted AND a.name = ANY (%s)",
        [item["name"] for item in wanted],
    )
    return frozenset(row["name"] for row in rows)


def make_immutable(session: Session, function: str) -> None:
    """Declare a function of an extension immutable, where the extension itself does not.

    :arg function: its signature, as ``regprocedure`` writes it.
    """
    query = "SELECT provolatile FROM pg_proc WHERE oid = to_regprocedure(%s)"
    if session.value(query, function) not in (None, "i"):
        session.execute(f"ALTER FUNCTION {function} IMMUTABLE")


def check_space(client: Client, session: Session, needed: int) -> None:
    """Raise TargetError when the server's disk, where we can look at it, has less room than the database took."""
    free = _free_space(client, session)
    if free is not None and free < needed:
        raise TargetError(
            f"The disk of {session.connection.place} has {_gigabytes(free)} free, and the database took"
            f" {_gigabytes(needed)}.",
            "Free space or restore to another server; a database that was bloated takes less:"
            " then switch this check off with check_space.",
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"


def _free_space(client: Client, session: Session) -> int | None:
    """Return the free bytes where the server keeps its data; None when that cannot be known from here."""
    try:
        directory = session.value("SELECT current_setting('data_directory') AS d")
        port = session.value("SELECT current_setting('port') AS p")
    except QueryError:  # only superusers and pg_read_all_settings may know
        return None
    if session.connection.container is not None:
        return client.free_space_in_container(directory)
    if not session.connection.is_local:
        return None
    try:
        # The socket may lead into a container, whose directory would be another one here.
        with open(os.path.join(directory, "postmaster.pid"), encoding="ascii") as file:
            if file.read().split("\n")[3] != port:
                return None
        state = os.statvfs(directory)
    except (OSError, IndexError, UnicodeDecodeError):
        return None
    return state.f_bavail * state.f_frsize
