# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database is beside its rows: locale, owner, settings, extensions, roles it needs, and how many objects it has.

``pg_dump`` leaves out what belongs to the database itself or to the server, so it is read here and kept with the dump.
"""

from __future__ import annotations

import typing as t

from .session import Session

#: Schemas of users: neither the system's nor temporary ones. For a ``pg_namespace`` named n.
_USER_SCHEMA = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"


def _not_of_extension(catalog: str, row: str) -> str:
    """Return the condition that an object was not made by an extension, which a dump would leave out as well."""
    return (
        f"NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{catalog}'::regclass"
        f" AND e.objid = {row}.oid AND e.deptype = 'e')"
    )


#: Every ordinary and partitioned table of users. For ``pg_class`` c and ``pg_namespace`` n.
USER_TABLES = (
    "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    f" WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND {_USER_SCHEMA}"
    f" AND {_not_of_extension('pg_class', 'c')}"
)

#: How many of each kind there are: what is compared after a restore, since a restore that stops half-way looks whole.
#: Left out is what a dump leaves out (invalid indexes) and what differs by version (not-null constraints are objects
#: since 18).
_OBJECTS = f"""
SELECT CASE c.relkind WHEN 'r' THEN 'tables' WHEN 'p' THEN 'partitioned tables' WHEN 'i' THEN 'indexes'
         WHEN 'I' THEN 'partitioned indexes' WHEN 'S' THEN 'sequences' WHEN 'v' THEN 'views'
         WHEN 'm' THEN 'materialized views' WHEN 'f' THEN 'foreign tables' ELSE 'composite types' END AS kind,
       count(*) AS number
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = c.oid
 WHERE {_USER_SCHEMA} AND {_not_of_extension("pg_class", "c")} AND coalesce(i.indisvalid, true)
       AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = i.indrelid
                       AND e.deptype = 'e')
 GROUP BY 1
UNION ALL
SELECT 'constraints', count(*) FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
 WHERE {_USER_SCHEMA} AND c.contype <> 'n' AND {_not_of_extension("pg_constraint", "c")}
       AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.deptype = 'e' AND e.objid IN (c.conrelid, c.contypid)
                       AND e.objid <> 0 AND e.classid IN ('pg_class'::regclass, 'pg_type'::regclass))
UNION ALL
SELECT 'triggers', count(*) FROM pg_trigger c JOIN pg_class r ON r.oid = c.tgrelid
  JOIN pg_namespace n ON n.oid = r.relnamespace
 WHERE {_USER_SCHEMA} AND NOT c.tgisinternal AND {_not_of_extension("pg_class", "r")}
UNION ALL
SELECT 'functions', count(*) FROM pg_proc c JOIN pg_namespace n ON n.oid = c.pronamespace
 WHERE {_USER_SCHEMA} AND {_not_of_extension("pg_proc", "c")}
UNION ALL
SELECT 'domains and enumerations', count(*) FROM pg_type c JOIN pg_namespace n ON n.oid = c.typnamespace
 WHERE {_USER_SCHEMA} AND c.typtype IN ('d', 'e') AND {_not_of_extension("pg_type", "c")}
UNION ALL
SELECT 'policies', count(*) FROM pg_policy
UNION ALL
SELECT 'extensions', count(*) FROM pg_extension
UNION ALL
SELECT 'large objects', count(*) FROM pg_largeobject_metadata
"""

#: Roles that own something or have rights on something, in this database or on it. The bootstrap superuser is in
#: no pg_shdepend, so it is looked for as owner.
_ROLES = f"""
SELECT DISTINCT r.rolname AS name FROM pg_shdepend s
  JOIN pg_roles r ON r.oid = s.refobjid
  JOIN pg_database d ON d.datname = current_database()
 WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype IN ('o', 'a', 'i', 'r')
       AND (s.dbid = d.oid OR (s.dbid = 0 AND s.classid = 'pg_database'::regclass AND s.objid = d.oid))
       AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = s.classid AND e.objid = s.objid AND e.deptype = 'e')
       AND s.classid <> 'pg_extension'::regclass
