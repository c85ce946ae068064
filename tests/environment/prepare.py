# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds what takes long and is kept: container images, Odoo. Run by ``make images``; quick when all is there."""

from __future__ import annotations

from . import containers, odoo

if __name__ == "__main__":
    containers.POSTGRES_17.build()
    containers.HOST.build()
    odoo.prepare()
