# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading odoo.conf, and what is taken from it."""

from __future__ import annotations

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_database import is_supported, series_of
from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_installation import (
    OdooConfig,
    installation_from_settings,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError

CONFIG = """\
[options]
; a comment
admin_passwd = $pbkdf2-sha512$600000$x%(y)s
addons_path = {own},{custom}
data_dir = /srv/odoo
db_host = db.example
db_port = 5433
db_user = odoo
db_password = s%cret
db_name = shop
db_sslmode = require
proxy_mode = True
"""


@pytest.fixture
def config(tmp_path):
    own, custom = tmp_path / "own", tmp_path / "custom"
    (own / "base").mkdir(parents=True)
    (custom / "shop_addon").mkdir(parents=True)
    path = tmp_path / "odoo.conf"
    path.write_text(CONFIG.format(own=own, custom=custom))
    return path


def test_everything_is_taken_from_the_configuration(config):
    odoo = installation_from_settings({"config": str(config)})
    assert odoo.database == "shop"
    assert odoo.filestore == "/srv/odoo/filestore/shop"
    assert odoo.addons == (str(config.parent / "custom"),)
    connection = odoo.connection
    assert (connection.host, connection.port, connection.user) == ("db.example", 5433, "odoo")
    assert (connection.password, connection.sslmode, connection.run_as) == ("s%cret", "require", None)


def test_what_is_given_counts_more(config):
    given = {
        "database": "other",
        "data_dir": "/data",
        "addons": [],
        "connection": {"host": "/run/postgresql", "run_as": "postgres"},
    }
    odoo = installation_from_settings({"config": str(config), **given, "command": "odoo --x", "container": ""})
    assert (odoo.database, odoo.filestore, odoo.addons) == ("other", "/data/filestore/other", ())
    assert odoo.connection.password is None
    assert odoo.command == ("odoo", "--x")


def test_peer_authentication_as_packages_set_it_up():
    connection = OdooConfig(
        "odoo.conf", "[options]\ndb_host = False\ndb_user = postgres\ndb_password = False\n"
    ).connection()
    assert (connection.host, connection.user, connection.run_as) == (None, "postgres", "postgres")


def test_the_data_directory_that_odoo_takes_by_itself():
    assert OdooConfig("odoo.conf", "[options]\ndb_user = root\n").data_dir() == "/root/.local/share/Odoo"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "No database of Odoo is named"),
        ({"database": "shop"}, "how to reach the database"),
        ({"database": "shop", "connection": {"host": "db"}}, "where the filestore"),
        ({"config": "/nowhere/odoo.conf"}, "No such file"),
        ({"database": "shop", "datadir": "/x"}, "'datadir'"),
    ],
)
def test_what_is_missing_is_named(settings, reason):
    with pytest.raises(InputError, match=reason):
        installation_from_settings(settings)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "options"),
        ("no section", "no section"),
        ("[options]\ndb_name = a,b\n", "2 databases"),
        ("[options]\ndb_name=a\ndb_port=x", "'x'"),
    ],
)
def test_a_configuration_that_cannot_be_used(tmp_path, text, reason):
    path = tmp_path / "odoo.conf"
    path.write_text(text)
    with pytest.raises(InputError, match=reason):
        installation_from_settings({"config": str(path)})


@pytest.mark.parametrize(
    ("version", "series", "supported"),
    [
        ("19.0.1.3", "19.0", True),
        ("14.0.1.3", "14.0", True),
        ("saas~18.2.1.3", "saas~18.2", True),
        ("13.0.1.3", "13.0", False),
        ("20.0.1.0", "20.0", False),
    ],
)
def test_series(version, series, supported):
    assert series_of(version) == series
    assert is_supported(series) is supported


def test_what_is_no_version_is_refused():
    with pytest.raises(InputError, match="'1'"):
        series_of("1")
