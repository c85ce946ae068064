#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_import
short_description: Import Odoo's own zip as a backup
version_added: 0.1.0
description:
  - Brings a backup that Odoo itself has made, with its filestore, into the repository, as the parts
    C(<prefix>.database) and C(<prefix>.filestore). Nothing is unpacked on disk.
  - Close the backup with M(dfr.continuity.backup_summary) afterwards.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.attributes.watched
  - dfr.continuity.repository
  - dfr.continuity.part
  - dfr.continuity.log
attributes:
  check_mode:
    support: full
    details:
      - Opens the repository and looks whether the file is a zip, and writes nothing.
  diff_mode:
    support: none
options:
  prefix:
    description:
      - Beginning of the names of the parts, such as V(db1.shop).
    type: str
    required: true
  path:
    description:
      - The zip.
    type: path
    required: true
seealso:
  - module: dfr.continuity.odoo_export
  - module: dfr.continuity.backup_summary
"""

EXAMPLES = r"""
- name: Import what the database manager has made
  dfr.continuity.odoo_import:
    repository: "{{ continuity_repository }}"
    backup_id: "{{ backup_id }}"
    prefix: db1.shop
    path: /srv/imports/shop_2026-11-01.zip
  register: imported

- name: Close the backup
  dfr.continuity.backup_summary:
    repository: "{{ continuity_repository }}"
    backup_set: imports
    backup_id: "{{ backup_id }}"
    parts: "{{ imported.outcomes }}"
"""

RETURN = r"""
backup_id:
  description: The backup that the parts belong to.
  returned: success
  type: str
  sample: 20261122T050301Z-1f2e3d4c
parts:
  description: The parts that were made.
  returned: success, not in check mode
  type: list
  elements: dict
  contains:
    backup_id:
      description: The backup that the part belongs to.
      type: str
      sample: 20261122T050301Z-1f2e3d4c
    part:
      description: Name of the part.
      type: str
      sample: db1.shop.database
    kind:
      description: Kind of the part.
      type: str
      sample: database
    started:
      description: When the work on it began.
      type: str
      sample: "2026-11-22T05:03:01Z"
    finished:
      description: When it was complete.
      type: str
      sample: "2026-11-22T05:03:11Z"
    duration_seconds:
      description: How long it took.
      type: float
      sample: 10.0
    size:
      description: Bytes of source data.
      type: int
      sample: 3012345678
    new:
      description: Bytes of source data that the repository did not have before.
      type: int
      sample: 1234567
    stored:
      description: Bytes written to the repository for them, compressed and encrypted.
      type: int
      sample: 412345
    facts:
      description: What is known of it.
      type: dict
      sample: {format: plain}
outcomes:
  description: What became of each part, in the form that O(dfr.continuity.backup_summary#module:parts) takes.
  returned: always, except in check mode and when the options are wrong
  type: list
  elements: dict
  sample:
    - {name: db1.shop.database, host: control, kind: database, status: success, reason: "", next_step: ""}
corrupt:
  description: Files whose content is not what their names stand for, at most 1000.
  returned: success, not in check mode
  type: list
  elements: str
  sample: []
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: /srv/imports/shop.zip is not a zip file.
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Give a backup that Odoo has made, with its filestore.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: InputError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import BACKUP_PART, LOG, REPOSITORY
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.odoo_zip import odoo_import
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run
from ansible_collections.dfr.continuity.plugins.module_utils._status.log import Step


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **REPOSITORY,
            **BACKUP_PART,
            **LOG,
            "prefix": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    step = Step("odoo_import", params["backup_set"] or "", params["backup_id"], params["prefix"], params["path"])
    run(module, odoo_import, step)


if __name__ == "__main__":
    main()
