# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that was backed up, through the playbooks and at -vvv: no secret on it, and nothing that opens the backup."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import stat
import subprocess
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository import keys
from ansible_collections.dfr.continuity.plugins.module_utils._repository.key_slots import read_data_key
from ansible_collections.dfr.continuity.plugins.module_utils._repository.repository import open_repository
from ansible_collections.dfr.continuity.tests.environment.containers import Container, podman, systemd_host
from ansible_collections.dfr.continuity.tests.environment.s3 import rclone_server
from ansible_collections.dfr.continuity.tests.environment.wheels import wheel_folder

from .forwarder import forwarded
from .process_watch import ProcessWatch

CONFIGURATION = "/etc/dfr-continuity"
#: Search no further in larger files: none of ours is.
_LARGE = 256 << 20


@dataclass
class Scene:
    """A control host and a host to be backed up, both containers; what nobody may find; what playbooks printed."""

    directory: Path
    control: Container
    shop: Container
    s3: dict[str, str]
    bucket: str
    passphrase: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    database_password: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    output: str = ""

    def play(self, playbook: str, **variables: t.Any) -> str:
        """Run a playbook as a user does, with secrets in a file as a vault would hold them."""
        (self.directory / "inventory.yml").write_text(json.dumps(self.inventory()))
        (self.directory / "secrets.json").write_text(json.dumps(variables))
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-vvv", "-i", "inventory.yml"]
        done = subprocess.run(
            [*command, "-e", "@secrets.json", f"dfr.continuity.{playbook}"],
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-8000:]
        self.output += done.stdout
        return done.stdout

    def inventory(self) -> dict[str, t.Any]:
        connection = {"ansible_connection": "containers.podman.podman", "runtime_wheel_folder": str(wheel_folder())}
        return {
            "all": {
                "vars": {**connection, **self.repository_variables()},
                "children": {
                    "continuity_control": {"hosts": {"control": {"ansible_host": self.control.name}}},
                    "continuity": {"hosts": {"shop": {"ansible_host": self.shop.name, **self.parts()}}},
                },
            }
        }

    def repository_variables(self) -> dict[str, t.Any]:
        trust, recipient = self.public("administrator"), self.public("recovery-key")
        s3 = {**self.s3, "secret_key": "{{ vault_s3_secret_key }}"}
        return {
            "continuity_repository": {"location": f"s3://{self.bucket}/odoo", "trust": [trust], "s3": s3},
            "continuity_recipients": [{"name": "safe", "key": recipient}],
        }

    def parts(self) -> dict[str, t.Any]:
        connection = {"host": "127.0.0.1", "user": "backup", "password": "{{ vault_database_password }}"}
        return {
            "backup_databases": [{"name": "crm", "database": "crm", "connection": connection}],
            "backup_files": [{"name": "etc", "path": "/etc", "exclude": ["/ssl/private", "/shadow*", "/gshadow*"]}],
        }

    def public(self, name: str) -> str:
        return self.control.run("cat", f"{CONFIGURATION}/{name}.pub", check=False).stdout.strip()

    def vault(self) -> dict[str, str]:
        return {"vault_s3_secret_key": self.s3["secret_key"], "vault_database_password": self.database_password}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Scene]:
    with contextlib.ExitStack() as running:
        control, shop = (running.enter_context(systemd_host()) for _host in range(2))
        server = running.enter_context(rclone_server())
        gateway = podman("inspect", "--format", "{{.NetworkSettings.Gateway}}", shop.name)
        port = running.enter_context(forwarded(gateway, int(server.endpoint.rpartition(":")[2])))
        s3 = {**server.settings(), "endpoint": f"http://{gateway}:{port}"}
        made = Scene(tmp_path_factory.mktemp("scene"), control, shop, s3, server.new_bucket())
        make_database(shop, made.database_password)
        made.play("keys", continuity_recovery_passphrase=made.passphrase, **made.vault())
        made.play("repository", **made.vault())
        yield made


def make_database(host: Container, password: str) -> None:
    script = f"CREATE ROLE backup LOGIN SUPERUSER PASSWORD '{password}'; CREATE DATABASE crm;"
    host.run("psql", "-X", "-v", "ON_ERROR_STOP=1", input=script, user="postgres")
    rows = "CREATE TABLE customer AS SELECT g AS id, md5(g::text) AS name FROM generate_series(1, 200000) g;"
    host.run("psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", "crm", input=rows, user="postgres")


