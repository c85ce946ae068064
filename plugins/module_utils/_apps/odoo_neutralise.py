# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a copy of an Odoo harmless before any Odoo sees it: all in one transaction, proved, or not at all."""

from __future__ import annotations

import re
import typing as t
import urllib.parse
from dataclasses import asdict, dataclass, field

from .._postgres.load import run_script
from .._postgres.programs import Client
from .._postgres.session import Session, literal
from .._repository.errors import InputError, TargetError
from .._repository.part_reader import PartReader
from .odoo_database import odoo_facts
from .odoo_neutralise_rules import Measure, measures, read_schema, statements
from .odoo_neutralising_sql import prints_it, saved_sql, why_not_saved

#: Which identity a copy was given, so that it is given only one.
_IDENTITY = "dfr_continuity.copy_uuid"
#: Seconds to wait for a lock that somebody holds on a database that nobody should be using.
_LOCK_TIMEOUT = 30


@dataclass(frozen=True)
class NeutraliseOptions:
    """How to make a copy harmless.

    :arg sql: what Odoo printed for this database, without BEGIN and COMMIT; None to do with what is known here.
    :arg source: where that comes from, in words.
    :arg built_in: do without Odoo's own SQL although this series prints some. 14 and 15 always do.
    :arg crons: XML ids of the scheduled jobs that may run.
    :arg base_url: what the copy calls itself from now on, whoever logs in.
    :arg new_identity: give it another ``database.uuid`` and ``database.secret``, as Odoo does with its own duplicates.
    """

    sql: bytes | None = None
    source: str = "built in"
    built_in: bool = False
    crons: tuple[str, ...] = ()
    base_url: str | None = None
    new_identity: bool = True

    def check(self) -> None:
        """Raise :class:`~.._repository.errors.InputError` for values that cannot be meant."""
        for name in self.crons:
            if not re.fullmatch(r"\w+\.\w+", name):
                raise InputError(
                    f"{name!r} is no XML id of a scheduled job.", "Write it like base.autovacuum_job: module and name."
                )
        if self.base_url is not None:
            parts = urllib.parse.urlsplit(self.base_url)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
                raise InputError(
                    f"{self.base_url!r} cannot be the base URL of an Odoo.",
                    "Write it like https://odoo.drill.example.com, without a path and a slash at its end.",
                )


@dataclass
class NeutraliseResult:
    """What was done, or in check mode would be. ``switched_off`` has a number for each kind of thing that could act."""

    changed: bool
    series: str
    source: str
    switched_off: dict[str, int] = field(default_factory=dict)
    base_url: str | None = None
    uuid: str | None = None

    def to_json(self) -> dict[str, t.Any]:
        """Return the result as a dictionary."""
        return asdict(self)


def neutralise(
    client: Client, database: str, options: NeutraliseOptions, *, only_look: bool = False
) -> NeutraliseResult:
    """Make the Odoo in a database harmless; nothing is done when it is already.

    Raises :class:`~.._repository.errors.InputError` when there is no suitable SQL or it is no database of Odoo, and
    :class:`~.._repository.errors.TargetError` when an Odoo uses the database or when something is left that could act;
    nothing is changed then, and the database does not count as neutralised.

    :arg only_look: change nothing.
    """
    options.check()
    with Session(client, database) as session:
        before = _State(session, options)
    if before.done or only_look:
        return before.result(changed=not before.done)
    with Session(client, client.connection.maintenance_database) as session:
        psql = client.suitable("psql", session.major)
        run_script(session, database, psql, _pieces(before, options))
    with Session(client, database) as session:
        after = _State(session, options)
    if not after.done:
        raise TargetError(
            f"The database {database} was neutralised and still has {after.lacking}: something has changed it since.",
            "Let nothing use the database, see that no Odoo starts on it, and run this again.",
        )
    result = after.result(changed=True)
    result.switched_off = before.counts
    return result


def neutraliser(reader: PartReader) -> t.Callable[[Client, str], None]:
    """Return what makes a restored Odoo harmless before it gets its name: ``restore_database`` takes it as ``finish``.

    Raises :class:`~.._repository.errors.InputError` when the backup holds no neutralising SQL, and is of an Odoo that
    could have printed it.
    """
    options = options_from_part(reader)

    def finish(client: Client, database: str) -> None:
        neutralise(client, database, options)

    return finish


def options_from_part(reader: PartReader, **others: t.Any) -> NeutraliseOptions:
    """Return the options with the SQL that was saved with a backup.

    Raises :class:`~.._repository.errors.InputError` when there is none, and should be.
    """
    sql = saved_sql(reader)
    series = reader.record["facts"].get("odoo", {}).get("series")
    if sql is None and (series is None or (prints_it(series) and not others.get("built_in"))):
        raise InputError(
            f"The part {reader.part} holds no SQL to neutralise Odoo: {why_not_saved(reader)}.",
            "Restore without neutralising and keep Odoo from starting on it; then have the module odoo_neutralise use"
            " what `odoo neutralize --stdout` prints (sql_file), or only what is known of every Odoo (built_in).",
        )
    source = "built in" if sql is None else f"backup {reader.record['backup']}"
    return NeutraliseOptions(sql=sql, source=source, **others)


