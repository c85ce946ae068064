#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traffic_values
short_description: Decide how public names are switched, and keep their old values
version_added: 0.2.0
description:
  - The part of the role P(dfr.continuity.traffic#role) that thinks. It reaches no DNS server and no proxy; other
    modules read and write the values, and are given no more than this one decided.
  - With O(step=check) it checks all records, and that a drill switches only names it may.
  - With O(step=keep) it compares what each record is with what it should be, refuses what somebody else has changed,
    and keeps the old values on disk, before anything is changed. Values that are kept already are never overwritten.
  - With O(step=finish) it judges the evidence, and removes kept values that are in force again.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
attributes:
  check_mode:
    support: full
    details:
      - Decides, and keeps and removes nothing.
  diff_mode:
    support: none
options:
  step:
    description:
      - What to do.
    type: str
    choices: [check, keep, finish]
    required: true
  state:
    description:
      - What the records are to become; see the role.
    type: str
    choices: [switched, undone, verified]
    default: verified
  records:
    description:
      - The records as the role takes them, and after O(step=check) as that returned them.
    type: list
    elements: dict
    default: []
  credentials:
    description:
      - For each name of credentials the names of its options. No secrets.
    type: dict
    default: {}
  drill:
    description:
      - Whether only O(drill_names) may be switched.
    type: bool
    default: false
  drill_names:
    description:
      - Names that a drill may switch, with all names under them.
    type: list
    elements: str
    default: []
  site:
    description:
      - Name of the site.
    type: str
    default: ""
  confirmation:
    description:
      - What was typed to have a drill switch other names as well. It must be O(site).
    type: str
    default: ""
  folder:
    description:
      - Where old values are kept.
    type: path
    default: /var/lib/dfr-continuity/traffic
  current:
    description:
      - What each record is, by its id.
    type: dict
    default: {}
  steps:
    description:
      - What O(step=keep) returned.
    type: list
    elements: dict
    default: []
  evidence:
    description:
      - For each id what the servers told; see M(dfr.continuity.dns_check).
    type: dict
    default: {}
  ttl_limit:
    description:
      - Seconds above which a TTL is a finding.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Check the records
  dfr.continuity.traffic_values:
    step: check
    state: switched
    records:
      - record: shop.example.com
        zone: example.com
        provider: rfc2136
        server: ns1.example.com
        values: [192.0.2.9]
"""

RETURN = r"""
records:
  description: The records with all defaults, and an C(id) each.
  returned: success, with step=check
  type: list
  elements: dict
  sample: [{id: shop.example.com.a-0f1e2d3c4b5a, record: shop.example.com}]
steps:
  description: For each record whether it is to be changed, and to what.
  returned: success, with step=keep
  type: list
  elements: dict
  sample: [{id: shop.example.com.a-0f1e2d3c4b5a, needed: true}]
findings:
  description: TTLs that are too long.
  returned: success, with step=keep
  type: list
  elements: dict
  sample: [{severity: medium, title: "The TTL of shop.example.com A is 3600 seconds, more than 300"}]
traffic:
  description: What came of each record, as in the document of a run. Also after a failure.
  returned: success, with step=finish
  type: list
  elements: dict
  sample: [{record: shop.example.com, provider: rfc2136, old: [192.0.2.1], new: [192.0.2.9], undone: false}]
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

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.traffic_values import traffic_values


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "step": {"type": "str", "choices": ["check", "keep", "finish"], "required": True},
            "state": {"type": "str", "choices": ["switched", "undone", "verified"], "default": "verified"},
            "records": {"type": "list", "elements": "dict", "default": []},
            # Names of options, no secrets.
            "credentials": {"type": "dict", "default": {}, "no_log": False},
            "drill": {"type": "bool", "default": False},
            "drill_names": {"type": "list", "elements": "str", "default": []},
            "site": {"type": "str", "default": ""},
            "confirmation": {"type": "str", "default": ""},
            "folder": {"type": "path", "default": "/var/lib/dfr-continuity/traffic"},
            "current": {"type": "dict", "default": {}},
            "steps": {"type": "list", "elements": "dict", "default": []},
            "evidence": {"type": "dict", "default": {}},
            "ttl_limit": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    run(module, traffic_values, needs_packages=False)


if __name__ == "__main__":
    main()
