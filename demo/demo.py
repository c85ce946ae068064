# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running Odoo 19 is backed up, encrypted, while users work in it; then it is restored elsewhere and compared.

Everything is thrown away afterwards: two PostgreSQL clusters on private ports, two Odoos, and one directory.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.dfr.continuity.plugins.module_utils._postgres.checksums import table_checksums
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.connection import Connection
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.programs import Client
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.session import Session as SqlSession
from ansible_collections.dfr.continuity.plugins.module_utils._repository.keys import load_recovery_key
from ansible_collections.dfr.continuity.plugins.module_utils._repository.repository import open_repository
from ansible_collections.dfr.continuity.tests.environment.odoo import Odoo, Session, odoo
from ansible_collections.dfr.continuity.tests.environment.postgres import Cluster, cluster
from ansible_collections.dfr.continuity.tests.environment.processes import working_directory

HERE = Path(__file__).resolve().parent
SENTINEL = f"Sentinel of the demo {secrets.token_hex(8)}"
RESTORED = "shop_restored"


def say(text: str) -> None:
    """Tell what happens now."""
    print(f"\n== {text}", flush=True)


@dataclass
class Checks:
    """What was checked, and whether all of it held."""

    failed: list[str] = field(default_factory=list)

    def check(self, what: str, holds: bool, shown: str = "") -> None:
        """Print one check and remember a failed one."""
        print(f"  {'ok    ' if holds else 'FAILED'}  {what}{': ' + shown if shown else ''}", flush=True)
        if not holds:
            self.failed.append(what)


class Users:
    """Users who attach files to a partner all the while."""

    def __init__(self, session: Session, partner: int) -> None:
        self._session = session
        self._partner = partner
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.written = 0

    def __enter__(self) -> Users:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(0.05):
            attach(self._session, self._partner, secrets.token_bytes(20_000))
            self.written += 1


def attach(session: Session, partner: int, content: bytes) -> int:
    """Upload a file as a user does; return the attachment's id."""
    values = {
        "name": f"{secrets.token_hex(4)}.bin",
        "datas": base64.b64encode(content).decode(),
        "res_model": "res.partner",
        "res_id": partner,
    }
    made: int = session.call("ir.attachment", "create", values)
    return made


def what_happens(lines: t.Iterable[str]) -> t.Iterator[str]:
    """Leave out of Ansible's output the tasks that only include others, or that changed nothing."""
    header = ""
    for line in lines:
        if line.startswith(("TASK [", "PLAY [")):
            header = line
        elif not line.startswith("included:") and line.strip():
            yield header
            yield line
            header = ""


