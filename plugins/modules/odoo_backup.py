#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_backup
short_description: Back up an Odoo, with database, filestore, add-ons and configuration in step
version_added: 0.1.0
description:
  - Takes one snapshot of the database, and reads the list of attachments and the filestore that belong to it, while
    Odoo's collection of unused files is held off. Users go on working.
  - Every file of an attachment is checked against its name, and every attachment is accounted for. Missing and corrupt
    ones are named in RV(attachments).
  - The SQL that neutralises a copy of this Odoo is saved with the backup, for M(dfr.continuity.odoo_neutralise). Odoo
    16 and later print it, when O(command) can be called; for 14 and 15 it is made here.
  - Makes the parts C(<prefix>.database), C(<prefix>.filestore), C(<prefix>.addons) (or C(.addons-1) and so on, one a
    directory) and C(<prefix>.config). A part that fails does not stop the others; the task fails when they are done.
  - Odoo 14 to 19.
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
      - Opens the repository, the database and the filestore, and writes nothing.
  diff_mode:
    support: none
options:
  prefix:
    description:
      - Beginning of the names of the parts, by custom the host and the system, such as V(db1.shop).
    type: str
    required: true
  database:
    description:
      - Name of the database. By default the only one that O(config) names.
    type: str
  connection:
    description:
      - Which PostgreSQL server, and as whom. By default as O(config) says.
  config:
    description:
      - Path of C(odoo.conf). What other options do not say is taken from it, and it is backed up.
    type: str
  data_dir:
    description:
      - Data directory of Odoo, which holds C(filestore/<database>). By default as O(config) says.
    type: str
  filestore:
    description:
      - Directory of the filestore itself, where it is not in O(data_dir).
    type: str
  addons:
    description:
      - Directories of add-ons that do not come with Odoo. By default those that O(config) names.
    type: list
    elements: str
  container:
    description:
      - Name or id of the running Docker or Podman container that filestore, add-ons and configuration are in. Nothing
        needs to be installed in it. The database's container is O(connection.container).
    type: str
  engine:
    description:
      - Engine of O(container). By default the one that has the container.
    type: str
    choices: [podman, docker]
  command:
    description:
      - How Odoo is called on this host, to print the neutralising SQL, such as V([/opt/odoo/odoo-bin]). By default
        C(odoo) or C(odoo-bin), where there is one.
    type: list
    elements: str
  run_as:
    description:
      - Operating system user to call O(command) as. By default the owner of the filestore.
    type: str
  parts:
    description:
      - Which parts to make.
    type: list
    elements: str
    choices: [database, filestore, addons, config]
    default: [database, filestore, addons, config]
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
  tolerated_attachments:
    description:
      - Number of attachments that may be missing or corrupt at the source before the part C(filestore) is a partial
        one. They are named in any case.
    type: int
    default: 0
requirements:
  - pg_dump, pg_dumpall and psql, at least as new as the server
seealso:
  - module: dfr.continuity.database_restore
  - module: dfr.continuity.file_restore
  - module: dfr.continuity.odoo_export
  - module: dfr.continuity.backup_summary
"""

EXAMPLES = r"""
- name: Back up the shop as its odoo.conf describes it
  dfr.continuity.odoo_backup:
    repository: "{{ continuity_repository }}"
    backup_id: "{{ backup_id }}"
    prefix: "{{ inventory_hostname }}.shop"
    config: /etc/odoo/odoo.conf
    database: shop
  register: shop

- name: Back up an Odoo in containers
  dfr.continuity.odoo_backup:
    repository: "{{ continuity_repository }}"
    backup_id: "{{ backup_id }}"
    prefix: "{{ inventory_hostname }}.crm"
    database: crm
    connection:
      container: crm-postgres
    container: crm-odoo
    config: /etc/odoo/odoo.conf
    data_dir: /var/lib/odoo
    addons:
      - /mnt/extra-addons
