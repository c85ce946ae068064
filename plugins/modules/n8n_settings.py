#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: n8n_settings
short_description: Restore the settings of an n8n, with its encryption key
version_added: 0.1.0
description:
  - Writes the part C(<prefix>.settings) of a backup as a file of environment variables that only its owner can read.
    systemd reads it with C(EnvironmentFile=), Docker and Podman with C(--env-file).
  - O(settings), O(secret_settings) and O(left_out) change it for the place where n8n is to run now. In a drill that
    is a must, since the settings name the database and the addresses of the n8n that was backed up.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.repository
  - dfr.continuity.recovery_key
  - dfr.continuity.restored_part
  - dfr.continuity.log
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - It would show secrets.
options:
  recovery_key:
    required: true
  path:
    description:
      - The file. An absolute path.
    type: str
    required: true
  settings:
    description:
      - Settings by name that are to be others than they were. Secrets are refused here, since Ansible shows and logs
        this option.
    type: dict
  secret_settings:
    description:
      - The same for settings that are secrets, such as C(DB_POSTGRESDB_PASSWORD).
    type: dict
  left_out:
    description:
      - Names of settings to leave out.
    type: list
    elements: str
    default: []
  replace:
    description:
      - Whether to replace a file that holds other settings. Otherwise the task fails.
    type: bool
    default: false
  owner:
    description:
      - User to own the file, with its group.
    type: str
seealso:
  - module: dfr.continuity.n8n_backup
"""

EXAMPLES = r"""
- name: Restore the settings for a drill
  dfr.continuity.n8n_settings:
    repository: "{{ continuity_repository }}"
    recovery_key:
      path: /media/safe/recovery.pem
    part: db1.automation.settings
    path: /etc/n8n-drill/n8n.env
    settings:
      DB_POSTGRESDB_HOST: 127.0.0.1
      DB_POSTGRESDB_DATABASE: n8n_drill
      N8N_USER_FOLDER: /srv/drill/n8n
      WEBHOOK_URL: https://n8n.drill.example.com/
    secret_settings:
      DB_POSTGRESDB_PASSWORD: "{{ vault_drill_password }}"
    left_out:
      - N8N_SMTP_HOST
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
  sample: db1.automation.settings
kind:
  description: Kind of the part.
  returned: success
  type: str
  sample: file
backup_host:
  description: Host that wrote the part.
  returned: success
  type: str
  sample: db1
backup_started:
  description: When the part was begun.
  returned: success
  type: str
  sample: "2026-11-22T05:03:01Z"
backup_finished:
  description: When the part was complete.
  returned: success
  type: str
  sample: "2026-11-22T05:03:11Z"
size:
  description: Bytes of the settings.
  returned: success
  type: int
  sample: 812
lacking:
  description: What the backup itself lacks of the part, or empty.
  returned: success
  type: str
  sample: ""
target:
  description: The file.
  returned: success
  type: str
  sample: /etc/n8n-drill/n8n.env
names:
  description: Names of the settings in it.
  returned: success
  type: list
  elements: str
  sample: [DB_TYPE, N8N_ENCRYPTION_KEY]
key:
  description: What the encryption key opened when it was backed up.
  returned: success
  type: dict
  contains:
    proved_by:
      description: >-
        V(credentials), V(data keys) (of key rotation, where there are no credentials yet), or V(nothing), when n8n has
        encrypted nothing so far or the key could not be tried.
      type: str
      sample: credentials
    credentials:
      description: Number of credentials in the database.
      type: int
      sample: 12
    tried:
      description: How many of them were tried, the newest first.
      type: int
      sample: 12
    opened:
      description: How many of them open with the key.
      type: int
      sample: 12
    formats:
      description: How many of them are encrypted under the instance key, and how many under a rotated one.
      type: dict
      sample: {instance key: 12}
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: /etc/n8n/n8n.env exists already, with other settings.
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Set replace to replace it, or give another path.
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
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.n8n_settings import n8n_settings
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
            "settings": {"type": "dict"},
            "secret_settings": {"type": "dict", "no_log": True},
            "left_out": {"type": "list", "elements": "str", "default": []},
            "replace": {"type": "bool", "default": False},
            "owner": {"type": "str"},
        },
        supports_check_mode=True,
    )
    run(module, n8n_settings, restore_step("n8n_settings", module.params, module.params["path"]))


if __name__ == "__main__":
    main()
