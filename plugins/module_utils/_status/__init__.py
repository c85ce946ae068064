# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened, for people and for monitoring: the log, the status file, metrics, notices.

Nothing here does any backup work, and nothing here may make a backup fail: a log that cannot be written is a
warning. See ``docs/status.md`` for the formats.
"""

from __future__ import annotations
