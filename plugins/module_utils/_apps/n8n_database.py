# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What n8n keeps in its database that a backup must know, and the proof that a key opens its credentials."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

from .._postgres.failures import QueryError
from .._postgres.session import Session, identifier
from .._repository.errors import InputError, WrongKeyError
from .n8n_cipher import NotOpenedError, key_id, open_gcm, open_salted, unwrap_data_key

#: Credentials that are tried, the newest first.
_TRIED = 1000
#: Credentials that a message names.
_NAMED = 5


@dataclass(frozen=True)
class Tables:
    """Where n8n's tables are: ``DB_POSTGRESDB_SCHEMA`` and ``DB_TABLE_PREFIX`` of its settings."""

    schema: str = "public"
    prefix: str = ""

    def __call__(self, name: str) -> str:
        """Return a table's name in SQL."""
        return f"{identifier(self.schema)}.{identifier(self.prefix + name)}"

    def columns(self, session: Session, name: str) -> set[str]:
        """Return the names of a table's columns; none where there is no such table."""
        rows = session.query(
            "SELECT attname AS name FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped",
            self.schema,
            self.prefix + name,
        )
        return {row["name"] for row in rows}


def n8n_facts(session: Session, tables: Tables) -> dict[str, t.Any]:
    """Return series and contents of the n8n whose database the session is connected to.

    Raises :class:`~.._repository.errors.InputError` when it is no database of n8n.
    """
    workflows = tables.columns(session, "workflow_entity")
    if not {"id", "active"} <= workflows or not tables.columns(session, "credentials_entity"):
        raise InputError(
            f"The database {session.database} of {session.connection.place} has no n8n in the schema {tables.schema}"
            + (f" with the table prefix {tables.prefix!r}." if tables.prefix else "."),
            "Correct the database's name, or the settings DB_POSTGRESDB_SCHEMA and DB_TABLE_PREFIX.",
        )
    try:
        migration = session.query(
            f"SELECT name, timestamp::bigint AS at FROM {tables('migrations')} ORDER BY timestamp DESC, id DESC LIMIT 1"
        )
        counts = session.query(
            f"SELECT (SELECT count(*) FROM {tables('workflow_entity')}) AS workflows,"
            f" (SELECT count(*) FROM {tables('workflow_entity')} WHERE active) AS active_workflows,"
            f" (SELECT count(*) FROM {tables('credentials_entity')}) AS credentials,"
            f" (SELECT count(*) FROM {tables('execution_entity')}) AS executions"
        )[0]
    except QueryError as error:
        if error.sqlstate not in ("42P01", "42703"):
            raise
        raise InputError(
            f"The database {session.database} is not wholly one of n8n: {error.message}",
            "Look whether n8n's first start, which makes its tables, has come to its end.",
        ) from error
    return {
        "series": _series(session, tables, workflows),
        "migration": migration[0]["name"] if migration else None,
        **counts,
    }


def _series(session: Session, tables: Tables, workflows: set[str]) -> str:
    """Return n8n's major version, as far as its database tells: late 1.x and early 2.x have the same tables."""
    if {"id", "major"} <= tables.columns(session, "instance_version_history"):
        query = f"SELECT major::text AS major FROM {tables('instance_version_history')} ORDER BY id DESC LIMIT 1"
        if major := session.value(query):
            return str(major)
    return "1 or 2" if "activeVersionId" in workflows else "1"


@dataclass
class KeyProof:
    """What an encryption key opens. ``formats`` counts the credentials of each format, see :mod:`.n8n_cipher`.

    ``by`` says what proves the key: ``credentials``, ``data keys`` (where there are no credentials yet), or
    ``nothing``, when n8n has encrypted nothing so far.
    """

    by: str = "nothing"
    credentials: int = 0
    tried: int = 0
    opened: int = 0
    formats: dict[str, int] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, t.Any]:
        """Return the numbers, which hold no secret."""
        numbers = {"credentials": self.credentials, "tried": self.tried, "opened": self.opened}
        return {"proved_by": self.by, **numbers, "formats": self.formats}

    def sentences(self) -> list[str]:
        """Say what people should know of it."""
        if self.by == "nothing":
            return ["n8n has no credentials, so nothing proves that the encryption key is the right one."]
        said = []
        if self.closed:
            said.append(
                f"{self.tried - self.opened} of {self.tried} credentials do not open with the encryption key and are of"
                f" no use to n8n: {', '.join(self.closed[:_NAMED])}."
            )
        if self.credentials > self.tried:
            said.append(f"Only the newest {self.tried} of {self.credentials} credentials were tried with the key.")
        return said


