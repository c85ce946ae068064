# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where status file and metrics are written."""

from __future__ import annotations


class ModuleDocFragment:
    """See :data:`plugins.module_utils._ansible.telling.SPEC`."""

    DOCUMENTATION = r"""
options:
  status_dir:
    description:
      - Directory of the status files, one JSON file a backup set, on the machine the module runs on. Made when missing.
      - A status file that cannot be written is a warning and not a failure.
    type: path
    default: /var/lib/dfr-continuity/status
  metrics_dir:
    description:
      - Directory that node_exporter's textfile collector reads, such as V(/var/lib/prometheus/node-exporter). Made when
        missing.
      - No metrics are written without it.
    type: path
"""
