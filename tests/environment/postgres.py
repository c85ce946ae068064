# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throwaway PostgreSQL clusters of the newest version installed on this machine (15 on Debian 12).

TCP on 127.0.0.1 asks for a password (scram-sha-256); the Unix socket trusts everyone, or asks for the right system
user with ``socket_authentication="peer"``. Clusters do not fsync: they are made to be thrown away.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import shutil
import signal
import subprocess
import typing as t
from pathlib import Path

import psycopg2
import pytest

from .processes import Program, accepts_connections, free_port, working_directory

SYSTEM_USER = "postgres"
_numbers = itertools.count(1)


def installed_versions() -> list[int]:
    """Major versions of the PostgreSQL servers installed from Debian's packages, newest first."""
    versions = [int(path.name) for path in Path("/usr/lib/postgresql").glob("[0-9]*") if (path / "bin/initdb").exists()]
    return sorted(versions, reverse=True)


class Server:
    """How to reach a PostgreSQL server, wherever it runs."""

    superuser: t.Final = "postgres"

    def __init__(self, host: str, port: int, password: str) -> None:
        self.host = host
        self.port = port
        self.password = password

    def connect(self, database: str = "postgres", **parameters: t.Any) -> t.Any:
        """A psycopg2 connection over TCP, as superuser unless ``parameters`` say otherwise."""
        defaults = {"host": self.host, "port": self.port, "user": self.superuser, "password": self.password}
        return psycopg2.connect(dbname=database, **{**defaults, **parameters})

    def sql(self, statement: str, *arguments: t.Any, database: str = "postgres") -> list[tuple[t.Any, ...]]:
        """Execute statements outside a transaction, as superuser; return the last one's rows."""
        with contextlib.closing(self.connect(database)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, arguments or None)
                return cursor.fetchall() if cursor.description else []

    def new_role(self, options: str = "LOGIN") -> tuple[str, str]:
        """Create a role of a fresh name. Returns name and password."""
        name, password = f"role_{os.getpid()}_{next(_numbers)}", secrets.token_urlsafe(12)
        self.sql(f"CREATE ROLE {name} {options} PASSWORD '{password}'")
        return name, password

    def new_database(self, owner: str = "postgres", template: str = "template1") -> str:
        """Create a database of a fresh name and return the name."""
        name = f"db_{os.getpid()}_{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name} OWNER {owner} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def databases(self) -> set[str]:
        return {row[0] for row in self.sql("SELECT datname FROM pg_database")}


class Cluster(Server):
    """A cluster on this machine, in a directory of its own."""

    def __init__(self, directory: Path, *, socket_authentication: str, settings: t.Mapping[str, str]) -> None:
        super().__init__("127.0.0.1", free_port(), secrets.token_urlsafe(12))
        self.version = installed_versions()[0]
        self.bin = Path(f"/usr/lib/postgresql/{self.version}/bin")
        self.directory = directory
        self.data = directory / "data"
        self.socket_dir = directory
        self.settings = {"fsync": "off", "listen_addresses": "127.0.0.1", "shared_buffers": "64MB", **settings}
        self._initialise(socket_authentication)
        self.program = Program(
            [self.bin / "postgres", "-D", self.data],
            directory / "server.log",
            self._is_ready,
            user=SYSTEM_USER,
            cwd=directory,
            stop_signal=signal.SIGINT,  # fast shutdown
        )

    def _initialise(self, socket_authentication: str) -> None:
        password_file = self.directory / "password"
        password_file.write_text(self.password)
        if os.geteuid() == 0:
            shutil.chown(password_file, SYSTEM_USER)
        initdb = f"{self.bin}/initdb --no-sync --data-checksums --encoding=UTF8 --locale=C.UTF-8 --username=postgres"
        authentication = [
            "--auth-host=scram-sha-256",
            f"--auth-local={socket_authentication}",
            f"--pwfile={password_file}",
        ]
        self.run_as_server([*initdb.split(), "-D", self.data, *authentication])
        password_file.unlink()
        lines = [f"{name} = '{value}'\n" for name, value in self.settings.items()]
        lines += [f"port = {self.port}\n", f"unix_socket_directories = '{self.socket_dir}'\n"]
        with open(self.data / "postgresql.conf", "a") as file:
            file.writelines(lines)

    def _is_ready(self) -> bool:
        return accepts_connections(self.port) and self._answers()

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    @property
    def running(self) -> bool:
        return self.program.running

    @property
    def pid(self) -> int:
        """Process id of the postmaster."""
        return self.program.pid

    def start(self) -> None:
        self.program.start()

    def stop(self) -> None:
        """Fast shutdown: transactions are rolled back, connections closed."""
        self.program.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def configure(self, settings: t.Mapping[str, str]) -> None:
        """Change settings, for the next start or ``SELECT pg_reload_conf()``."""
        with open(self.data / "postgresql.conf", "a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def log(self) -> str:
        return self.program.log.read_text(errors="replace")

    def run_as_server(
        self, argv: t.Sequence[str | os.PathLike[str]], **options: t.Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as the system user that owns the cluster; raises RuntimeError with its output on failure."""
        as_user = ["setpriv", "--reuid", SYSTEM_USER, "--regid", SYSTEM_USER, "--init-groups"]
        result = subprocess.run(
            [*(as_user if os.geteuid() == 0 else []), *map(os.fspath, argv)],
            capture_output=True,
            text=True,
            cwd=self.directory,
            **options,
        )
        if result.returncode:
            raise RuntimeError(f"{argv[0]} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
        return result


@contextlib.contextmanager
def cluster(
    *, socket_authentication: str = "trust", settings: t.Mapping[str, str] | None = None
) -> t.Iterator[Cluster]:
    """A running cluster, removed afterwards. For programs; tests take the fixtures below."""
    with working_directory("postgres", owner=SYSTEM_USER) as directory:
        made = Cluster(directory, socket_authentication=socket_authentication, settings=settings or {})
        made.start()
        try:
            yield made
        finally:
            made.stop()


class MakeCluster(t.Protocol):
    def __call__(
        self, *, socket_authentication: str = "trust", settings: t.Mapping[str, str] | None = None
    ) -> Cluster: ...


@pytest.fixture
def make_cluster() -> t.Iterator[MakeCluster]:
    """Makes clusters for one test that must stop, break or configure them."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(cluster(**options))


@pytest.fixture(scope="session")
def postgres() -> t.Iterator[Cluster]:
    """A cluster to back up from. Shared: make databases and roles of your own with ``new_database``, ``new_role``."""
    with cluster() as made:
        yield made


@pytest.fixture(scope="session")
def other_postgres() -> t.Iterator[Cluster]:
    """A second cluster, to restore to. Shared as well."""
    with cluster() as made:
        yield made
