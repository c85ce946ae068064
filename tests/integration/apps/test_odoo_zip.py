# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo's own zip, there and back, with Odoo's own commands at the other end."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_zip import export_zip
from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_zip_import import import_zip
from ansible_collections.dfr.continuity.plugins.module_utils._files.restore import restore_tree
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.connection import Connection
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.programs import Client
from ansible_collections.dfr.continuity.plugins.module_utils._repository.encoding import new_backup_id
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError, TargetError

from ..postgres.scene import reach

LOGINS = "SELECT login FROM res_users ORDER BY login"
FILES = "SELECT store_fname FROM ir_attachment WHERE store_fname <> '' ORDER BY 1"


def export(scene, backup_id, path, **options):
    with (
        scene.reading(backup_id, "db1.shop.database") as database,
        scene.reading(backup_id, "db1.shop.filestore") as files,
    ):
        return export_zip(database, files, str(path), Client(Connection()), **options)


def test_odoo_loads_what_is_exported(shop, make_odoo, other_postgres, tmp_path):
    marked, _path = shop.attach(b"an attachment " * 100_000)
    backup_id, _backup = shop.back_up()
    path = tmp_path / "shop.zip"
    result = export(shop.scene, backup_id, path)
    assert result["size"] == path.stat().st_size
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(tmp_path.glob("*.part"))

    there = make_odoo(other_postgres)
    there.run("db", "load", "loaded", path)
    assert other_postgres.sql(LOGINS, database="loaded") == shop.sql(LOGINS)
    files = other_postgres.sql(FILES, database="loaded")
    assert set(shop.sql(FILES)) <= set(files)
    for (name,) in shop.sql(FILES):
        content = (there.filestore("loaded") / name).read_bytes()
        assert hashlib.sha1(content, usedforsecurity=False).hexdigest() == name[3:]
    there.start("loaded")
    assert there.log_in("loaded").get(f"/web/content/{marked}") == b"an attachment " * 100_000


def test_the_manifest_is_what_odoo_writes(shop, tmp_path):
    backup_id, _backup = shop.back_up()
    ours, theirs = tmp_path / "ours.zip", tmp_path / "theirs.zip"
    export(shop.scene, backup_id, ours)
    shop.odoo.run("db", "dump", shop.name, theirs)
    read = [json.loads(zipfile.ZipFile(path).read("manifest.json")) for path in (ours, theirs)]
    assert read[0] == read[1]
    names = [set(zipfile.ZipFile(path).namelist()) for path in (ours, theirs)]
    assert {name for name in names[0] if not name.endswith("/")} == {
        name for name in names[1] if not name.endswith("/")
    }


@pytest.mark.parametrize("as_superuser", [True, False])
def test_a_zip_of_odoos_is_imported_and_restored(shop, make_odoo, other_postgres, tmp_path, as_superuser):
    marked, _path = shop.attach(b"an attachment")
    path = tmp_path / "theirs.zip"
    shop.odoo.run("db", "dump", shop.name, path)
    backup_id = new_backup_id()
    with shop.scene.open() as repository:
        imported = import_zip(str(path), repository, backup_id, "db1.shop")
    assert imported.corrupt == []

    there = make_odoo(other_postgres)
    connection = (
        reach(other_postgres) if as_superuser else reach(other_postgres, user=there.role, password=there.password)
    )
    name = f"imported_{as_superuser}".lower()
    shop.scene.restore(backup_id, connection, part="db1.shop.database", name=name, owner=there.role)
    with shop.scene.reading(backup_id, "db1.shop.filestore") as reader:
        restore_tree(reader, str(there.filestore(name)), owners="none")
    owners = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relname IN ('res_users', 'ir_attachment')"
    assert other_postgres.sql(owners, database=name) == [(there.role,)]
    there.start(name)
    assert there.log_in(name).get(f"/web/content/{marked}") == b"an attachment"


def test_an_existing_file_is_not_replaced_unless_asked_for(shop, tmp_path):
    backup_id, _backup = shop.back_up()
    path = tmp_path / "shop.zip"
    path.write_text("precious")
    with pytest.raises(TargetError, match="exists already"):
        export(shop.scene, backup_id, path)
    assert path.read_text() == "precious"
    export(shop.scene, backup_id, path, replace=True)
    assert zipfile.is_zipfile(path)
    with pytest.raises(TargetError, match="could not be written"):
        export(shop.scene, backup_id, tmp_path / "nowhere" / "shop.zip")


def test_what_is_not_of_odoo_is_not_exported(scene, postgres, tmp_path):
    backup_id, _record = scene.dump(reach(postgres), postgres.new_database())
    with scene.reading(backup_id) as reader, pytest.raises(InputError, match="not the database of an Odoo"):
        export_zip(reader, None, str(tmp_path / "x.zip"), Client(Connection()))
    assert list(tmp_path.glob("x.zip*")) == []


@pytest.mark.parametrize("before", [b"", b"\\restrict KEY\n\\unrestrict KEY\n"])
def test_a_zip_cannot_run_commands_on_the_machine_that_restores_it(scene, other_postgres, tmp_path, before):
    """Plain SQL goes through psql, which obeys commands that stand in it."""
    trace = tmp_path / "trace"
    sql = b"-- PostgreSQL database dump\n" + before + f"\\! touch {trace}\nSELECT 1;\n".encode()
    manifest = {"odoo_dump": "1", "db_name": "evil", "version": "19.0", "major_version": "19.0", "pg_version": "15.0"}
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as made:
        made.writestr("dump.sql", sql)
        made.writestr("manifest.json", json.dumps({**manifest, "modules": {"base": "19.0.1.3"}}))
    backup_id = new_backup_id()
    with scene.open() as repository:
        import_zip(str(tmp_path / "evil.zip"), repository, backup_id, "db1.shop")
    before_it = other_postgres.databases()
    with pytest.raises(TargetError, match="restrict"):
        scene.restore(backup_id, reach(other_postgres), part="db1.shop.database")
    assert not trace.exists()
    assert other_postgres.databases() == before_it
