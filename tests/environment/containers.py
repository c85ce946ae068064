# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers under Podman, from images that debootstrap makes: a PostgreSQL of another version, a systemd host.

No image is downloaded from a container registry; Debian's archive is enough.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import secrets
import shutil
import subprocess
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest

from .debian import debootstrap
from .postgres import Server
from .processes import announce, cache_dir, free_port, is_left_over, locked, own_name, wait_until

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Image:
    """A Debian suite with packages. Built again when this recipe changes."""

    name: str
    suite: str
    packages: tuple[str, ...]
    #: Run by the shell inside the image's root before it is packed.
    finish: str = ":"

    @property
    def recipe(self) -> str:
        return hashlib.sha256(repr((self.suite, self.packages, self.finish)).encode()).hexdigest()

    def build(self) -> str:
        """Build the image unless there is one of this recipe; return its name."""
        with locked(f"image-{self.name.replace('/', '-').replace(':', '-')}"):
            built = podman(
                "images", "--quiet", "--filter", f"label=recipe={self.recipe}", "--filter", f"reference={self.name}"
            )
            if not built:
                announce(f"building the container image {self.name} (about two minutes)")
                self._build()
        return self.name

    def _build(self) -> None:
        root = Path(tempfile.mkdtemp(prefix="image-", dir=cache_dir()))
        try:
            root.chmod(0o755)
            debootstrap(self.suite, self.packages, root)
            subprocess.run(["chroot", root, "/bin/sh", "-euc", self.finish], check=True)
            with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
                podman("import", "--quiet", "--change", f"LABEL recipe={self.recipe}", "-", self.name, stdin=tar.stdout)
            if tar.returncode:
                raise RuntimeError(f"tar ended with {tar.returncode} while packing {self.name}")
        finally:
            shutil.rmtree(root, ignore_errors=True)


_TIDY = "apt-get clean; rm -rf /var/lib/apt/lists/*; rm -f /etc/machine-id; : > /etc/machine-id; "

POSTGRES_17 = Image(
    "localhost/dfr-continuity-postgres:17",
    "trixie",
    ("postgresql-17",),
    # The cluster Debian makes while installing would be the same in every container.
    _TIDY + "rm -rf /var/lib/postgresql/17 /etc/postgresql/17",
)

#: A machine to be backed up: systemd, and what an Ansible target needs. PostgreSQL 15 starts at boot.
HOST = Image(
    "localhost/dfr-continuity-host:bookworm",
    "bookworm",
    (
        *("systemd", "systemd-sysv", "dbus", "cron", "sudo", "procps", "iproute2", "ca-certificates", "rsync"),
        *("python3", "python3-venv", "python3-apt", "python3-psycopg2", "postgresql"),
    ),
    _TIDY + "systemctl mask systemd-networkd.service systemd-resolved.service getty.target console-getty.service"
    " systemd-logind.service e2scrub_all.timer apt-daily.timer apt-daily-upgrade.timer",
)


class PodmanError(RuntimeError):
    """A podman command failed; the message holds what it printed."""


def podman(*words: str | os.PathLike[str], stdin: t.IO[bytes] | None = None) -> str:
    """Run podman and return what it printed, without the final newline."""
    result = subprocess.run(["podman", *words], stdin=stdin or subprocess.DEVNULL, capture_output=True)
    if result.returncode:
        command = " ".join(map(str, words))
        raise PodmanError(f"podman {command} ended with {result.returncode}: {result.stderr.decode(errors='replace')}")
    return result.stdout.decode().rstrip("\n")


