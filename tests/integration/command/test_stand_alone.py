# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person with the bucket, the recovery key and a fingerprint on paper restores where nothing of us is installed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.tests.environment.postgres import Cluster
from ansible_collections.dfr.continuity.tests.environment.processes import working_directory
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

from .conftest import PACKAGES, Program, server_options
from .trees import describe, make_tree

NUMBERS = "CREATE TABLE number AS SELECT n, md5(n::text) AS hash FROM generate_series(1, 50000) n"


@pytest.fixture
def stand_alone(site: Site, bare_python: Path, tmp_path: Path) -> Program:
    """The program as it is found in the repository, and a Python with the two packages."""
    found = tmp_path / "found.pyz"
    shutil.copy(site.store / "recovery" / "continuity.pyz", found)
    (tmp_path / "another-home").mkdir()
    return Program(bare_python, found, tmp_path / "another-home")


def test_the_bare_python_has_the_two_packages_and_what_they_need_themselves(bare_python: Path) -> None:
    listed = subprocess.run(
        [bare_python, "-I", "-m", "pip", "list", "--format=freeze"], capture_output=True, check=True
    )
    names = {line.partition("==")[0] for line in listed.stdout.decode().split()}
    assert set(PACKAGES) <= names <= {*PACKAGES, "cffi", "pycparser", "typing_extensions", "pip", "setuptools"}


def test_a_tree_and_a_database_come_back_byte_for_byte(
    site: Site, program: Program, host: list[str], person: list[str], stand_alone: Program, postgres: Cluster
) -> None:
    tree, target = site.root / "tree", site.root / "target"
    make_tree(tree)
    before = describe(tree)
    database = postgres.new_database()
    postgres.sql(NUMBERS, database=database)
    backup_id = "20260101T000000Z-0000000a"
    made = ["--backup-id", backup_id, *host]
    assert program.run("backup", "files", tree, "--part", "db1.shop.tree", *made).code == 0
    reached = server_options(postgres, site.root)
    dumped = program.run("backup", "database", database, "--part", "db1.shop.database", *reached, *made)
    assert dumped.code == 0, dumped.err
    _close(site, backup_id, ["db1.shop.tree", "db1.shop.database"])
    shutil.rmtree(tree)

    ended = stand_alone.run("restore", "latest", "--all", "--target", target, *person, "--json")
    assert ended.code == 0, ended.err
    assert {part["part"] for part in ended.document["parts"]} == {"db1.shop.tree", "db1.shop.database"}
    assert describe(target / "db1.shop.tree") == before

    dump = target / "db1.shop.database" / "dump.pgdump"
    assert dump.read_bytes() == site.read_back(backup_id, "db1.shop.database")
    assert (target / "db1.shop.database" / "globals.sql").is_file()
    assert dump.stat().st_mode & 0o777 == 0o600
    script = _script(postgres, dump.read_bytes())
    assert script.count(b"\n") > 50000
    assert script == _script(postgres, _dump(postgres, database))
    assert list(stand_alone.home.rglob("*.part")) == []


def _close(site: Site, backup_id: str, parts: list[str]) -> None:
    from ansible_collections.dfr.continuity.plugins.module_utils._repository.summary import PartOutcome, close_backup

    with site.open() as repository:
        document = close_backup(repository, backup_id, [PartOutcome(part, "db1") for part in parts])
    assert document["status"] == "success"


def _dump(server: Cluster, database: str) -> bytes:
    """What pg_dump itself makes of the database."""
    connection = f"host={server.host} port={server.port} user=postgres dbname={database}"
    argv = [server.bin / "pg_dump", "--format=custom", "--dbname", connection]
    return subprocess.run(argv, capture_output=True, check=True, env={"PGPASSWORD": server.password}).stdout


def _script(server: Cluster, dump: bytes) -> bytes:
    """The SQL of a dump, without the random key that every run of pg_restore puts around it."""
    argv = [server.bin / "pg_restore", "--file=-"]
    script = subprocess.run(argv, input=dump, capture_output=True, check=True).stdout
    return b"\n".join(line for line in script.splitlines() if b"restrict " not in line[:12])


def test_a_database_is_restored_to_a_server_without_any_driver(
    site: Site, program: Program, host: list[str], person: list[str], stand_alone: Program, postgres: t.Any,
    other_postgres: Cluster,
) -> None:  # fmt: skip
    database = postgres.new_database()
    postgres.sql(NUMBERS, database=database)
    program.run("backup", "database", database, "--checksums", *server_options(postgres, site.root), *host)
    part = f"db1.{database}.database"
    restored = f"{database}_restored"
    reached = server_options(other_postgres, site.root)
    planned = stand_alone.run("restore", "latest", part, "--database", restored, "--dry-run", *reached, *person)
    assert planned.code == 0, planned.err
    assert restored not in other_postgres.databases()
    ended = stand_alone.run("restore", "latest", part, "--database", restored, *reached, *person, "--json")
    try:
        assert ended.document["parts"][0]["database"]["checks"] == {"objects": "equal", "rows": "equal"}
        query = "SELECT count(*), md5(string_agg(hash, '' ORDER BY n)) FROM number"
        assert other_postgres.sql(query, database=restored) == postgres.sql(query, database=database)
        again = stand_alone.run("restore", "latest", part, "--database", restored, *reached, *person)
        assert again.code == 5
        assert "exists already" in again.err
    finally:
        other_postgres.drop_database(restored)


