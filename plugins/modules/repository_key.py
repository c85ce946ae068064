#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: repository_key
short_description: Make a recovery key or a signing identity
version_added: 0.1.0
description:
  - A I(recovery key) opens backups. Its public half goes on the repository's list of recipients, by which every host
    encrypts; the private half stays with people, offline, and is given only to restore.
  - A I(signing identity) is what each backed-up host, the administrator, and the machine that closes backups have. It
    signs what they write, and opens the index, but no data. Its public half goes on the repository's list of signers.
  - A key that exists already is read and described, never replaced.
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
  type:
    description:
      - What kind of key.
    type: str
    choices: [recovery, signing]
    required: true
  kem:
    description:
      - Key encapsulation mechanism of a recovery key. V(mlkem768-x25519) also withstands quantum computers.
      - V(x25519) when a key is made and this is not given.
    type: str
    choices: [x25519, mlkem768-x25519, p256]
  path:
    description:
      - File to write the private key to, in PEM form with mode 0600. Its directory must exist.
    type: path
  passphrase:
    description:
      - Passphrase to protect the private key with, and to open an existing one. A signing identity that is used
        unattended cannot have one.
    type: str
  return_private_key:
    description:
      - Whether to return the private key, for example to put it into a vault. Use C(no_log) on the task then.
    type: bool
    default: false
requirements:
  - cryptography >= 47 on the target
  - zstandard on the target
seealso:
  - module: dfr.continuity.repository
"""

EXAMPLES = r"""
- name: Make the recovery key where it will be kept
  dfr.continuity.repository_key:
    type: recovery
    path: /media/safe/recovery.pem
    passphrase: "{{ recovery_passphrase }}"
  delegate_to: localhost
  register: recovery_key

- name: Give this host its identity
  dfr.continuity.repository_key:
    type: signing
    path: /etc/dfr-continuity/identity.pem
  register: identity

- name: Show what goes into the inventory
  ansible.builtin.debug:
    msg: "{{ recovery_key.public_key }} {{ identity.public_key }}"
"""

RETURN = r"""
public_key:
  description: The public half, as M(dfr.continuity.repository) takes it. None in check mode for a key not yet made.
  returned: success
  type: str
  sample: x25519:2s1S6cHPVAbtXTbKCjg0h0LmyjRYtyhFsY2jIlGEaW8=
fingerprint:
  description: The first 128 bits of SHA-256 over RV(public_key), in hexadecimal.
  returned: success
  type: str
  sample: 0f343b0931126a20f133d67c2b018a3b
type:
  description: What kind of key it is.
  returned: success
  type: str
  sample: recovery
kem:
  description: Key encapsulation mechanism of a recovery key, otherwise none.
  returned: success
  type: str
  sample: x25519
file:
  description: The file that holds the private key.
  returned: success
  type: str
  sample: /etc/dfr-continuity/identity.pem
private_key:
  description: The private key in PEM form.
  returned: when O(return_private_key=true), not in check mode for a key not yet made
  type: str
  sample: "-----BEGIN ENCRYPTED PRIVATE KEY-----..."
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import KEY_TYPES
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.repository_key import make_key
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "type": {"type": "str", "choices": ["recovery", "signing"], "required": True},
            "kem": {"type": "str", "choices": KEY_TYPES},
            "path": {"type": "path"},
            "passphrase": {"type": "str", "no_log": True},
            "return_private_key": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, make_key)


if __name__ == "__main__":
    main()
