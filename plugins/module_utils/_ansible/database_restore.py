# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores one PostgreSQL database."""

from __future__ import annotations

import typing as t

from .._apps.neutralise import neutraliser
from .._postgres.connection import Connection
from .._postgres.restore import RestoreOptions, plan_restore, restore_database
from .opening import describe_source, opened_part
from .running import Result, Work


def database_restore(work: Work) -> Result:
    """Do what the module ``database_restore`` promises."""
    connection = Connection.from_settings(work.params["connection"] or {})
    options = _options(work.params)
    with opened_part(work) as part:
        reader, source = part.reader, describe_source(part)
        finish = neutraliser(reader) if work.params["neutralise"] else None
        if work.check_mode:
            plan = plan_restore(reader, connection, options).to_json()
            work.warn(plan.pop("warnings"))
            return {"changed": True, **source, "database": plan["name"], "plan": plan}
        restored = restore_database(reader, connection, options, finish).to_json()
    work.outcome.size = source["size"]
    work.warn(restored.pop("warnings"))
    return {
        "changed": True,
        **source,
        "database": restored.pop("name"),
        "neutralised": finish is not None,
        **restored,
    }


def _options(params: t.Mapping[str, t.Any]) -> RestoreOptions:
    return RestoreOptions(
        name=params["database"],
        owner=params["owner"],
        privileges=params["privileges"],
        replace=params["replace"],
        keep_replaced=params["keep_replaced"],
        restore_roles=params["restore_roles"],
        jobs=params["jobs"],
        directory=params["directory"],
        locale=params["locale"],
        check_space=params["check_space"],
        checksums=params["checksums"],
    )
