# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a restored n8n from doing anything by itself."""

from __future__ import annotations

from .._apps.n8n_database import Tables
from .._apps.n8n_isolate import isolate_n8n
from .._postgres.connection import Connection
from .._postgres.programs import Client
from .running import Result, Work


def n8n_isolate(work: Work) -> Result:
    """Do what the module ``n8n_isolate`` promises."""
    params = work.params
    client = Client(Connection.from_settings(params["connection"] or {}))
    tables = Tables(params["schema"], params["table_prefix"])
    made = isolate_n8n(client, params["database"], tables, dry_run=work.check_mode)
    work.warn(made.warnings)
    before = {name: number for name, number in made.done.items() if number}
    return {
        "changed": made.changed,
        "database": params["database"],
        "series": made.series,
        "isolated": made.done,
        "diff": {"before": before, "after": dict.fromkeys(before, 0)},
    }
