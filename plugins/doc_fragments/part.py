# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that write a part of a backup."""

from __future__ import annotations


class ModuleDocFragment:
    """See :data:`plugins.module_utils._ansible.argument_spec.BACKUP_PART`."""

    DOCUMENTATION = r"""
options:
  backup_id:
    description:
      - The backup this part belongs to, an id such as V(20261122T050301Z-1f2e3d4c).
      - All parts of a run share it; M(dfr.continuity.backup_summary) closes the backup.
    type: str
    required: true
  backup_set:
    description:
      - What the run backs up, as a name for the log.
    type: str
"""
