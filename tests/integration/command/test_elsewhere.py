# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command against a bucket, packed inside an Ansible payload, and with Odoo's zip files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
import zipfile
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._command.program import build_program
from ansible_collections.dfr.continuity.tests.environment.postgres import Cluster
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

from .conftest import Program


def _configuration(directory: Path, repository: dict[str, t.Any]) -> Path:
    path = directory / "continuity.json"
    path.write_text(json.dumps({"repository": repository}))
    path.chmod(0o600)
    return path


def test_a_bucket_is_backed_up_to_verified_and_restored_from(
    s3_server: t.Any, tmp_path: Path, program: Program
) -> None:
    tree, target = tmp_path / "tree", tmp_path / "target"
    tree.mkdir()
    (tree / "file").write_bytes(os.urandom(40_000_000))
    site = Site(tmp_path, bucket={"location": f"s3://{s3_server.new_bucket()}/prefix", "s3": s3_server.settings()})
    site.configure()
    config = _configuration(tmp_path, {**site.access("db1")})
    key = tmp_path / "recovery.pem"
    key.write_bytes(site.recovery_key.to_pem())
    key.chmod(0o600)
    made = program.run("backup", "files", tree, "--config", config)
    assert made.code == 0, made.err
    verified = program.run("verify", "--bytes", "--config", config, "--recovery-key", key, "--json")
    assert verified.document["valid"] is True
    restored = program.run("restore", "latest", "--all", "--target", target, "--config", config, "--recovery-key", key)
    assert restored.code == 0, restored.err
    assert (target / "db1.tree.tree" / "file").read_bytes() == (tree / "file").read_bytes()
    said = b"".join((one.out + one.err.encode()) for one in (made, verified, restored))
    assert s3_server.secret_key.encode() not in said


def test_a_store_that_does_not_answer_is_told_as_that(tmp_path: Path, program: Program) -> None:
    site = Site(tmp_path)
    nobody = {"endpoint": "http://127.0.0.1:9", "access_key": "key", "secret_key": "secret-of-nobody", "deadline": 2}
    config = _configuration(tmp_path, {**site.access("db1"), "location": "s3://bucket", "s3": nobody})
    ended = program.run("list", "--config", config, "--json")
    assert ended.code == 3
    assert json.loads(ended.out)["error"]["kind"] == "store_unreachable"
    assert "127.0.0.1:9" in ended.err
    assert "secret-of-nobody" not in ended.err


def test_the_program_built_inside_an_ansible_payload_is_the_same(tmp_path: Path) -> None:
    """Ansible sends only what modules import: everything that the program needs must be among it."""
    path = tmp_path / "continuity.pyz"
    argv = [
        *(Path(sys.executable).with_name("ansible"), "localhost", "-i", "localhost,", "-c", "local"),
        *("-e", f"ansible_python_interpreter={sys.executable}"),
        *("-m", "dfr.continuity.command_program", "-a", f"path={path}"),
    ]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert path.read_bytes() == build_program()


@pytest.fixture
def odoo_zip(postgres: Cluster, tmp_path: Path) -> Path:
    """A zip as Odoo makes it, of a small database."""
    database = postgres.new_database()
    postgres.sql(
        "CREATE TABLE note AS SELECT n, md5(n::text) AS text FROM generate_series(1, 1000) n", database=database
    )
    connection = f"host={postgres.host} port={postgres.port} user=postgres dbname={database}"
    dump = subprocess.run(
        [postgres.bin / "pg_dump", "--no-owner", "--dbname", connection],
        env={"PGPASSWORD": postgres.password},
        capture_output=True,
        check=True,
    ).stdout
    manifest = {
        "odoo_dump": "1",
        "db_name": database,
        "version": "19.0",
        "version_info": [19, 0, 0, "final", 0, ""],
        "major_version": "19.0",
        "pg_version": f"{postgres.version}.0",
        "modules": {"base": "19.0.1.3"},
    }
    path = tmp_path / "shop.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("dump.sql", dump)
        made.writestr("manifest.json", json.dumps(manifest))
        made.writestr("filestore/0a/0a0a9f2a6772942557ab5355d76af442f8f65e01", b"Hello, World!")
    return path


def test_a_zip_of_odoos_goes_in_and_comes_out_the_same(
    odoo_zip: Path, site: Site, program: Program, host: list[str], person: list[str]
) -> None:
    imported = program.run("import", odoo_zip, *host)
    assert imported.code == 0, imported.err
    assert imported.document["status"] == "success"
    assert [part["part"] for part in imported.document["parts"]] == ["db1.shop.database", "db1.shop.filestore"]
    output = site.root / "out.zip"
    exported = program.run("export", "latest", "db1.shop.database", "--output", output, *person, "--json")
    assert exported.code == 0, exported.err
    assert exported.document["filestore"] == "db1.shop.filestore"
    with zipfile.ZipFile(odoo_zip) as before, zipfile.ZipFile(output) as after:
        assert sorted(before.namelist()) == sorted(after.namelist())
        for name in before.namelist():
            if name == "manifest.json":
                assert json.loads(before.read(name)) == json.loads(after.read(name))
            else:
                assert before.read(name) == after.read(name)
    again = program.run("export", "latest", "db1.shop.database", "--output", output, *person)
    assert again.code == 5
    alone = program.run(
        "export", "latest", "db1.shop.database", "--output", output, "--replace", "--no-filestore", *person
    )
    assert alone.code == 0, alone.err
    with zipfile.ZipFile(output) as after:
        assert sorted(after.namelist()) == ["dump.sql", "manifest.json"]


def test_a_corrupt_attachment_in_a_zip_is_a_partial_backup(
    odoo_zip: Path, site: Site, program: Program, host: list[str]
) -> None:
    with zipfile.ZipFile(odoo_zip, "a") as made:
        made.writestr("filestore/00/0000000000000000000000000000000000000000", b"not this")
    imported = program.run("import", odoo_zip, "--name", "old", *host)
    assert imported.code == 1
    assert imported.document["status"] == "partial"
    assert imported.document["corrupt_files"] == ["00/0000000000000000000000000000000000000000"]
    assert imported.document["parts"][1]["part"] == "db1.old.filestore"


def test_what_is_no_zip_of_odoos_is_refused_and_leaves_no_backup(site: Site, program: Program, host: list[str]) -> None:
    path = site.root / "no.zip"
    path.write_bytes(b"no zip")
    ended = program.run("import", path, *host)
    assert ended.code == 2
    assert program.run("list", *host).document["backups"] == []