def test_a_raw_dump_goes_through_a_pipe_into_pg_restore(
    site: Site, program: Program, host: list[str], person: list[str], stand_alone: Program, postgres: Cluster
) -> None:
    database = postgres.new_database()
    postgres.sql(NUMBERS, database=database)
    program.run("backup", "database", database, *server_options(postgres, site.root), *host)
    ended = stand_alone.run("restore", "latest", f"db1.{database}.database", "--output", "-", *person)
    assert ended.code == 0
    listed = subprocess.run([postgres.bin / "pg_restore", "--list"], input=ended.out, capture_output=True, check=True)
    assert b"TABLE DATA public number" in listed.stdout


def test_another_user_restores_from_a_repository_that_nobody_may_write_to(
    site: Site, program: Program, host: list[str], bare_python: Path
) -> None:
    tree = site.root / "tree"
    tree.mkdir()
    (tree / "file").write_bytes(os.urandom(3_000_000))
    program.run("backup", "files", tree, "--part", "db1.shop.tree", *host)
    with working_directory("stand-alone") as place:
        shutil.chown(place, "nobody", "nogroup")
        shutil.copytree(site.store, place / "bucket")
        shutil.copytree(bare_python.parents[1], place / "venv", symlinks=True)
        key = place / "recovery.pem"
        key.write_bytes(site.recovery_key.to_pem())
        key.chmod(0o600)
        shutil.chown(key, "nobody")
        subprocess.run(["chmod", "-R", "a+rX,a-w", place / "bucket", place / "venv"], check=True)
        untouched = describe(place / "bucket")
        argv = [
            *("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--no-new-privs"),
            *(place / "venv/bin/python", "-I", place / "bucket/recovery/continuity.pyz"),
            *("restore", "latest", "db1.shop.tree", "--target", place / "restored", "--repository", place / "bucket"),
            *("--trust", site.administrator.signer.fingerprint, "--recovery-key", key),
        ]
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "TMPDIR": str(place)}
        done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, cwd="/", env=environment)
        assert done.returncode == 0, done.stderr
        assert (place / "restored" / "file").read_bytes() == (tree / "file").read_bytes()
        assert describe(place / "bucket") == untouched
        assert not list(place.glob("dfr-continuity-*")), "the cache of this run is left behind"


def test_without_trust_it_refuses_and_shows_what_to_compare(site: Site, stand_alone: Program) -> None:
    site.back_up(b"data")
    arguments = [
        "--repository",
        site.store,
        "--recovery-key",
        site.root / "recovery.pem",
        "--target",
        site.root / "out",
    ]
    ended = stand_alone.run("restore", "latest", "--all", *arguments)
    assert ended.code == 2
    assert site.administrator.signer.fingerprint in ended.err
    assert "Compare it, digit by digit" in ended.err
    assert not (site.root / "out").exists()


def test_a_wrong_recovery_key_is_told_and_nothing_is_made(
    site: Site, stand_alone: Program, person: list[str], bare_python: Path
) -> None:
    site.back_up(b"data")
    stand_alone.run("key", "recovery", "--no-passphrase", "--output", site.root / "wrong.pem")
    ended = stand_alone.run(
        *("restore", "latest", "--all", "--target", site.root / "out"),
        *(*person[:-1], site.root / "wrong.pem"),
    )
    assert ended.code == 4
    assert "was not made for the key" in ended.err
    assert not (site.root / "out").exists()


def test_a_bucket_needs_boto3_and_that_is_said(stand_alone: Program, site: Site) -> None:
    trust = ["--trust", site.administrator.signer.fingerprint]
    ended = stand_alone.run(
        *("list", "--repository", "s3://bucket/prefix", "--recovery-key", site.root / "recovery.pem", *trust)
    )
    assert ended.code == 2
    assert "boto3" in ended.err
    assert str(stand_alone.python) in ended.err


def test_a_signal_ends_it_while_nobody_takes_what_it_writes(
    site: Site, stand_alone: Program, person: list[str]
) -> None:
    site.back_up(os.urandom(20_000_000))
    reading = subprocess.Popen(
        stand_alone.argv("restore", "latest", "db1.shop.dump", "--output", "-", *person, "--quiet"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=stand_alone.environment,
    )
    assert reading.stdout
    assert reading.stderr
    assert len(os.read(reading.stdout.fileno(), 1)) == 1
    reading.send_signal(signal.SIGTERM)
    assert reading.wait() == 143
    assert reading.stderr.read() == b"stopped by SIGTERM\n"
    reading.stdout.close()
    reading.stderr.close()


def test_a_full_disk_leaves_no_half_file(site: Site, stand_alone: Program, person: list[str]) -> None:
    site.back_up(os.urandom(8_000_000))
    small = site.root / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], check=True)
    try:
        output = ["--output", small / "dump"]
        ended = stand_alone.run("restore", "latest", "db1.shop.dump", *output, *person)
        assert ended.code == 5
        assert "No space left" in ended.err
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)
