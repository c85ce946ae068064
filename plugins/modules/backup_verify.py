#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_verify
short_description: Verify backups
version_added: 0.1.0
description:
  - Checks signatures, that no summary is missing, that every object a backup needs is in the repository with the right
    size, and with the recovery key every byte of it.
  - The task fails when anything is wrong. All problems are returned nevertheless.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.attributes.watched
  - dfr.continuity.repository
  - dfr.continuity.recovery_key
  - dfr.continuity.status
  - dfr.continuity.log
attributes:
  check_mode:
    support: full
    details:
      - Verifies, since that changes nothing, and writes no status file.
  diff_mode:
    support: none
options:
  backup_id:
    description:
      - The backup to verify, V(latest) for the newest finished one, whole or not, V(all) for all finished ones.
    type: str
    default: latest
  mode:
    description:
      - V(structure) checks that everything is there, and reads little.
      - V(bytes) reads, decrypts and checks the data as well, and needs O(recovery_key).
    type: str
    choices: [structure, bytes]
    default: structure
  sample:
    description:
      - With O(mode=bytes), read only one share of the data, V(n/t) for share n of t. Runs with n from 1 to t read all
        of it.
      - V(today/t) takes the share whose turn it is today, so that t daily runs read all of it.
    type: str
  backup_set:
    description:
      - Write the outcome into the status file and metrics of this backup set, and return a notice.
    type: str
seealso:
  - module: dfr.continuity.backup_info
"""

EXAMPLES = r"""
- name: Check that the newest backup is all there
  dfr.continuity.backup_verify:
    repository: "{{ continuity_repository }}"
    backup_set: shop

- name: Read a seventh of the newest backup each day
  dfr.continuity.backup_verify:
    repository: "{{ continuity_repository }}"
    mode: bytes
    sample: today/7
    recovery_key:
      content: "{{ lookup('ansible.builtin.file', '/media/safe/recovery.pem') }}"
      passphrase: "{{ recovery_passphrase }}"
"""

RETURN = r"""
mode:
  description: What was checked.
  returned: always, except when the options are wrong
  type: str
  sample: structure
sample:
  description: The share that was read, or empty.
  returned: always, except when the options are wrong
  type: str
  sample: 3/7
verified:
  description: The backups that were verified.
  returned: always, except when the options are wrong
  type: list
  elements: dict
  contains:
    backup_id:
      description: The backup's id.
      type: str
      sample: 20261122T050301Z-1f2e3d4c
    parts:
      description: Names of its parts.
      type: list
      elements: str
      sample: [db1.shop.database]
    packs:
      description: Number of packs it needs.
      type: int
      sample: 112
    packs_read:
      description: Number of packs that were read.
      type: int
      sample: 16
    bytes_read:
      description: Bytes that were read.
      type: int
      sample: 536870912
    problems:
      description: What is wrong with it.
      type: list
      elements: str
      sample: []
problems:
  description: Everything that is wrong, with the repository as a whole and with each backup.
  returned: always, except when the options are wrong
  type: list
  elements: str
  sample: []
bytes_read:
  description: Bytes that were read, all backups together.
  returned: always, except when the options are wrong
  type: int
  sample: 536870912
status_file:
  description: The status file that was written. None in check mode, and when a warning says that it could not be.
  returned: when O(backup_set) is given
  type: str
  sample: /var/lib/dfr-continuity/status/shop.json
metrics_file:
  description: The metrics file that was written, or none.
  returned: when O(backup_set) is given
  type: str
  sample: /var/lib/prometheus/node-exporter/dfr_continuity_shop.prom
notice:
  description: Whether people must be told, and what.
  returned: when O(backup_set) is given
  type: dict
  contains:
    needed:
      description: Whether there is anything to tell. All texts are empty when not.
      type: bool
      sample: true
    kind:
      description: V(problem), or V(recovered) for the first success after a problem.
      type: str
      sample: problem
    subject:
      description: Subject of an e-mail.
      type: str
      sample: Verification of shop FAILED
    body:
      description: Body of an e-mail.
      type: str
      sample: The verification of shop (20261122T050301Z-1f2e3d4c, structure) found problems...
    payload:
      description: Body of a webhook, to be sent as JSON.
      type: dict
      sample: {schema: dfr.continuity/notice/1, kind: problem, backup_set: shop}
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: "1 problem found; the first is: 20261122T050301Z-1f2e3d4c: db1.shop.database: 1 of 112 packs are missing."
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Make a new backup now, and restore only from one that verifies.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: IntegrityError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import (
    LOG,
    RECOVERY_KEY,
    REPOSITORY,
)
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.backup_verify import backup_verify
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.telling import SPEC as STATUS
from ansible_collections.dfr.continuity.plugins.module_utils._status.log import Step


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **REPOSITORY,
            **RECOVERY_KEY,
            **STATUS,
            **LOG,
            "backup_id": {"type": "str", "default": "latest"},
            "mode": {"type": "str", "choices": ["structure", "bytes"], "default": "structure"},
            "sample": {"type": "str"},
            "backup_set": {"type": "str"},
        },
        required_if=[("mode", "bytes", ["recovery_key"])],
        supports_check_mode=True,
    )
    params = module.params
    run(module, backup_verify, Step("backup_verify", params["backup_set"] or "", params["backup_id"]))


if __name__ == "__main__":
    main()
