#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: file_backup
short_description: Back up a tree of files, or a single file
version_added: 0.1.0
description:
  - Stores a directory with all below it, or one file, in the repository, encrypted. Owners, permissions, times,
    extended attributes, symbolic and hard links, sparse files and special files are kept.
  - Files that have not changed since the backup before are not read again.
  - Files that change, vanish or cannot be read meanwhile end nothing; they are named in RV(findings), and those that
    cannot be read make the part a partial one.
  - For an Odoo, use M(dfr.continuity.odoo_backup), which keeps database and filestore in step.
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
      - Opens the repository and the source, and writes nothing.
  diff_mode:
    support: none
options:
  part:
    description:
      - Name of the part, unique within the backup, such as V(db1.shop.addons).
    type: str
    required: true
  path:
    description:
      - The directory, or the file, as an absolute path.
    type: str
    required: true
  kind:
    description:
      - V(tree) for any directory, V(file) for a single file, such as a configuration.
      - V(odoo_filestore) for the filestore of an Odoo, where each file's content is checked against its name.
    type: str
    choices: [tree, odoo_filestore, file]
    default: tree
  exclude:
    description:
      - Patterns of what to leave out, as in C(.gitignore) without negation. C(*) does not match a slash, C(**) as a
        whole component matches any number of directories, and a slash at the end means directories only.
      - A pattern with another slash in it is meant from the root of the tree, one without matches a name at any depth.
    type: list
    elements: str
    default: []
  one_file_system:
    description:
      - Whether to leave out what is mounted below the directory.
    type: bool
    default: false
  unreadable:
    description:
      - What files that cannot be read mean. V(fail) makes the part a partial one, V(warn) only names them.
    type: str
    choices: [fail, warn]
    default: fail
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
  - module: dfr.continuity.file_restore
  - module: dfr.continuity.backup_summary
"""

EXAMPLES = r"""
- name: Back up the shop's own add-ons
  dfr.continuity.file_backup:
    repository: "{{ continuity_repository }}"
    backup_id: "{{ backup_id }}"
    part: "{{ inventory_hostname }}.shop.addons"
    path: /opt/odoo/addons
    exclude:
      - __pycache__/
      - "*.pyc"
  register: addons

- name: Back up a configuration that lies in a container
  dfr.continuity.file_backup:
    repository: "{{ continuity_repository }}"
    backup_id: "{{ backup_id }}"
    part: "{{ inventory_hostname }}.shop.config"
    path: /etc/odoo/odoo.conf
    kind: file
    container: odoo
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
  sample: db1.shop.addons
kind:
  description: Kind of the part.
  returned: success
  type: str
  sample: tree
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
  description: Bytes of source data.
  returned: success, not in check mode
  type: int
  sample: 2512345678
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
  description: Numbers of files, directories, links, and of unchanged, changed, vanished, failed and corrupt files.
  returned: success, not in check mode
  type: dict
  sample: {files: 50000, directories: 257, unchanged_files: 49990, failed_files: 0, corrupt_files: 0}
findings:
  description:
    - What people should know, as paths by kind. The kinds are C(failed) (could not be read, not stored), C(corrupt)
      (content is not what the name says, stored as it is), C(changed) (changed each time while being read),
      C(vanished), C(skipped) (sockets) and C(incomplete).
    - At most 1000 of each kind.
  returned: success, not in check mode
  type: dict
  sample: {failed: ["secret.key (Permission denied)"]}
outcome:
  description: What became of the part, in the form that O(dfr.continuity.backup_summary#module:parts) takes.
  returned: always, except in check mode and when the options are wrong
  type: dict
  sample: {name: db1.shop.addons, host: db1, kind: tree, status: success, reason: "", next_step: ""}
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: /opt/odoo/addons does not exist.
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Check the path, and that its file system is mounted.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: SourceError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import BACKUP_PART, LOG, REPOSITORY
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.file_backup import file_backup
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.parts import part_step
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **REPOSITORY,
            **BACKUP_PART,
            **LOG,
            "part": {"type": "str", "required": True},
            "path": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": ["tree", "odoo_filestore", "file"], "default": "tree"},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "one_file_system": {"type": "bool", "default": False},
            "unreadable": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
            "container": {"type": "str"},
            "engine": {"type": "str", "choices": ["podman", "docker"]},
        },
        supports_check_mode=True,
    )
    run(module, file_backup, part_step("file_backup", module.params, module.params["path"]))


if __name__ == "__main__":
    main()