def files_of(container: Container) -> t.Iterator[tuple[str, bytes]]:
    """Yield every file of a running container, what is mounted in it included."""
    root = f"/proc/{podman('inspect', '--format', '{{.State.Pid}}', container.name)}/root"
    for folder, folders, names in os.walk(root):
        if folder == root:
            folders[:] = [name for name in folders if name not in ("proc", "sys", "dev")]
        for name in names:
            path = os.path.join(folder, name)
            with contextlib.suppress(FileNotFoundError):
                status = os.lstat(path)
                if stat.S_ISREG(status.st_mode) and status.st_size < _LARGE:
                    yield path[len(root) :], Path(path).read_bytes()


def seed_texts(pem: str, passphrase: str | None = None) -> list[bytes]:
    """A private key in the forms in which it could be left behind."""
    body = "".join(line for line in pem.splitlines() if not line.startswith("-----"))
    der = base64.b64decode(body)
    texts = [body[-40:].encode(), der[-32:]]
    if passphrase:
        plain = keys.load_recovery_key(pem.encode(), passphrase.encode()).to_pem().decode()
        texts += seed_texts(plain)
    return texts


def key_texts(key: bytes) -> list[bytes]:
    return [key, key.hex().encode(), base64.b64encode(key)]


def repository_secrets(scene: Scene, pem: str) -> list[bytes]:
    """The repository key and every data key, opened as only a recovery key can."""
    recovery_key = keys.load_recovery_key(pem.encode(), scene.passphrase.encode())
    given = {
        "location": f"s3://{scene.bucket}/odoo",
        "s3": scene.s3,
        "trust": [scene.public("administrator")],
        "cache_dir": str(scene.directory / "cache"),
    }
    with open_repository(given, recovery_key) as repository:
        found = key_texts(repository.settings.open_repository_key(recovery_key))
        scopes = [info.name.partition("/")[2] for info in repository.store.list("keys/")]
        assert len(scopes) == 2
        for scope in scopes:
            found += key_texts(read_data_key(repository, scope, recovery_key))
    return found


def test_a_backup_leaves_no_secret_on_the_host_in_its_processes_or_in_what_is_printed(scene: Scene) -> None:
    init = int(podman("inspect", "--format", "{{.State.Pid}}", scene.shop.name))
    with ProcessWatch(init) as watch:
        printed = scene.play("backup", **scene.vault())
    assert "success" in printed
    recovery_pem, administrator_pem = (
        scene.control.run("cat", f"{CONFIGURATION}/{name}.pem").stdout for name in ("recovery-key", "administrator")
    )
    texts = [scene.passphrase.encode(), scene.database_password.encode(), scene.s3["secret_key"].encode()]
    texts += seed_texts(recovery_pem, scene.passphrase) + seed_texts(administrator_pem)
    texts += repository_secrets(scene, recovery_pem)

    assert watch.holding(b"pg_dump"), "the watch did not see the dump"
    assert [seen for text in texts for seen in watch.holding(text)] == []
    assert [text for text in texts if text.decode(errors="replace") in scene.output] == []

    identity = scene.shop.run("cat", f"{CONFIGURATION}/identity.pem").stdout
    own = seed_texts(identity)[0]
    private: list[str] = []
    known: list[str] = []
    for path, content in files_of(scene.shop):
        assert not [text for text in texts if text in content], f"a secret is in {path}"
        if own in content:
            known.append(path)
        if b"-----BEGIN PRIVATE KEY-----\n" in content or b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" in content:
            private.append(path)
    assert known == [f"{CONFIGURATION}/identity.pem"], "the search does not find what is there"
    assert [path for path in private if not path.startswith(("/etc/ssl/private/", "/usr/"))] == known


def test_the_hosts_identity_opens_no_part(scene: Scene) -> None:
    refused = scene.shop.run(
        *("continuity", "restore", "latest", "shop.etc.files", "--target", "/tmp/out"),
        *("--recovery-key", f"{CONFIGURATION}/identity.pem"),
        check=False,
    )
    assert refused.returncode == 4
    assert "is a signing identity, which opens no backup" in refused.stderr
    assert scene.shop.run("test", "-e", "/tmp/out", check=False).returncode == 1