@dataclass(frozen=True)
class Container:
    """A running container. ``address`` is reachable from this machine."""

    name: str

    @property
    def address(self) -> str:
        return podman("inspect", "--format", "{{.NetworkSettings.IPAddress}}", self.name)

    def run(
        self, *argv: str, input: str | None = None, user: str = "root", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside. Raises RuntimeError with its output on failure, unless ``check`` is false."""
        result = subprocess.run(
            ["podman", "exec", "--interactive", "--user", user, self.name, *argv],
            input=input or "",
            capture_output=True,
            text=True,
        )
        if check and result.returncode:
            raise RuntimeError(f"{argv} ended with {result.returncode} in {self.name}: {result.stdout}{result.stderr}")
        return result


@contextlib.contextmanager
def container(image: Image, *command: str, options: t.Sequence[str | os.PathLike[str]] = ()) -> t.Iterator[Container]:
    """A running container, removed afterwards."""
    name = f"{own_name('container')}-{next(_numbers)}"
    podman("run", "--detach", "--name", name, *options, image.build(), *command)
    try:
        yield Container(name)
    finally:
        podman("rm", "--force", "--time", "0", "--volumes", name)


def remove_left_over() -> None:
    """Remove containers whose tests were killed."""
    for name in podman("ps", "--all", "--format", "{{.Names}}").splitlines():
        if is_left_over(name):
            podman("rm", "--force", "--time", "0", "--volumes", name)


@contextlib.contextmanager
def systemd_host(*options: str | os.PathLike[str]) -> t.Iterator[Container]:
    """A booted machine of the image :data:`HOST`."""
    words = ["--systemd=always", "--tmpfs", "/tmp", "--hostname", f"host{next(_numbers)}", *options]
    with container(HOST, "/lib/systemd/systemd", options=words) as host:
        # "degraded" is a finished boot as well.
        states = ("running", "degraded")
        wait_until(
            lambda: host.run("systemctl", "is-system-running", check=False).stdout.strip() in states,
            "systemd in a host",
        )
        yield host


class PostgresContainer(Server):
    """PostgreSQL in a container, like the usual images: TCP with a password, anyone inside over the socket.

    ``host`` and ``port`` are published on the loopback address; ``container.address`` with port 5432 works too.
    """

    def __init__(self, container: Container, port: int) -> None:
        super().__init__("127.0.0.1", port, secrets.token_urlsafe(12))
        self.container = container
        self.container_name = container.name

    def psql(self, statement: str, database: str = "postgres") -> str:
        """What psql prints for a statement, run inside the container over the socket as superuser."""
        psql = ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-At", "-U", self.superuser, "-d", database]
        return self.container.run(*psql, input=statement).stdout.rstrip("\n")

    def _is_ready(self) -> bool:
        inside = ["pg_isready", "--quiet", "-U", self.superuser]
        return self.container.run(*inside, check=False).returncode == 0

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def prepare(self) -> None:
        """Wait for the server and give the superuser its password, which thus stands in no argument."""
        wait_until(self._is_ready, "PostgreSQL in a container")
        self.psql(f"ALTER ROLE {self.superuser} PASSWORD '{self.password}'")
        wait_until(self._answers, "PostgreSQL in a container, over TCP")


_START_POSTGRES = """
set -eu
bin=/usr/lib/postgresql/17/bin data=/var/lib/postgresql/data
as_postgres() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }
install -d -o postgres -g postgres /run/postgresql
as_postgres $bin/initdb -D $data --no-sync --data-checksums --encoding=UTF8 --locale=C.UTF-8 --auth=trust
printf '%s\n' 'local all all trust' 'host all all all scram-sha-256' > $data/pg_hba.conf
exec setpriv --reuid postgres --regid postgres --init-groups \
    $bin/postgres -D $data -c fsync=off -c listen_addresses='*' -c unix_socket_directories=/run/postgresql
"""


@contextlib.contextmanager
def postgres_container() -> t.Iterator[PostgresContainer]:
    """A running PostgreSQL 17 in a container."""
    port = free_port()
    options = ["--publish", f"127.0.0.1:{port}:5432", "--stop-signal", "SIGINT"]
    with container(POSTGRES_17, "/bin/sh", "-c", _START_POSTGRES, options=options) as made:
        server = PostgresContainer(made, port)
        server.prepare()
        yield server


@pytest.fixture(scope="session")
def postgres_17() -> t.Iterator[PostgresContainer]:
    """PostgreSQL 17 in a Podman container. Shared: work in databases of your own."""
    with postgres_container() as server:
        yield server


@pytest.fixture(scope="session")
def host() -> t.Iterator[Container]:
    """A booted Debian 12 with systemd, cron, sudo and PostgreSQL 15."""
    with systemd_host() as made:
        yield made
