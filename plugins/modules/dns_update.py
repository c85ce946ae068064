#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_update
short_description: Change a DNS record, only if it is what it was expected to be
version_added: 0.2.0
description:
  - Replaces a record set by one RFC 2136 update, signed with a TSIG key. The record set it replaces goes along as a
    prerequisite, so that the server itself refuses the change when somebody else was faster.
  - The TTL cannot be a prerequisite; only values are compared.
  - Also when there is nothing to change, the server is asked whether it accepts the key for updates.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.dns
attributes:
  check_mode:
    support: full
    details:
      - Sends the prerequisites alone, so the key and the comparison are tried for real.
  diff_mode:
    support: full
options:
  server:
    description:
      - Name or address of the zone's primary server.
    type: str
    required: true
  port:
    description:
      - Its port. TCP is used.
    type: int
    default: 53
  state:
    description:
      - V(read) changes nothing and returns what there is.
    type: str
    choices: [present, absent, read]
    default: present
  values:
    description:
      - All values the record is to have. Names of hosts are absolute.
    type: list
    elements: str
  ttl:
    description:
      - Time to live, in seconds.
    type: int
    default: 60
  expected:
    description:
      - The values it must have now, when it has not O(values) already; an empty list for no record.
      - By default whatever it has when the module looks, and no one else's change after that.
    type: list
    elements: str
  timeout:
    description:
      - Seconds to wait for each answer.
    type: float
    default: 10
seealso:
  - module: dfr.continuity.dns_check
"""

EXAMPLES = r"""
- name: Lead the shop to the other site
  dfr.continuity.dns_update:
    server: ns1.example.com
    zone: example.com
    record: shop.example.com
    type: A
    values: [192.0.2.9]
    expected: [192.0.2.1]
    key_name: dr
    key_secret: "{{ vault_dr_key }}"
"""

RETURN = r"""
before:
  description: Values and TTL it had. Without a record no values, and no TTL.
  returned: success
  type: dict
  sample: {values: [192.0.2.1], ttl: 300}
after:
  description: Values and TTL it has, or in check mode would have.
  returned: success
  type: dict
  sample: {values: [192.0.2.9], ttl: 60}
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: The DNS server ns1 (192.0.2.53 port 53) does not allow this with the key dr (zone example.com, REFUSED).
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Grant it in the zone's update-policy or allow-update.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: DnsError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.dns_update import KEY, dns_update
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **KEY,
            "server": {"type": "str", "required": True},
            "port": {"type": "int", "default": 53},
            "zone": {"type": "str", "required": True},
            "record": {"type": "str", "required": True},
            "type": {"type": "str", "choices": ["A", "AAAA", "CNAME"], "default": "A"},
            "state": {"type": "str", "choices": ["present", "absent", "read"], "default": "present"},
            "values": {"type": "list", "elements": "str"},
            "ttl": {"type": "int", "default": 60},
            "expected": {"type": "list", "elements": "str"},
            "timeout": {"type": "float", "default": 10},
        },
        required_together=[("key_name", "key_secret")],
        required_if=[("state", "present", ["values"])],
        supports_check_mode=True,
    )
    run(module, dns_update, needs_packages=False)


if __name__ == "__main__":
    main()
