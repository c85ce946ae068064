# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a restored n8n harmless before its first start: nothing runs by itself, nothing waits, nothing is sent.

Unpublishing is not enough: an execution that waits is resumed whether its workflow is published or not, and one that
was queued or running is taken up again. Everything is done in one transaction, looked at again inside it, and rolled
back unless nothing is left.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._postgres.programs import Client
from .._postgres.session import Session, literal
from .._repository.errors import InputError, TargetError
from .n8n_database import Tables, n8n_facts

#: The newest migration of the newest n8n whose tables were looked at (2.40.7), in milliseconds.
_NEWEST_KNOWN = 1_789_131_391_410
_ENDED = ("canceled", "crashed", "error", "success")


@dataclass(frozen=True)
class _Activity:
    """Rows of a table that make n8n do something by itself, and how they are kept from it.

    ``live`` tells these rows; ``columns`` must be there for it; ``change`` is the SET of an UPDATE, None for DELETE.
    """

    name: str
    table: str
    columns: tuple[str, ...]
    live: str
    change: str | None
    required: bool = False


_ACTIVITIES = (
    # Earlier 1.x has no versions to publish, so this comes in two forms; the first one is used where it fits.
    _Activity(
        "workflows_unpublished",
        "workflow_entity",
        ("active", "activeVersionId"),
        'active OR "activeVersionId" IS NOT NULL',
        'active = FALSE, "activeVersionId" = NULL',
        required=True,
    ),
    _Activity("workflows_unpublished", "workflow_entity", ("active",), "active", "active = FALSE", required=True),
    _Activity(
        "executions_canceled",
        "execution_entity",
        ("status", "waitTill", "stoppedAt", "finished"),
        f'NOT coalesce(status = ANY({literal(_ENDED)}), FALSE) OR "waitTill" IS NOT NULL',
        f"status = CASE WHEN status = ANY({literal(_ENDED)}) THEN status ELSE 'canceled' END,"
        ' "waitTill" = NULL, "stoppedAt" = coalesce("stoppedAt", now())',
        required=True,
    ),
    _Activity("webhooks_removed", "webhook_entity", ("webhookPath",), "TRUE", None),
    _Activity("published_versions_removed", "workflow_published_version", ("workflowId",), "TRUE", None),
    _Activity(
        "publications_removed",
        "workflow_publication_outbox",
        ("status",),
        "status IN ('pending', 'in_progress')",
        None,
    ),
    _Activity("scheduled_tasks_removed", "scheduled_task", ("finishedAt",), '"finishedAt" IS NULL', None),
    _Activity(
        "scheduled_jobs_disabled",
        "scheduled_job",
        ("enabled", "nextRunAt", "ownerType"),
        "enabled AND \"ownerType\" <> 'system-task'",
        'enabled = FALSE, "nextRunAt" = NULL',
    ),
    _Activity(
        "agents_unpublished",
        "agents",
        ("activeVersionId",),
        '"activeVersionId" IS NOT NULL',
        '"activeVersionId" = NULL',
    ),
    _Activity(
        "agent_jobs_canceled",
        "agent_background_job",
        ("status", "settledAt", "notifiedAt"),
        "status = 'running' OR \"notifiedAt\" IS NULL",
        "status = CASE WHEN status = 'running' THEN 'cancelled' ELSE status END,"
        ' "settledAt" = coalesce("settledAt", now()), "notifiedAt" = coalesce("notifiedAt", now())',
    ),
    _Activity(
        "test_runs_canceled",
        "test_run",
        ("status", "completedAt"),
        "status IN ('new', 'running')",
        "status = 'cancelled', \"completedAt\" = now()",
    ),
    _Activity(
        "log_destinations_disabled",
        "event_destinations",
        ("destination",),
        "coalesce(destination::jsonb ->> 'enabled', 'true') <> 'false'",
        "destination = jsonb_set(destination::jsonb, '{enabled}', 'false')",
    ),
)


