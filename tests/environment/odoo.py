# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo 19 from Debian's package, on this machine: installed once into the cache, run against any PostgreSQL.

Debian 12 and Ubuntu are too old for the package's dependencies. It is unpacked, with the fonts and scripts it links
to, and gets a virtual environment with the dependencies from PyPI.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.cookiejar
import itertools
import json
import os
import shutil
import subprocess
import sys
import typing as t
import urllib.request
from pathlib import Path

import pytest

from . import debian
from .postgres import Server, cluster, installed_versions
from .processes import Program, announce, cache_dir, free_port, locked, working_directory

_PACKAGES = (
    *("odoo-19", "libjs-jquery", "libjs-jquery-form", "libjs-underscore"),
    *("fonts-dejavu-core", "fonts-font-awesome", "fonts-glyphicons-halflings", "fonts-inconsolata"),
    *("fonts-montserrat", "fonts-ocr-b", "fonts-roboto-unhinted"),
)
_REQUIREMENTS = Path(__file__).with_name("odoo-requirements.txt")
_SAMPLE_ADDON = Path(__file__).with_name("odoo_addons")
_COMMAND = """\
#!/bin/sh
export PYTHONPATH="{root}/usr/lib/python3/dist-packages"
exec "{venv}/bin/python" "{root}/usr/bin/odoo" "$@"
"""
_numbers = itertools.count(1)


def install() -> Path:
    """The ``odoo`` command, after installing Odoo where it is not yet in the cache (about two minutes, 700 MB)."""
    recipe = hashlib.sha256(repr((_PACKAGES, sys.version_info[:2])).encode() + _REQUIREMENTS.read_bytes()).hexdigest()
    target = cache_dir() / f"odoo-19-{recipe[:12]}"
    command = target / "odoo"
    with locked("odoo-19"):
        if not command.exists():
            announce("installing Odoo 19 (about two minutes)")
            shutil.rmtree(target, ignore_errors=True)
            _unpack(target)
            _make_venv(target / "venv")
            command.write_text(_COMMAND.format(root=target / "root", venv=target / "venv"))
            command.chmod(0o755)
    return command


def _unpack(target: Path) -> None:
    downloads, root = target / "downloads", target / "root"
    downloads.mkdir(parents=True)
    root.mkdir()
    for package in debian.download("sid", _PACKAGES, downloads):
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as content:
            # Translations are half of it.
            subprocess.run(["tar", "-x", "-C", root, "--exclude=*.po"], stdin=content.stdout, check=True)
        if content.returncode:
            raise RuntimeError(f"dpkg-deb ended with {content.returncode} while unpacking {package}")
    shutil.rmtree(downloads)


