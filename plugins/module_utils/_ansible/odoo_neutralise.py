# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a restored Odoo harmless."""

from __future__ import annotations

import typing as t

from .._apps.odoo_neutralise import NeutraliseOptions, neutralise, options_from_part
from .._apps.odoo_neutralising_sql import sql_of_file
from .._postgres.connection import Connection
from .._postgres.programs import Client
from .._repository.errors import InputError
from .opening import opened_part
from .running import Result, Work


def odoo_neutralise(work: Work) -> Result:
    """Do what the module ``odoo_neutralise`` promises."""
    client = Client(Connection.from_settings(work.params["connection"] or {}))
    done = neutralise(client, work.params["database"], _options(work), only_look=work.check_mode)
    return done.to_json()


def _options(work: Work) -> NeutraliseOptions:
    params = work.params
    others: dict[str, t.Any] = {
        "built_in": params["built_in"],
        "crons": tuple(params["scheduled_jobs"]),
        "base_url": params["base_url"],
        "new_identity": params["new_identity"],
    }
    if params["sql_file"] is not None:
        return NeutraliseOptions(sql=sql_of_file(params["sql_file"]), source=params["sql_file"], **others)
    if params["part"] is None:
        return NeutraliseOptions(**others)
    if not params["repository"] or not params["recovery_key"]:
        raise InputError(
            f"The part {params['part']} cannot be opened without its repository and the recovery key.",
            "Give repository and recovery_key.",
        )
    with opened_part(work) as part:
        return options_from_part(part.reader, **others)