def interrupt(playbook: subprocess.Popen[str]) -> None:
    """Do what Ctrl-C in a terminal does, so that modules stop and clean up; kill what does not end."""
    for what, patience in ((signal.SIGINT, 60), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(playbook.pid, what)
        with contextlib.suppress(subprocess.TimeoutExpired):
            playbook.wait(patience)
            return


class Demo:
    """The demo's places and what it knows."""

    def __init__(self, folder: Path, source: Odoo, target: Odoo) -> None:
        self.folder = folder
        self.source = source
        self.target = target
        self.database = source.new_database()
        self.passphrase = secrets.token_urlsafe(12)
        self.etc = folder / "primary" / "etc"

    def variables(self) -> dict[str, t.Any]:
        """The variables of inventories/demo."""
        return {
            "demo_folder": str(self.folder),
            "demo_trust": self.public("administrator"),
            "demo_recipient": self.public("recovery-key"),
            "demo_database": self.database,
            "demo_config": str(self.source.config),
            "demo_odoo": str(self.source.command),
            "demo_restored_owner": self.target.role,
            "demo_restored_connection": {
                "host": self.target.server.host,
                "port": self.target.server.port,
                "user": self.target.server.superuser,
                "password": self.target.server.password,
            },
            "demo_restored_filestore": str(self.target.filestore(RESTORED)),
            "continuity_recovery_passphrase": self.passphrase,
        }

    def public(self, name: str) -> str:
        """The public half of a key, once it has been made."""
        path = self.etc / f"{name}.pub"
        return path.read_text().strip() if path.exists() else ""

    def play(self, playbook: str, *options: str) -> None:
        """Run one of the collection's playbooks, secrets in a file that only root reads."""
        print(f"$ ansible-playbook -i inventories/demo/inventory.yml dfr.continuity.{playbook}", flush=True)
        secrets_file = self.folder / "variables.json"
        secrets_file.touch(mode=0o600)
        secrets_file.write_text(json.dumps(self.variables()))
        command = [str(Path(sys.executable).with_name("ansible-playbook")), f"dfr.continuity.{playbook}"]
        environment = {
            **os.environ,
            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
            "ANSIBLE_DISPLAY_OK_HOSTS": "false",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_HOME": str(self.folder / "ansible"),
        }
        inventory = HERE.parent / "inventories/demo/inventory.yml"
        argv = [*command, "-i", str(inventory), "-e", f"@{secrets_file}", *options]
        with subprocess.Popen(
            argv,
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as running:
            try:
                for line in what_happens(running.stdout or ()):
                    print(line, end="", flush=True)
            except BaseException:
                interrupt(running)
                raise
        if running.returncode:
            raise subprocess.CalledProcessError(running.returncode, argv)

    def continuity(self, *words: str) -> str:
        """Run the continuity command as it was installed on the primary, and return what it printed."""
        command = [self.folder / "continuity", *words, "--config", self.etc / "continuity.json"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def recorded_checksums(self) -> dict[str, tuple[int, str]]:
        """Rows and checksum of every table, as they were in the snapshot that was dumped."""
        pem = (self.etc / "recovery-key.pem").read_bytes()
        recovery_key = load_recovery_key(pem, self.passphrase.encode())
        given = {
            "location": str(self.folder / "repository"),
            "trust": [self.public("administrator")],
            "cache_dir": str(self.folder / "reader"),
        }
        [backup] = os.listdir(self.folder / "repository" / "backups")
        with (
            open_repository(given, recovery_key) as repository,
            repository.open_part(backup, "primary.shop.database", recovery_key) as reader,
        ):
            return {name: tuple(value) for name, value in reader.manifest["checksums"].items()}

    def restored_checksums(self) -> dict[str, tuple[int, str]]:
        """Rows and checksum of every table of the restored database, computed now."""
        server = self.target.server
        connection = Connection(host=server.host, port=server.port, user=server.superuser, password=server.password)
        with SqlSession(Client(connection), RESTORED) as session:
            return {name: tuple(value) for name, value in table_checksums(session).items()}


def compare(demo: Demo, checks: Checks) -> None:
    """Compare the restored database and filestore with the snapshot that was backed up."""
    recorded, restored = demo.recorded_checksums(), demo.restored_checksums()
    differing = [name for name in recorded if recorded[name] != restored.get(name)]
    rows = sum(value[0] for value in recorded.values())
    checks.check(
        "every table has the rows and the checksum of the snapshot",
        bool(recorded) and not differing and recorded.keys() == restored.keys(),
        f"{len(recorded)} tables, {rows} rows, {len(differing)} differ",
    )
    filestore = demo.target.filestore(RESTORED)
    attachments = demo.target.server.sql(
        "SELECT store_fname, checksum FROM ir_attachment WHERE store_fname IS NOT NULL", database=RESTORED
    )
    wrong = [name for name, checksum in attachments if sha1(filestore / name) != checksum]
    checks.check(
        "every attachment's file has its SHA-1",
        bool(attachments) and not wrong,
        f"{len(attachments)} attachments, {len(wrong)} wrong",
    )


def sha1(path: Path) -> str:
    """The SHA-1 of a file, empty when there is none."""
    try:
        return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()
    except FileNotFoundError:
        return ""


def use(demo: Demo, checks: Checks, partner: int, attachment: int, content: bytes) -> None:
    """Start Odoo on the restored copy and use it as a person would."""
    demo.target.start(RESTORED)
    session = demo.target.log_in(RESTORED)
    checks.check("Odoo 19 runs on the restored copy and a user logs in", session.uid > 0, demo.target.url)
    [record] = session.call("res.partner", "read", [partner], ["name"])
    checks.check("the user reads the record that was written before the backup", record["name"] == SENTINEL, SENTINEL)
    fetched = session.get(f"/web/content/{attachment}")
    checks.check("the user downloads the file that was attached before the backup", fetched == content)


def is_sealed(repository: Path, words: t.Sequence[str]) -> bool:
    """Look for words that stand in the data, in every object of the repository."""
    contents = (path.read_bytes() for path in repository.rglob("*") if path.is_file())
    return not any(word.encode() in content for content in contents for word in words)


def run(demo: Demo) -> Checks:
    """The main job, then the checks."""
    checks, times = Checks(), {}

    @contextlib.contextmanager
    def timed(name: str) -> t.Iterator[None]:
        started = time.monotonic()
        yield
        times[name] = time.monotonic() - started

    demo.source.start(demo.database)
    session = demo.source.log_in(demo.database)
    content = secrets.token_bytes(100_000)
    partner = session.call("res.partner", "create", {"name": SENTINEL})
    attachment = attach(session, partner, content)
    say("Make the keys, prepare the hosts, create the repository (once for each site)")
    demo.play("keys")
    demo.play("repository")
    say("Back up, while users attach files")
    with timed("backup"), Users(demo.source.log_in(demo.database), partner) as users:
        demo.play("backup")
    demo.source.stop()
    say("Look at it with the continuity command")
    print(demo.continuity("list"), flush=True)
    say("Restore elsewhere: another PostgreSQL, another database, another filestore")
    with timed("restore"):
        demo.play("restore", "-e", "continuity_hosts=elsewhere")
    say("Check")
    checks.check("users were writing meanwhile", users.written > 0, f"{users.written} files attached")
    compare(demo, checks)
    names = demo.target.server.sql("SELECT name FROM res_partner WHERE length(name) > 11", database=RESTORED)
    words = [SENTINEL, demo.source.password, *(name for (name,) in names)]
    checks.check(
        "nothing in the repository is readable",
        is_sealed(demo.folder / "repository", words),
        f"searched for {len(words)} names and a password",
    )
    use(demo, checks, partner, attachment, content)
    stored = sum(path.stat().st_size for path in (demo.folder / "repository").rglob("*") if path.is_file())
    print(f"\nBackup {times['backup']:.0f} s, restore {times['restore']:.0f} s, repository {stored / 1e6:.1f} MB.")
    return checks


def main() -> int:
    """Run the demo; every process and every file of it is gone afterwards, also after Ctrl-C."""
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda number, _frame: sys.exit(128 + number))
    started = time.monotonic()
    say("Start Odoo 19 with demo data on a PostgreSQL of its own, and a second PostgreSQL elsewhere")
    try:
        with contextlib.ExitStack() as running:
            clusters: list[Cluster] = [running.enter_context(cluster()) for _site in ("primary", "elsewhere")]
            odoos = [running.enter_context(odoo(server)) for server in clusters]
            folder = running.enter_context(working_directory("demo"))
            checks = run(Demo(folder, *odoos))
    except subprocess.CalledProcessError as error:
        print(f"\n{error.cmd[0]} ended with {error.returncode}; its output says why.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; everything was removed.", file=sys.stderr)
        return 130
    outcome = f"{len(checks.failed)} checks FAILED" if checks.failed else "Everything that was backed up came back"
    print(f"\n{outcome}. {time.monotonic() - started:.0f} s in all; everything was removed again.")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
