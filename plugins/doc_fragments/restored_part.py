# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that restore a part of a backup."""

from __future__ import annotations


class ModuleDocFragment:
    """See :data:`plugins.module_utils._ansible.opening.SPEC`."""

    DOCUMENTATION = r"""
options:
  backup_id:
    description:
      - The backup to restore from. V(latest) is the newest one in which O(part) is whole.
      - V(latest) fails when it cannot be trusted which one that is, because summaries are missing from the repository.
    type: str
    default: latest
  part:
    description:
      - Name of the part, such as V(db1.shop.database). M(dfr.continuity.backup_info) tells the names.
    type: str
    required: true
"""
