#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_export
short_description: Export a backup of an Odoo as Odoo's own zip
version_added: 0.1.0
description:
  - Writes database and filestore of a backup that M(dfr.continuity.odoo_backup) has made as the zip that Odoo itself
    makes and restores (C(odoo db load), or the database manager). No server is contacted.
  - The file appears when it is complete, readable by its owner alone. It holds the data in plaintext.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.attributes.watched
  - dfr.continuity.repository
  - dfr.continuity.recovery_key
  - dfr.continuity.log
attributes:
  check_mode:
    support: full
    details:
      - Opens the backup with the recovery key, and writes nothing.
  diff_mode:
    support: none
options:
  recovery_key:
    required: true
  backup_id:
    description:
      - The backup to export. V(latest) is the newest one in which database and filestore are whole.
    type: str
    default: latest
  prefix:
    description:
      - Beginning of the names of the parts, such as V(db1.shop).
    type: str
    required: true
  filestore:
    description:
      - Whether to export the filestore too. The backup must have it then.
    type: bool
    default: true
  path:
    description:
      - The file to write.
    type: path
    required: true
  replace:
    description:
      - Whether an existing file may be replaced.
    type: bool
    default: false
  programs:
    description:
      - Directory of C(pg_restore). By default the most suitable one is searched for.
    type: path
requirements:
  - pg_restore, at least as new as the pg_dump that made the backup
seealso:
  - module: dfr.continuity.odoo_import
  - module: dfr.continuity.odoo_backup
"""

EXAMPLES = r"""
- name: Export yesterday's shop for a developer
  dfr.continuity.odoo_export:
    repository: "{{ continuity_repository }}"
    recovery_key:
      path: /media/safe/recovery.pem
    backup_id: 20261121T050301Z-9a8b7c6d
    prefix: db1.shop
    path: /srv/exports/shop.zip
"""

RETURN = r"""
backup_id:
  description: The backup that was exported.
  returned: success
  type: str
  sample: 20261121T050301Z-9a8b7c6d
file:
  description: The file.
  returned: success
  type: str
  sample: /srv/exports/shop.zip
size:
  description: Its size in bytes.
  returned: success, not in check mode
  type: int
  sample: 1234567890
files:
  description: Number of files of the filestore in it.
  returned: success, not in check mode
  type: int
  sample: 50000
manifest:
  description: The C(manifest.json) in it.
  returned: success, not in check mode
  type: dict
  sample: {odoo_dump: "1", db_name: shop, version: "19.0", major_version: "19.0", pg_version: "17.0"}
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: /srv/exports/shop.zip exists already.
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Choose another name, or allow replacing it.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: TargetError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import (
    LOG,
    NEEDED_RECOVERY_KEY,
    REPOSITORY,
)
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.odoo_zip import odoo_export
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run
from ansible_collections.dfr.continuity.plugins.module_utils._status.log import Step


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **REPOSITORY,
            **NEEDED_RECOVERY_KEY,
            **LOG,
            "backup_id": {"type": "str", "default": "latest"},
            "prefix": {"type": "str", "required": True},
            "filestore": {"type": "bool", "default": True},
            "path": {"type": "path", "required": True},
            "replace": {"type": "bool", "default": False},
            "programs": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params
    run(module, odoo_export, Step("odoo_export", "", params["backup_id"], params["prefix"], params["path"]))


if __name__ == "__main__":
    main()
