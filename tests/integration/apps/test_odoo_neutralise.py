# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of a real Odoo 19 that has mail to send and jobs to run does neither; nor does one of a real Odoo 14."""

from __future__ import annotations

import contextlib

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_backup import OdooBackupOptions
from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_neutralise import (
    NeutraliseOptions,
    neutralise,
    options_from_part,
)
from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_neutralising_sql import sql_of_file
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.programs import Client
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.restore import RestoreOptions, restore_database
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError, TargetError
from ansible_collections.dfr.continuity.tests.environment.processes import wait_until

from ..postgres.scene import reach
from .conftest import Shop

#: For `odoo shell`: what makes an Odoo act by itself, in the words of 14 and 19 alike.
ALIVE = """
import datetime
past = datetime.datetime.now() - datetime.timedelta(days=1)
servers = env['ir.mail_server'].create({{
    'name': 'outgoing', 'smtp_host': '127.0.0.1', 'smtp_port': {port}, 'smtp_encryption': 'none',
    'smtp_user': 'shop', 'smtp_pass': 'mail password',
}})
servers.write({{'smtp_user': False}})
env['mail.mail'].search([]).unlink()
mail = {{'subject': 'queued', 'body_html': '<p>x</p>', 'email_from': 'shop@example.com', 'auto_delete': False}}
env['mail.mail'].create({{**mail, 'email_to': 'customer@example.com'}})
env['mail.mail'].create({{**mail, 'subject': 'bound', 'email_to': 'bound@example.com', 'mail_server_id': servers.id}})
env['fetchmail.server'].create({{'name': 'incoming', 'server': '127.0.0.1', 'user': 'shop', 'password': 'in password'}})
env.ref('mail.ir_cron_mail_scheduler_action').write({{'active': True, 'nextcall': past}})
"""
JOB = """
env['ir.cron'].create({{
    'name': '{name}', 'model_id': env.ref('base.model_ir_config_parameter').id, 'state': 'code',
    'code': "env['ir.config_parameter'].set_param('test.{name}', 'ran')",
    'interval_type': 'days', 'nextcall': past, 'priority': 99, **{others},
}})
env.cr.commit()
"""
#: A user who presses "send".
SEND = """
mail = env['mail.mail'].create({'subject': 'now', 'body_html': '<p>x</p>', 'email_to': 'now@example.com'})
mail.send()
env['mail.mail'].search([('subject', '=', 'bound')]).write({'state': 'outgoing'})
env['mail.mail'].search([('subject', '=', 'bound')]).send()
env.cr.commit()
"""


def parameter(server, database, key):
    rows = server.sql("SELECT value FROM ir_config_parameter WHERE key = %s", key, database=database)
    return rows[0][0] if rows else None


def subjects(mailbox):
    return sorted(message["Subject"] for message in mailbox.messages)


def wait_for_job(odoo, database, name):
    """Wait until the scheduled jobs of a running Odoo have run; this one is the last."""

    def ran():
        odoo.server.sql(f"NOTIFY cron_trigger, '{database}'")
        return parameter(odoo.server, database, f"test.{name}") == "ran"

    wait_until(ran, f"the job {name}", 120)


@pytest.fixture
def alive(shop, mailbox):
    """An Odoo with mail to send and a job to run, whose mail goes to the mailbox."""
    shop.odoo.run(
        "shell", f"--database={shop.name}", input=ALIVE.format(port=mailbox.port) + JOB.format(name="job", others="{}")
    )
    return shop


@pytest.fixture
def copy(alive, make_odoo, other_postgres):
    """Its copy on another server, restored and not yet neutralised, with the options that its backup gives."""
    backup_id, _backup = alive.back_up(options=OdooBackupOptions(parts=("database",)))
    made = Copy(alive.scene, backup_id, make_odoo(other_postgres))
    yield made
    made.odoo.stop()
    other_postgres.drop_database(made.name)


class Copy:
    """The database of a backup restored for another Odoo, which does not run."""

    name = "copy"

    def __init__(self, scene, backup_id, odoo):
        self.odoo = odoo
        self.server = odoo.server
        self.client = Client(reach(odoo.server))
        with scene.reading(backup_id, "db1.shop.database") as reader:
            restore_database(reader, self.client.connection, RestoreOptions(name=self.name, owner=odoo.role))
            self.options = options_from_part(reader)

    def neutralise(self, options=None, **others):
        return neutralise(self.client, self.name, options or self.options, **others)

    def sql(self, statement, *arguments):
        return self.server.sql(statement, *arguments, database=self.name)

    def value(self, statement, *arguments):
        return self.sql(statement, *arguments)[0][0]


