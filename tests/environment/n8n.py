# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""n8n 2.x with a Node.js of its own, both from npm: installed once into the cache, run against any PostgreSQL."""

from __future__ import annotations

import contextlib
import hashlib
import http.cookiejar
import itertools
import json
import os
import platform
import secrets
import shutil
import subprocess
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from .postgres import Server
from .processes import Program, announce, cache_dir, free_port, locked, working_directory

_ARCHITECTURE = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
_NODE = f"node-linux-{_ARCHITECTURE}"
_PACKAGE: dict[str, t.Any] = {
    "name": "dfr-continuity-n8n",
    "private": True,
    "dependencies": {"n8n": "2.40.7", _NODE: "24.21.0"},
    # What n8n names itself is no version of a registry.
    "overrides": {"xlsx": "0.18.5", "linkedom": "0.18.12"},
}
#: Nothing is compiled: what scripts would build (SQLite, headless browsers) is not used with PostgreSQL.
_INSTALL = (
    *("npm", "install", "--ignore-scripts", "--legacy-peer-deps", "--omit=dev", "--omit=optional"),
    *("--no-audit", "--no-fund", "--loglevel=error"),
)
#: n8n reads every node's description at each start, on a machine whose processors the tests share.
_PATIENCE = 180.0


def install() -> Path:
    """The directory with Node.js and n8n, after installing them where they are not yet cached (3 minutes, 2 GB)."""
    recipe = hashlib.sha256(repr((_PACKAGE, _INSTALL)).encode()).hexdigest()
    target = cache_dir() / f"n8n-2-{recipe[:12]}"
    with locked("n8n-2"):
        if not target.exists():
            announce("installing n8n 2 (about three minutes, 2 GB)")
            unfinished = target.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            (unfinished / "package.json").write_text(json.dumps(_PACKAGE))
            subprocess.run(_INSTALL, cwd=unfinished, check=True)
            for useless in unfinished.glob("node_modules/**/*.map"):
                useless.unlink()
            unfinished.rename(target)
    return target


def prepare() -> None:
    """Install n8n where the cache has none."""
    install()


class N8nError(RuntimeError):
    """n8n answered with an error; the message holds its status and answer."""


