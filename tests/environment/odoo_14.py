# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo 14 from Debian 11's package, in a container, on any PostgreSQL: an Odoo that had no ``odoo neutralize`` yet."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import shutil
import subprocess
import typing as t
import urllib.request
from pathlib import Path

import pytest

from .containers import Container, Image, container
from .postgres import Server, cluster, installed_versions
from .processes import announce, cache_dir, free_port, locked, wait_until, working_directory

_IMAGE = Image(
    "localhost/dfr-continuity-odoo:14",
    "bullseye",
    ("odoo-14", "ca-certificates"),
    # Translations are half of it.
    "apt-get clean; rm -rf /var/lib/apt/lists/*; find /usr/lib/python3/dist-packages/odoo -name '*.po*' -delete;"
    " rm -rf /usr/share/doc /usr/share/locale",
)
#: Whatever talks to others and comes with the package.
_MODULES = (
    *("mail", "fetchmail", "sms", "snailmail", "mass_mailing", "base_automation", "iap", "contacts"),
    *("payment_paypal", "payment_stripe", "google_calendar", "microsoft_calendar", "auth_oauth"),
    *("delivery", "website", "website_form", "point_of_sale"),
)
_numbers = itertools.count(1)


class Odoo14:
    """An Odoo 14: configuration and data directory, on a PostgreSQL server, as a database role of its own."""

    #: How it is called in its container.
    command: t.Final = "odoo"

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self.role, self.password = server.new_role("LOGIN CREATEDB")
        self.data_dir = directory / "data"
        self.data_dir.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._running = contextlib.ExitStack()
        settings = {
            "data_dir": self.data_dir,
            "db_host": server.host,
            "db_port": server.port,
            "db_user": self.role,
            "db_password": self.password,
            "http_interface": "127.0.0.1",
            "http_port": self.port,
            "max_cron_threads": 0,
            "list_db": True,
        }
        self.config = directory / "odoo.conf"
        self.config.touch(mode=0o600)
        self.config.write_text("[options]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))

    @contextlib.contextmanager
    def _container(self, *words: str) -> t.Iterator[Container]:
        """Run Odoo as root of the container, on this machine's own network, so that it reaches loopback alone there."""
        options = ["--network", "host", "--volume", f"{self.directory}:{self.directory}"]
        with container(_IMAGE, *words, options=options) as made:
            yield made

    def run(self, *words: str, input: str | None = None) -> str:
        """Run ``odoo`` with arguments such as ``"shell", "-d", name``; the configuration is added."""
        with self._container("sleep", "infinity") as made:
            command, rest = ([words[0]], words[1:]) if words[0] == "shell" else ([], words)
            return made.run(self.command, *command, "-c", str(self.config), *rest, input=input).stdout

    def filestore(self, database: str) -> Path:
        return self.data_dir / "filestore" / database

    def new_database(self) -> str:
        """Create a database with what talks to others installed, and its filestore."""
        dump, filestore = _made()
        name = f"odoo14_{os.getpid()}_{next(_numbers)}"
        self.server.sql(f"CREATE DATABASE {name} OWNER {self.role} TEMPLATE template0")
        words = ["--host", self.server.host, "--port", str(self.server.port), "--username", self.role]
        restore = [_client("pg_restore"), "--exit-on-error", "--no-owner", "--dbname", name, *words, dump]
        subprocess.run(restore, check=True, env={**os.environ, "PGPASSWORD": self.password})
        shutil.copytree(filestore, self.filestore(name))
        return name

    def start(self, database: str, *options: str) -> None:
        """Serve a database at ``url``."""
        words = [self.command, "-c", str(self.config), "-d", database, "--db-filter", f"^{database}$", *options]
        self._running.enter_context(self._container(*words))
        try:
            wait_until(self._answers, "Odoo 14")
        except BaseException:
            self.stop()
            raise

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/web/login", timeout=30) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """Stop serving. Nothing happens when it does not run."""
        self._running.close()


def _client(name: str) -> str:
    """A PostgreSQL client program of the newest version installed here."""
    return f"/usr/lib/postgresql/{installed_versions()[0]}/bin/{name}"


def _made() -> tuple[Path, Path]:
    """A dump and a filestore made by Odoo 14, made once and kept in the cache."""
    recipe = hashlib.sha256(repr((_IMAGE.recipe, _MODULES)).encode()).hexdigest()[:12]
    target = cache_dir() / f"odoo-14-{installed_versions()[0]}-{recipe}"
    with locked("odoo-14"):
        if not target.exists():
            announce("making a database with Odoo 14 (about three minutes)")
            _make(target)
    return target / "database.dump", target / "filestore"


def _make(target: Path) -> None:
    unfinished = target.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    with cluster() as server, odoo_14(server) as made:
        made.run("-d", "made", "-i", ",".join(_MODULES), "--without-demo=all", "--stop-after-init")
        words = ["--host", server.host, "--port", str(server.port), "--username", made.role]
        dump = [_client("pg_dump"), "--format=custom", *words, "--file", unfinished / "database.dump", "made"]
        subprocess.run(dump, check=True, env={**os.environ, "PGPASSWORD": made.password})
        shutil.copytree(made.filestore("made"), unfinished / "filestore")
    unfinished.rename(target)


def prepare() -> None:
    """Build the image and make the database, where the cache has none."""
    _made()


@contextlib.contextmanager
def odoo_14(server: Server) -> t.Iterator[Odoo14]:
    """An Odoo 14 without a database, on a PostgreSQL server; stopped and removed afterwards, its databases are left."""
    with working_directory("odoo14") as directory:
        made = Odoo14(server, directory)
        try:
            yield made
        finally:
            made.stop()


class MakeOdoo14(t.Protocol):
    def __call__(self, server: Server) -> Odoo14: ...


@pytest.fixture
def make_odoo_14() -> t.Iterator[MakeOdoo14]:
    """Makes an Odoo 14 on a PostgreSQL server, for one test."""
    with contextlib.ExitStack() as stack:
        yield lambda server: stack.enter_context(odoo_14(server))
