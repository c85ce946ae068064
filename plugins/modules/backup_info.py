#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: List the backups in a repository, and find the newest valid one
version_added: 0.1.0
description:
  - Reads the signed summaries of all finished backups, and checks their signatures and that none is missing between
    them.
  - Opens the repository with this host's identity, or with a recovery key.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.repository
  - dfr.continuity.recovery_key
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  backup_id:
    description:
      - Tell only of this backup. The task fails when there is none of this id.
    type: str
  limit:
    description:
      - Return only so many backups, the newest ones. V(0) for all.
    type: int
    default: 0
  find_valid:
    description:
      - Whether to look for the newest backup that succeeded and of which everything is still there, which
        RV(latest_valid) then names. Needs a listing of the whole repository.
    type: bool
    default: true
  parts:
    description:
      - Names of parts that RV(latest_valid) must have, whole; what becomes of other parts does not matter then.
      - All parts of the backup must be whole by default.
    type: list
    elements: str
    default: []
  not_after:
    description:
      - Look for the newest valid backup that was finished at this moment or before, such as V(2026-11-22T05:03:01Z) or
        V(2026-11-22T06:03:01+01:00), so that RV(latest_valid) holds nothing that was written later.
      - Needs a time zone. The task fails when even the oldest backup is newer; nothing else is taken in its place.
      - Cannot be combined with O(backup_id).
    type: str
seealso:
  - module: dfr.continuity.backup_verify
"""

EXAMPLES = r"""
- name: Look for the newest valid backup
  dfr.continuity.backup_info:
    repository: "{{ continuity_repository }}"
  register: backups

- name: Insist that it is less than 26 hours old
  ansible.builtin.assert:
    that:
      - backups.latest_valid is not none
      - (backups.backups | selectattr('backup_id', 'eq', backups.latest_valid) | first).age_seconds < 26 * 3600

- name: Look for the newest valid backup from before the shop was broken
  dfr.continuity.backup_info:
    repository: "{{ continuity_repository }}"
    parts: [db1.shop.database, db1.shop.filestore]
    not_after: "2026-11-22T12:30:00Z"
  register: before
"""

RETURN = r"""
location:
  description: Where the repository is.
  returned: success
  type: str
  sample: /backup/continuity
repository_id:
  description: The repository's own id.
  returned: success
  type: str
  sample: 5f0c2b6a4d1e8f7390a1b2c3d4e5f607
backups:
  description: The finished backups, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    backup_id:
      description: The backup's id.
      type: str
      sample: 20261122T050301Z-1f2e3d4c
    status:
      description: V(success), V(partial) or V(failure).
      type: str
      sample: success
    signer:
      description: Who closed it.
      type: str
      sample: control
    started:
      description: When the run began.
      type: str
      sample: "2026-11-22T05:03:01Z"
    finished:
      description: When it was closed.
      type: str
      sample: "2026-11-22T05:06:12Z"
    age_seconds:
      description: Seconds since it was closed.
      type: int
      sample: 3600
    duration_seconds:
      description: How long the run took.
      type: float
      sample: 191.0
    size:
      description: Bytes of source data.
      type: int
      sample: 3512345678
    stored:
      description: Bytes it newly wrote to the repository.
      type: int
      sample: 512345
    parts:
      description: The parts.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the part.
          type: str
          sample: db1.shop.database
        host:
          description: Host that wrote it.
          type: str
          sample: db1
        kind:
          description: Kind of the part.
          type: str
          sample: database
        status:
          description: V(success), V(partial) or V(failure).
          type: str
          sample: success
        started:
          description: When the work on it began, or none.
          type: str
          sample: "2026-11-22T05:03:01Z"
        finished:
          description: When it was complete, or none.
          type: str
          sample: "2026-11-22T05:03:11Z"
        size:
          description: Bytes of source data, or none.
          type: int
          sample: 3012345678
        stored:
          description: Bytes it newly wrote to the repository, or none.
          type: int
          sample: 412345
        reason:
          description: What is missing, and why.
          type: str
          sample: ""
        next_step:
          description: What to do about it.
          type: str
          sample: ""
        warnings:
          description: What the host has warned of.
          type: list
          elements: str
          sample: []
latest:
  description: The newest finished backup, or none.
  returned: success
  type: str
  sample: 20261122T050301Z-1f2e3d4c
latest_success:
  description: The newest backup all parts of which are whole, or none.
  returned: success
  type: str
  sample: 20261122T050301Z-1f2e3d4c
latest_valid:
  description: The newest such backup of which everything is in the repository, or none. None also when it was not
    looked for.
  returned: success
  type: str
  sample: 20261122T050301Z-1f2e3d4c
invalid:
  description: Backups newer than RV(latest_valid), and what is wrong with each.
  returned: success
  type: dict
  sample: {20261123T050302Z-5e6f7a8b: ["db1.shop.database: it failed when it was made: the server did not answer"]}
refused:
  description: Every backup newer than RV(latest_valid) that was passed over, newest first, and why. Besides those in
    RV(invalid), the ones that were never finished, that cannot be believed, that lack one of O(parts), or that were
    finished after O(not_after). Empty when it was not looked for.
  returned: success
  type: list
  elements: dict
  contains:
    backup_id:
      description: The backup's id.
      type: str
      sample: 20261123T050302Z-5e6f7a8b
    reason:
      description: Why it was not chosen.
      type: str
      sample: "db1.shop.database: it failed when it was made: the server did not answer"
unfinished:
  description: Backups that were never closed, or are being made now.
  returned: success
  type: list
  elements: str
  sample: []
broken:
  description: Backups the summary of which cannot be believed, and why.
  returned: success
  type: dict
  sample: {}
findings:
  description: What is wrong with the repository as a whole, such as a missing summary or a store that was turned back.
  returned: success
  type: list
  elements: str
  sample: []
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: There is no repository in /backup/continuity.
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Check the location.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: ObjectMissingError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import RECOVERY_KEY, REPOSITORY
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.backup_info import backup_info
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **REPOSITORY,
            **RECOVERY_KEY,
            "backup_id": {"type": "str"},
            "limit": {"type": "int", "default": 0},
            "find_valid": {"type": "bool", "default": True},
            "parts": {"type": "list", "elements": "str", "default": []},
            "not_after": {"type": "str"},
        },
        mutually_exclusive=[("backup_id", "not_after")],
        supports_check_mode=True,
    )
    run(module, backup_info)


if __name__ == "__main__":
    main()
