# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a copy of an Odoo reach out, and the SQL that ends it, whatever modules are installed.

Each rule says which rows can still do harm and what is done to them, so that the same rule counts them beforehand,
switches them off, and proves afterwards that none is left. A rule whose table or columns a database lacks does not
concern it. The model is the ``data/neutralize.sql`` that the modules of Odoo 16 and later bring along: what those say
of tables that older series have too is said here for 14 and 15. Some things are stricter, see docs/odoo.md.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._postgres.session import Session, identifier, literal

#: The host of Odoo's own "neutralization - disable emails", which keeps the mail server of odoo.conf from being used.
NO_HOST = "invalid"
_OWN_MARK = "neutralization"


@dataclass(frozen=True)
class Column:
    """One column: its type as PostgreSQL names it, and whether it may be NULL."""

    type: str
    nullable: bool


#: Tables of the schema ``public``, and their columns.
Schema = t.Mapping[str, t.Mapping[str, Column]]


@dataclass(frozen=True)
class Measure:
    """A rule as it concerns one database.

    :arg name: what is switched off, for people and for results: ``outgoing mail servers``.
    :arg count: SELECT of the number of rows that can still do harm, which is 0 afterwards.
    :arg change: the statement that sees to that.
    """

    name: str
    count: str
    change: str


@dataclass(frozen=True)
class Rows:
    """Rows that do harm by what a few columns say.

    :arg harmful: condition; ``%(crons)s`` stands for the jobs that may run.
    :arg change: what ``SET`` is given, or DELETE.
    :arg needs: columns without which the rule does not concern a database.
    """

    name: str
    table: str
    needs: tuple[str, ...]
    harmful: str
    change: str

    def measure(self, schema: Schema, crons: str) -> Measure | None:
        """Return the rule's statements for a database, or None when it has no such rows."""
        if not set(self.needs) <= set(schema.get(self.table, ())):
            return None
        harmful = self.harmful.replace("%(crons)s", crons)
        table = f"public.{identifier(self.table)}"
        change = f"DELETE FROM {table}" if self.change == "DELETE" else f"UPDATE {table} SET {self.change}"
        return Measure(self.name, f"SELECT count(*) FROM {table} WHERE {harmful}", f"{change} WHERE {harmful}")


@dataclass(frozen=True)
class Columns:
    """Columns that do harm by what they hold, found by their names: credentials, and switches to real services.

    :arg names: pattern that a column's name must match, and ``but`` one that it must not.
    :arg value: what text columns become is always NULL; boolean ones become this.
    """

    name: str
    table: str
    names: str
    value: bool | None = None
    but: str = r"^$"

    def measure(self, schema: Schema, crons: str) -> Measure | None:
        """Return the rule's statements for a database, or None when it has no such columns."""
        del crons
        found = [identifier(name) for name, column in schema.get(self.table, {}).items() if self._means(name, column)]
        if not found:
            return None
        table, value = f"public.{identifier(self.table)}", literal(self.value)
        harmful = " OR ".join(f"{name} IS DISTINCT FROM {value}" for name in found)
        change = ", ".join(f"{name} = {value}" for name in found)
        return Measure(
            self.name, f"SELECT count(*) FROM {table} WHERE {harmful}", f"UPDATE {table} SET {change} WHERE {harmful}"
        )

    def _means(self, name: str, column: Column) -> bool:
        types = ("text", "character varying") if self.value is None else ("boolean",)
        fits = column.type in types and (column.nullable or self.value is not None)
        return fits and bool(re.search(self.names, name)) and not re.search(self.but, name)


_SECRETS = r"(secret|password|passwd|token|api_key|apikey|access_key|private_key|hmac|signature_key|_pass$|client_key)"
_PARAMETERS = (
    *("mail.web_push_vapid_private_key", "mail.web_push_vapid_public_key", "mail.sfu_server_key"),
    *("mail_mobile.enable_ocn", "odoo_ocn.project_id", "ocn.uuid"),
    *("mail.twilio_account_sid", "mail.twilio_account_token"),
    *("google_calendar_client_id", "google_calendar_client_secret", "google_drive_client_id"),
    *("google_drive_client_secret", "google_drive_refresh_token", "google_drive_authorization_code"),
    *("google_gmail_client_id", "google_gmail_client_secret"),
    *("microsoft_calendar_client_id", "microsoft_calendar_client_secret"),
    *("microsoft_outlook_client_id", "microsoft_outlook_client_secret"),
    *("recaptcha_public_key", "recaptcha_private_key", "base_geolocalize.google_map_api_key"),
    *("unsplash.access_key", "unsplash.app_id", "google_pse_api_key", "google_translate_api_key"),
    *("cloud_storage_provider", "dropbox_access_token"),
)
#: Python of a server action that reaches out by itself; what it reaches through custom modules nobody can tell.
_CALLS_OUT = r"requests\.|urllib|http\.client|smtplib|ftplib|paramiko|xmlrpc|socket\.|https?://"

