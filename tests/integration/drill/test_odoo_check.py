# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of a real Odoo find: that all is well, and each thing that is not."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import shutil

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_check import (
    OdooCheckOptions,
    Sentinel,
    check_odoo,
)
from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_rpc import OdooUser
from ansible_collections.dfr.continuity.plugins.module_utils._drill.http_check import HttpExpectation
from ansible_collections.dfr.continuity.plugins.module_utils._drill.web import Reach
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError
from ansible_collections.dfr.continuity.tests.environment import odoo as environment

from ..postgres.scene import reach

ALL = ["odoo-health", "odoo-assets", "odoo-login", "odoo-sentinel", "odoo-customer", "odoo-attachments", "odoo-site"]
#: The name that users know; DNS does not.
NAME = "odoo.drill.test"
PASSWORD = "a password of 2026"
API_KEY = """
user = env.ref('base.user_admin')
user.password = '{password}'
partner = env['res.partner'].create({{'name': 'Sentinel', 'ref': 'SENTINEL', 'country_id': env.ref('base.is').id}})
expiry = __import__('datetime').datetime(2100, 1, 1)
print('KEY', env['res.users.apikeys'].with_user(user)._generate('rpc', 'checks', expiry))
env.cr.commit()
"""


class Shop:
    """A running Odoo with a sentinel, and how it is checked."""

    def __init__(self, odoo):
        self.odoo = odoo
        self.name = odoo.new_database()
        shell = odoo.run("shell", f"--database={self.name}", input=API_KEY.format(password=PASSWORD))
        self.api_key = re.search(r"^KEY (\w+)$", shell.stdout, re.MULTILINE)[1]
        odoo.start(self.name)
        url = f"http://{NAME}:{odoo.port}"
        self.options = OdooCheckOptions(
            url=url,
            database=self.name,
            connection=reach(odoo.server),
            user=OdooUser("admin", PASSWORD),
            sentinel=Sentinel("res.partner", [["ref", "=", "SENTINEL"]], {"name": "Sentinel", "country_id": "Iceland"}),
            site=HttpExpectation(f"{url}/web/login", headers_expected={"Server": "Werkzeug"}),
            reach=Reach(resolve={NAME: "127.0.0.1"}, timeout=60),
        )

    def check(self, **changes):
        """Make the checks, and look that no secret is told."""
        checks = check_odoo(dataclasses.replace(self.options, **changes))
        told = json.dumps(checks.to_json())
        for secret in (PASSWORD, "another password", self.api_key, self.odoo.server.password):
            assert secret not in told
        assert [result.name for result in checks.results] == ALL
        return checks

    def attach(self, content):
        session = self.odoo.log_in(self.name, password=PASSWORD)
        values = {"name": "attached", "datas": base64.b64encode(content).decode()}
        number = session.call("ir.attachment", "create", values)
        rows = self.sql("SELECT store_fname FROM ir_attachment WHERE id = %s", number)
        return number, self.odoo.filestore(self.name) / rows[0][0]

    def sql(self, statement, *arguments):
        return self.odoo.server.sql(statement, *arguments, database=self.name)


@pytest.fixture(scope="module")
def shop(postgres):
    with environment.odoo(postgres) as odoo:
        made = Shop(odoo)
        yield made
        odoo.stop()
        postgres.drop_database(made.name)


def failed(checks):
    """Return the checks that did not pass, by name; the mandatory ones make the whole fail."""
    assert not checks.passed
    return {result.name: result for result in checks.results if result.status != "passed"}


def test_an_odoo_that_works(shop):
    number, _path = shop.attach(b"attached last")
    checks = shop.check()
    assert checks.passed, checks.failure()
    by_name = {result.name: result for result in checks.results}
    assert by_name["odoo-login"].evidence["calls"] == "JSON-RPC"
    assert '"name": "Sentinel"' in by_name["odoo-sentinel"].actual
    attachments = by_name["odoo-attachments"].evidence["attachments"]
    assert len(attachments) == 10
    assert number in [item["id"] for item in attachments]
    assert all(item["expected"] == item["actual"] for item in attachments)
    bundles = by_name["odoo-assets"].evidence["files"]
    assert {item["type"] for item in bundles} == {"text/css", "application/javascript"}
    assert len(by_name["odoo-customer"].evidence["ids"]) > 5
    assert "Sentinel" not in json.dumps(by_name["odoo-customer"].to_json())


