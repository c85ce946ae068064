#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_check
short_description: Check a DNS record at every server of its zone
version_added: 0.2.0
description:
  - Asks each authoritative server itself, past all caches, until it tells what is wanted or O(patience) has passed;
    then the resolvers, if any are given.
  - A server that refuses, does not answer, or does not speak for the zone is told by name, with what to do.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.dns
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  values:
    description:
      - All values the record must have; an empty list for no record.
      - By default any, as long as all servers tell the same.
    type: list
    elements: str
  ttl:
    description:
      - The TTL that the authoritative servers must tell. By default any.
    type: int
  servers:
    description:
      - The zone's servers, each a name, an address, or a dictionary of C(address), C(name) and C(port).
      - By default those of the zone's NS records, unless O(resolvers) are given.
    type: list
    elements: raw
    default: []
  discovery:
    description:
      - Servers to ask for the NS records. By default the resolvers of the host.
    type: list
    elements: raw
    default: []
  resolvers:
    description:
      - Resolvers to ask, written as O(servers). Their caches may keep an old value until its TTL has passed.
    type: list
    elements: raw
    default: []
  patience:
    description:
      - Seconds to go on asking until every server tells what is wanted.
    type: float
    default: 0
  timeout:
    description:
      - Seconds to wait for each answer.
    type: float
    default: 5
  fail:
    description:
      - Whether to fail when a server does not tell what is wanted.
    type: bool
    default: true
seealso:
  - module: dfr.continuity.dns_update
"""

EXAMPLES = r"""
- name: Wait until all servers of the zone lead to the other site
  dfr.continuity.dns_check:
    zone: example.com
    record: shop.example.com
    type: A
    values: [192.0.2.9]
    patience: 60
"""

RETURN = r"""
passed:
  description: Whether every server told what is wanted.
  returned: always
  type: bool
  sample: true
servers:
  description: What each server told at last.
  returned: always
  type: list
  elements: dict
  contains:
    server:
      description: Its name.
      type: str
      sample: ns1.example.com
    address:
      description: Its address.
      type: str
      sample: 192.0.2.53
    port:
      description: Its port.
      type: int
      sample: 53
    ok:
      description: Whether it told what is wanted.
      type: bool
      sample: true
    values:
      description: What it told.
      type: list
      elements: str
      sample: [192.0.2.9]
    ttl:
      description: The TTL it told.
      type: int
      sample: 60
    at:
      description: When it was asked last.
      type: str
      sample: "2026-11-25T03:15:01Z"
    seconds:
      description: How long after the first question that was.
      type: float
      sample: 1.2
    tries:
      description: How often it was asked.
      type: int
      sample: 2
    reason:
      description: What is wrong with its answer.
      type: str
      sample: ""
    next_step:
      description: What to do about it.
      type: str
      sample: ""
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

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.dns_check import dns_check
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.dns_update import KEY
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **KEY,
            "zone": {"type": "str", "required": True},
            "record": {"type": "str", "required": True},
            "type": {"type": "str", "choices": ["A", "AAAA", "CNAME"], "default": "A"},
            "values": {"type": "list", "elements": "str"},
            "ttl": {"type": "int"},
            "servers": {"type": "list", "elements": "raw", "default": []},
            "discovery": {"type": "list", "elements": "raw", "default": []},
            "resolvers": {"type": "list", "elements": "raw", "default": []},
            "patience": {"type": "float", "default": 0},
            "timeout": {"type": "float", "default": 5},
            "fail": {"type": "bool", "default": True},
        },
        required_together=[("key_name", "key_secret")],
        supports_check_mode=True,
    )
    run(module, dns_check, needs_packages=False)


if __name__ == "__main__":
    main()
