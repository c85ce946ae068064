# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that an n8n works."""

from __future__ import annotations

from .._apps.n8n_check import N8nTarget, check_n8n
from .._apps.n8n_database import Tables
from .._apps.n8n_settings import KEY, read_environment_file
from .._postgres.connection import Connection
from .._postgres.programs import Client
from .._repository.errors import InputError, TargetError
from .running import FailureWithResultError, Result, Work


def n8n_check(work: Work) -> Result:
    """Do what the module ``n8n_check`` promises."""
    params = work.params
    target = N8nTarget(
        url=params["url"],
        client=Client(Connection.from_settings(params["connection"] or {})),
        database=params["database"],
        key=_key(work),
        tables=Tables(params["schema"], params["table_prefix"]),
        ca_file=params["ca_file"],
        api_path=params["api_path"],
        webhook_path=params["webhook_path"],
        timeout=params["timeout"],
    )
    if work.check_mode:
        return {"changed": False, "checks": [], "passed": None}
    checks = check_n8n(target, params["checks"], params["mandatory"])
    lacking = [check for check in checks if check["mandatory"] and check["status"] != "passed"]
    # The workflow that was made is gone again.
    result: Result = {"changed": False, "checks": checks, "passed": not lacking}
    if lacking:
        first = lacking[0]
        work.outcome.reason, work.outcome.next_step = first["reason"], first["next_step"]
        if params["fail"]:
            names = ", ".join(f"{check['name']} ({check['status']})" for check in lacking)
            error = TargetError(f"n8n at {params['url']} did not pass: {names}. {first['reason']}", first["next_step"])
            raise FailureWithResultError(error, result)
    return result


def _key(work: Work) -> str:
    params = work.params
    if params["encryption_key"]:
        return str(params["encryption_key"])
    found = read_environment_file(params["env_file"]).get(KEY)
    if not found:
        raise InputError(f"{params['env_file']} has no {KEY}.", "Correct env_file, or give encryption_key.")
    return found
