# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backing up a real Odoo 19, and bringing it to life elsewhere."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_backup import OdooBackupOptions
from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_database import collection_held_off
from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_neutralise import neutraliser
from ansible_collections.dfr.continuity.plugins.module_utils._files.restore import restore_tree
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.connection import Connection
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.dump import DumpOptions
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.programs import Client
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.restore import RestoreOptions, restore_database
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError, SourceError

from ..postgres.scene import reach

PARTS = ["db1.shop.database", "db1.shop.filestore", "db1.shop.addons", "db1.shop.config"]


def records(backup):
    """Return the records by the end of the parts' names; all parts must be there."""
    assert [(part.name, part.error) for part in backup.parts] == [(name, None) for name in PARTS]
    return {part.name.rpartition(".")[2]: part.record for part in backup.parts}


def restore(scene, backup_id, there, name, finish=None):
    """Restore database and filestore to another Odoo, which may have no superuser."""
    connection = Connection(host=there.server.host, port=there.server.port, user=there.role, password=there.password)
    with scene.reading(backup_id, "db1.shop.database") as reader:
        result = restore_database(
            reader, connection, RestoreOptions(name=name, owner=there.role), finish and finish(reader)
        )
    with scene.reading(backup_id, "db1.shop.filestore") as reader:
        restore_tree(reader, str(there.filestore(name)))
    return result


def attachments(server, database, filestore):
    """Check every attachment's file against its SHA-1; return the ids."""
    rows = server.sql("SELECT id, store_fname FROM ir_attachment WHERE store_fname <> ''", database=database)
    for _id, path in rows:
        content = (filestore / path).read_bytes()
        assert hashlib.sha1(content, usedforsecurity=False).hexdigest() == os.path.basename(path)
    return {row[0] for row in rows}


def test_users_write_attachments_meanwhile_and_all_fits_together(shop, make_odoo, other_postgres, create_attachment):
    for number in range(300):
        shop.attach(os.urandom(20000) + str(number).encode())
    shop.odoo.start(shop.name)
    session = shop.odoo.log_in(shop.name)
    before = create_attachment(session, b"written before the backup")
    stop, written, problems = threading.Event(), [], []

    def write():
        try:
            while not stop.is_set():
                written.append(create_attachment(session, os.urandom(3000)))
                if len(written) % 3 == 0:
                    session.call("ir.attachment", "unlink", [written[-2]])
        except Exception as error:
            problems.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        backup_id, backup = shop.back_up(options=OdooBackupOptions(dump=DumpOptions(checksums=True)))
    finally:
        stop.set()
        writer.join()
    assert problems == []
    assert len(written) > 2
    made = records(backup)
    assert made["database"]["facts"]["odoo"]["series"] == "19.0"
    assert made["database"]["facts"]["odoo"]["neutralise"] == "saved"
    facts = made["filestore"]["facts"]
    assert (facts["collection_held_off"], facts["attachments_accounted_for"]) == (True, True)
    assert (backup.missing, backup.corrupt) == ([], [])
    assert facts["attachment_files"] > 300

    there = make_odoo(other_postgres)
    result = restore(shop.scene, backup_id, there, "elsewhere")
    assert result.checks == {"objects": "equal", "rows": "equal"}
    ids = attachments(other_postgres, "elsewhere", there.filestore("elsewhere"))
    assert before in ids
    assert len(ids) == backup.counts["in_filestore"]
    there.start("elsewhere")
    session = there.log_in("elsewhere")
    assert session.get(f"/web/content/{before}") == b"written before the backup"
    assert session.call("res.partner", "search_count", []) > 10


def collect(shop):
    """Have Odoo collect unused files now."""
    shop.odoo.run("shell", f"--database={shop.name}", input="env['ir.attachment']._gc_file_store(); env.cr.commit()\n")


def test_collection_is_held_off_and_writers_are_not(shop):
    gone, path = shop.attach(b"nobody needs this")
    mark = shop.filestore / "checklist" / path.parent.name / path.name
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    shop.sql("DELETE FROM ir_attachment WHERE id = %s", gone)
    with collection_held_off(Client(shop.installation().connection), shop.name, 10) as hold_off:
        assert hold_off.held
        shop.attach(b"written meanwhile")
        collect(shop)
        assert path.exists()
        assert hold_off.held
    assert not hold_off.held
    collect(shop)
    assert not path.exists()


def test_missing_and_corrupt_attachments_are_named(shop):
    missing, gone = shop.attach(b"will be missing")
    copied = "INSERT INTO ir_attachment (name, type, store_fname) SELECT 'copy', type, store_fname FROM ir_attachment"
    shop.sql(f"{copied} WHERE id = %s", missing)
    corrupt, damaged = shop.attach(b"will be corrupt")
    gone.unlink()
    damaged.write_bytes(b"is corrupt")
    os.utime(damaged, (0, 0))
    _id, backup = shop.back_up()
    made = records(backup)["filestore"]
    assert [(item["path"][3:], item["attachments"], item["ids"][0]) for item in backup.missing] == [
        (gone.name, 2, missing)
    ]
    assert [(item["path"][3:], item["ids"]) for item in backup.corrupt] == [(damaged.name, [corrupt])]
    for name in (gone.name, damaged.name):
        assert any(name in warning for warning in made["warnings"])
        assert name in made["facts"]["incomplete"]
    assert made["facts"]["missing_attachments"] == 2
    part = next(part for part in backup.parts if part.name.endswith(".filestore"))
    assert part.incomplete == made["facts"]["incomplete"]
    _id, tolerated = shop.back_up(options=OdooBackupOptions(tolerated_attachments=3))
    assert all(part.incomplete == "" for part in tolerated.parts)
    assert len(tolerated.missing) == 1


