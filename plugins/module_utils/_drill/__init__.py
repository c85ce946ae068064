# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drills and failovers: the plan, the journal of a run, and the objectives that it is measured by.

``docs/disaster-recovery.md`` specifies the plan and the run document.
"""

from __future__ import annotations