def _make_venv(venv: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", _REQUIREMENTS], check=True, env=_clean_environment(), capture_output=True)


def _clean_environment() -> dict[str, str]:
    """Our environment without our own PYTHONPATH."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


class OdooError(RuntimeError):
    """Odoo answered a call with an error; the message is Odoo's."""


class Odoo:
    """An Odoo: configuration, data directory, addons, on a PostgreSQL server, as a database role of its own.

    ``command`` runs ``odoo``; ``config`` is its ``odoo.conf``; ``data_dir`` holds ``filestore/<database>``;
    ``addons_dir`` holds the custom addon ``dfr_sample``; ``role`` and ``password`` open its databases.
    """

    #: The password of Odoo's user ``admin`` in databases made here.
    admin_password: t.Final = "admin"

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.command = install()
        self.role, self.password = server.new_role("LOGIN CREATEDB")
        self.data_dir = directory / "data"
        self.addons_dir = directory / "addons"
        self.config = directory / "odoo.conf"
        self.log_file = directory / "odoo.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._program: Program | None = None
        shutil.copytree(_SAMPLE_ADDON, self.addons_dir)
        self._write_config()

    def _write_config(self) -> None:
        package = self.command.parent / "root/usr/lib/python3/dist-packages/odoo/addons"
        settings = {
            "admin_passwd": "admin",
            "addons_path": f"{package},{self.addons_dir}",
            "data_dir": self.data_dir,
            "db_host": self.server.host,
            "db_port": self.server.port,
            "db_user": self.role,
            "db_password": self.password,
            "http_interface": "127.0.0.1",
            "http_port": self.port,
            "max_cron_threads": 0,
        }
        self.config.touch(mode=0o600)
        self.config.write_text("[options]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))

    def filestore(self, database: str) -> Path:
        return self.data_dir / "filestore" / database

    def run(self, *words: str | os.PathLike[str], input: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run an ``odoo`` command such as ``"neutralize", "-d", name, "--stdout"``; the configuration is added.

        Raises RuntimeError with its output on failure.
        """
        # `odoo db SUBCOMMAND` takes the configuration before the subcommand, the others after it.
        position = 1 if words[0] in ("db", "neutralize") else 2
        argv = [self.command, *words[:position], "-c", self.config, *words[position:]]
        result = subprocess.run(argv, input=input or "", capture_output=True, text=True, env=_clean_environment())
        if result.returncode:
            raise RuntimeError(f"{argv} ended with {result.returncode}:\n{result.stdout}{result.stderr[-4000:]}")
        return result

    def new_database(self) -> str:
        """Create a database with demo data (base, web, contacts, our sample addon) and its filestore. Takes 2 s."""
        dump, filestore = _demo()
        name = f"odoo_{os.getpid()}_{next(_numbers)}"
        self.server.sql(f"CREATE DATABASE {name} OWNER {self.role} TEMPLATE template0")
        restore = [_client("pg_restore"), "--exit-on-error", "--no-owner", "--dbname", name, *self._connection(), dump]
        subprocess.run(restore, check=True, env={**os.environ, "PGPASSWORD": self.password})
        shutil.copytree(filestore, self.filestore(name))
        return name

    def _connection(self) -> list[str]:
        return ["--host", self.server.host, "--port", str(self.server.port), "--username", self.role]

    def start(self, database: str, *options: str) -> None:
        """Serve a database at ``url``. No scheduled jobs run unless ``--max-cron-threads=1`` is among the options."""
        assert self._program is None, "this Odoo runs already"
        argv = [self.command, "server", "-c", self.config, "-d", database, "--db-filter", f"^{database}$", *options]
        program = Program(argv, self.log_file, self._is_healthy, env=_clean_environment())
        program.start()
        self._program = program

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/web/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """Stop serving. Nothing happens when it does not run."""
        program, self._program = self._program, None
        if program is not None:
            program.stop()

    def log_in(self, database: str, user: str = "admin", password: str = admin_password) -> Session:
        """Log in as a browser does. Raises :class:`OdooError` when refused."""
        return Session(self.url, database, user, password)


class Session:
    """A user logged in to a running Odoo."""

    def __init__(self, url: str, database: str, user: str, password: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        self.uid = self.post("/web/session/authenticate", db=database, login=user, password=password)["uid"]

    def post(self, path: str, **parameters: t.Any) -> t.Any:
        """Call one of Odoo's JSON routes."""
        body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": parameters}).encode()
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})
        with self._opener.open(request, timeout=60) as answer:
            content = json.load(answer)
        if "error" in content:
            raise OdooError(content["error"].get("data", {}).get("message") or content["error"]["message"])
        return content["result"]

    def get(self, path: str) -> bytes:
        """Fetch a page or file. Raises urllib.error.HTTPError unless it answers 200."""
        with self._opener.open(self.url + path, timeout=60) as answer:
            return t.cast(bytes, answer.read())

    def call(self, model: str, method: str, *arguments: t.Any, **keywords: t.Any) -> t.Any:
        """Call a method of a model, as the web client does."""
        path = f"/web/dataset/call_kw/{model}/{method}"
        return self.post(path, model=model, method=method, args=list(arguments), kwargs=keywords)


def _client(name: str) -> str:
    """A PostgreSQL client program of the newest version installed here."""
    return f"/usr/lib/postgresql/{installed_versions()[0]}/bin/{name}"


def _demo() -> tuple[Path, Path]:
    """A dump and a filestore of an Odoo with demo data, made once and kept in the cache."""
    addon = b"".join(path.read_bytes() for path in sorted(_SAMPLE_ADDON.rglob("*")) if path.is_file())
    target = install().parent / f"demo-{installed_versions()[0]}-{hashlib.sha256(addon).hexdigest()[:12]}"
    with locked("odoo-demo"):
        if not target.exists():
            announce("making an Odoo database with demo data (about a minute)")
            _make_demo(target)
    return target / "database.dump", target / "filestore"


def _make_demo(target: Path) -> None:
    unfinished = target.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    with cluster() as server, odoo(server) as made:
        made.run("db", "init", "demo", "--with-demo")
        made.run("module", "install", "-d", "demo", "contacts", "dfr_sample")
        dump = [
            _client("pg_dump"),
            "--format=custom",
            *made._connection(),
            "--file",
            unfinished / "database.dump",
            "demo",
        ]
        subprocess.run(dump, check=True, env={**os.environ, "PGPASSWORD": made.password})
        shutil.copytree(made.filestore("demo"), unfinished / "filestore")
    unfinished.rename(target)


def prepare() -> None:
    """Install Odoo and make the demo database, where the cache has none."""
    _demo()


@contextlib.contextmanager
def odoo(server: Server) -> t.Iterator[Odoo]:
    """An Odoo without a database, on a PostgreSQL server; stopped and removed afterwards, its databases are left."""
    with working_directory("odoo") as directory:
        made = Odoo(server, directory)
        try:
            yield made
        finally:
            made.stop()


class MakeOdoo(t.Protocol):
    def __call__(self, server: Server) -> Odoo: ...


@pytest.fixture
def make_odoo() -> t.Iterator[MakeOdoo]:
    """Makes an Odoo on a PostgreSQL server, for one test."""
    with contextlib.ExitStack() as stack:
        yield lambda server: stack.enter_context(odoo(server))
