# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL: sessions, dump, restore. Knows no Odoo and no Ansible.

Everything is done through PostgreSQL's own client programs (``psql``, ``pg_dump``, ``pg_restore``), which
run on this host or inside the container that holds the server; so both ways are one way, and a host needs no
database driver.
"""

from __future__ import annotations