#: Applied on top of Odoo's own SQL as well: what sends, runs by itself or costs money.
CORE: tuple[Rows | Columns, ...] = (
    Rows(
        "outgoing mail servers",
        "ir_mail_server",
        ("active", "smtp_host"),
        f"active AND smtp_host IS DISTINCT FROM '{NO_HOST}'",
        "active = false",
    ),
    # Odoo 14 sends through a mail server that a mail is bound to even when that one is switched off.
    Columns("credentials of outgoing mail servers", "ir_mail_server", r"^smtp_pass$|_token$"),
    *(
        Rows(name, table, ("mail_server_id",), "mail_server_id IS NOT NULL", "mail_server_id = NULL")
        for name, table in (
            ("mail templates bound to a mail server", "mail_template"),
            ("mailings bound to a mail server", "mailing_mailing"),
        )
    ),
    # A mail is a message and what is needed to send it; of messages there may be millions.
    Rows(
        "mails bound to a mail server",
        "mail_message",
        ("mail_server_id",),
        "mail_server_id IS NOT NULL AND id IN (SELECT mail_message_id FROM public.mail_mail)",
        "mail_server_id = NULL",
    ),
    Rows("incoming mail servers", "fetchmail_server", ("active",), "active", "active = false"),
    Columns("credentials of incoming mail servers", "fetchmail_server", r"^password$|_token$"),
    Rows("scheduled jobs", "ir_cron", ("active",), "active AND id NOT IN (%(crons)s)", "active = false"),
    # "exception" and "error" are what a user is offered to try again.
    Rows("queued mails", "mail_mail", ("state",), "state IN ('outgoing', 'exception')", "state = 'cancel'"),
    Rows("queued text messages", "sms_sms", ("state",), "state IN ('outgoing', 'error')", "state = 'canceled'"),
    Rows("queued letters", "snailmail_letter", ("state",), "state IN ('pending', 'error')", "state = 'canceled'"),
    Rows("queued mailings", "mailing_mailing", ("state",), "state IN ('in_queue', 'sending')", "state = 'draft'"),
    # Named differently in 17 and in 18.
    Rows("queued push messages", "mail_push", ("id",), "true", "DELETE"),
    Rows("queued push messages", "mail_notification_web_push", ("id",), "true", "DELETE"),
    Rows("devices for push messages", "mail_push_device", ("id",), "true", "DELETE"),
    Rows("devices for push messages", "mail_partner_device", ("id",), "true", "DELETE"),
    # Named "acquirer" until 15.
    Rows(
        "payment providers", "payment_provider", ("state",), "state NOT IN ('test', 'disabled')", "state = 'disabled'"
    ),
    Rows(
        "payment providers", "payment_acquirer", ("state",), "state NOT IN ('test', 'disabled')", "state = 'disabled'"
    ),
    Rows(
        "webhooks",
        "ir_act_server",
        ("state", "webhook_url"),
        f"state = 'webhook' AND webhook_url IS DISTINCT FROM '{_OWN_MARK} - disable webhook'",
        f"webhook_url = '{_OWN_MARK} - disable webhook'",
    ),
    Rows(
        "server actions that call out",
        "ir_act_server",
        ("state", "code"),
        f"state = 'code' AND code ~* {literal(_CALLS_OUT)}",
        f"code = 'pass  # {_OWN_MARK}: the code called out'",
    ),
    Rows(
        "credits of in-app purchases",
        "iap_account",
        ("account_token",),
        "account_token IS NOT NULL AND account_token NOT LIKE '%+disabled'",
        "account_token = 'dummy_value+disabled'",
    ),
)
#: What the SQL of Odoo's modules does besides, since 16, and knows better then.
BESIDES: tuple[Rows | Columns, ...] = (
    # They also choose whether to keep a customer's card, which is no secret.
    Columns("credentials of payment providers", "payment_acquirer", _SECRETS, but=r"^(save|allow)_"),
    Columns("credentials of payment providers", "payment_provider", _SECRETS, but=r"^(save|allow)_"),
    Columns("credentials of payment terminals", "pos_payment_method", _SECRETS),
    Columns("payment terminals in use", "pos_payment_method", r"test_mode$", True),
    Columns("delivery carriers in production", "delivery_carrier", r"^prod_environment$", False),
    Columns("credentials of delivery carriers", "delivery_carrier", _SECRETS),
    Rows(
        "delivery carriers of others",
        "delivery_carrier",
        ("active", "delivery_type"),
        "active AND delivery_type NOT IN ('fixed', 'base_on_rule')",
        "active = false",
    ),
    # Not the users' own passwords.
    Columns("accounts of users elsewhere", "res_users", r"^(google|microsoft|oauth|odoo_api).*token"),
    Columns("accounts of users elsewhere", "res_users_settings", r"^(google|microsoft)_.*token"),
    Columns("accounts of users elsewhere", "google_calendar_credentials", r"token"),
    Columns("accounts of users elsewhere", "microsoft_calendar_credentials", r"token"),
    *(
        Columns("calendars kept in step with others", table, r"synchronization_stopped$", True)
        for table in (
            "res_users",
            "res_users_settings",
            "google_calendar_credentials",
            "microsoft_calendar_credentials",
        )
    ),
    Rows("ways to log in through others", "auth_oauth_provider", ("enabled",), "enabled", "enabled = false"),
    Columns("credentials of companies", "res_company", _SECRETS),
    Columns("services of authorities in production", "res_company", r"_production_env$|_edi_register$", False),
    Columns("services of authorities in production", "res_company", r"_test_env(ironment)?$|_staging_mode$", True),
    Rows("electronic invoices", "account_edi_proxy_client_user", ("active",), "active", "active = false"),
    Columns("bank connections", "account_online_link", r"^client_id$|token"),
    Columns("bank connections", "account_online_provider", r"token"),
    Columns("accounts in social networks", "social_account", r"token"),
    Columns("accounts in social networks", "whatsapp_account", r"^token$|app_secret"),
    Rows("domains of websites", "website", ("domain",), "domain IS NOT NULL", "domain = NULL"),
    Columns("content delivery networks", "website", r"^cdn_activated$", False),
    Columns("keys of websites", "website", r"^google_.*key"),
    Rows(
        "robots on websites",
        "website",
        ("robots_txt",),
        r"robots_txt IS DISTINCT FROM E'User-agent: *\nDisallow: /'",
        r"robots_txt = E'User-agent: *\nDisallow: /'",
    ),
    Rows("parameters of services", "ir_config_parameter", ("key",), f"key = ANY ({literal(_PARAMETERS)})", "DELETE"),
)