def test_a_copy_sends_nothing_and_runs_nothing_while_the_original_does(alive, copy, mailbox):
    alive.odoo.start(alive.name, "--max-cron-threads=1")
    wait_for_job(alive.odoo, alive.name, "job")
    mailbox.wait_for(2)
    alive.odoo.stop()
    assert subjects(mailbox) == ["bound", "queued"]

    done = copy.neutralise()
    assert done.changed
    expected = {"outgoing mail servers": 1, "incoming mail servers": 1, "queued mails": 2}
    assert expected.items() <= done.switched_off.items()
    assert done.switched_off["scheduled jobs"] > 5
    there = copy.odoo
    canary = JOB.format(name="canary", others="{}")
    there.run(
        "shell", f"--database={copy.name}", input="import datetime\npast = datetime.datetime(2020, 1, 1)\n" + canary
    )
    there.start(copy.name, "--max-cron-threads=1")
    wait_for_job(there, copy.name, "canary")
    there.stop()
    there.run("shell", f"--database={copy.name}", input=SEND)
    assert parameter(copy.server, copy.name, "test.job") is None
    assert subjects(mailbox) == ["bound", "queued"]
    assert copy.value("SELECT count(*) FROM mail_mail WHERE state = 'sent'") == 0


def test_the_second_time_nothing_is_done(copy):
    options = {"base_url": "https://odoo.drill.example.com"}
    given = NeutraliseOptions(copy.options.sql, copy.options.source, **options)
    copy.sql("INSERT INTO ir_config_parameter (key, value) VALUES ('report.url', 'https://production.example.com')")
    identity = "SELECT array_agg(value ORDER BY key) FROM ir_config_parameter WHERE key IN"
    identity += " ('database.uuid', 'database.secret')"
    before = copy.value(identity)
    looked = copy.neutralise(given, only_look=True)
    assert looked.changed
    assert copy.value("SELECT count(*) FROM mail_mail WHERE state = 'outgoing'") == 2
    first = copy.neutralise(given)
    assert first.switched_off == looked.switched_off
    assert (first.base_url, first.source) == (options["base_url"], copy.options.source)
    assert copy.value("SELECT value FROM ir_config_parameter WHERE key = 'report.url'") == options["base_url"]
    after = copy.value(identity)
    assert not set(before) & set(after)
    again = copy.neutralise(given)
    assert (again.changed, again.switched_off, again.uuid) == (False, {}, first.uuid)
    assert copy.value(identity) == after
    copy.sql("UPDATE ir_mail_server SET active = true")
    assert copy.neutralise(given).switched_off == {"outgoing mail servers": 1}


def test_jobs_that_may_run_are_left_on(copy):
    given = NeutraliseOptions(copy.options.sql, crons=("base.autovacuum_job",))
    copy.neutralise(given)
    assert copy.value("SELECT array_agg(cron_name) FROM ir_cron WHERE active") == ["Base: Auto-vacuum internal data"]
    assert not copy.neutralise(given).changed
    assert copy.neutralise().switched_off == {"scheduled jobs": 1}
    with pytest.raises(InputError, match="no XML id"):
        copy.neutralise(NeutraliseOptions(copy.options.sql, crons=("Auto-vacuum",)))


def everything(copy):
    tables = "ir_mail_server", "mail_mail", "ir_cron", "ir_config_parameter", "fetchmail_server"
    return [copy.sql(f"SELECT * FROM {table} ORDER BY id") for table in tables]


@pytest.mark.parametrize(
    ("trigger", "reason"),
    [
        ("RAISE EXCEPTION 'not here';", "not here"),
        # Something in the database that keeps things on: the last statement of the transaction finds out.
        ("NEW.active = true; RETURN NEW;", "neutralising has left outgoing mail servers"),
    ],
)
def test_it_is_all_or_nothing(copy, trigger, reason):
    copy.sql(f"CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {trigger} END $$")
    copy.sql("CREATE TRIGGER keep BEFORE UPDATE ON ir_mail_server FOR EACH ROW EXECUTE FUNCTION keep()")
    before = everything(copy)
    with pytest.raises(TargetError, match=reason):
        copy.neutralise()
    assert everything(copy) == before
    assert parameter(copy.server, copy.name, "database.is_neutralized") is None


def test_a_database_that_an_odoo_has_seen_is_refused(copy):
    with (
        contextlib.closing(copy.server.connect(copy.name, application_name="odoo-4711")),
        pytest.raises(TargetError, match="in use: odoo-4711 as postgres"),
    ):
        copy.neutralise()
    assert parameter(copy.server, copy.name, "database.is_neutralized") is None


def test_sql_from_a_file(alive, copy, tmp_path):
    printed = alive.odoo.run("neutralize", "-d", alive.name, "--stdout")
    file = tmp_path / "neutralise.sql"
    file.write_text(printed.stdout)
    assert sql_of_file(str(file)) == copy.options.sql
    file.write_text("BEGIN;\nUPDATE x SET y = 1;\nCOMMIT;\nDELETE FROM x;\nCOMMIT;\n")
    with pytest.raises(InputError, match="more than one transaction"):
        sql_of_file(str(file))
    file.write_text("UPDATE x SET y = 1;\n")
    with pytest.raises(InputError, match="not what `odoo neutralize --stdout` prints"):
        sql_of_file(str(file))
    with pytest.raises(InputError, match="No such file"):
        sql_of_file(str(tmp_path / "missing"))


