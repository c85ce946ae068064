# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the whole test tree: the real programs of `tests/environment`."""

from __future__ import annotations

_ENVIRONMENT = "ansible_collections.dfr.continuity.tests.environment"

pytest_plugins = [
    f"{_ENVIRONMENT}.postgres",
    f"{_ENVIRONMENT}.containers",
    f"{_ENVIRONMENT}.n8n",
    f"{_ENVIRONMENT}.notices",
    f"{_ENVIRONMENT}.odoo",
    f"{_ENVIRONMENT}.odoo_14",
    f"{_ENVIRONMENT}.tls",
    f"{_ENVIRONMENT}.s3",
    f"{_ENVIRONMENT}.dns",
    f"{_ENVIRONMENT}.cloudflare",
]
