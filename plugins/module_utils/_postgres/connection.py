# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach a PostgreSQL server: the one description that every module and command uses."""

from __future__ import annotations

import os
import pwd
import typing as t
from dataclasses import dataclass, field, fields

from .._repository.errors import InputError
from .process import User

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
#: Keeps a connection through firewalls while the server works for hours, and notices within two minutes that the
#: other side is gone (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-KEEPALIVES).
_KEEPALIVES = {"keepalives_idle": "60", "keepalives_interval": "15", "keepalives_count": "4"}


@dataclass(frozen=True)
class Connection:
    """One PostgreSQL server and who we are there.

    :arg host: host name, address, or the directory of its Unix socket; in a container, as seen from inside it.
    :arg port: TCP port, or the number in the socket's name.
    :arg user: PostgreSQL role. By default the operating system user the client programs run as; in a container
        ``postgres``.
    :arg password: given to client programs in a way that neither arguments, environment nor files show.
    :arg maintenance_database: the database to be connected to while another one is created or renamed.
    :arg sslmode: as libpq has it. ``sslrootcert``: path of the authority's certificate, or ``system``.
    :arg container: name or id of the Docker or Podman container that the server runs in. Its own client programs
        are used.
    :arg engine: ``podman`` or ``docker``; by default the one that has this container.
    :arg run_as: operating system user to run client programs as, for peer authentication.
    :arg programs: directory of client programs; by default the most suitable ones are searched for.
    :arg connect_timeout: seconds.
    """

    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    maintenance_database: str = "postgres"
    sslmode: str | None = None
    sslrootcert: str | None = None
    container: str | None = None
    engine: str | None = None
    run_as: str | None = None
    programs: str | None = None
    connect_timeout: int = 15

    @classmethod
    def from_settings(cls, settings: t.Mapping[str, t.Any]) -> Connection:
        """Make a connection from a dictionary; raise :class:`~.._repository.errors.InputError` for what is wrong."""
        known = {item.name for item in fields(cls)}
        for name in settings:
            if name not in known:
                raise InputError(
                    f"A connection has no setting {name!r}.", f"Use only these: {', '.join(sorted(known))}."
                )
        connection = cls(**{name: value for name, value in settings.items() if value is not None and value != ""})
        connection.check()
        return connection

    def check(self) -> None:
        """Raise :class:`~.._repository.errors.InputError` for values that cannot be meant."""
        if self.sslmode is not None and self.sslmode not in _SSL_MODES:
            raise InputError(f"There is no sslmode {self.sslmode!r}.", f"Use one of {', '.join(_SSL_MODES)}.")
        if self.engine not in (None, "podman", "docker"):
            raise InputError(f"{self.engine!r} is no container engine known here.", "Use podman or docker.")
        if self.engine is not None and self.container is None:
            raise InputError(f"The engine {self.engine} was given without a container.", "Name the container.")
        if self.password is not None and any(character in self.password for character in "\0\n\r"):
            raise InputError(
                "The password holds a line break or a NUL character, which client programs cannot be given.",
                "Look whether it was read from a file with its line end; otherwise change it.",
            )

    @property
    def place(self) -> str:
        """Say in words where the server is; holds no secret."""
        if self.container is not None:
            return f"the PostgreSQL in container {self.container}"
        if self.host is None or self.host.startswith(("/", "@")):
            return f"the PostgreSQL at {self.host or 'the default socket'}, port {self.port or 5432}"
        return f"the PostgreSQL at {self.host}:{self.port or 5432}"

    @property
    def role(self) -> str:
        """The PostgreSQL role that is used."""
        if self.user is not None:
            return self.user
        if self.run_as is not None:
            return self.run_as
        return "postgres" if self.container is not None else pwd.getpwuid(os.geteuid()).pw_name

    @property
    def is_local(self) -> bool:
        """Tell whether the server's files may be on this host: reached through a Unix socket, not in a container."""
        return self.container is None and (self.host is None or self.host.startswith("/"))

    def conninfo(self, database: str, **extra: str) -> str:
        """Return the connection string without the password; it may be shown to anyone."""
        values = {
            "host": self.host,
            "port": None if self.port is None else str(self.port),
            "user": self.role,
            "dbname": database,
            "sslmode": self.sslmode,
            "sslrootcert": self.sslrootcert,
            "connect_timeout": str(self.connect_timeout),
            **_KEEPALIVES,
            **extra,
        }
        return " ".join(f"{name}={_quoted(value)}" for name, value in values.items() if value is not None)

    def password_line(self) -> bytes:
        """Return the content of a password file that is valid for every server
        (https://www.postgresql.org/docs/current/libpq-pgpass.html)."""
        escaped = (self.password or "").replace("\\", "\\\\").replace(":", "\\:")
        return f"*:*:*:*:{escaped}\n".encode()

    def os_user(self) -> User | None:
        """Return the user that client programs on this host run as, or None for the present one."""
        if self.run_as is None or self.container is not None:
            return None
        try:
            entry = pwd.getpwnam(self.run_as)
        except KeyError as error:
            raise InputError(
                f"There is no operating system user {self.run_as!r} on this host.", "Correct run_as."
            ) from error
        if os.geteuid() not in (0, entry.pw_uid):
            raise InputError(
                f"Only root can run programs as {self.run_as}, and this is {pwd.getpwuid(os.geteuid()).pw_name}.",
                f"Run this as root or as {self.run_as}, or use a password instead of run_as.",
            )
        groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
        return User(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, groups)


def _quoted(value: str) -> str:
    """Quote a value for a libpq connection string."""
    if "\0" in value:
        raise InputError("A connection setting holds a NUL character.", "Correct it.")
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
