# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module n8n_backup and tells its progress."""

from __future__ import annotations

from ansible_collections.dfr.continuity.plugins.plugin_utils.watched_action import WatchedAction


class ActionModule(WatchedAction):
    """See :class:`WatchedAction`."""

    label_options = ("prefix",)