UNION
SELECT rolname FROM pg_roles WHERE oid = 10 AND (
  EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relowner = 10 AND {_USER_SCHEMA} AND {_not_of_extension("pg_class", "c")})
  OR EXISTS (SELECT FROM pg_proc c JOIN pg_namespace n ON n.oid = c.pronamespace
              WHERE c.proowner = 10 AND {_USER_SCHEMA} AND {_not_of_extension("pg_proc", "c")})
  OR EXISTS (SELECT FROM pg_database WHERE datname = current_database() AND datdba = 10))
 ORDER BY 1
"""

_SETTINGS = """
SELECT r.rolname AS role, s.setting FROM pg_db_role_setting p CROSS JOIN unnest(p.setconfig) AS s(setting)
  LEFT JOIN pg_roles r ON r.oid = p.setrole
 WHERE p.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
 ORDER BY 1, 2
"""

_PRIVILEGES = """
SELECT coalesce(r.rolname, '') AS role, a.privilege_type AS privilege, a.is_grantable AS grantable
  FROM pg_database d CROSS JOIN aclexplode(d.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
 WHERE d.datname = current_database() AND a.grantee <> d.datdba
 ORDER BY 1, 2
"""

_EXTENSIONS = """
SELECT x.extname AS name, x.extversion AS version, n.nspname AS schema, pg_get_userbyid(n.nspowner) AS schema_owner
  FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace WHERE x.extname <> 'plpgsql' ORDER BY 1
"""

#: Functions of extensions that indexes use. Odoo declares ``unaccent`` IMMUTABLE and makes indexes with it; a dump
#: brings back the extension's own declaration, and the indexes fail.
_INDEXED_FUNCTIONS = """
SELECT DISTINCT x.extname AS extension, p.oid::regprocedure::text AS function
  FROM pg_depend d
  JOIN pg_proc p ON p.oid = d.refobjid
  JOIN pg_depend m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid AND m.deptype = 'e'
  JOIN pg_extension x ON x.oid = m.refobjid AND m.refclassid = 'pg_extension'::regclass
  JOIN pg_index i ON i.indexrelid = d.objid
 WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_proc'::regclass AND p.provolatile = 'i' ORDER BY 1, 2
"""

#: Names of locale providers, as CREATE DATABASE takes them, by their letter in pg_database.
_PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}


def locale_facts(session: Session) -> dict[str, t.Any]:
    """Return encoding and locale of the session's database: what CREATE DATABASE needs to make one like it.

    Columns come and go with versions (provider and version since 15, rules since 16, ``datlocale`` since 17); those
    that a server does not have are None.
    """
    row = session.value("SELECT to_jsonb(d) AS d FROM pg_database d WHERE datname = current_database()")
    return {
        "encoding": session.value("SELECT pg_encoding_to_char(%s) AS e", row["encoding"]),
        "lc_collate": row["datcollate"],
        "lc_ctype": row["datctype"],
        "provider": _PROVIDERS[row.get("datlocprovider") or "c"],
        "locale": row.get("datlocale") or row.get("daticulocale"),
        "icu_rules": row.get("daticurules"),
        "collation_version": row.get("datcollversion"),
    }


def database_size(session: Session) -> int:
    """Return the bytes that the session's database takes on the server's disk."""
    return int(session.value("SELECT pg_database_size(current_database()) AS size"))


def object_counts(session: Session) -> dict[str, int]:
    """Return how many objects of each kind the session's database has; extensions' own ones do not count."""
    return {row["kind"]: row["number"] for row in session.query(_OBJECTS) if row["number"]}


def database_properties(session: Session) -> dict[str, t.Any]:
    """Return what a dump does not say of the session's database itself: owner, comment, settings, privileges, roles."""
    row = session.query(
        "SELECT pg_get_userbyid(datdba) AS owner, shobj_description(oid, 'pg_database') AS comment,"
        " datconnlimit AS connection_limit, datacl IS NULL AS default_privileges"
        " FROM pg_database WHERE datname = current_database()"
    )[0]
    return {
        **row,
        "settings": session.query(_SETTINGS),
        "privileges": session.query(_PRIVILEGES),
        "roles": [role["name"] for role in session.query(_ROLES)],
    }


def extensions(session: Session) -> list[dict[str, str]]:
    """Return name, version, schema and the schema's owner of the extensions in the session's database."""
    return session.query(_EXTENSIONS)


def indexed_functions(session: Session) -> list[dict[str, str]]:
    """Return extension and signature of immutable functions of extensions that indexes use."""
    return session.query(_INDEXED_FUNCTIONS)
