# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a drill, a failover or a failback, made from the run document that the journal keeps.

:mod:`.run_document` reads and checks the document, :mod:`.findings` and :mod:`.comparison` derive what it means,
:mod:`.contents` says it once, and :mod:`.html_page` and :mod:`.markdown` write that. See ``docs/drill-report.md``.
"""

from __future__ import annotations