def test_json_2_with_an_api_key_alone(shop):
    shop.attach(b"attached last")
    checks = shop.check(user=OdooUser(api_key=shop.api_key))
    assert checks.passed, checks.failure()
    login = next(result for result in checks.results if result.name == "odoo-login")
    assert (login.evidence["calls"], login.evidence["with"]) == ("JSON-2", "API key")


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        (OdooUser("admin", "another password"), "Access Denied"),
        (OdooUser("nobody", PASSWORD), "Access Denied"),
        (OdooUser(api_key="0123456789abcdef0123456789abcdef01234567"), "Invalid apikey"),
    ],
)
def test_nobody_is_let_in(shop, user, reason):
    checks = shop.check(user=user)
    wrong = failed(checks)
    assert list(wrong) == ["odoo-login", "odoo-sentinel", "odoo-customer", "odoo-attachments"]
    assert reason in wrong["odoo-login"].reason
    assert "password" in wrong["odoo-login"].next_step
    # Skipped ones are mandatory, and so count as well.
    assert {result.status for name, result in wrong.items() if name != "odoo-login"} == {"skipped"}
    assert len(checks.failures) == 4


def test_another_backup_than_expected(shop):
    other = Sentinel("res.partner", [["ref", "=", "SENTINEL"]], {"name": "Sentinel of today", "country_id": "Iceland"})
    wrong = failed(shop.check(sentinel=other))
    assert list(wrong) == ["odoo-sentinel"]
    assert "another name than" in wrong["odoo-sentinel"].reason
    assert '"name": "Sentinel"' in wrong["odoo-sentinel"].actual
    for domain, found in (([["ref", "=", "MISSING"]], "no record"), ([], "several records")):
        wrong = failed(shop.check(sentinel=Sentinel("res.partner", domain, {"name": "Sentinel"})))
        assert wrong["odoo-sentinel"].actual == found
    wrong = failed(shop.check(sentinel=Sentinel("no.model", [], {"name": "Sentinel"})))
    assert "no.model" in wrong["odoo-sentinel"].reason


def test_no_sentinel_is_a_failure_unless_it_is_optional(shop):
    wrong = failed(shop.check(sentinel=None))
    assert [(name, result.status) for name, result in wrong.items()] == [("odoo-sentinel", "skipped")]
    assert shop.check(sentinel=None, optional=["sentinel"]).passed


def test_a_corrupt_attachment(shop):
    number, path = shop.attach(b"will be corrupt")
    content = path.read_bytes()
    path.write_bytes(b"is now corrupt!")
    try:
        wrong = failed(shop.check())
    finally:
        path.write_bytes(content)
    assert list(wrong) == ["odoo-attachments"]
    assert f"{number} (15 bytes of another SHA-1)" in wrong["odoo-attachments"].reason
    assert wrong["odoo-attachments"].actual == "1 of 10 are wrong"


@pytest.mark.parametrize("user", ["password", "api_key"])
def test_the_filestore_is_gone_and_health_is_green(shop, user):
    filestore = shop.odoo.filestore(shop.name)
    away = filestore.with_name("away")
    filestore.rename(away)
    try:
        given = OdooUser("admin", PASSWORD) if user == "password" else OdooUser(api_key=shop.api_key)
        checks = shop.check(user=given)
    finally:
        # Odoo has made its style sheets again.
        if filestore.exists():
            shutil.copytree(filestore, away, dirs_exist_ok=True)
            shutil.rmtree(filestore)
        away.rename(filestore)
    wrong = failed(checks)
    assert checks.results[0].status == "passed"
    assert wrong["odoo-attachments"].actual == "10 of 10 are wrong"


