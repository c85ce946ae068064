# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``recovery_key``."""

from __future__ import annotations


class ModuleDocFragment:
    """See :data:`plugins.module_utils._ansible.argument_spec.RECOVERY_KEY`."""

    DOCUMENTATION = r"""
options:
  recovery_key:
    description:
      - The private key that opens backups. Give either its content or its path.
      - Neither the key nor the passphrase is written anywhere.
    type: dict
    suboptions:
      content:
        description:
          - PEM text of the key, for example from Ansible Vault or from a lookup on the controller.
        type: str
      path:
        description:
          - File on the target that holds the key. Others than its owner must not be able to read it.
        type: path
      passphrase:
        description:
          - Passphrase of the key, when it has one.
        type: str
"""
