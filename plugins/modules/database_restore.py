#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_restore
short_description: Restore one PostgreSQL database
version_added: 0.1.0
description:
  - Restores a database from a backup, under its own or another name. It is restored beside the one in use, compared
    with what was backed up, and takes its place only when it is whole.
  - The first error ends the restore, and then nothing has changed.
  - Run it on the host of the server, or on another one that reaches it.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.attributes.watched
  - dfr.continuity.repository
  - dfr.continuity.recovery_key
  - dfr.continuity.restored_part
  - dfr.continuity.connection
  - dfr.continuity.log
attributes:
  check_mode:
    support: full
    details:
      - Checks all that can be checked beforehand, such as versions, roles, extensions and free space, and returns
        RV(plan).
  diff_mode:
    support: none
options:
  recovery_key:
    required: true
  database:
    description:
      - Name of the restored database. By default that of the one backed up.
    type: str
  owner:
    description:
      - Role that is to own the database and everything in it.
      - By default owners and privileges are as they were, and all roles must exist.
    type: str
  privileges:
    description:
      - Whether to restore GRANTs. By default yes without O(owner), no with it.
    type: bool
  replace:
    description:
      - Replace an existing database of that name, once the restored one is whole. Without this the task fails when
        there is one.
    type: bool
    default: false
  keep_replaced:
    description:
      - Keep the replaced database, closed for connections; RV(kept_as) tells its new name.
    type: bool
    default: false
  restore_roles:
    description:
      - Create the roles that the server lacks, with the passwords they had. Existing ones stay as they are.
    type: bool
    default: false
  jobs:
    description:
      - Number of connections that restore at the same time. More than V(1) needs O(directory).
      - By default the number of processors, at most 8, when there are at least 4 and O(directory) has room; else V(1).
    type: int
  directory:
    description:
      - Where the dump may lie in plaintext during a parallel restore, in a file that has no name and ends with the
        process.
    type: path
  locale:
    description:
      - Locale instead of that of the database backed up, where the server lacks that one.
    type: str
  check_space:
    description:
      - Whether to refuse when the server's disk seems too small.
    type: bool
    default: true
  checksums:
    description:
      - Whether to compare the rows with the checksums of the backup, when it has some.
    type: bool
    default: true
  neutralise:
    description:
      - Make a copy of an Odoo harmless (no mail, no jobs, no payments) with the SQL that was saved when it was backed
        up, before the restored database gets its name, as M(dfr.continuity.odoo_neutralise) does. The task fails when
        the backup has no such SQL.
      - A copy of an n8n is made harmless as M(dfr.continuity.n8n_isolate) does it.
    type: bool
    default: false
requirements:
  - pg_restore and psql, at least as new as the server and as the pg_dump that made the backup
seealso:
  - module: dfr.continuity.database_backup
  - module: dfr.continuity.file_restore
  - module: dfr.continuity.odoo_neutralise
"""

EXAMPLES = r"""
- name: Restore the newest whole backup of the shop under another name
  dfr.continuity.database_restore:
    repository: "{{ continuity_repository }}"
    recovery_key:
      content: "{{ lookup('ansible.builtin.file', '/media/safe/recovery.pem') }}"
      passphrase: "{{ recovery_passphrase }}"
    part: db1.shop.database
    database: shop_copy
    owner: odoo
    neutralise: true
    connection:
      run_as: postgres

- name: Put the shop back to where it was yesterday
  dfr.continuity.database_restore:
    repository: "{{ continuity_repository }}"
    recovery_key:
      path: /media/safe/recovery.pem
    backup_id: 20261121T050301Z-9a8b7c6d
    part: db1.shop.database
    replace: true
    keep_replaced: true
    connection:
      run_as: postgres
"""

RETURN = r"""
backup_id:
  description: The backup it was restored from.
  returned: success
  type: str
  sample: 20261122T050301Z-1f2e3d4c
part:
  description: The part.
  returned: success
  type: str
  sample: db1.shop.database
kind:
  description: Kind of the part.
  returned: success
  type: str
  sample: database
backup_host:
  description: Host that wrote the part.
  returned: success
  type: str
  sample: db1
backup_started:
  description: When the part was begun, which is just before the moment whose data it has.
  returned: success
  type: str
  sample: "2026-11-22T05:03:01Z"
backup_finished:
  description: When the part was complete.
  returned: success
  type: str
  sample: "2026-11-22T05:03:11Z"
size:
  description: Bytes of the dump.
  returned: success
  type: int
  sample: 3012345678
lacking:
  description: What the backup itself lacks of the part, or empty.
  returned: success
  type: str
  sample: ""
database:
  description: Name of the restored database.
  returned: success
  type: str
  sample: shop_copy
plan:
  description: What would be done.
  returned: success, in check mode
  type: dict
  sample: {name: shop_copy, exists: false, size: 3500000000, jobs: 1, roles_to_create: []}
neutralised:
  description: Whether the Odoo or n8n in it was made harmless.
  returned: success, not in check mode
  type: bool
  sample: true
replaced:
  description: Whether a database of that name was replaced.
  returned: success, not in check mode
  type: bool
  sample: false
kept_as:
  description: Name under which the replaced database was kept, or none.
  returned: success, not in check mode
  type: str
  sample: shop_replaced_20261122T101500Z
roles_created:
  description: Roles that were created.
  returned: success, not in check mode
  type: list
  elements: str
  sample: []
checks:
  description: What was compared with the backup.
  returned: success, not in check mode
  type: dict
  sample: {objects: equal, rows: equal}
rows:
  description: Number of rows that were compared, or none.
  returned: success, not in check mode
  type: int
  sample: 1234567
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: A database shop exists already on the PostgreSQL at the default socket, port 5432.
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Set replace to replace it once the restored one is whole, or give another name.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: TargetError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import (
    CONNECTION,
    LOG,
    NEEDED_RECOVERY_KEY,
    REPOSITORY,
)
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.database_restore import database_restore
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.opening import SPEC as PART
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.opening import restore_step
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **REPOSITORY,
            **NEEDED_RECOVERY_KEY,
            **PART,
            **CONNECTION,
            **LOG,
            "database": {"type": "str"},
            "owner": {"type": "str"},
            "privileges": {"type": "bool"},
            "replace": {"type": "bool", "default": False},
            "keep_replaced": {"type": "bool", "default": False},
            "restore_roles": {"type": "bool", "default": False},
            "jobs": {"type": "int"},
            "directory": {"type": "path"},
            "locale": {"type": "str"},
            "check_space": {"type": "bool", "default": True},
            "checksums": {"type": "bool", "default": True},
            "neutralise": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, database_restore, restore_step("database_restore", module.params))


if __name__ == "__main__":
    main()