def prove_key(session: Session, tables: Tables, key: str, place: str) -> KeyProof:
    """Open the credentials of a database offline; nothing of their content is kept.

    :arg place: where the key came from, for messages.

    Raises :class:`~.._repository.errors.WrongKeyError` when the key opens none, saying why.
    """
    data_keys = _data_keys(session, tables)
    query = f"SELECT count(*) AS number FROM {tables('credentials_entity')}"
    proof = KeyProof(credentials=int(session.value(query)))
    reasons: dict[str, int] = {}
    for row in session.rows(
        f'SELECT id::text AS id, data FROM {tables("credentials_entity")} ORDER BY "updatedAt" DESC, id LIMIT {_TRIED}'
    ):
        proof.tried += 1
        rotated = key_id(row["data"])
        name = "rotated key" if rotated else "instance key"
        proof.formats[name] = proof.formats.get(name, 0) + 1
        try:
            _open(row["data"], key, data_keys)
            proof.opened += 1
        except NotOpenedError as error:
            proof.closed.append(f"{row['id']} ({error})")
            reasons[str(error)] = reasons.get(str(error), 0) + 1
    if proof.opened:
        proof.by = "credentials"
    elif proof.tried:
        why = "; ".join(f"{count}: {reason}" for reason, count in reasons.items())
        raise WrongKeyError(
            f"The encryption key of n8n from {place} opens none of the {proof.tried} credentials of the database"
            f" {session.database} ({why}).",
            "Find the key that this n8n runs with (N8N_ENCRYPTION_KEY in its environment, or the file config in its"
            " user folder): without it the credentials of this backup are lost.",
        )
    elif data_keys:
        _prove_by_data_keys(data_keys, key, place, session.database)
        proof.by = "data keys"
    return proof


class _DataKey(t.NamedTuple):
    value: str
    algorithm: str


def _data_keys(session: Session, tables: Tables) -> dict[str, _DataKey]:
    """Return the rotated data keys, as wrapped in the database; none before 2.x has them."""
    if not {"id", "type", "value", "algorithm"} <= tables.columns(session, "deployment_key"):
        return {}
    rows = session.query(
        f"SELECT id::text AS id, value, algorithm FROM {tables('deployment_key')} WHERE type = 'data_encryption'"
    )
    return {row["id"]: _DataKey(row["value"], row["algorithm"] or "") for row in rows}


def _open(data: str, key: str, data_keys: t.Mapping[str, _DataKey]) -> None:
    """Open one credential and look at it; raise :class:`NotOpenedError`."""
    rotated = key_id(data)
    if rotated is None:
        content = open_salted(data, key)
    else:
        data_key = data_keys.get(rotated)
        if data_key is None:
            raise NotOpenedError("its data key is not in the database")
        unwrapped = unwrap_data_key(data_key.value, key)
        opens = open_gcm if data_key.algorithm == "aes-256-gcm" else open_salted
        content = opens(data.partition(":")[2], unwrapped)
    try:
        if not isinstance(json.loads(content), dict):
            raise NotOpenedError("what it holds is no credential")
    except ValueError as error:
        raise NotOpenedError("the key does not fit") from error


def _prove_by_data_keys(data_keys: t.Mapping[str, _DataKey], key: str, place: str, database: str) -> None:
    for data_key in data_keys.values():
        try:
            unwrap_data_key(data_key.value, key)
            return
        except NotOpenedError:
            continue
    raise WrongKeyError(
        f"The encryption key of n8n from {place} opens none of the {len(data_keys)} data keys of the database"
        f" {database}.",
        "Find the key that this n8n runs with (N8N_ENCRYPTION_KEY in its environment, or the file config in its user"
        " folder).",
    )
