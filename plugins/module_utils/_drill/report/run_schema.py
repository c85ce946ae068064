# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON Schema of the run document. ``docs/run.schema.json`` is this dictionary; a test keeps them equal.

It is Python and no file beside it, because Ansible sends modules to hosts as Python files alone.
"""

from __future__ import annotations

import typing as t

SCHEMA_NAME = "dfr.continuity/run/1"

Schema = dict[str, t.Any]

_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_NAME: Schema = {"type": "string", "minLength": 1}
_FREE: Schema = {"type": "object"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_SECONDS: Schema = {"type": "number", "minimum": 0}
_MOMENT: Schema = {"$ref": "#/$defs/moment"}


def _object(required: t.Sequence[str], properties: t.Mapping[str, Schema], *, closed: bool = False) -> Schema:
    schema: Schema = {"type": "object", "required": list(required), "properties": dict(properties)}
    return {**schema, "additionalProperties": False} if closed else schema


def _array(name: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/$defs/{name}"}}


#: Closed objects are written by the journal alone: a key that is misspelt there would be lost evidence. What check
#: modules and providers return may have more keys; those are kept in report.json.
RUN_SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://github.com/dfr-continuity/dfr.continuity/docs/run.schema.json",
    "title": "One run of a drill, a failover or a failback",
    "description": "Times are UTC. What is absent is not known; null is taken for absent before this schema applies.",
    **_object(
        ("schema", "id", "mode", "site", "started", "state", "phases"),
        {
            "schema": {"const": SCHEMA_NAME},
            # It names a folder, and sorts by time.
            "id": {"type": "string", "pattern": "^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$"},
            "mode": {"enum": ["drill", "failover", "failback"]},
            "site": _NAME,
            "scenario": _TEXT,
            "started_by": _TEXT,
            "approved_by": _TEXT,
            "plan": _object(
                ("sha256",),
                {"sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "document": _FREE},
                closed=True,
            ),
            "started": _MOMENT,
            "interruption": _MOMENT,
            "finished": _MOMENT,
            "state": {"enum": ["running", "passed", "failed", "aborted"]},
            "reason": _TEXT,
            "next_step": _TEXT,
            "phases": _array("phase"),
            "backup": {"$ref": "#/$defs/backup"},
            "data_sets": _array("data_set"),
            "objectives": _object(
                (), {"rto": {"$ref": "#/$defs/objective"}, "rpo": {"$ref": "#/$defs/objective"}}, closed=True
            ),
            "checks": _array("check"),
            "traffic": _array("traffic"),
            "isolation": _array("check"),
            "cleanup": _object((), {"status": {"enum": ["done", "failed", "not needed"]}, "left": _TEXTS}),
            "findings": _array("finding"),
        },
        closed=True,
    ),
    "$defs": {
        "moment": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"},
        "phase": _object(
            ("name", "status"),
            {
                "name": _NAME,
                "title": _TEXT,
                "status": {"enum": ["running", "done", "failed", "skipped"]},
                "attempts": _array("attempt"),
                "details": _FREE,
            },
            closed=True,
        ),
        "attempt": _object(
            ("started", "status"),
            {"started": _MOMENT, "finished": _MOMENT, "status": _NAME, "reason": _TEXT, "next_step": _TEXT},
            closed=True,
        ),
        # Empty while none was chosen.
        "backup": _object(
            (),
            {
                "backup_id": _NAME,
                "location": _TEXT,
                "finished": _MOMENT,
                "age_seconds": _SECONDS,
                "size": _COUNT,
                "refused": {"type": "array", "items": _object(("backup_id",), {"backup_id": _NAME, "reason": _TEXT})},
            },
        ),
        "data_set": _object(
            ("name",),
            {
                "name": _NAME,
                "kind": {"enum": ["database", "files", "objects"]},
                "part": _TEXT,
                "recovery_point": _MOMENT,
                "source": {"enum": ["snapshot", "heartbeat"]},
                "rpo_seconds": {"type": "number"},
                "size": _COUNT,
                "items": _COUNT,
            },
        ),
        "objective": _object(
            (),
            {
                "target_seconds": _SECONDS,
                # Negative is no mistake: a data set may be newer than the interruption that was declared.
                "achieved_seconds": {"type": "number"},
                "met": {"type": "boolean"},
            },
            closed=True,
        ),
        "check": _object(
            ("name", "mandatory", "status"),
            {
                "name": _NAME,
                "service": _TEXT,
                "mandatory": {"type": "boolean"},
                "status": {"enum": ["passed", "failed", "skipped"]},
                # Whatever the check compared.
                "expected": {},
                "actual": {},
                "seconds": _SECONDS,
                "at": _MOMENT,
                "evidence": _FREE,
                "reason": _TEXT,
                "next_step": _TEXT,
            },
        ),
        "traffic": _object(
            ("record",),
            {
                "record": _NAME,
                "provider": _TEXT,
                "old": _TEXTS,
                "new": _TEXTS,
                "verified_at": _TEXTS,
                "undone": {"type": "boolean"},
            },
        ),
        "finding": _object(
            ("id", "severity", "title"),
            {
                "id": _NAME,
                "severity": {"enum": ["high", "medium", "low"]},
                "title": _NAME,
                "detail": _TEXT,
                "remedy": _TEXT,
                "owner": _TEXT,
                "due": _TEXT,
                "phase": _TEXT,
            },
        ),
    },
}
