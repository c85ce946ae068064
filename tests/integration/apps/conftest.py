# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests of applications."""

from __future__ import annotations

import base64
import hashlib

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_backup import backup_odoo
from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_installation import installation_from_settings
from ansible_collections.dfr.continuity.plugins.module_utils._repository.encoding import new_backup_id

from ..postgres.scene import Scene


class Shop:
    """A real Odoo with demo data, and its backups."""

    def __init__(self, odoo, scene):
        self.odoo = odoo
        self.scene = scene
        self.name = odoo.new_database()
        self.filestore = odoo.filestore(self.name)

    def installation(self, **changes):
        settings = {"config": str(self.odoo.config), "database": self.name, "command": str(self.odoo.command)}
        return installation_from_settings({**settings, **changes})

    def back_up(self, installation=None, **options):
        """Back up all parts; return the backup's id and what became of it."""
        backup_id = new_backup_id()
        with self.scene.open() as repository:
            installation = installation or self.installation()
            return backup_id, backup_odoo(repository, backup_id, "db1.shop", installation, **options)

    def attach(self, content):
        """Store an attachment as Odoo does, without a running Odoo; return its id."""
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        path = self.filestore / sha1[:2] / sha1
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        statement = (
            "INSERT INTO ir_attachment (name, type, store_fname, checksum, file_size, mimetype)"
            " VALUES ('test', 'binary', %s, %s, %s, 'text/plain') RETURNING id"
        )
        row = self.sql(statement, f"{sha1[:2]}/{sha1}", sha1, len(content))
        return row[0][0], path

    def sql(self, statement, *arguments):
        return self.odoo.server.sql(statement, *arguments, database=self.name)


@pytest.fixture
def scene(tmp_path):
    """An empty repository."""
    made = Scene(tmp_path)
    made.configure()
    return made


@pytest.fixture
def shop(make_odoo, postgres, scene):
    """An Odoo that does not run."""
    made = Shop(make_odoo(postgres), scene)
    yield made
    made.odoo.stop()
    postgres.drop_database(made.name)


@pytest.fixture
def create_attachment():
    """Stores an attachment through a session of a running Odoo."""

    def create(session, content):
        values = {"name": "written during the backup", "datas": base64.b64encode(content).decode()}
        return session.call("ir.attachment", "create", values)

    return create
