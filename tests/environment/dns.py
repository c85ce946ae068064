# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A zone on two BIND servers: a primary that takes signed updates, and a secondary that it notifies.

Each has a loopback address of its own and the real port 53 there, so that NS records lead to them.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import signal
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from .processes import Program, accepts_connections, free_port, working_directory

ZONE = "example.com"
_ZONE = """\
$TTL 3600
@ SOA ns1 hostmaster 1 3600 60 604800 60
@ NS ns1
@ NS ns2
ns1 A {primary}
ns2 A {secondary}
shop 300 A 192.0.2.1
odoo.drill 60 A 192.0.2.1
www 120 CNAME shop
pair 300 A 192.0.2.1
pair 300 A 192.0.2.2
six 300 AAAA 2001:db8::1
late 86400 A 192.0.2.1
"""
_SETTINGS = """\
key "{key_name}" {{ algorithm hmac-sha256; secret "{secret}"; }};
key "reader" {{ algorithm hmac-sha256; secret "{secret}"; }};
options {{
    directory "{folder}";
    pid-file "{folder}/named.pid";
    session-keyfile "{folder}/session.key";
    listen-on port 53 {{ {address}; }};
    listen-on-v6 {{ none; }};
    query-source address {address};
    transfer-source {address};
    notify-source {address};
    recursion {recursion};
    dnssec-validation no;
    empty-zones-enable no;
    notify-delay 0;
    max-cache-ttl 5;
}};
controls {{ }};
"""
_PRIMARY = """\
zone "{zone}" {{
    type primary; file "{folder}/zone"; allow-update {{ key "{key_name}"; }};
    allow-transfer {{ 127.0.0.0/8; }}; notify explicit; also-notify {{ {secondary}; }};
}};
"""
_SECONDARY = """\
zone "{zone}" {{ type secondary; file "{folder}/zone"; primaries {{ {primary}; }}; allow-notify {{ {primary}; }}; }};
"""


@dataclass
class Bind:
    """The two servers. Each test has its own.

    :ivar secret: of the TSIG key ``key_name``, which may update; ``reader`` has the same, and may not.
    """

    folder: Path
    primary: str
    secondary: str
    secret: str
    key_name: str = "failover"
    programs: t.Any = None

    def ask(self, name: str, kind: str = "A", server: str = "") -> list[tuple[str, int]]:
        """What ``dig`` prints: value and TTL of each record, sorted."""
        done = subprocess.run(
            ["dig", "+norecurse", "+noall", "+answer", f"@{server or self.primary}", f"{name}.{ZONE}", kind],
            capture_output=True,
            text=True,
            check=True,
        )
        lines = [line.split() for line in done.stdout.splitlines() if line and not line.startswith(";")]
        return sorted((line[4], int(line[1])) for line in lines)

    def zone(self, server: str = "") -> str:
        """The whole zone with its serial, as a transfer brings it."""
        argv = ["dig", "+noall", "+answer", "+nocmd", "+nostats", f"@{server or self.primary}", ZONE, "AXFR"]
        text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        return "\n".join(line for line in text.splitlines() if line and not line.startswith(";"))

    def change_by_hand(self, *lines: str) -> None:
        """Change the zone as somebody else would, with nsupdate."""
        script = f"server {self.primary}\nzone {ZONE}\n" + "".join(f"update {line}\n" for line in lines) + "send\n"
        key_file = self.folder / "by-hand.key"
        key_file.write_text(f'key "{self.key_name}" {{ algorithm hmac-sha256; secret "{self.secret}"; }};\n')
        subprocess.run(["nsupdate", "-k", key_file], input=script, text=True, check=True)

    def pause(self, name: str) -> None:
        """Have a server answer nothing, as if it hung, until :meth:`resume`."""
        self.programs[name].send(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        self.programs[name].send(signal.SIGCONT)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()


@pytest.fixture
def bind() -> t.Iterator[Bind]:
    """A running primary and secondary of the zone ``example.com``."""
    if shutil.which("named") is None:
        raise RuntimeError("named is not installed: run `make setup`")
    with working_directory("bind") as folder:
        # Two processes of tests hardly ever meet: the number is drawn as that of a port is.
        number = free_port()
        net = f"127.{64 + number // 250 % 128}.{number % 250}"
        made = Bind(folder, f"{net}.1", f"{net}.2", base64.b64encode(secrets.token_bytes(32)).decode())
        made.programs = {name: _program(made, name) for name in ("primary", "secondary")}
        try:
            for address in (made.primary, made.secondary):
                _loopback("add", address, "valid_lft", "3600", "preferred_lft", "3600")
            for program in made.programs.values():
                program.start()
            yield made
        finally:
            for program in made.programs.values():
                if program.running:
                    program.send(signal.SIGCONT)
                program.stop()
            for address in (made.primary, made.secondary):
                _loopback("del", address)


def _loopback(action: str, address: str, *options: str) -> None:
    """named listens only on addresses that an interface has; the kernel takes them back when a test was killed."""
    subprocess.run(["ip", "address", action, f"{address}/32", "dev", "lo", *options], check=action == "add")


def _program(bind: Bind, name: str) -> Program:
    folder, address = bind.folder / name, getattr(bind, name)
    folder.mkdir()
    values = {**vars(bind), "folder": folder, "address": address, "zone": ZONE}
    recursion = "yes" if name == "secondary" else "no"
    text = _SETTINGS.format(**values, recursion=recursion) + (_PRIMARY if name == "primary" else _SECONDARY).format(
        **values
    )
    (folder / "named.conf").write_text(text)
    if name == "primary":
        (folder / "zone").write_text(_ZONE.format(**vars(bind)))
    return Program(
        ["named", "-f", "-g", "-c", folder / "named.conf"],
        bind.folder / f"{name}.log",
        lambda: _loaded(bind, address),
        env={"PATH": os.environ["PATH"]},
    )


def _loaded(bind: Bind, address: str) -> bool:
    return accepts_connections(53, address) and bool(bind.ask("shop", server=address))