class _State:
    """What a database has that could act, and who it says it is."""

    def __init__(self, session: Session, options: NeutraliseOptions) -> None:
        self._options = options
        self._database = session.database
        facts = odoo_facts(session)
        self.series: str = facts["series"]
        if options.sql is None and prints_it(self.series) and not options.built_in:
            raise InputError(
                f"The Odoo {self.series} in database {session.database} needs the SQL of its own modules.",
                "Name the part of its backup (part), or what `odoo neutralize --stdout` printed (sql_file);"
                " with built_in only what is known of every Odoo is switched off.",
            )
        _refuse_a_running_odoo(session)
        self.schema = read_schema(session)
        # What backups of 14 and 15 hold is made of the same rules.
        built_in = options.sql is None or not prints_it(self.series)
        self.measures: list[Measure] = measures(self.schema, built_in=built_in, crons=options.crons)
        self.counts = _count(session, self.measures)
        self.neutralised: bool = facts["neutralized"]
        self.parameters = _parameters(session)

    @property
    def missing(self) -> list[str]:
        """What is still to be done besides switching off."""
        found = [] if self.neutralised else ["no mark that it is neutralised"]
        url, parameters = self._options.base_url, self.parameters
        if url is not None and (parameters.get("web.base.url"), parameters.get("web.base.url.freeze")) != (url, "True"):
            found.append(f"another web.base.url than {url}")
        if url is not None and parameters.get("report.url", url) != url:
            found.append(f"another report.url than {url}")
        if self._options.new_identity and not self._has_own_identity:
            found.append("the identity of the original")
        return found

    @property
    def _has_own_identity(self) -> bool:
        uuid = self.parameters.get("database.uuid")
        return uuid is not None and uuid == self.parameters.get(_IDENTITY)

    @property
    def done(self) -> bool:
        """Tell whether nothing is left to do."""
        return not self.counts and not self.missing

    @property
    def lacking(self) -> str:
        """Say what is left to do."""
        return ", ".join([*(f"{number} {name}" for name, number in self.counts.items()), *self.missing])

    @property
    def renew_identity(self) -> bool:
        """Tell whether the copy is to become someone else."""
        return self._options.new_identity and not self._has_own_identity

    def result(self, *, changed: bool) -> NeutraliseResult:
        """Describe it."""
        return NeutraliseResult(
            changed=changed,
            series=self.series,
            source=self._options.source,
            switched_off=dict(self.counts),
            base_url=self.parameters.get("web.base.url"),
            uuid=self.parameters.get("database.uuid"),
        )


def _refuse_a_running_odoo(session: Session) -> None:
    """Raise TargetError when an Odoo is connected: it may have read what is about to be switched off."""
    others = session.query(
        "SELECT DISTINCT a.application_name AS program, a.usename AS role FROM pg_stat_activity a"
        " JOIN pg_class c ON c.oid = 'public.ir_cron'::regclass"
        " WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.application_name <> %s"
        " AND (a.application_name ILIKE 'odoo%%' OR a.usesysid = c.relowner)",
        session.client.application,
    )
    if others:
        names = ", ".join(f"{row['program'] or 'a program without a name'} as {row['role']}" for row in others)
        raise TargetError(
            f"The database {session.database} is in use: {names}. An Odoo that runs has seen it as it is, and acts.",
            "Stop whatever uses it, and run this again before anything is started.",
        )


def _count(session: Session, found: t.Iterable[Measure]) -> dict[str, int]:
    """Return how much of each kind there is that could act; several tables may be of one kind."""
    counts: dict[str, int] = {}
    for measure in found:
        number = int(session.value(measure.count))
        if number:
            counts[measure.name] = counts.get(measure.name, 0) + number
    return counts


def _parameters(session: Session) -> dict[str, str]:
    keys = ("web.base.url", "web.base.url.freeze", "report.url", "database.uuid", _IDENTITY)
    rows = session.query("SELECT key, value FROM public.ir_config_parameter WHERE key = ANY (%s)", keys)
    return {row["key"]: row["value"] for row in rows}


def _pieces(state: _State, options: NeutraliseOptions) -> t.Iterator[bytes]:
    """Yield the script: Odoo's own SQL and ours in one transaction, which proves itself before it ends."""
    # Odoo's SQL names tables without their schema.
    yield f"BEGIN;\nSET LOCAL search_path = public;\nSET LOCAL lock_timeout = '{_LOCK_TIMEOUT}s';\n".encode()
    if options.sql is not None:
        yield options.sql + b"\n"
    lines = [*_settings(state, options), *statements(state.schema, state.measures)]
    yield "".join(f"{line};\n" for line in lines).encode()
    yield b"COMMIT;\n"


def _settings(state: _State, options: NeutraliseOptions) -> t.Iterator[str]:
    if options.base_url is not None:
        yield _set("web.base.url", literal(options.base_url))
        # Without it, the next administrator who logs in changes it to where that is.
        yield _set("web.base.url.freeze", "'True'")
        url = literal(options.base_url)
        yield f"UPDATE public.ir_config_parameter SET value = {url} WHERE key = 'report.url'"
    if state.renew_identity:
        yield _set("database.secret", "gen_random_uuid()::text")
        yield _set("database.uuid", "gen_random_uuid()::text")
        yield _set(_IDENTITY, "(SELECT value FROM public.ir_config_parameter WHERE key = 'database.uuid')")


def _set(key: str, value: str) -> str:
    insert = f"INSERT INTO public.ir_config_parameter (key, value) VALUES ({literal(key)}, {value})"
    return f"{insert} ON CONFLICT (key) DO UPDATE SET value = excluded.value"
