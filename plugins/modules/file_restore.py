#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: file_restore
short_description: Restore a tree of files, some of them, or a single file
version_added: 0.1.0
description:
  - Restores files into a directory. What is there already as it was is left alone, so a restore into a directory that
    has most of it, or that was interrupted, makes only what is missing.
  - Files appear under their names when they are whole. Nothing outside of the directory is touched.
  - What cannot be restored does not stop the rest; the task fails when that is done, and names it.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.attributes.watched
  - dfr.continuity.repository
  - dfr.continuity.recovery_key
  - dfr.continuity.restored_part
  - dfr.continuity.log
attributes:
  check_mode:
    support: full
    details:
      - Compares the backup with the target by type, size and modification time, and looks whether there is room.
  diff_mode:
    support: full
options:
  recovery_key:
    required: true
  path:
    description:
      - The directory to restore into, which is made when it is missing. For a part that is a single file, the path that
        the file is to have.
      - An absolute path.
    type: str
    required: true
  select:
    description:
      - Restore only these, with all below them. Paths from the root of the tree, without the name of the directory that
        was backed up, or patterns as in C(.gitignore) without negation.
      - Everything by default.
    type: list
    elements: str
    default: []
  delete:
    description:
      - Whether to remove what is in restored directories and not in the backup, except what the backup left out.
    type: bool
    default: false
  overwrite:
    description:
      - Whether to replace files that differ. Otherwise they stay and are named.
    type: bool
    default: true
  verify:
    description:
      - Whether to compare the content of files that are there, instead of believing size and modification time.
    type: bool
    default: false
  ownership:
    description:
      - Whether owners are restored by V(names), by V(numbers), or not at all (V(none)).
    type: str
    choices: [names, numbers, none]
    default: names
  owner:
    description:
      - Give everything to this user.
    type: str
  group:
    description:
      - Give everything to this group.
    type: str
  container:
    description:
      - Name or id of the running Docker or Podman container that O(path) is in. Nothing needs to be installed in it.
    type: str
  engine:
    description:
      - The container engine. By default the one that has the container.
    type: str
    choices: [podman, docker]
seealso:
  - module: dfr.continuity.file_backup
  - module: dfr.continuity.database_restore
"""

EXAMPLES = r"""
- name: Restore the filestore of the newest whole backup
  dfr.continuity.file_restore:
    repository: "{{ continuity_repository }}"
    recovery_key:
      content: "{{ lookup('ansible.builtin.file', '/media/safe/recovery.pem') }}"
    part: db1.shop.filestore
    path: /var/lib/odoo/.local/share/Odoo/filestore/shop_copy
    owner: odoo
    group: odoo

- name: Get one lost file back, beside the one that is there
  dfr.continuity.file_restore:
    repository: "{{ continuity_repository }}"
    recovery_key:
      path: /media/safe/recovery.pem
    backup_id: 20261121T050301Z-9a8b7c6d
    part: db1.shop.addons
    select:
      - shop_theme/static/logo.svg
    path: /tmp/found
"""

RETURN = r"""
backup_id:
  description: The backup it was restored from.
  returned: success, or when only some could not be restored
  type: str
  sample: 20261122T050301Z-1f2e3d4c
part:
  description: The part.
  returned: success, or when only some could not be restored
  type: str
  sample: db1.shop.filestore
kind:
  description: Kind of the part.
  returned: success, or when only some could not be restored
  type: str
  sample: odoo_filestore
backup_host:
  description: Host that wrote the part.
  returned: success, or when only some could not be restored
  type: str
  sample: db1
backup_started:
  description: When the part was begun.
  returned: success, or when only some could not be restored
  type: str
  sample: "2026-11-22T05:03:11Z"
backup_finished:
  description: When the part was complete.
  returned: success, or when only some could not be restored
  type: str
  sample: "2026-11-22T05:03:51Z"
lacking:
  description: What the backup itself lacks of the part, or empty.
  returned: success, or when only some could not be restored
  type: str
  sample: ""
target:
  description: Where it was restored to.
  returned: success, or when only some could not be restored
  type: str
  sample: /var/lib/odoo/.local/share/Odoo/filestore/shop_copy
selected:
  description: Number of things that were to be restored, and their bytes.
  returned: success, or when only some could not be restored
  type: dict
  contains:
    things:
      description: Files, directories, links and special files.
      type: int
      sample: 50258
    size:
      description: Bytes.
      type: int
      sample: 2512345678
written:
  description: Number of things that were made, or in check mode would be.
  returned: success, or when only some could not be restored
  type: int
  sample: 12
updated:
  description: Number of things that only got other owners, permissions, attributes or times. Not known in check mode.
  returned: success, or when only some could not be restored
  type: int
  sample: 3
unchanged:
  description: Number of things that were left as they were. Not known in check mode.
  returned: success, or when only some could not be restored
  type: int
  sample: 50243
deleted:
  description: Number of things that were removed, or in check mode would be.
  returned: success, or when only some could not be restored
  type: int
  sample: 0
size:
  description: Bytes that were written, or in check mode would be.
  returned: success, or when only some could not be restored
  type: int
  sample: 123456
findings:
  description: What people should know, as paths by kind, at most 1000 of each. C(failed) could not be restored.
  returned: success, or when only some could not be restored
  type: dict
  sample: {}
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: Another restore is at work in /srv/odoo/filestore.
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Wait until it has finished, or stop it; then try again.
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
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.file_restore import file_restore
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
            **LOG,
            "path": {"type": "str", "required": True},
            "select": {"type": "list", "elements": "str", "default": []},
            "delete": {"type": "bool", "default": False},
            "overwrite": {"type": "bool", "default": True},
            "verify": {"type": "bool", "default": False},
            "ownership": {"type": "str", "choices": ["names", "numbers", "none"], "default": "names"},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "container": {"type": "str"},
            "engine": {"type": "str", "choices": ["podman", "docker"]},
        },
        supports_check_mode=True,
    )
    run(module, file_restore, restore_step("file_restore", module.params, module.params["path"]))


if __name__ == "__main__":
    main()