def test_attachments_in_the_database_or_elsewhere_are_told_apart(shop):
    shop.sql("INSERT INTO ir_attachment (name, type, db_datas) VALUES ('in the database', 'binary', 'abc')")
    shop.sql("INSERT INTO ir_attachment (name, type, store_fname) VALUES ('bucket', 'binary', 's3://bucket/key')")
    shop.sql("INSERT INTO ir_attachment (name, type, url) VALUES ('link', 'url', 'https://example.org')")
    _id, backup = shop.back_up()
    made = records(backup)
    assert made["database"]["facts"]["odoo"]["attachments"] == backup.counts
    assert (backup.counts["in_database"], backup.counts["elsewhere"]) == (1, 1)
    assert backup.counts["without_content"] >= 1
    assert sum(backup.counts.values()) == 2 * backup.counts["rows"]
    assert any("1 attachments are kept outside" in warning for warning in made["database"]["warnings"])
    assert backup.missing == []


def test_a_dump_that_fails_does_not_stop_the_others(shop):
    server = shop.odoo.server
    wrong = {"host": server.host, "port": server.port, "user": shop.odoo.role, "password": "wrong"}
    told = []
    _id, backup = shop.back_up(shop.installation(connection=wrong), on_part=told.append)
    assert told == backup.parts
    database, filestore, addons, config = backup.parts
    assert isinstance(database.error, SourceError)
    assert "password" in database.error.message
    for part in (filestore, addons, config):
        assert part.error is None
    facts = filestore.record["facts"]
    assert (facts["collection_held_off"], facts["attachments_accounted_for"]) == (False, False)
    assert len(filestore.record["warnings"]) == 2
    assert not backup.accounted


def test_a_filestore_that_is_missing_does_not_stop_the_others(shop):
    shop.filestore.rename(shop.filestore.with_name("away"))
    _id, backup = shop.back_up()
    assert [part.name for part in backup.parts if part.error] == ["db1.shop.filestore"]
    assert "does not exist" in backup.parts[1].error.message


def test_a_database_that_is_not_of_odoo_is_refused(shop):
    other = shop.odoo.server.new_database(shop.odoo.role)
    _id, backup = shop.back_up(shop.installation(database=other), options=OdooBackupOptions(parts=("database",)))
    (part,) = backup.parts
    assert isinstance(part.error, InputError)
    assert "not one of Odoo" in part.error.message


def test_a_new_database_without_files_has_no_filestore(shop):
    shop.sql("UPDATE ir_attachment SET store_fname = NULL")
    shop.filestore.rename(shop.filestore.with_name("away"))
    _id, backup = shop.back_up()
    filestore = backup.parts[1]
    assert (filestore.name, filestore.record, filestore.error) == ("db1.shop.filestore", None, None)


def test_the_configuration_and_the_addons_come_along(shop, tmp_path):
    backup_id, backup = shop.back_up()
    made = records(backup)
    assert made["config"]["kind"] == "file"
    with shop.scene.reading(backup_id, "db1.shop.addons") as reader:
        restore_tree(reader, str(tmp_path / "addons"))
    assert (tmp_path / "addons" / "dfr_sample" / "__manifest__.py").exists()


def test_a_copy_is_harmless_before_it_has_a_name(shop, make_odoo, other_postgres):
    backup_id, _backup = shop.back_up()
    there = make_odoo(other_postgres)
    restore(shop.scene, backup_id, there, "harmless", neutraliser)
    parameters = dict(other_postgres.sql("SELECT key, value FROM ir_config_parameter", database="harmless"))
    assert parameters["database.is_neutralized"] == "true"
    assert (
        parameters["dfr_sample.endpoint"]
        != dict(shop.sql("SELECT key, value FROM ir_config_parameter"))["dfr_sample.endpoint"]
    )
    other_postgres.drop_database("harmless")


def test_neutralising_without_the_sql_is_refused(shop, other_postgres):
    installation = shop.installation(command="/nowhere/odoo")
    backup_id, backup = shop.back_up(installation, options=OdooBackupOptions(parts=("database",)))
    (part,) = backup.parts
    assert part.record["facts"]["odoo"]["neutralise"].startswith("not saved: /nowhere/odoo could not be started")
    with (
        shop.scene.reading(backup_id, part.name) as reader,
        pytest.raises(InputError, match="not saved: /nowhere/odoo"),
    ):
        neutraliser(reader)


def test_a_superuser_may_back_up_as_well(shop):
    connection = reach(shop.odoo.server)
    settings = {"host": connection.host, "port": connection.port, "user": "postgres", "password": connection.password}
    _id, backup = shop.back_up(shop.installation(connection=settings))
    assert records(backup)["database"]["facts"]["globals"] == "with passwords"
