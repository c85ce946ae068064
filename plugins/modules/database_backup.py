#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_backup
short_description: Back up one PostgreSQL database
version_added: 0.1.0
description:
  - Dumps a database with C(pg_dump) in one snapshot, and streams the dump into the repository, encrypted; nothing is
    written to disk on the way.
  - Roles, tablespaces, extension versions, encoding and collation, which a dump leaves out, are stored with it.
  - The part exists only when C(pg_dump) has ended without an error and everything was stored.
  - Run it on the host of the database, or on another one that reaches the server. For an Odoo, use
    M(dfr.continuity.odoo_backup), which keeps database and filestore in step.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.attributes.watched
  - dfr.continuity.repository
  - dfr.continuity.part
  - dfr.continuity.connection
  - dfr.continuity.log
attributes:
  check_mode:
    support: full
    details:
      - Opens the repository and connects to the database, and writes nothing.
  diff_mode:
    support: none
options:
  part:
    description:
      - Name of the part, unique within the backup, such as V(db1.shop.database).
    type: str
    required: true
  database:
    description:
      - The database.
    type: str
    required: true
  lock_timeout:
    description:
      - Seconds to wait for tables that someone has locked against reading.
    type: int
    default: 300
  checksums:
    description:
      - Whether to count and checksum the rows of every table too, in the same snapshot, so that a restore can prove to
        be the same. Reads the database a second time.
    type: bool
    default: false
requirements:
  - pg_dump, pg_dumpall and psql, at least as new as the server
seealso:
  - module: dfr.continuity.database_restore
  - module: dfr.continuity.backup_summary
"""

EXAMPLES = r"""
- name: Back up the shop's database through the Unix socket
  dfr.continuity.database_backup:
    repository: "{{ continuity_repository }}"
    backup_id: "{{ backup_id }}"
    part: "{{ inventory_hostname }}.shop.database"
    database: shop
    connection:
      run_as: postgres
  register: database

- name: Back up a database in a container
  dfr.continuity.database_backup:
    repository: "{{ continuity_repository }}"
    backup_id: "{{ backup_id }}"
    part: "{{ inventory_hostname }}.crm.database"
    database: crm
    connection:
      container: crm-postgres
"""

RETURN = r"""
backup_id:
  description: The backup that the part belongs to.
  returned: success
  type: str
  sample: 20261122T050301Z-1f2e3d4c
part:
  description: Name of the part.
  returned: success
  type: str
  sample: db1.shop.database
kind:
  description: Kind of the part.
  returned: success
  type: str
  sample: database
started:
  description: When the work began.
  returned: success, not in check mode
  type: str
  sample: "2026-11-22T05:03:01Z"
finished:
  description: When the part was complete.
  returned: success, not in check mode
  type: str
  sample: "2026-11-22T05:03:11Z"
duration_seconds:
  description: How long it took.
  returned: success, not in check mode
  type: float
  sample: 10.0
size:
  description: Bytes of source data, here of the dump.
  returned: success, not in check mode
  type: int
  sample: 3012345678
new:
  description: Bytes of source data that the repository did not have before.
  returned: success, not in check mode
  type: int
  sample: 1234567
stored:
  description: Bytes written to the repository for them, compressed and encrypted.
  returned: success, not in check mode
  type: int
  sample: 412345
facts:
  description: What is known about the database, such as versions, extensions and numbers of objects.
  returned: success, not in check mode
  type: dict
  sample: {database: shop, format: custom, server_major: 17, tables: 512}
outcome:
  description: What became of the part, in the form that O(dfr.continuity.backup_summary#module:parts) takes.
  returned: always, except in check mode and when the options are wrong
  type: dict
  sample: {name: db1.shop.database, host: db1, kind: database, status: success, reason: "", next_step: ""}
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: The database 'shop' does not exist.
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Correct the name.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: SourceError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import (
    BACKUP_PART,
    CONNECTION,
    LOG,
    REPOSITORY,
)
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.database_backup import database_backup
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.parts import part_step
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **REPOSITORY,
            **BACKUP_PART,
            **CONNECTION,
            **LOG,
            "part": {"type": "str", "required": True},
            "database": {"type": "str", "required": True},
            "lock_timeout": {"type": "int", "default": 300},
            "checksums": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, database_backup, part_step("database_backup", module.params))


if __name__ == "__main__":
    main()