"""

RETURN = r"""
backup_id:
  description: The backup that the parts belong to.
  returned: success
  type: str
  sample: 20261122T050301Z-1f2e3d4c
odoo:
  description: What would be backed up.
  returned: success, in check mode
  type: dict
  sample: {database: shop, filestore: /var/lib/odoo/.local/share/Odoo/filestore/shop, series: "19.0"}
parts:
  description: What became of each part.
  returned: always, except in check mode and when the options are wrong
  type: list
  elements: dict
  contains:
    part:
      description: Name of the part.
      type: str
      sample: db1.shop.filestore
    kind:
      description: Kind of the part.
      type: str
      sample: odoo_filestore
    status:
      description: V(success), V(partial), V(failure), or V(skipped) when there was nothing to back up.
      type: str
      sample: success
    started:
      description: When the work on it began, unless it failed or was skipped. The same holds for all below.
      type: str
      sample: "2026-11-22T05:03:11Z"
    finished:
      description: When it was complete.
      type: str
      sample: "2026-11-22T05:03:51Z"
    duration_seconds:
      description: How long it took.
      type: float
      sample: 40.0
    size:
      description: Bytes of source data.
      type: int
      sample: 2512345678
    new:
      description: Bytes of source data that the repository did not have before.
      type: int
      sample: 1234567
    stored:
      description: Bytes written to the repository for them, compressed and encrypted.
      type: int
      sample: 412345
    facts:
      description: Versions, numbers of files and the like.
      type: dict
      sample: {files: 50000, collection_held_off: true, attachments_accounted_for: true}
outcomes:
  description: What became of each part, in the form that O(dfr.continuity.backup_summary#module:parts) takes.
  returned: always, except in check mode and when the options are wrong
  type: list
  elements: dict
  sample:
    - {name: db1.shop.database, host: db1, kind: database, status: success, reason: "", next_step: ""}
size:
  description: Bytes of source data, all parts together.
  returned: when the repository could be opened, not in check mode
  type: int
  sample: 5512345678
stored:
  description: Bytes newly written to the repository, all parts together.
  returned: when the repository could be opened, not in check mode
  type: int
  sample: 812345
attachments:
  description: Whether every attachment has its file in the backup.
  returned: when the repository could be opened, not in check mode
  type: dict
  contains:
    accounted_for:
      description: Whether attachments and files were compared.
      type: bool
      sample: true
    rows:
      description: Number of attachments in the snapshot.
      type: int
      sample: 12345
    in_filestore:
      description: How many of them are in the filestore.
      type: int
      sample: 12000
    in_database:
      description: How many of them are in the database itself.
      type: int
      sample: 300
    elsewhere:
      description: How many of them are kept outside of both by an add-on, and so are not in the backup.
      type: int
      sample: 0
    without_content:
      description: How many of them are links, empty, or in cloud storage.
      type: int
      sample: 45
    missing:
      description: Files that attachments name and the filestore does not have, at most 1000.
      type: list
      elements: dict
      sample: [{path: ab/ab12cd34ef, attachments: 1, ids: [77]}]
    corrupt:
      description: Files whose content is not what it was, at most 1000.
      type: list
      elements: dict
      sample: []
reason:
  description: Why it failed; of the first part that failed.
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
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.odoo_backup import PARTS, SPEC, odoo_backup
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run
from ansible_collections.dfr.continuity.plugins.module_utils._status.log import Step


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **REPOSITORY,
            **BACKUP_PART,
            **CONNECTION,
            **LOG,
            **SPEC,
            "prefix": {"type": "str", "required": True},
            "parts": {"type": "list", "elements": "str", "choices": list(PARTS), "default": list(PARTS)},
            "lock_timeout": {"type": "int", "default": 300},
            "checksums": {"type": "bool", "default": False},
            "tolerated_attachments": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    params = module.params
    step = Step(
        "odoo_backup", params["backup_set"] or "", params["backup_id"], params["prefix"], params["config"] or ""
    )
    run(module, odoo_backup, step)


if __name__ == "__main__":
    main()
