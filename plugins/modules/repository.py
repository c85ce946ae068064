#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: repository
short_description: Create a repository, and keep its recipients and signers
version_added: 0.1.0
description:
  - Creates a repository where there is none, and brings the settings of an existing one to what is wanted.
  - Settings are signed by the administrator, whose identity is O(repository.identity_file). Run this where that
    identity is, which need not be a backed-up host.
  - Every repository also carries the description of its format and a recovery program. They are written with the
    settings, and renewed when the collection is.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.repository
  - dfr.continuity.recovery_key
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  state:
    description:
      - V(present) creates the repository, or changes its settings.
      - V(opened) only opens it, as this host would to write a backup, and changes nothing. It fails when that is not
        possible, and so checks location, credentials, trust and identity.
    type: str
    choices: [present, opened]
    default: present
  recipients:
    description:
      - Everybody who can open backups. A new repository needs at least one.
      - The whole list; who is not on it is removed. Left as it is when not given.
      - Removing a recipient rewrites no data, and cannot take back what was copied before.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Who this is, for people.
        type: str
        required: true
      key:
        description:
          - Public half of a recovery key, as M(dfr.continuity.repository_key) returns it, or PEM text.
        type: str
        required: true
  signers:
    description:
      - Every host that may write, and whoever closes backups. The administrator need not be listed.
      - The whole list; who is not on it is no longer believed, not even for the backups it has made. Left as it is when
        not given.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The host's name, the same as its O(repository.host). A host may sign its own parts only.
        type: str
        required: true
      key:
        description:
          - Public half of its identity.
        type: str
        required: true
      retired:
        description:
          - UTC time, such as V(20261122T050301Z), after which backups of this signer are no longer believed. Use this
            rather than removing a signer whose backups are still wanted.
        type: str
  compression_level:
    description:
      - Level of zstd for what is written from now on, from -7 to 19. V(1) in a new repository.
    type: int
seealso:
  - module: dfr.continuity.repository_key
notes:
  - With O(recovery_key), new recipients are enabled to open old backups as well. Without, what they shall open is
    stored anew by the next backup.
"""

EXAMPLES = r"""
- name: Create the repository and enter the hosts
  dfr.continuity.repository:
    repository:
      location: s3://backup-bucket/continuity
      identity_file: /root/administrator.pem
      s3:
        endpoint: https://s3.example.org
        access_key: AKIAIOSFODNN7EXAMPLE
        secret_key: "{{ s3_secret_key }}"
    recipients:
      - name: safe in the office
        key: x25519:2s1S6cHPVAbtXTbKCjg0h0LmyjRYtyhFsY2jIlGEaW8=
    signers:
      - name: db1
        key: "{{ hostvars.db1.continuity_identity }}"
  delegate_to: localhost

- name: Check that this host can write
  dfr.continuity.repository:
    state: opened
    repository:
      location: /backup/continuity
      trust:
        - "{{ administrator }}"
      identity_file: /etc/dfr-continuity/identity.pem
"""

RETURN = r"""
location:
  description: Where the repository is.
  returned: success
  type: str
  sample: s3://backup-bucket/continuity
repository_id:
  description: The repository's own id. None in check mode for a repository not yet made.
  returned: success
  type: str
  sample: 5f0c2b6a4d1e8f7390a1b2c3d4e5f607
created:
  description: Whether the repository was made just now.
  returned: success
  type: bool
  sample: false
since:
  description: When the repository was made.
  returned: success
  type: str
  sample: "2026-11-22T05:03:01Z"
revision:
  description: How often the settings have changed, counted from 1.
  returned: success
  type: int
  sample: 3
epoch:
  description: Grows when a recipient is added that cannot open older data.
  returned: success
  type: int
  sample: 1
compression_level:
  description: Level of zstd.
  returned: success
  type: int
  sample: 1
recipients:
  description: Who can open backups.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Who this is.
      type: str
      sample: safe in the office
    key:
      description: The public key.
      type: str
      sample: x25519:2s1S6cHPVAbtXTbKCjg0h0LmyjRYtyhFsY2jIlGEaW8=
    fingerprint:
      description: Its fingerprint.
      type: str
      sample: 0f343b0931126a20f133d67c2b018a3b
signers:
  description: Who may write.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the host.
      type: str
      sample: db1
    key:
      description: The public identity.
      type: str
      sample: signer:...
    fingerprint:
      description: Its fingerprint.
      type: str
      sample: 95a7c29bd3b2dd9cc1f0e2c3a1b7d455
    retired:
      description: The time after which it is no longer believed, or empty.
      type: str
      sample: ""
rewrapped:
  description: Number of key slots that were rewritten for changed recipients.
  returned: success
  type: int
  sample: 0
recovery_files:
  description: Names of the files that the repository carries for recovery without this collection.
  returned: success
  type: list
  elements: str
  sample: [FORMAT.md, continuity.pyz]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import RECOVERY_KEY, REPOSITORY
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.repository import manage_repository
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "opened"], "default": "present"},
            **REPOSITORY,
            **RECOVERY_KEY,
            "recipients": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "key": {"type": "str", "required": True, "no_log": False},
                },
            },
            "signers": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "key": {"type": "str", "required": True, "no_log": False},
                    "retired": {"type": "str"},
                },
            },
            "compression_level": {"type": "int"},
        },
        supports_check_mode=True,
    )
    run(module, manage_repository)


if __name__ == "__main__":
    main()
