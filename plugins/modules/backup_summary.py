#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_summary
short_description: Close a backup, and tell how it went
version_added: 0.1.0
description:
  - Writes the signed summary of a backup, once, after all its parts. A part that is said to have succeeded is read back
    from the repository first.
  - Then writes the status file, the metrics and the log, and decides whether people must be told. Sending the notice is
    left to tasks that follow, with M(community.general.mail) or M(ansible.builtin.uri).
  - A backup that is not whole is no failed task, because closing it has worked. Look at RV(status).
  - A backup of which a part waits in a spool (O(repository.spool)) stays open, its RV(status) is V(partial), and the
    next run closes it when the part has been delivered. See RV(closed).
  - When the summary cannot be written, the task fails, and all the same returns RV(notice) and writes the status file.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.repository
  - dfr.continuity.status
  - dfr.continuity.log
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  backup_set:
    description:
      - What was backed up, as a name for status file, metrics and notices, with letters, digits, dots, dashes and
        underscores.
    type: str
    required: true
  backup_id:
    description:
      - The backup to close.
    type: str
    required: true
  parts:
    description:
      - All parts that the backup should have, and what became of each. Modules that write a part return this as
        C(outcome), also when they fail.
      - For a host that was not reached, write an entry with O(parts[].status=failure) and the reason.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the part.
        type: str
        required: true
      host:
        description:
          - Host that writes the part.
        type: str
        required: true
      kind:
        description:
          - Kind of the part.
        type: str
      status:
        description:
          - V(success) for a whole part, V(partial) for one that exists but lacks something, V(failure) for one that
            does not exist.
        type: str
        choices: [success, partial, failure]
        default: success
      reason:
        description:
          - What is missing, and why.
        type: str
      next_step:
        description:
          - What to do about it.
        type: str
      spooled:
        description:
          - For a part that waits in a spool, as the modules return it.
        type: dict
        suboptions:
          bytes:
            description:
              - Bytes of all that waits on that host.
            type: int
            required: true
          path:
            description:
              - The directory where it waits.
            type: str
            required: true
          reason:
            description:
              - How much waits where, and why.
            type: str
            required: true
          next_step:
            description:
              - What to do about it.
            type: str
          part_status:
            description:
              - What the part is when it has been delivered.
            type: str
            choices: [success, partial]
            default: success
          part_reason:
            description:
              - What it lacks then.
            type: str
          part_next_step:
            description:
              - What to do about that.
            type: str
seealso:
  - module: dfr.continuity.backup_info
  - module: dfr.continuity.backup_verify
"""

EXAMPLES = r"""
- name: Close the backup
  dfr.continuity.backup_summary:
    repository: "{{ continuity_repository }}"
    backup_set: shop
    backup_id: "{{ backup_id }}"
    parts: "{{ [database.outcome, addons.outcome] }}"
    metrics_dir: /var/lib/prometheus/node-exporter
  register: summary

- name: Tell people
  community.general.mail:
    to: backup@example.org
    subject: "{{ summary.notice.subject }}"
    body: "{{ summary.notice.body }}"
  when: summary.notice.needed
"""

RETURN = r"""
backup_id:
  description: The backup.
  returned: always, except when the options are wrong
  type: str
  sample: 20261122T050301Z-1f2e3d4c
status:
  description: V(success) when every part is whole, V(failure) when there is no part, V(partial) in between.
  returned: always, except when the options are wrong
  type: str
  sample: partial
closed:
  description: Whether the summary was written. Not in check mode, nor while parts of the backup wait in a spool.
  returned: always, except when the options are wrong
  type: bool
  sample: true
closed_before:
  description: Earlier backups, left open because of a spool, that were closed now.
  returned: always, except when the options are wrong
  type: list
  elements: str
  sample: []
started:
  description: When the run began, which the backup's id says.
  returned: always, except when the options are wrong
  type: str
  sample: "2026-11-22T05:03:01Z"
parts:
  description: What became of each part, as read back from the repository.
  returned: always, except when the options are wrong
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
    duration_seconds:
      description: How long it took, or none.
      type: float
      sample: 10.0
    size:
      description: Bytes of source data, or none.
      type: int
      sample: 3012345678
    stored:
      description: Bytes newly written to the repository, or none.
      type: int
      sample: 412345
    spooled:
      description: Bytes that wait in the spool of its host when the part does, else 0.
      type: int
      sample: 0
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
size:
  description: Bytes of source data, all parts together.
  returned: always, except when the options are wrong
  type: int
  sample: 3512345678
stored:
  description: Bytes newly written to the repository, all parts together.
  returned: always, except when the options are wrong
  type: int
  sample: 512345
spooled:
  description: Bytes that wait in the spools of all hosts. They are not in the repository.
  returned: always, except when the options are wrong
  type: int
  sample: 0
status_file:
  description: The status file that was written. None in check mode, and when a warning says that it could not be.
  returned: always, except when the options are wrong
  type: str
  sample: /var/lib/dfr-continuity/status/shop.json
metrics_file:
  description: The metrics file that was written, or none.
  returned: always, except when the options are wrong
  type: str
  sample: /var/lib/prometheus/node-exporter/dfr_continuity_shop.prom
notice:
  description: Whether people must be told, and what.
  returned: always, except when the options are wrong
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
      sample: "Backup shop incomplete: 1 of 2 parts (db1.shop.addons)"
    body:
      description: Body of an e-mail, which names host, part, reason and next step.
      type: str
      sample: The backup shop (20261122T050301Z-1f2e3d4c) is incomplete...
    payload:
      description: Body of a webhook, to be sent as JSON.
      type: dict
      sample: {schema: dfr.continuity/notice/1, kind: problem, backup_set: shop}
reason:
  description: Why the backup could not be closed.
  returned: failure
  type: str
  sample: The directory /backup/continuity does not exist.
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Mount it, then run the backup again.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: StoreError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import LOG, REPOSITORY, SPOOLED_PART
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.backup_summary import backup_summary
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.telling import SPEC as STATUS
from ansible_collections.dfr.continuity.plugins.module_utils._status.log import Step


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **REPOSITORY,
            **STATUS,
            **LOG,
            "backup_set": {"type": "str", "required": True},
            "backup_id": {"type": "str", "required": True},
            "parts": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "host": {"type": "str", "required": True},
                    "kind": {"type": "str"},
                    "status": {"type": "str", "choices": ["success", "partial", "failure"], "default": "success"},
                    "reason": {"type": "str"},
                    "next_step": {"type": "str"},
                    "spooled": {"type": "dict", "options": SPOOLED_PART},
                },
            },
        },
        supports_check_mode=True,
    )
    params = module.params
    run(module, backup_summary, Step("backup_summary", params["backup_set"], params["backup_id"]))


if __name__ == "__main__":
    main()
