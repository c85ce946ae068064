# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring one database from a part: beside the one in use, and in its place only when it is whole."""

from __future__ import annotations

import os
import shutil
import typing as t
from dataclasses import asdict, dataclass, field

from .._repository.errors import InputError, IntegrityError, TargetError
from .._repository.part_reader import PartReader
from .catalog import extensions, object_counts
from .checksums import TableSum, differences, table_checksums
from .connection import Connection
from .failures import QueryError
from .load import Load, is_plain, load
from .programs import Client
from .roles import create_roles, missing_roles, role_statements
from .session import Session, identifier, literal
from .target import (
    check_extensions,
    check_name,
    check_role,
    check_space,
    check_version,
    is_superuser,
    make_immutable,
    untrusted_extensions,
)
from .temporary import drop, leftovers, lock_name, put_in_place, temporary_database

#: Parallel restore pays from this number of processors on: on two, reading the dump from a pipe was faster.
_PARALLEL_FROM = 4
_MOST_JOBS = 8
#: Differences that a message names.
_NAMED = 5
#: Settings whose value is a list of names, which must not be quoted as a whole
#: (variable_is_guc_list_quote in PostgreSQL's dumputils.c).
_LISTS_OF_NAMES = (
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
)


@dataclass(frozen=True)
class RestoreOptions:
    """Where to and how to restore.

    :arg name: of the restored database; by default that of the dumped one.
    :arg owner: role that is to own the database and all in it; by default owners and privileges are as dumped, and
        all roles must exist.
    :arg privileges: whether to restore GRANTs; by default yes without ``owner``, no with it.
    :arg replace: replace an existing database of that name, once the new one is whole.
    :arg keep_replaced: keep the replaced one, as ``<name>_replaced_<time>``, closed for connections.
    :arg restore_roles: create roles that the server lacks, with the passwords of the backup. Existing ones stay as
        they are.
    :arg jobs: connections that restore at the same time. More than 1 needs ``directory``; by default the number of
        processors, when there are at least 4, ``directory`` is given and has room; else 1.
    :arg directory: where the dump may lie in plaintext during a parallel restore, in a file that has no name.
    :arg locale: LC_COLLATE and LC_CTYPE instead of the dumped database's, where the server lacks that locale.
    :arg check_space: refuse when the server's disk seems too small.
    :arg checksums: compare the rows' checksums, where the backup has some.
    """

    name: str | None = None
    owner: str | None = None
    privileges: bool | None = None
    replace: bool = False
    keep_replaced: bool = False
    restore_roles: bool = False
    jobs: int | None = None
    directory: str | None = None
    locale: str | None = None
    check_space: bool = True
    checksums: bool = True


@dataclass
class RestorePlan:
    """What a restore will do, after all that can be checked beforehand has been."""

    name: str
    exists: bool
    size: int
    dump_size: int
    jobs: int
    server_version: str
    pg_restore: str
    roles_to_create: list[str] = field(default_factory=list)
    leftovers_to_drop: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, t.Any]:
        """Return the plan as a dictionary."""
        return asdict(self)


@dataclass
class RestoreResult:
    """What a restore did. ``checks`` says what was compared with the backup, and that it was equal."""

    name: str
    replaced: bool
    kept_as: str | None
    roles_created: list[str]
    checks: dict[str, str]
    rows: int | None
    warnings: list[str]

    def to_json(self) -> dict[str, t.Any]:
        """Return the result as a dictionary."""
        return asdict(self)


#: Work on the restored database before it gets its name, such as neutralising it: called with its temporary name.
Finish = t.Callable[[Client, str], None]


def plan_restore(reader: PartReader, connection: Connection, options: RestoreOptions) -> RestorePlan:
    """Check all that can be checked without changing anything, and say what a restore would do.

    Raises :class:`~.._repository.errors.TargetError` or :class:`~.._repository.errors.InputError` for the first thing
    that stands against it.
    """
    with Session(Client(connection), connection.maintenance_database) as session:
        return _Restore(reader, session, options).plan()


