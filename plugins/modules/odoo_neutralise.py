#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_neutralise
short_description: Make a restored Odoo harmless before it is started
version_added: 0.2.0
description:
  - A copy of an Odoo sends mail, runs its jobs and charges cards like the original, from its first second. This
    switches all of that off in the database, in one transaction, and proves it; either all is done or nothing.
  - Runs the SQL of Odoo's own modules that was saved with the backup (O(part)), or that C(odoo neutralize --stdout)
    has printed (O(sql_file)). For Odoo 14 and 15, which have none, it is made here from the tables there are. On top of
    it, queued mails and messages are cancelled, credentials of mail servers removed, and scheduled jobs switched off,
    that of Odoo's own collection of unused files included.
  - Refuses a database that an Odoo is connected to, and one of Odoo 16 or later without the SQL of its modules. When it
    fails, nothing has changed and C(database.is_neutralized) is not set; do not start an Odoo then.
  - What custom modules do by themselves, other than by scheduled jobs, nobody can know, so block outgoing connections
    as well.
  - Nothing is done when the database is harmless already.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.repository
  - dfr.continuity.recovery_key
  - dfr.continuity.connection
  - dfr.continuity.log
attributes:
  check_mode:
    support: full
    details:
      - Counts what would be switched off, in RV(switched_off).
  diff_mode:
    support: none
options:
  database:
    description:
      - Name of the restored database.
    type: str
    required: true
  connection:
    description:
      - Which PostgreSQL server, and as whom. The role must own the database's tables, or be a superuser.
  repository:
    description:
      - The repository that has O(part).
    required: false
  part:
    description:
      - Part of the backup that the database was restored from, such as V(db1.shop.database). Needs O(repository) and
        O(recovery_key).
    type: str
  backup_id:
    description:
      - The backup, or V(latest) for the newest one in which the part is whole.
    type: str
    default: latest
  sql_file:
    description:
      - File on the target with what C(odoo neutralize --stdout) has printed for this database.
    type: path
  built_in:
    description:
      - Do with what is known of every Odoo, although Odoo 16 and later have SQL of their own that knows more of the
        modules that are installed. For when neither backup nor Odoo has it.
    type: bool
    default: false
  base_url:
    description:
      - What the copy calls itself (C(web.base.url)), whoever logs in. By default that stays as it is.
    type: str
  new_identity:
    description:
      - Whether to give the copy a C(database.uuid) and a C(database.secret) of its own, once.
    type: bool
    default: true
  scheduled_jobs:
    description:
      - XML ids of scheduled jobs that may go on running, such as V(base.autovacuum_job). Never let that one run on a
        filestore that is shared with the original, since it deletes files.
    type: list
    elements: str
    default: []
requirements:
  - psql, at least as new as the server
seealso:
  - module: dfr.continuity.database_restore
  - module: dfr.continuity.odoo_backup
  - module: dfr.continuity.odoo_check
"""

EXAMPLES = r"""
- name: Make the restored shop harmless
  dfr.continuity.odoo_neutralise:
    repository: "{{ continuity_repository }}"
    recovery_key:
      path: /media/safe/recovery.pem
    part: db1.shop.database
    backup_id: "{{ restored.backup_id }}"
    database: shop
    connection:
      run_as: postgres
    base_url: https://odoo.drill.example.com

- name: Make a copy of an Odoo 14 harmless that did not come from a backup
  dfr.continuity.odoo_neutralise:
    database: shop_copy
    connection:
      run_as: postgres
"""

RETURN = r"""
series:
  description: Series of the Odoo.
  returned: success
  type: str
  sample: "19.0"
source:
  description: Where the SQL came from, V(built in), the backup, or the file.
  returned: success
  type: str
  sample: backup 20261122T050301Z-1f2e3d4c
switched_off:
  description:
    - How many of each kind of thing that could act were switched off, or in check mode would be. What Odoo's own SQL
      does besides is not counted.
  returned: success
  type: dict
  sample: {outgoing mail servers: 1, queued mails: 12, scheduled jobs: 34}
base_url:
  description: What the Odoo calls itself.
  returned: success
  type: str
  sample: https://odoo.drill.example.com
uuid:
  description: Its C(database.uuid).
  returned: success
  type: str
  sample: 3a1c1f0e-8a55-4c0e-9c3f-0d6c3f6f7a11
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: "The database shop is in use: odoo-4711 as odoo. An Odoo that runs has seen it as it is, and acts."
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Stop whatever uses it, and run this again before anything is started.
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
    RECOVERY_KEY,
    REPOSITORY,
)
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.odoo_neutralise import odoo_neutralise
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run
from ansible_collections.dfr.continuity.plugins.module_utils._status.log import Step


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "repository": {**REPOSITORY["repository"], "required": False},
            **RECOVERY_KEY,
            **CONNECTION,
            **LOG,
            "database": {"type": "str", "required": True},
            "part": {"type": "str"},
            "backup_id": {"type": "str", "default": "latest"},
            "sql_file": {"type": "path"},
            "built_in": {"type": "bool", "default": False},
            "base_url": {"type": "str"},
            "new_identity": {"type": "bool", "default": True},
            "scheduled_jobs": {"type": "list", "elements": "str", "default": []},
        },
        mutually_exclusive=[("part", "sql_file")],
        required_by={"part": ("repository", "recovery_key")},
        supports_check_mode=True,
    )
    part = module.params["part"]
    step = Step("odoo_neutralise", "", module.params["backup_id"] if part else "", part or "")
    run(module, odoo_neutralise, step, needs_packages=part is not None)


if __name__ == "__main__":
    main()
