# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test bed's Odoo is a real one: it serves, stores attachments, loads its own zip, neutralises."""

from __future__ import annotations

import base64
import hashlib
import zipfile

import pytest


@pytest.fixture
def shop(make_odoo, postgres):
    return make_odoo(postgres)


def test_a_user_logs_in_and_stores_an_attachment(shop):
    name = shop.new_database()
    shop.start(name)
    session = shop.log_in(name)
    content = b"invoice " * 1000
    record = session.call("ir.attachment", "create", {"name": "invoice", "datas": base64.b64encode(content).decode()})
    digest = hashlib.sha1(content).hexdigest()
    assert (shop.filestore(name) / digest[:2] / digest).read_bytes() == content
    assert session.get(f"/web/content/{record}") == content


def test_the_login_page_and_its_assets_are_served(shop):
    name = shop.new_database()
    shop.start(name)
    session = shop.log_in(name)
    page = session.get("/odoo").decode()
    bundle = page.partition('src="/web/assets/')[2].partition('"')[0]
    assert len(session.get(f"/web/assets/{bundle}")) > 100_000


def test_a_wrong_password_is_refused(shop):
    name = shop.new_database()
    shop.start(name)
    with pytest.raises(RuntimeError, match="Access Denied"):
        shop.log_in(name, password="wrong")


def test_odoo_dumps_and_loads_its_own_zip(shop, make_odoo, other_postgres, tmp_path):
    name = shop.new_database()
    archive = tmp_path / "shop.zip"
    shop.run("db", "dump", name, archive)
    assert {"manifest.json", "dump.sql"} < set(zipfile.ZipFile(archive).namelist())
    copy = make_odoo(other_postgres)
    copy.run("db", "load", "copied", archive)
    users = "SELECT login FROM res_users ORDER BY login"
    assert other_postgres.sql(users, database="copied") == shop.server.sql(users, database=name)


def test_neutralising_covers_the_custom_addon(shop):
    name = shop.new_database()
    assert "dfr_sample.endpoint" in shop.run("neutralize", "-d", name, "--stdout").stdout
