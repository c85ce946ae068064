#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: command_program
short_description: Install the continuity command
version_added: 0.1.0
description:
  - Installs C(continuity), the command that looks at, verifies and restores backups without Ansible, as one file. It is
    built from the installed version of this collection, and replaced when that has changed.
  - It needs Python 3.10 or newer with C(cryptography) and C(zstandard). The role P(dfr.continuity.runtime#role) sets up
    all of it.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  path:
    description:
      - The file, which gets mode 0755. Its directory must exist.
    type: path
    required: true
  state:
    description:
      - Whether the program should be there.
    type: str
    choices: [present, absent]
    default: present
  owner:
    description:
      - Name of the user that is to own the file.
    type: str
  group:
    description:
      - Name of the group that is to own the file.
    type: str
"""

EXAMPLES = r"""
- name: Install the continuity command
  dfr.continuity.command_program:
    path: /opt/dfr-continuity/continuity.pyz
    owner: root
    group: root
"""

RETURN = r"""
file:
  description: The file.
  returned: success
  type: str
  sample: /opt/dfr-continuity/continuity.pyz
sha256:
  description: SHA-256 of the file as it is now, in hexadecimal. None when it is not there.
  returned: success
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: "The program /opt/x/continuity.pyz cannot be written: No such file or directory."
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Correct the path, or run this as root.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: TargetError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.command_program import command_program
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "owner": {"type": "str"},
            "group": {"type": "str"},
        },
        supports_check_mode=True,
    )
    run(module, command_program, needs_packages=False)


if __name__ == "__main__":
    main()
