# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rules concern a database, and what they say."""

from __future__ import annotations

from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_neutralise_rules import (
    BESIDES,
    CORE,
    Column,
    Columns,
    Rows,
    measures,
    script,
    statements,
)

TEXT, FLAG = Column("character varying", True), Column("boolean", True)
SERVER = {"id": Column("integer", False), "name": TEXT, "active": FLAG, "smtp_host": TEXT, "smtp_pass": TEXT}


def test_a_rule_without_its_table_or_columns_does_not_concern_a_database():
    assert measures({}, built_in=True) == []
    found = measures({"ir_mail_server": {"id": Column("integer", False)}}, built_in=True)
    assert found == []


def test_the_statements_of_a_rule():
    found = measures({"ir_mail_server": SERVER}, built_in=True)
    assert [measure.name for measure in found] == ["outgoing mail servers", "credentials of outgoing mail servers"]
    assert found[1].change == (
        'UPDATE public."ir_mail_server" SET "smtp_pass" = NULL WHERE "smtp_pass" IS DISTINCT FROM NULL'
    )
    made = statements({"ir_mail_server": SERVER}, found)
    assert '("name", "smtp_host", "active")' in made[2]
    assert all(measure.count in made[-1] for measure in found)
    text = script(made).decode()
    assert text.startswith("BEGIN;\n")
    assert text.endswith("COMMIT;\n")


def test_passwords_of_users_and_columns_that_must_not_be_null_are_left_alone():
    users = {"password": TEXT, "google_calendar_token": TEXT, "oauth_access_token": Column("text", False)}
    (measure,) = measures({"res_users": users}, built_in=True)
    assert '"google_calendar_token"' in measure.change
    assert "password" not in measure.change
    assert "oauth" not in measure.change


def test_choices_that_sound_like_secrets_are_left_alone():
    acquirer = {"save_token": TEXT, "stripe_secret_key": TEXT, "allow_tokenization": FLAG}
    (measure,) = measures({"payment_acquirer": acquirer}, built_in=True)
    assert "save_token" not in measure.change
    assert "allow" not in measure.change
    assert "stripe_secret_key" in measure.change


def test_jobs_that_may_run_are_quoted():
    (measure,) = measures({"ir_cron": {"active": FLAG}}, built_in=False, crons=["a.b", "it's"])
    assert "ARRAY['a.b', 'it''s']" in measure.change


def test_on_top_of_odoos_own_sql_only_the_core_is_applied():
    schema = {"website": {"domain": TEXT}, "ir_mail_server": SERVER}
    assert {measure.name for measure in measures(schema, built_in=False)} == {
        "outgoing mail servers",
        "credentials of outgoing mail servers",
    }
    assert "domains of websites" in {measure.name for measure in measures(schema, built_in=True)}


def test_no_name_breaks_the_message_of_the_proof():
    for rule in (*CORE, *BESIDES):
        assert isinstance(rule, (Rows, Columns))
        assert not set(rule.name) & set("%'")
