# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what pg_dumpall writes about roles."""

from __future__ import annotations

from ansible_collections.dfr.continuity.plugins.module_utils._postgres.roles import role_statements, statements

SCRIPT = r'''--
-- PostgreSQL database cluster dump
--

\restrict abc

SET default_transaction_read_only = off;

CREATE ROLE "Mixed ""Case""";
ALTER ROLE "Mixed ""Case""" WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:a==$b=:c=';
CREATE ROLE shop;
ALTER ROLE shop WITH NOSUPERUSER INHERIT LOGIN VALID UNTIL '2030-01-01';
COMMENT ON ROLE shop IS 'it''s; -- a
comment \n';

ALTER ROLE shop SET search_path TO 'a;b', 'public';
GRANT "Mixed ""Case""" TO shop WITH ADMIN OPTION, INHERIT TRUE GRANTED BY postgres;
GRANT pg_monitor TO shop GRANTED BY "Mixed ""Case""";

CREATE TABLESPACE fast OWNER shop LOCATION '/fast';

\unrestrict abc
'''


def test_statements_are_told_apart():
    found = list(statements(SCRIPT))
    assert found[0] == "SET default_transaction_read_only = off"
    assert found[5] == "COMMENT ON ROLE shop IS 'it''s; -- a\ncomment \\n'"
    assert found[-1] == "CREATE TABLESPACE fast OWNER shop LOCATION '/fast'"
    assert len(found) == 10


def test_statements_name_the_role_they_change():
    found = [(statement.role, statement.sql.split(" ")[0]) for statement in role_statements(SCRIPT)]
    shops = ["CREATE", "ALTER", "COMMENT", "ALTER", "GRANT", "GRANT"]
    assert found == [('Mixed "Case"', "CREATE"), ('Mixed "Case"', "ALTER"), *(("shop", verb) for verb in shops)]


def test_grantors_are_left_to_the_server():
    grants = [statement.sql for statement in role_statements(SCRIPT) if statement.sql.startswith("GRANT")]
    assert grants == ['GRANT "Mixed ""Case""" TO shop WITH ADMIN OPTION, INHERIT TRUE', "GRANT pg_monitor TO shop"]
