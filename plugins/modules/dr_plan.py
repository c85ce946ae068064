#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dr_plan
short_description: Validate the plan of a site pair, or make a first one
version_added: 0.2.0
description:
  - The plan describes a primary site and its disaster-recovery site, and what a drill or a failover does there.
    The collection's C(docs/disaster-recovery.md) explains every key.
  - With O(state=validated), checks the whole plan against itself and against the hosts of the inventory, and reports
    every fault at once, each with its place, the reason, and what to write instead.
  - With O(state=generated), makes a first plan from the parts of a backup and the hosts of the inventory.
    C(DECIDE) stands in it where people must decide.
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
    support: none
options:
  state:
    description:
      - V(validated) to check O(plan), V(generated) to make one.
    type: str
    choices: [validated, generated]
    default: validated
  plan:
    description:
      - The plan that is to be checked. It holds names of secrets, never a secret; one that is found there all the same
        is refused and not repeated.
    type: dict
  inventory_hosts:
    description:
      - Names of the inventory's hosts. The plan may name no other; without this that is not checked.
    type: list
    elements: str
  variables:
    description:
      - Names of the variables that exist. The secrets that the plan names must be among them; without this that is not
        checked.
    type: list
    elements: str
  repository:
    description:
      - Which repository, and how this host reaches it. Needed by O(state=generated) only.
    required: false
  backup_id:
    description:
      - The backup that a plan is made from, or V(latest) for the newest valid one.
    type: str
    default: latest
  name:
    description:
      - Name of the site pair in the plan that is made.
    type: str
    default: site
  dr_hosts:
    description:
      - Hosts of the disaster-recovery site, the first of which gets everything in the plan that is made. By default
        those of O(inventory_hosts) that have no part in the backup.
    type: list
    elements: str
    default: []
  addresses:
    description:
      - Addresses of hosts by their names, as far as they are known, for the plan that is made.
    type: dict
    default: {}
  file:
    description:
      - Write the plan that is made to this file.
    type: path
  overwrite:
    description:
      - Replace O(file) when it is there already. Otherwise the task fails then, because somebody may have worked on it.
    type: bool
    default: false
seealso:
  - module: dfr.continuity.backup_info
  - module: dfr.continuity.dr_journal
"""

EXAMPLES = r"""
- name: Make a first plan
  dfr.continuity.dr_plan:
    state: generated
    repository: "{{ continuity_repository }}"
    name: shop
    inventory_hosts: "{{ groups['all'] }}"
    dr_hosts: "{{ groups['dr'] }}"
    file: dr_plan.yml
  delegate_to: localhost
  run_once: true

- name: Check the plan against the inventory
  dfr.continuity.dr_plan:
    plan: "{{ dr_plan }}"
    inventory_hosts: "{{ groups['all'] }}"
    variables: "{{ query('ansible.builtin.varnames', '.+') }}"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
plan:
  description: The plan with every default filled in; lengths of time in seconds, moments in UTC. With
    O(state=generated), the plan that was made, as it is written.
  returned: success
  type: dict
  sample: {name: shop, objectives: {rto: 14400, rpo: 900}}
sha256:
  description: SHA-256 of RV(plan) as canonical JSON (sorted keys, no white space, ASCII), in hexadecimal.
  returned: success, with state=validated
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
faults:
  description: Everything that is wrong with the plan.
  returned: when the plan has faults
  type: list
  elements: dict
  contains:
    path:
      description: Where in the plan.
      type: str
      sample: services[1].host
    value:
      description: What stands there, or C(hidden) for what may be a secret, or empty.
      type: str
      sample: "'dr9.example.com'"
    reason:
      description: What is wrong with it.
      type: str
      sample: It is no host of the DR site.
    instead:
      description: What to write instead.
      type: str
      sample: Did you mean dr1.example.com?
backup_id:
  description: The backup that the plan was made from.
  returned: success, with state=generated
  type: str
  sample: 20261122T050301Z-1f2e3d4c
text:
  description: The plan that was made, as YAML with comments.
  returned: success, with state=generated
  type: str
  sample: "dr_plan: {name: shop}"
undecided:
  description: What people must decide before the plan that was made is valid; entries as in RV(faults).
  returned: success, with state=generated
  type: list
  elements: dict
  sample: [{path: "services[0].image", value: "'DECIDE'", reason: It is not decided yet., instead: Write the image.}]
file:
  description: The file, when one was named.
  returned: success, with state=generated
  type: str
  sample: dr_plan.yml
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: "The plan has a fault: services[1].host = 'dr9': It is no host of the DR site. Did you mean dr1?"
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Correct the plan; nothing was done.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: PlanError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import RECOVERY_KEY, REPOSITORY
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.dr_plan import dr_plan
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "repository": {**REPOSITORY["repository"], "required": False},
            **RECOVERY_KEY,
            "state": {"type": "str", "choices": ["validated", "generated"], "default": "validated"},
            "plan": {"type": "dict"},
            "inventory_hosts": {"type": "list", "elements": "str"},
            "variables": {"type": "list", "elements": "str"},
            "backup_id": {"type": "str", "default": "latest"},
            "name": {"type": "str", "default": "site"},
            "dr_hosts": {"type": "list", "elements": "str", "default": []},
            "addresses": {"type": "dict", "default": {}},
            "file": {"type": "path"},
            "overwrite": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, dr_plan, needs_packages=module.params["state"] == "generated")


if __name__ == "__main__":
    main()
