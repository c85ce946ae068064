# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role traffic on a real nginx and a real HAProxy: which site answers, before, after, and after undoing."""

from __future__ import annotations

import os
import signal
import subprocess
import typing as t
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.tests.environment.processes import (
    Program,
    accepts_connections,
    free_port,
    wait_until,
    working_directory,
)

Record = dict[str, t.Any]

_NGINX = """\
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {file};
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://odoo; }} }}
    server {{ listen 127.0.0.1:{old}; return 200 "this is the old site"; }}
    server {{ listen 127.0.0.1:{new}; return 200 "this is the new site"; }}
}}
"""
_NGINX_FILE = "# by hand\nupstream odoo {{\n\tserver 127.0.0.1:{old};\n\tkeepalive 4;\n}}"
_HAPROXY = """\
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend public
    bind 127.0.0.1:{port}
    default_backend odoo
frontend old
    bind 127.0.0.1:{old}
    http-request return status 200 content-type text/plain string "this is the old site"
frontend new
    bind 127.0.0.1:{new}
    http-request return status 200 content-type text/plain string "this is the new site"
"""
_HAPROXY_FILE = "# by hand\nbackend odoo\n\tserver first 127.0.0.1:{old}\n"


@dataclass
class Proxy:
    """A proxy that leads to the old site. It serves both sites itself, on ports of their own."""

    kind: str
    file: Path
    port: int
    old: int
    new: int
    check: list[str]
    reload: list[str]

    def record(self, **options: t.Any) -> Record:
        """The record that leads it to the new site."""
        name = "upstream" if self.kind == "nginx" else "backend"
        own = {
            "record": "odoo.example.com",
            "provider": self.kind,
            "values": [f"127.0.0.1:{self.new}"],
            "expected": [f"127.0.0.1:{self.old}"],
            "path": str(self.file),
            name: "odoo",
            "check": self.check,
            "reload": self.reload,
            "url": f"http://127.0.0.1:{self.port}/",
            "answer": "this is the new site",
        }
        return {**own, **options}

    def answer(self) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=30) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            return f"HTTP {error.code}"

    def state(self) -> tuple[bytes, int]:
        """Content and mode of the file."""
        return self.file.read_bytes(), self.file.stat().st_mode & 0o7777


@pytest.fixture(params=["nginx", "haproxy"])
def proxy(request: pytest.FixtureRequest) -> t.Iterator[Proxy]:
    kind = request.param
    with working_directory(kind) as folder:
        file, settings = folder / f"odoo.{kind}", folder / f"{kind}.conf"
        port, old, new = free_port(), free_port(), free_port()
        values = {"folder": folder, "file": file, "port": port, "old": old, "new": new}
        settings.write_text((_NGINX if kind == "nginx" else _HAPROXY).format(**values))
        file.write_text((_NGINX_FILE if kind == "nginx" else _HAPROXY_FILE).format(**values))
        file.chmod(0o640)
        nginx = ["nginx", "-c", str(settings)]
        haproxy = ["haproxy", "-f", str(settings), "-f", str(file)]
        argv = nginx if kind == "nginx" else [*haproxy, "-W", "-p", str(folder / "pid")]
        program = Program(argv, folder / "log", lambda: accepts_connections(port))
        program.start()
        try:
            if kind == "nginx":
                yield Proxy(kind, file, port, old, new, [*nginx, "-t"], [*nginx, "-s", "reload"])
            else:
                yield Proxy(kind, file, port, old, new, [*haproxy, "-c"], ["kill", "-USR2", str(program.pid)])
        finally:
            program.stop()


def test_a_proxy_is_switched_and_back_to_exactly_what_it_was(proxy, traffic):
    before = proxy.state()
    assert proxy.answer() == "this is the old site"
    result = traffic("switched", proxy.record()).worked().result
    wait_until(lambda: proxy.answer() == "this is the new site", "the new site")
    (entry,) = result["traffic"]
    assert (entry["old"], entry["new"]) == ([f"127.0.0.1:{proxy.old}"], [f"127.0.0.1:{proxy.new}"])
    assert [one["ok"] for one in entry["servers"]] == [True, True]
    assert proxy.state()[1] == 0o640

    switched, kept = proxy.state(), traffic.kept_values()
    assert not traffic("switched", proxy.record()).worked().changed
    assert (proxy.state(), traffic.kept_values()) == (switched, kept)

    traffic("undone", proxy.record()).worked()
    assert proxy.state() == before
    wait_until(lambda: proxy.answer() == "this is the old site", "the old site")
    assert traffic.kept_values() == {}
    assert not traffic("undone", proxy.record()).worked().changed


def test_a_configuration_that_the_proxy_refuses_is_taken_back(proxy, traffic):
    before = proxy.state()
    refused = traffic("switched", proxy.record(lines=["nonsense 1;"]))
    refused.refused(
        f"did not accept {proxy.file}, which has its old content again", "nonsense", "Correct what it names"
    )
    assert proxy.state() == before
    assert proxy.answer() == "this is the old site"
    # What is kept is still the old value: the corrected record is switched, and brought back.
    traffic("switched", proxy.record()).worked()
    traffic("undone", proxy.record()).worked()
    assert proxy.state() == before


def test_a_reload_that_fails_is_taken_back(proxy, traffic):
    before = proxy.state()
    traffic("switched", proxy.record(reload=["false"])).refused(
        "which has its old content again", "non-zero return code"
    )
    assert proxy.state() == before


def test_a_file_that_somebody_else_changed_is_left_alone(proxy, traffic):
    proxy.file.write_text(proxy.file.read_text().replace(str(proxy.old), "1"))
    before = proxy.state()
    traffic("switched", proxy.record()).refused(
        f"{proxy.file} on this host was expected to be 127.0.0.1:{proxy.old} or 127.0.0.1:{proxy.new}, and is"
    )
    assert proxy.state() == before
    assert traffic.kept_values() == {}


def test_a_new_site_that_does_not_answer_is_told(proxy, traffic):
    before = proxy.state()
    dead = proxy.record(values=["127.0.0.1:1"])
    traffic("switched", dead, traffic_patience=2).refused("answered for odoo.example.com with HTTP status 50", "undone")
    traffic("undone", dead).worked()
    assert proxy.state() == before
    wait_until(lambda: proxy.answer() == "this is the old site", "the old site")


@pytest.mark.parametrize("then", ["undone", "switched"])
def test_killed_before_the_proxy_has_read_its_new_file(proxy, traffic, then):
    before = proxy.state()
    command = traffic.command("switched", [proxy.record(reload=["sleep", "600"])])
    run = subprocess.Popen(
        command, cwd=traffic.folder, env=traffic.settings(), stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_until(lambda: proxy.state() != before, "the new file")
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    assert proxy.answer() == "this is the old site"
    traffic(then, proxy.record()).worked()
    site = "old" if then == "undone" else "new"
    wait_until(lambda: proxy.answer() == f"this is the {site} site", f"the {site} site")
    traffic("undone", proxy.record()).worked()
    assert proxy.state() == before


def test_a_file_that_was_not_there_is_removed_again(traffic, tmp_path):
    file = tmp_path / "conf.d-odoo.conf"
    record = {
        "record": "odoo.example.com",
        "provider": "nginx",
        "path": str(file),
        "upstream": "odoo",
        "values": ["192.0.2.9:80"],
        "check": ["true"],
        "reload": ["true"],
    }
    traffic("switched", record).worked()
    assert "server 192.0.2.9:80;" in file.read_text()
    traffic("undone", record).worked()
    assert not file.exists()
