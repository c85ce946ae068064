# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks what a query returns."""

from __future__ import annotations

from .._apps.sql_check import SqlExpectation, look_at_sql
from .._postgres.connection import Connection
from .checking import one_check
from .running import Result, Work


def sql_check(work: Work) -> Result:
    """Do what the module ``sql_check`` promises."""
    params = work.params
    connection = Connection.from_settings(params["connection"] or {})
    expectation = SqlExpectation(
        query=params["query"],
        value=params["value"],
        pattern=params["text"],
        minimum=params["minimum"],
        timeout=params["timeout"],
    )
    expectation.check()
    return one_check(work, expectation.words, lambda: look_at_sql(connection, params["database"], expectation))
