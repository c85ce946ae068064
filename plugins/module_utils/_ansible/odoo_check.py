# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks whether an Odoo does what its users need."""

from __future__ import annotations

import typing as t

from .._apps.odoo_check import OdooCheckOptions, Sentinel, check_odoo
from .._apps.odoo_rpc import OdooUser
from .._drill.http_check import HttpExpectation
from .._postgres.connection import Connection
from .checking import reach_from, verdict
from .running import Result, Work


def odoo_check(work: Work) -> Result:
    """Do what the module ``odoo_check`` promises."""
    params = work.params
    url = params["url"].rstrip("/")
    options = OdooCheckOptions(
        url=url,
        database=params["database"],
        connection=Connection.from_settings(params["connection"] or {}),
        user=OdooUser(params["login"], params["password"], params["api_key"]),
        sentinel=Sentinel(**params["sentinel"]) if params["sentinel"] else None,
        samples=params["samples"],
        site=_site(url, params["site"]) if params["site"] else None,
        optional=params["optional"],
        wait=params["wait"],
        reach=reach_from(params),
        service=params["service"],
    )
    return verdict(work, check_odoo(options))


def _site(url: str, site: t.Mapping[str, t.Any]) -> HttpExpectation:
    return HttpExpectation(
        url=f"{url}/{site['path'].lstrip('/')}",
        follow=True,
        pattern=site["text"],
        headers_expected={name: str(value) for name, value in (site["headers"] or {}).items()},
    )