@dataclass(frozen=True)
class Isolation:
    """What was done, or in a dry run would be: numbers of rows by what became of them."""

    series: str
    done: dict[str, int]
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Tell whether anything had to be changed."""
        return any(self.done.values())


def isolate_n8n(client: Client, database: str, tables: Tables | None = None, *, dry_run: bool = False) -> Isolation:
    """Keep the n8n of a database from doing anything by itself; nothing is changed unless all of it succeeds.

    n8n must not be running on it: what it holds in memory is out of reach here.

    Raises :class:`~.._repository.errors.TargetError` when somebody is connected to the database or when something is
    still live afterwards, and :class:`~.._repository.errors.InputError` when it is no database of n8n whose tables
    are known.
    """
    tables = tables or Tables()
    with Session(client, database) as session:
        _refuse_others(session)
        session.execute("BEGIN")
        facts = n8n_facts(session, tables)
        activities = _present(session, tables)
        if not dry_run:
            names = ", ".join(tables(activity.table) for activity in activities)
            session.execute("SET LOCAL lock_timeout = '10s'")
            session.execute(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")
        done = {activity.name: _count(session, tables, activity) for activity in activities}
        if dry_run:
            session.execute("ROLLBACK")
        else:
            _change(session, tables, activities)
            _refuse_others(session)
            session.execute("COMMIT")
    return Isolation(facts["series"], done, _warnings(facts))


def isolator(tables: Tables) -> t.Callable[[Client, str], None]:
    """Return what isolates a restored n8n before it gets its name: ``restore_database`` takes it as ``finish``."""

    def isolate(client: Client, database: str) -> None:
        isolate_n8n(client, database, tables)

    return isolate


def _present(session: Session, tables: Tables) -> list[_Activity]:
    """Return the activities that this database can have; raise InputError where a needed table is not as known."""
    found: dict[str, _Activity] = {}
    for activity in _ACTIVITIES:
        columns = tables.columns(session, activity.table)
        if set(activity.columns) <= columns:
            found.setdefault(activity.name, activity)
        elif activity.name not in found and columns and not _has_simpler(activity):
            raise InputError(
                f"The table {activity.table} of n8n in the database {session.database} has no column"
                f" {', '.join(sorted(set(activity.columns) - columns))}: this version of n8n is not known here.",
                "Nothing was changed. Do not start n8n on this copy where it can reach anything.",
            )
    missing = {activity.table for activity in _ACTIVITIES if activity.required and activity.name not in found}
    if missing:
        raise InputError(
            f"The database {session.database} has no {' and no '.join(sorted(missing))} of n8n's.",
            "Correct the database, its schema or table prefix.",
        )
    return list(found.values())


def _has_simpler(activity: _Activity) -> bool:
    return any(other.name == activity.name and set(other.columns) < set(activity.columns) for other in _ACTIVITIES)


def _count(session: Session, tables: Tables, activity: _Activity) -> int:
    return int(session.value(f"SELECT count(*) AS number FROM {tables(activity.table)} WHERE {activity.live}"))


def _change(session: Session, tables: Tables, activities: t.Iterable[_Activity]) -> None:
    """Do it, and look that nothing is left; the transaction is the caller's."""
    listed = list(activities)
    for activity in listed:
        if activity.change is None:
            session.execute(f"DELETE FROM {tables(activity.table)} WHERE {activity.live}")
        else:
            session.execute(f"UPDATE {tables(activity.table)} SET {activity.change} WHERE {activity.live}")
    left = {activity.table: number for activity in listed if (number := _count(session, tables, activity))}
    if left:
        said = ", ".join(f"{number} rows of {table}" for table, number in left.items())
        raise TargetError(
            f"n8n in the database {session.database} could not be made harmless: {said} are still live.",
            "Nothing was changed. Look for triggers on these tables, and do not start n8n on this copy.",
        )


def _refuse_others(session: Session) -> None:
    others = session.query(
        "SELECT pid, usename AS role, application_name AS application FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL"
        # A role without pg_read_all_stats is not told what others' sessions are.
        " AND coalesce(backend_type, 'client backend') = 'client backend'"
    )
    if others:
        said = ", ".join(
            f"process {row['pid']} (role {row['role']}, {row['application'] or 'unnamed'})" for row in others
        )
        raise TargetError(
            f"Somebody is connected to the database {session.database}, which n8n may be running on: {said}.",
            "Stop n8n and its workers; only a copy that is not in use can be isolated, and nothing was changed.",
        )


def _warnings(facts: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    digits = "".join(filter(str.isdigit, facts["migration"] or ""))[-13:]
    if not digits or int(digits) <= _NEWEST_KNOWN:
        return ()
    return (
        f"This n8n is newer than those that were tried (its last migration is {facts['migration']}): it may do"
        " things by itself that are not known here. See to it that the copy can reach nothing.",
    )