def test_a_broken_style_sheet(shop):
    assert shop.check().passed
    bundles = shop.sql("SELECT store_fname FROM ir_attachment WHERE url LIKE '/web/assets/%.css'")
    paths = [shop.odoo.filestore(shop.name) / row[0] for row in bundles]
    contents = [path.read_bytes() for path in paths]
    for path in paths:
        path.write_bytes(b"")
    try:
        wrong = failed(shop.check())
    finally:
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
    assert list(wrong) == ["odoo-assets"]
    assert "which the login page needs, is empty" in wrong["odoo-assets"].reason


def test_odoo_uses_another_database_than_is_looked_at(shop, other_postgres):
    with environment.odoo(other_postgres) as other:
        name = other.new_database()
        other_postgres.sql("UPDATE res_partner SET city = city || 'x', name = name || 'x'", database=name)
        other_postgres.sql(f"ALTER DATABASE {name} RENAME TO {shop.name}")
        try:
            wrong = failed(shop.check(connection=reach(other_postgres)))
        finally:
            other_postgres.drop_database(shop.name)
    assert "otherwise than PostgreSQL has them" in wrong["odoo-customer"].reason


def test_postgresql_cannot_be_reached(shop):
    wrong = failed(shop.check(connection=reach(shop.odoo.server, password="another password")))
    assert list(wrong) == ["odoo-customer", "odoo-attachments"]
    assert "password" in wrong["odoo-customer"].reason


def test_another_site_answers(shop):
    site = dataclasses.replace(shop.options.site, headers_expected={"X-Site": "^dr$"})
    wrong = failed(shop.check(site=site))
    assert list(wrong) == ["odoo-site"]
    assert wrong["odoo-site"].actual == "no header X-Site"


def test_what_cannot_be_meant_is_refused(shop):
    for changes, reason in (
        ({"url": "http://odoo.test/web"}, "has a path"),
        ({"samples": 0}, "prove nothing"),
        ({"optional": ["mood"]}, "no check 'mood'"),
        ({"user": OdooUser("admin")}, "Neither a password nor an API key"),
        ({"user": OdooUser(password=PASSWORD)}, "without the user"),
        ({"user": OdooUser(api_key="key\n")}, "holds characters"),
        ({"sentinel": Sentinel("res.partner", [], {})}, "No field"),
    ):
        with pytest.raises(InputError, match=reason):
            check_odoo(dataclasses.replace(shop.options, **changes))


def test_an_odoo_that_is_down_and_one_that_comes_up_late(shop):
    shop.odoo.stop()
    try:
        wrong = failed(shop.check(wait=0))
        assert {name: result.status for name, result in wrong.items()} == {
            **dict.fromkeys(ALL, "skipped"),
            "odoo-health": "failed",
            "odoo-site": "failed",
        }
        assert "cannot be reached: Connection refused" in wrong["odoo-health"].reason
    finally:
        shop.odoo.start(shop.name)
    assert shop.check().passed


FURNISH_14 = """
env.ref('base.user_admin').password = 'a new one'
env['ir.attachment'].create({'name': 'document', 'raw': b'content'})
env.cr.commit()
"""


def test_an_odoo_14(make_odoo_14, postgres):
    odoo = make_odoo_14(postgres)
    name = odoo.new_database()
    odoo.run("shell", f"--database={name}", input=FURNISH_14)
    odoo.start(name)
    options = OdooCheckOptions(
        url=odoo.url,
        database=name,
        connection=reach(postgres),
        user=OdooUser("admin", "a new one"),
        sentinel=Sentinel("res.partner", [["name", "=", "OdooBot"], ["active", "=", False]], {"name": "OdooBot"}),
        reach=Reach(timeout=60),
    )
    checks = check_odoo(options)
    assert checks.passed, checks.failure()
    assert re.fullmatch(r"Odoo 14\.0.*, which has no health page", checks.results[0].actual)
    odoo.filestore(name).rename(odoo.filestore(name).with_name("away"))
    assert "odoo-attachments" in failed(check_odoo(options))
    odoo.stop()
    postgres.drop_database(name)