def restore_database(
    reader: PartReader, connection: Connection, options: RestoreOptions, finish: Finish | None = None
) -> RestoreResult:
    """Restore the part's database.

    It is restored under a temporary name, checked, and then renamed, in one transaction with renaming the one that it
    replaces. Whatever goes wrong before, the temporary database is dropped and the old one is as it was.

    Raises what :func:`plan_restore` raises, :class:`~.._repository.errors.TargetError` when the restore fails, and
    :class:`~.._repository.errors.IntegrityError` when what was restored is not what was backed up.
    """
    with Session(Client(connection), connection.maintenance_database) as session:
        return _Restore(reader, session, options).run(finish)


class _Restore:
    """One restore. ``session`` is connected to the maintenance database."""

    def __init__(self, reader: PartReader, session: Session, options: RestoreOptions) -> None:
        if reader.record["kind"] != "database":
            raise InputError(
                f"The part {reader.part} is of kind {reader.record['kind']}, not a database.",
                "Name the part that ends in .database; `continuity info` lists the parts.",
            )
        self._reader = reader
        self._session = session
        self._client = session.client
        self._options = options
        self._facts: dict[str, t.Any] = reader.record["facts"]
        self._database: dict[str, t.Any] = reader.manifest.get("database", {})
        self._name = options.name or self._facts["database"]
        identifier(self._name)

    # -- before -----------------------------------------------------------------------------------------------

    def plan(self) -> RestorePlan:
        """Check everything; return what is going to be done."""
        session, options, name = self._session, self._options, self._name
        check_name(session, name)
        check_version(session, self._facts.get("server_major", 0))
        check_role(session, options.owner)
        plan = RestorePlan(
            name=name,
            exists=self._exists(),
            size=self._facts.get("database_size", 0),
            dump_size=self._reader.streams["dump"].size,
            jobs=self._jobs(),
            server_version=session.value("SELECT current_setting('server_version') AS v"),
            pg_restore=self._programs().pg_restore.version,
            leftovers_to_drop=leftovers(session, name),
        )
        if plan.exists and not options.replace:
            raise TargetError(
                f"A database {name} exists already on {session.connection.place}.",
                "Set replace to replace it once the restored one is whole, or give another name.",
            )
        plan.warnings += check_extensions(session, self._database.get("extensions", []))
        plan.roles_to_create = self._roles_to_create()
        if options.check_space:
            check_space(self._client, session, max(plan.size, plan.dump_size if plan.jobs > 1 else 0))
        return plan

    def _exists(self) -> bool:
        query = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s) AS there"
        return bool(self._session.value(query, self._name))

    def _programs(self) -> Load:
        made_by = int(str(self._facts.get("pg_dump_version", "0")).split(".", maxsplit=1)[0] or 0)
        return Load(
            pg_restore=self._client.suitable("pg_restore", self._session.major, made_by),
            psql=self._client.suitable("psql", self._session.major),
        )

    def _jobs(self) -> int:
        """Return how many connections restore at a time, see :class:`RestoreOptions`."""
        options = self._options
        possible = not is_plain(self._reader) and self._session.connection.container is None
        if options.jobs is not None and options.jobs < 1:
            raise InputError(f"A restore with {options.jobs} jobs does nothing.", "Give 1 or more.")
        if options.jobs is not None and options.jobs > 1:
            if options.directory is None or not possible:
                raise InputError(
                    f"A restore with {options.jobs} jobs needs a directory for the dump in plaintext"
                    " and a custom-format dump, and is not possible into a container.",
                    "Give directory (with room for the dump), or use 1 job.",
                )
            return options.jobs
        if options.jobs == 1 or options.directory is None or not possible:
            return 1
        cores = os.cpu_count() or 1
        if (
            cores >= _PARALLEL_FROM
            and shutil.disk_usage(options.directory).free > 2 * self._reader.streams["dump"].size
        ):
            return min(cores, _MOST_JOBS)
        return 1

    @property
    def _with_privileges(self) -> bool:
        options = self._options
        return options.owner is None if options.privileges is None else options.privileges

    def _roles_to_create(self) -> list[str]:
        """Return the roles to be created; raise TargetError when roles that the dump needs would still be missing."""
        options, session = self._options, self._session
        needed = self._database.get("roles", []) if options.owner is None or self._with_privileges else []
        created: list[str] = []
        if options.restore_roles:
            created = missing_roles(session, (statement.role for statement in role_statements(self._globals())))
        missing = [role for role in missing_roles(session, needed) if role not in created]
        if missing:
            raise TargetError(
                f"Roles that own objects of the dump or have rights on them are missing on"
                f" {session.connection.place}: {', '.join(missing)}.",
                "Set restore_roles to create them as they were, or set owner to have one role own everything.",
            )
        return created

    def _globals(self) -> str:
        reference = self._reader.streams.get("globals")
        if reference is None:
            raise InputError(
                f"The backup {self._reader.backup_id} holds no roles for {self._facts['database']}.",
                "Create the roles by hand, or set owner; the backup's warnings tell why they are missing.",
            )
        return b"".join(self._reader.read_stream(reference)).decode("utf-8", "surrogateescape")

    # -- doing it ---------------------------------------------------------------------------------------------

    def run(self, finish: Finish | None) -> RestoreResult:
        """Restore, check, and put in place."""
        session, options, progress = self._session, self._options, self._reader.progress
        lock_name(session, self._name)
        plan = self.plan()
        for left in plan.leftovers_to_drop:
            drop(session, left)
        created = create_roles(session, self._globals()) if plan.roles_to_create else []
        with temporary_database(session, self._name, self._clauses()) as temporary:
            progress.begin(f"restore {self._name}", plan.dump_size)
            self._load(temporary, plan.jobs)
            warnings = [*plan.warnings, *self._apply_properties(temporary)]
            checks, rows = self._check(temporary)
            progress.begin(f"analyze {self._name}")
            with Session(self._client, temporary) as restored:
                restored.execute("ANALYZE")
            if finish is not None:
                finish(self._client, temporary)
            kept = put_in_place(self._client, session, temporary, self._name, options.replace, options.keep_replaced)
        if kept is not None and not options.keep_replaced:
            warnings.append(f"The replaced database could not be dropped; it is still there as {kept}.")
        return RestoreResult(self._name, plan.exists, kept, created, checks, rows, warnings)

    def _clauses(self) -> str:
        """Return the end of a CREATE DATABASE for a database like the dumped one."""
        locale = self._database.get("locale") or {"encoding": self._facts.get("encoding") or "UTF8"}
        owner = self._options.owner or self._database.get("owner")
        values = {
            "OWNER": identifier(owner) if owner else None,
            "ENCODING": literal(locale["encoding"]),
            "LC_COLLATE": literal(self._options.locale or locale.get("lc_collate")),
            "LC_CTYPE": literal(self._options.locale or locale.get("lc_ctype")),
        }
        provider = locale.get("provider", "libc")
        if self._options.locale is None and provider != "libc":
            values["LOCALE_PROVIDER"] = provider
            values["ICU_LOCALE" if provider == "icu" else "BUILTIN_LOCALE"] = literal(locale["locale"])
            values["ICU_RULES"] = literal(locale.get("icu_rules"))
        return " ".join(f"{name} {value}" for name, value in values.items() if value not in (None, "NULL"))

    def _load(self, temporary: str, jobs: int) -> None:
        options, programs = self._options, self._programs()
        arguments = []
        role = None
        if options.owner is not None:
            arguments.append("--no-owner")
            if options.owner != self._session.value("SELECT current_user AS name"):
                role = options.owner
        if not self._with_privileges:
            arguments.append("--no-privileges")
        done = self._create_extensions(temporary, role)
        how = Load(programs.pg_restore, programs.psql, jobs, options.directory, tuple(arguments), role, done)
        load(self._reader, self._session, temporary, how)

    def _create_extensions(self, temporary: str, role: str | None) -> frozenset[str]:
        """Create, while we still are superuser, the extensions that the restoring role could not, and those whose
        functions indexes use although the extension does not declare them immutable.

        Returns the entries of the dump's table of contents that are done thereby.
        """
        wanted, functions = self._database.get("extensions", []), self._database.get("indexed_functions", [])
        ours = {item["extension"] for item in functions}
        if role is not None:
            ours |= untrusted_extensions(self._session, wanted)
        if not ours or not is_superuser(self._session):
            return frozenset()
        done = set()
        with Session(self._client, temporary) as restored:
            for item in wanted:
                if item["name"] in ours:
                    done |= _create_extension(restored, item, role)
            for item in functions:
                make_immutable(restored, item["function"])
            done |= {f"EXTENSION - {item['name']}" for item in extensions(restored)}
            if role is not None:
                done |= {f"COMMENT - EXTENSION {item['name']}" for item in extensions(restored)}
        return frozenset(done)

    def _apply_properties(self, temporary: str) -> list[str]:
        """Give the database what belongs to it and is in no dump; return warnings for what was not possible."""
        name = identifier(temporary)
        wanted = [f"COMMENT ON DATABASE {name} IS {literal(self._database.get('comment'))}"]
        if (limit := self._database.get("connection_limit", -1)) != -1:
            wanted.append(f"ALTER DATABASE {name} CONNECTION LIMIT {int(limit)}")
        for item in self._database.get("settings", []):
            wanted.append(_setting(name, item["role"], item["setting"]))
        if self._with_privileges and not self._database.get("default_privileges", True):
            wanted.append(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
            for grant in self._database["privileges"]:
                role = identifier(grant["role"]) if grant["role"] else "PUBLIC"
                option = " WITH GRANT OPTION" if grant["grantable"] else ""
                wanted.append(f"GRANT {grant['privilege']} ON DATABASE {name} TO {role}{option}")
        warnings = []
        for sql in wanted:
            try:
                self._session.execute(sql)
            except QueryError as error:
                warnings.append(f"A property of the database was not restored: {error.message}")
        return warnings

    # -- after ------------------------------------------------------------------------------------------------

    def _check(self, temporary: str) -> tuple[dict[str, str], int | None]:
        """Compare what is there with what was backed up; raise IntegrityError when it differs."""
        checks, rows = {"objects": "not recorded", "rows": "not recorded"}, None
        with Session(self._client, temporary) as restored:
            if expected := self._database.get("objects"):
                self._compare("objects", expected, object_counts(restored))
                checks["objects"] = "equal"
            recorded = self._reader.manifest.get("checksums")
            if recorded is not None and self._options.checksums:
                self._reader.progress.begin(f"checksums of {self._name}")
                restored.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                found = table_checksums(restored, self._reader.progress)
                restored.execute("COMMIT")
                self._compare("rows", {name: TableSum(*value) for name, value in recorded.items()}, found)
                checks["rows"] = "equal"
                rows = sum(value.rows for value in found.values())
            elif recorded is not None:
                checks["rows"] = "not compared"
        return checks, rows

    def _compare(self, what: str, expected: t.Mapping[str, t.Any], found: t.Mapping[str, t.Any]) -> None:
        said = differences(expected, found)
        if said:
            more = f" and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
            raise IntegrityError(
                f"The restored database {self._name} is not what was backed up; {what} differ:"
                f" {'; '.join(said[:_NAMED])}{more}.",
                "Nothing was changed. Restore to a server of the same version, or another backup.",
            )


def _create_extension(session: Session, extension: t.Mapping[str, str], role: str | None) -> set[str]:
    """Create an extension, with its schema where that is its own; return the entries that are done thereby."""
    done = set()
    schema = identifier(extension["schema"])
    if extension["schema"] not in ("public", "pg_catalog"):
        owner = identifier(role or extension["schema_owner"])
        session.execute(f"CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner}")
        done.add(f"SCHEMA - {extension['schema']}")
    session.execute(f"CREATE EXTENSION IF NOT EXISTS {identifier(extension['name'])} WITH SCHEMA {schema} CASCADE")
    return done


def _setting(database: str, role: str | None, setting: str) -> str:
    """Return the statement for one entry of pg_db_role_setting."""
    name, _equals, value = setting.partition("=")
    text = value if name in _LISTS_OF_NAMES and value else literal(value)
    dotted = ".".join(identifier(part) for part in name.split("."))
    whom = f"ROLE {identifier(role)} IN DATABASE {database}" if role else f"DATABASE {database}"
    return f"ALTER {whom} SET {dotted} TO {text}"
