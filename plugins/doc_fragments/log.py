# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``log_file``."""

from __future__ import annotations


class ModuleDocFragment:
    """See :data:`plugins.module_utils._ansible.argument_spec.LOG`."""

    DOCUMENTATION = r"""
options:
  log_file:
    description:
      - File on the target that gets a line when the step starts and one when it succeeds or fails. Its directory is
        made when missing. Empty for none.
      - The same lines go to the journal or to syslog, under the identifier C(dfr-continuity).
      - A log that cannot be written is a warning and not a failure.
    type: path
    default: /var/log/dfr-continuity/continuity.log
"""
