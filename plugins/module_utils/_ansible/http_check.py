# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks what a web server answers."""

from __future__ import annotations

import typing as t

from .._drill.http_check import HttpExpectation, look_at_http
from .._drill.web import Visitor
from .checking import one_check, reach_from
from .running import Result, Work


def http_check(work: Work) -> Result:
    """Do what the module ``http_check`` promises."""
    expectation = _expectation(work.params)
    expectation.check()
    reach = reach_from(work.params)
    reach.check()
    return one_check(work, expectation.words, lambda: look_at_http(Visitor(reach), expectation))


def _expectation(params: t.Mapping[str, t.Any]) -> HttpExpectation:
    headers = {**(params["headers"] or {}), **(params["secret_headers"] or {})}
    return HttpExpectation(
        url=params["url"],
        method=params["method"],
        headers={name: str(value) for name, value in headers.items()},
        body=None if params["body"] is None else params["body"].encode(),
        follow=params["follow_redirects"],
        statuses=params["status"],
        pattern=params["text"],
        headers_expected={name: str(value) for name, value in (params["answer_headers"] or {}).items()},
        json_path=params["json_path"],
        json_value=params["json_value"],
    )
