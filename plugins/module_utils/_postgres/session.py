# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session with the server: SQL in, rows out.

A ``psql`` that runs as long as the session takes what we write and answers on its standard output. So a session
works alike on this host and inside a container, as any operating system user, and without a database driver.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import typing as t

from .._repository.errors import ContinuityError, InputError
from .connection import Connection
from .failures import QueryError, connection_failure, explain
from .process import Child
from .programs import Client

Row = dict[str, t.Any]

#: What psql's variable ERROR still is when a COPY failed after its first rows: psql then does not set it.
_UNTOLD = "untold"
_ERROR = re.compile(r"(?:ERROR|FATAL):  (.*)")

#: Nothing of ours may end because the server is set up to end idle or long statements of applications, and no object
#: in a schema of the database's may stand in for a system function.
_SETTINGS = (
    "SET statement_timeout = 0",
    "SET client_min_messages = error",
    "SET search_path = pg_catalog",
    "SET standard_conforming_strings = on",
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN"
    " ('idle_in_transaction_session_timeout', 'transaction_timeout', 'idle_session_timeout')",
)


def literal(value: t.Any) -> str:
    """Return a value as an SQL literal. Takes None, bool, int, str and sequences of str."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        if "\0" in value:
            raise InputError("A value for the database holds a NUL character.", "Correct it.")
        quoted = "'" + value.replace("'", "''").replace("\\", "\\\\") + "'"
        return f"E{quoted}" if "\\" in value else quoted
    return f"ARRAY[{', '.join(literal(item) for item in value)}]::text[]"


def identifier(name: str) -> str:
    """Return a name as a quoted SQL identifier; raise InputError for one that PostgreSQL would cut short."""
    if not name or "\0" in name or len(name.encode()) > 63:
        raise InputError(
            f"{name!r} cannot be a name in PostgreSQL: it must have 1 to 63 bytes and no NUL character.", "Correct it."
        )
    return '"' + name.replace('"', '""') + '"'


class Session:
    """One connection to one database. Use it in a ``with`` block; statements of several threads take turns.

    Statements may hold ``%s`` for parameters, which are quoted; a percent sign in a statement with parameters is
    written ``%%``. The search path is ``pg_catalog`` alone.

    Errors: :class:`~.failures.QueryError` when the server refuses a statement,
    :class:`~.._repository.errors.SourceError` when the connection cannot be made or is lost.
    """

    def __init__(self, client: Client, database: str) -> None:
        self.client = client
        self.database = database
        self._lock = threading.Lock()
        self._ended: ContinuityError | None = None
        self._mark = secrets.token_hex(16)
        conninfo = client.conninfo(database, client_encoding="UTF8")
        arguments = ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--file=-"]
        self._child: Child = client.start(client.newest("psql"), arguments, conninfo, stdin=True)
        try:
            for setting in _SETTINGS:
                self.execute(setting)
            #: The server's version as a number, for example 150018.
            self.version = int(self.value("SELECT current_setting('server_version_num') AS v"))
        except BaseException:
            self._child.stop()
            raise

    @property
    def connection(self) -> Connection:
        """The server."""
        return self.client.connection

    @property
    def major(self) -> int:
        """The server's major version, for example 15."""
        return self.version // 10000

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self.close() if kind is None else self._child.stop()

    def close(self) -> None:
        """End the session; an open transaction is rolled back."""
        if self._ended is None:
            outcome = self._child.finish(timeout=10)
            self._ended = connection_failure(outcome, self.connection, self.database)

    def execute(self, sql: str, *parameters: t.Any) -> None:
        """Execute one statement whose rows are of no interest."""
        for _line in self._run(_with(sql, parameters)):
            pass

    def documents(self, sql: str, *parameters: t.Any) -> t.Iterator[str]:
        """Yield the rows of a SELECT as they arrive, each as a JSON object on one line. Read them to the end."""
        for line in self._run(f"COPY (SELECT to_jsonb(q) FROM ({_with(sql, parameters)}) AS q) TO STDOUT"):
            yield line.replace("\\\\", "\\")  # COPY doubles what JSON has escaped

    def rows(self, sql: str, *parameters: t.Any) -> t.Iterator[Row]:
        """Yield the rows of a SELECT as they arrive, in constant memory. Read them to the end."""
        return map(json.loads, self.documents(sql, *parameters))

    def query(self, sql: str, *parameters: t.Any) -> list[Row]:
        """Return the rows of a SELECT."""
        return list(self.rows(sql, *parameters))

    def value(self, sql: str, *parameters: t.Any) -> t.Any:
        """Return the first column of the first row of a SELECT; None when there is no row."""
        for row in self.query(sql, *parameters):
            return next(iter(row.values()))
        return None

    def _run(self, sql: str) -> t.Iterator[str]:
        """Have psql execute a statement and yield the lines it writes."""
        with self._lock:
            if self._ended is not None:
                raise self._ended
            report = f"\\echo {self._mark} :ERROR :SQLSTATE :LAST_ERROR_MESSAGE\n\\echo {self._mark}\n"
            self._child.write(f"\\set ERROR {_UNTOLD}\n{sql}\n;\n{report}".encode())
            try:
                for line in self._lines():
                    if line.startswith(self._mark):
                        break
                    yield line
            except BaseException:
                # Interrupted: what was not read would be taken for the next statement's answer.
                if self._ended is None:
                    self._ended = connection_failure(self._child.stop(), self.connection, self.database)
                raise
            self._check(sql, line)

    def _lines(self) -> t.Iterator[str]:
        """Yield lines without their ends; raise when psql ended, which it does with its connection."""
        while line := self._child.stdout.readline():
            yield line.decode("utf-8", "backslashreplace").rstrip("\n")
        self._ended = connection_failure(self._child.finish(), self.connection, self.database)
        raise self._ended

    def _check(self, sql: str, report: str) -> None:
        """Read the rest of psql's report on a statement; raise when it failed."""
        _mark, failed, sqlstate, *words = report.split(" ", 3)
        said = [" ".join(words)]
        for line in self._lines():
            if line == self._mark:
                break
            said.append(line)
        if failed == _UNTOLD:
            raise self._broken_off(sql)
        if failed == "true":
            text = " ".join(said)
            known = explain(text, self.connection, self.database)
            beginning = " ".join(sql.split()[:3])  # the rest may hold data
            raise QueryError(
                f"Database {self.database} of {self.connection.place} refused a statement: {text} "
                f"(SQLSTATE {sqlstate}, {beginning} …).",
                known[1] if known else "Look into the server's log.",
                sqlstate,
            )

    def _broken_off(self, sql: str) -> QueryError:
        """Return the error of a statement whose rows have not all arrived; psql tells it on standard error only."""
        mark = secrets.token_hex(16)
        self._child.write(f"\\warn {mark}\n".encode())
        text = (_ERROR.findall(self._child.said_until(mark)) or ["no reason was told"])[-1]
        known = explain(text, self.connection, self.database)
        return QueryError(
            f"Database {self.database} of {self.connection.place} broke off a statement among its rows: {text} "
            f"({' '.join(sql.split()[:3])} …).",
            known[1] if known else "Look into the server's log.",
            "",
        )


def _with(sql: str, parameters: tuple[t.Any, ...]) -> str:
    return sql % tuple(literal(value) for value in parameters) if parameters else sql