_FLAG = "INSERT INTO public.ir_config_parameter (key, value) VALUES ('database.is_neutralized', 'true')"
_SET = f"{_FLAG} ON CONFLICT (key) DO UPDATE SET value = 'true' WHERE ir_config_parameter.value IS DISTINCT FROM 'true'"


def read_schema(session: Session) -> Schema:
    """Return the tables of the schema ``public`` that rules are about."""
    tables = sorted({rule.table for rule in (*CORE, *BESIDES)})
    rows = session.rows(
        "SELECT c.relname AS table, a.attname AS name, format_type(a.atttypid, NULL) AS type,"
        " NOT a.attnotnull AS nullable FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname = ANY (%s)"
        " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum",
        tables,
    )
    schema: dict[str, dict[str, Column]] = {}
    for row in rows:
        schema.setdefault(row["table"], {})[row["name"]] = Column(row["type"], row["nullable"])
    return schema


def measures(schema: Schema, *, built_in: bool, crons: t.Sequence[str] = ()) -> list[Measure]:
    """Return what the rules mean for a database.

    :arg built_in: all rules; otherwise those that are applied on top of Odoo's own SQL as well.
    :arg crons: XML ids of the scheduled jobs that may run, such as ``base.autovacuum_job``.
    """
    allowed = (
        "SELECT res_id FROM public.ir_model_data WHERE model = 'ir.cron' AND res_id IS NOT NULL"
        f" AND module || '.' || name = ANY ({literal(list(crons))})"
    )
    found = [rule.measure(schema, allowed) for rule in (*CORE, *(BESIDES if built_in else ()))]
    return [measure for measure in found if measure is not None]


def statements(schema: Schema, found: t.Iterable[Measure]) -> list[str]:
    """Return the statements that make a copy harmless, and that fail when something is left: for one transaction."""
    found = list(found)
    server = {"name": "neutralization - disable emails", "smtp_host": NO_HOST, "smtp_port": 1025}
    values: dict[str, t.Any] = {**server, "smtp_encryption": "none", "active": True, "smtp_authentication": "login"}
    values = {name: value for name, value in values.items() if name in schema.get("ir_mail_server", {})}
    names, given = ", ".join(map(identifier, values)), ", ".join(map(literal, values.values()))
    no_mail = (
        f"INSERT INTO public.ir_mail_server ({names}) SELECT {given} WHERE NOT EXISTS"
        f" (SELECT FROM public.ir_mail_server WHERE active AND smtp_host = '{NO_HOST}')"
    )
    return [*(measure.change for measure in found), no_mail, _SET, _proof(found)]


def _proof(found: t.Iterable[Measure]) -> str:
    """Return a statement that fails, and so ends the transaction, when a rule still finds something."""
    checks = [
        f"IF ({measure.count}) > 0 THEN RAISE EXCEPTION 'neutralising has left {measure.name}'; END IF;"
        for measure in found
    ]
    return "DO $proof$ BEGIN " + " ".join(checks) + " END $proof$"


def script(lines: t.Iterable[str]) -> bytes:
    """Return statements as the script that ``odoo neutralize --stdout`` prints: one transaction."""
    return "\n".join(["BEGIN;", *(f"{line};" for line in lines), "COMMIT;", ""]).encode()
