# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that check whether something works."""

from __future__ import annotations


class ModuleDocFragment:
    """``dfr.continuity.check`` for all of them, ``…check.named`` for those that make one check.

    See :data:`plugins.module_utils._ansible.argument_spec.CHECK` and ``NAMED_CHECK``.
    """

    DOCUMENTATION = r"""
options:
  fail:
    description:
      - Whether the task fails when a mandatory check did not pass. RV(checks) and RV(passed) are returned in any case.
    type: bool
    default: true
  wait:
    description:
      - Seconds within which what is checked may yet become as expected.
    type: float
    default: 0.0
"""

    NAMED = r"""
options:
  name:
    description:
      - Name of the check in results and reports, such as V(gateway-answers).
    type: str
    required: true
  service:
    description:
      - Name of the service that is checked, such as V(gateway).
    type: str
    required: true
  mandatory:
    description:
      - Whether the check must pass.
    type: bool
    default: true
"""