class N8n:
    """An n8n on a PostgreSQL server, with a database and a role of its own, and its owner's session.

    ``environment`` holds its settings, ``env_file`` the same as a file; ``user_folder`` holds ``.n8n``.
    """

    email: t.Final = "owner@example.com"
    owner_password: t.Final = "Only-4-tests"

    def __init__(self, server: Server, directory: Path, **settings: str) -> None:
        installed = install()
        self.server = server
        self.directory = directory
        self.command = (
            str(installed / "node_modules" / _NODE / "bin/node"),
            str(installed / "node_modules/n8n/bin/n8n"),
        )
        self.role, self.password = server.new_role("LOGIN")
        self.database = server.new_database(self.role)
        self.user_folder = directory / "home"
        self.user_folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env_file = directory / "n8n.env"
        self.log_file = directory / "n8n.log"
        self.environment = {
            "DB_TYPE": "postgresdb",
            "DB_POSTGRESDB_HOST": server.host,
            "DB_POSTGRESDB_PORT": str(server.port),
            "DB_POSTGRESDB_DATABASE": self.database,
            "DB_POSTGRESDB_USER": self.role,
            "DB_POSTGRESDB_PASSWORD": self.password,
            "N8N_ENCRYPTION_KEY": secrets.token_urlsafe(24),
            **self.places(),
            **settings,
        }
        self._program: Program | None = None
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def places(self) -> dict[str, str]:
        """Settings that belong to this instance and not to its data; nothing but the loopback is listened on."""
        return {
            "N8N_USER_FOLDER": str(self.user_folder),
            "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_PORT": str(self.port),
            "N8N_RUNNERS_BROKER_PORT": str(free_port()),
            "N8N_DIAGNOSTICS_ENABLED": "false",
            "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
            "N8N_TEMPLATES_ENABLED": "false",
            "N8N_SECURE_COOKIE": "false",
            "GENERIC_TIMEZONE": "Europe/Berlin",
        }

    def write_env_file(self) -> Path:
        """Write the settings as systemd and containers read them."""
        self.env_file.touch(mode=0o600)
        self.env_file.write_text("".join(f"{name}={value}\n" for name, value in self.environment.items()))
        return self.env_file

    def _process_environment(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(self.command[0]).parent}:/usr/bin:/bin",
            "HOME": str(self.directory),
            **self.environment,
        }

    @property
    def program(self) -> Program:
        """The process; raises AssertionError when it was never started."""
        assert self._program is not None, "this n8n was not started"
        return self._program

    def start(self) -> None:
        """Start it and wait until its database is connected and migrated. Raises RuntimeError when it ends instead."""
        assert self._program is None, "this n8n runs already"
        program = Program(
            [*self.command, "start"],
            self.log_file,
            self._is_ready,
            env=self._process_environment(),
            cwd=self.directory,
            patience=_PATIENCE,
        )
        program.start()
        self._program = program

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz/readiness", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """Stop it. Nothing happens when it does not run."""
        program, self._program = self._program, None
        if program is not None:
            program.stop()

    def run(self, *words: str | os.PathLike[str]) -> str:
        """Run an n8n command such as ``"import:workflow", "--input", path``; raises RuntimeError on failure."""
        done = subprocess.run(
            [*self.command, *map(os.fspath, words)],
            env=self._process_environment(),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"n8n {words[0]} ended with {done.returncode}:\n{done.stdout[-4000:]}")
        return done.stdout

    def sql(self, statement: str, *arguments: t.Any) -> list[tuple[t.Any, ...]]:
        """Execute statements in its database as superuser; return the last one's rows."""
        return self.server.sql(statement, *arguments, database=self.database)

    # -- what its users do

    def set_up_owner(self) -> None:
        """Make the owner, as the first visitor does, and be logged in."""
        person = {"email": self.email, "firstName": "Olga", "lastName": "Owner", "password": self.owner_password}
        self.call("POST", "/rest/owner/setup", person)

    def log_in(self) -> None:
        """Log in as the owner."""
        self.call("POST", "/rest/login", {"emailOrLdapLoginId": self.email, "password": self.owner_password})

    def call(self, method: str, path: str, body: t.Any = None) -> t.Any:
        """Call what the editor calls; return the data of the answer. Raises :class:`N8nError`."""
        request = urllib.request.Request(
            self.url + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "browser-id": "tests"},
            method=method,
        )
        try:
            with self._opener.open(request, timeout=60) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            raise N8nError(f"{method} {path}: {error.code} {error.read()[:2000]!r}") from error
        return json.loads(content).get("data") if content else None

    def new_credential(self, name: str, secret: str) -> str:
        """Store a credential (HTTP basic authentication); return its id."""
        data = {"user": "tests", "password": secret}
        return str(self.call("POST", "/rest/credentials", {"name": name, "type": "httpBasicAuth", "data": data})["id"])

    def new_workflow(self, name: str, nodes: t.Sequence[t.Mapping[str, t.Any]], *, publish: bool = True) -> str:
        """Make a workflow whose nodes follow each other; return its id."""
        names = [str(node["name"]) for node in nodes]
        connections = {
            one: {"main": [[{"node": other, "type": "main", "index": 0}]]} for one, other in itertools.pairwise(names)
        }
        placed = [{"position": [200 * number, 0], **node} for number, node in enumerate(nodes)]
        workflow = {"name": name, "nodes": placed, "connections": connections, "settings": {}, "active": False}
        made = self.call("POST", "/rest/workflows", workflow)
        if publish:
            self.call("POST", f"/rest/workflows/{made['id']}/activate", {"versionId": made["versionId"]})
        return str(made["id"])


@contextlib.contextmanager
def n8n(server: Server, **settings: str) -> t.Iterator[N8n]:
    """An n8n that is not started, on a PostgreSQL server; stopped and removed afterwards, with its database."""
    with working_directory("n8n") as directory:
        made = N8n(server, directory, **settings)
        try:
            yield made
        finally:
            made.stop()
            server.drop_database(made.database)


class MakeN8n(t.Protocol):
    def __call__(self, server: Server, **settings: str) -> N8n: ...


@pytest.fixture
def make_n8n() -> t.Iterator[MakeN8n]:
    """Makes an n8n on a PostgreSQL server, for one test."""
    with contextlib.ExitStack() as stack:
        yield lambda server, **settings: stack.enter_context(n8n(server, **settings))