def test_without_the_sql_of_its_modules_only_when_told_so(copy):
    with pytest.raises(InputError, match=r"Odoo 19.0 in database copy needs the SQL"):
        copy.neutralise(NeutraliseOptions())
    assert copy.neutralise(NeutraliseOptions(built_in=True)).switched_off["outgoing mail servers"] == 1
    assert not copy.neutralise(NeutraliseOptions(built_in=True)).changed


def test_a_database_that_is_not_of_odoo_is_refused(other_postgres):
    name = other_postgres.new_database()
    with pytest.raises(InputError, match="not one of Odoo"):
        neutralise(Client(reach(other_postgres)), name, NeutraliseOptions())


# -- Odoo 14 ------------------------------------------------------------------------------------------------------


#: What talks to others in the modules that are installed there.
FURNISH_14 = """
env['payment.acquirer'].search([('provider', 'in', ('paypal', 'stripe'))]).write({{
    'state': 'enabled', 'paypal_email_account': 'shop@example.com', 'stripe_secret_key': 'sk_live',
    'stripe_publishable_key': 'pk_live', 'paypal_pdt_token': 'pdt',
}})
env['sms.sms'].create({{'number': '+15550100', 'body': 'queued'}})
env['iap.account'].create({{'service_name': 'sms', 'account_token': 'iap token 1'}})
env['website'].search([]).write({{'domain': 'https://shop.example.com', 'cdn_activated': True}})
env['auth.oauth.provider'].search([]).write({{'enabled': True}})
env['ir.config_parameter'].set_param('google_calendar_client_secret', 'calendar secret')
env['ir.actions.server'].create({{
    'name': 'call', 'model_id': env.ref('base.model_res_partner').id, 'state': 'code',
    'code': "env['x'].post('https://orders.example.com')",
}})
env.user.write({{'oauth_access_token': 'oauth token'}})
"""


@pytest.fixture
def shop_14(make_odoo_14, postgres, scene, mailbox):
    """An Odoo 14 with mail to send and a job to run."""
    made = Shop(make_odoo_14(postgres), scene)
    job = JOB.format(name="job", others="{'numbercall': -1}")
    made.odoo.run("shell", f"--database={made.name}", input=(ALIVE + FURNISH_14).format(port=mailbox.port) + job)
    yield made
    postgres.drop_database(made.name)


PROCESS = "env['ir.cron']._process_jobs(env.cr.dbname)\n"


def test_a_copy_of_odoo_14_sends_nothing_and_runs_nothing(shop_14, other_postgres, make_odoo_14, mailbox):
    backup_id, backup = shop_14.back_up(options=OdooBackupOptions(parts=("database",)))
    facts = backup.parts[0].record["facts"]["odoo"]
    assert (facts["series"], facts["neutralise"]) == ("14.0", "saved")
    copy = Copy(shop_14.scene, backup_id, make_odoo_14(other_postgres))

    shop_14.odoo.run("shell", f"--database={shop_14.name}", input=PROCESS)
    assert parameter(shop_14.odoo.server, shop_14.name, "test.job") == "ran"
    assert subjects(mailbox) == ["bound", "queued"]

    done = copy.neutralise()
    assert {
        "outgoing mail servers": 1,
        "credentials of outgoing mail servers": 1,
        "mails bound to a mail server": 1,
        "incoming mail servers": 1,
        "queued mails": 2,
        "queued text messages": 1,
        "credits of in-app purchases": 1,
        "domains of websites": 1,
        "content delivery networks": 1,
        "parameters of services": 1,
        "accounts of users elsewhere": 1,
        "server actions that call out": 1,
    }.items() <= done.switched_off.items()
    assert done.switched_off["payment providers"] >= 2
    assert not copy.neutralise().changed
    for secret in ("sk_live", "calendar secret", "mail password", "in password", "oauth token", "iap token 1"):
        tables = ("payment_acquirer", "ir_config_parameter", "ir_mail_server", "fetchmail_server", "res_users")
        for table in (*tables, "iap_account"):
            assert copy.value(f"SELECT count(*) FROM {table} t WHERE strpos(t::text, %s) > 0", secret) == 0, table

    there = copy.odoo
    canary = "past = '2020-01-01 00:00:00'\n" + JOB.format(name="canary", others="{'numbercall': -1}")
    there.run("shell", f"--database={copy.name}", input=canary + PROCESS)
    there.run("shell", f"--database={copy.name}", input=SEND)
    assert parameter(copy.server, copy.name, "test.canary") == "ran"
    assert parameter(copy.server, copy.name, "test.job") is None
    assert subjects(mailbox) == ["bound", "queued"]
    assert copy.value("SELECT count(*) FROM mail_mail WHERE state = 'sent'") == 0
    there.start(copy.name)
    there.stop()
    other_postgres.drop_database(copy.name)
