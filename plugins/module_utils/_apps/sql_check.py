# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check of any PostgreSQL database: what one query returns."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from .._drill.checks import NotAsExpectedError, Seen, excerpt
from .._drill.http_check import compiled
from .._postgres.connection import Connection
from .._postgres.failures import QueryError
from .._postgres.programs import Client
from .._postgres.session import Session
from .._repository.errors import InputError


@dataclass(frozen=True)
class SqlExpectation:
    """A query, and what the first column of its first row is to be. What is not given is not looked at.

    :arg value: what it is to be, as text; NULL is written ``null``.
    :arg pattern: regular expression that is to be found in it.
    :arg minimum: number that it must not be below.
    :arg timeout: seconds that the query may take.
    """

    query: str
    value: str | None = None
    pattern: str | None = None
    minimum: float | None = None
    timeout: float = 20.0

    def check(self) -> None:
        """Raise :class:`~.._repository.errors.InputError` for values that cannot be meant."""
        compiled(self.pattern)
        if self.value is None and self.pattern is None and self.minimum is None:
            raise InputError("Nothing says what the query is to return.", "Give value, pattern or minimum.")
        if not re.match(r"\s*(SELECT|WITH|VALUES|TABLE)\b", self.query, re.IGNORECASE):
            raise InputError("The query returns no rows: it is no SELECT.", "Give one that begins with SELECT or WITH.")
        if self.timeout <= 0:
            raise InputError(f"A query cannot be given {self.timeout} seconds.", "Give more than 0.")

    @property
    def words(self) -> str:
        """Say what is expected."""
        words = [] if self.value is None else [self.value]
        words += [] if self.pattern is None else [f"text matching {self.pattern}"]
        words += [] if self.minimum is None else [f"at least {self.minimum:g}"]
        return ", ".join(words)


def look_at_sql(connection: Connection, database: str, expectation: SqlExpectation) -> Seen:
    """Ask once, in a transaction that may only read; raise NotAsExpectedError when it is something else."""
    with Session(Client(connection), database) as session:
        session.execute("BEGIN READ ONLY")
        session.execute(f"SET LOCAL statement_timeout = '{int(expectation.timeout * 1000)}ms'")
        session.execute("SET LOCAL search_path = public, pg_catalog")
        try:
            # As text, since jsonb does not keep the order of columns.
            asked = expectation.query.rstrip().rstrip(";")
            rows = session.query(f"SELECT row_to_json(asked)::text AS row FROM ({asked}\n) AS asked LIMIT 1")
        except QueryError as error:
            raise NotAsExpectedError(error.message, error.next_step, "an error") from error
    first = next(iter(json.loads(rows[0]["row"]).values()), None) if rows else None
    actual = _text(first) if rows else "no row"
    evidence = {"database": database, "server": connection.place}
    if not rows or _differs(expectation, first, actual):
        raise NotAsExpectedError(
            f"The query returned {excerpt(actual)} and not {expectation.words}.",
            "Look whether it is the right database, and whether all of it was restored.",
            excerpt(actual),
            evidence,
        )
    return Seen(excerpt(actual), evidence)


def _text(value: t.Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _differs(expectation: SqlExpectation, value: t.Any, text: str) -> bool:
    if expectation.value is not None and text != expectation.value:
        return True
    if expectation.pattern is not None and not re.search(expectation.pattern, text):
        return True
    if expectation.minimum is None:
        return False
    if isinstance(value, bool):
        return True
    try:
        return not float(value) >= expectation.minimum
    except (TypeError, ValueError):
        return True
