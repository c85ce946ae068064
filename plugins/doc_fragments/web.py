# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that ask web servers."""

from __future__ import annotations


class ModuleDocFragment:
    """See :data:`plugins.module_utils._ansible.argument_spec.WEB`."""

    DOCUMENTATION = r"""
options:
  resolve:
    description:
      - Addresses of names, used instead of DNS. So a site is asked by its public name before that name leads there;
        certificates are still checked for the name.
    type: dict
  ca_file:
    description:
      - File on the target with the certificates of the authorities to trust, instead of the system's.
    type: path
  timeout:
    description:
      - Seconds that one request may take, as a whole.
    type: float
    default: 20.0
"""
