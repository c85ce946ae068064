#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: n8n_check
short_description: Check that an n8n works
version_added: 0.1.0
description:
  - Three checks, each with time and evidence. C(n8n-readiness) asks n8n whether its database is connected and migrated.
    C(n8n-credential) opens credentials of the database with the encryption key, offline. C(n8n-webhook) makes a
    workflow, publishes it, sends a nonce to its webhook, compares the answer, and removes the workflow again.
  - The workflow is made by n8n's public API, with an API key of the owner's that is in the database for as long as the
    check takes. So O(url) and O(database) must belong to the same n8n; another one refuses the key, and nothing is done
    to it.
  - Fails when a mandatory check did not pass; one that was skipped did not pass.
  - Tried with n8n 1.123 and 2.40.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.connection
  - dfr.continuity.log
attributes:
  check_mode:
    support: full
    details:
      - Checks nothing, since checking makes a workflow; RV(passed) is none then.
  diff_mode:
    support: none
options:
  url:
    description:
      - Address of n8n. In a drill, that of the drill's instance.
    type: str
    required: true
  database:
    description:
      - Name of its database.
    type: str
    required: true
  encryption_key:
    description:
      - The encryption key.
    type: str
  env_file:
    description:
      - File of environment variables on the target that holds C(N8N_ENCRYPTION_KEY), such as
        M(dfr.continuity.n8n_settings) writes it.
    type: str
  schema:
    description:
      - Schema of n8n's tables (C(DB_POSTGRESDB_SCHEMA)).
    type: str
    default: public
  table_prefix:
    description:
      - Prefix of the names of n8n's tables (C(DB_TABLE_PREFIX)).
    type: str
    default: ""
  checks:
    description:
      - Which checks to do.
    type: list
    elements: str
    choices: [n8n-readiness, n8n-credential, n8n-webhook]
    default: [n8n-readiness, n8n-credential, n8n-webhook]
  mandatory:
    description:
      - Which of them must pass.
    type: list
    elements: str
    choices: [n8n-readiness, n8n-credential, n8n-webhook]
    default: [n8n-readiness, n8n-credential, n8n-webhook]
  fail:
    description:
      - Whether the task fails when a mandatory check did not pass.
    type: bool
    default: true
  timeout:
    description:
      - Seconds that n8n gets to become ready, and its workflow to be registered.
    type: float
    default: 120.0
  ca_file:
    description:
      - PEM file of the certificate authorities to trust instead of the system's.
    type: path
  api_path:
    description:
      - Where n8n has its public API (C(N8N_PUBLIC_API_ENDPOINT)).
    type: str
    default: api/v1
  webhook_path:
    description:
      - Where n8n has its webhooks (C(N8N_ENDPOINT_WEBHOOK)).
    type: str
    default: webhook
requirements:
  - psql
seealso:
  - module: dfr.continuity.n8n_isolate
"""

EXAMPLES = r"""
- name: Check the restored n8n
  dfr.continuity.n8n_check:
    url: https://n8n.drill.example.com
    database: n8n_drill
    connection:
      run_as: postgres
    env_file: /etc/n8n-drill/n8n.env
  register: n8n
"""

RETURN = r"""
passed:
  description: Whether all mandatory checks passed; none in check mode.
  returned: always, except when the options are wrong
  type: bool
  sample: true
checks:
  description: The checks.
  returned: always, except when the options are wrong
  type: list
  elements: dict
  contains:
    name:
      description: Which check.
      type: str
      sample: n8n-webhook
    service:
      description: Always V(n8n).
      type: str
      sample: n8n
    mandatory:
      description: Whether it must pass.
      type: bool
      sample: true
    status:
      description: V(passed), V(failed) or V(skipped).
      type: str
      sample: passed
    expected:
      description: What was expected.
      type: str
      sample: the answer that a new workflow makes of a nonce
    actual:
      description: What was found.
      type: str
      sample: 5d0cb2a1
    seconds:
      description: How long it took.
      type: float
      sample: 1.4
    at:
      description: When it began.
      type: str
      sample: "2026-11-25T03:21:07Z"
    evidence:
      description: What shows it.
      type: dict
      sample: {workflow: kQ2bT1, nonce: 1a2bc0d5, answer: 5d0cb2a1, removed: true}
    reason:
      description: Why it did not pass, or empty.
      type: str
      sample: ""
    next_step:
      description: What to do then, or empty.
      type: str
      sample: ""
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: "n8n at https://n8n.drill.example.com did not pass: n8n-webhook (failed)."
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Look into the log of n8n.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: TargetError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import (
    CONNECTION,
    LOG,
    N8N_TABLES,
)
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.n8n_check import n8n_check
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run
from ansible_collections.dfr.continuity.plugins.module_utils._apps.n8n_check import CHECKS
from ansible_collections.dfr.continuity.plugins.module_utils._status.log import Step


def main() -> None:
    """Run the module."""
    checks = {"type": "list", "elements": "str", "choices": list(CHECKS), "default": list(CHECKS)}
    module = AnsibleModule(
        argument_spec={
            **CONNECTION,
            **LOG,
            **N8N_TABLES,
            "url": {"type": "str", "required": True},
            "database": {"type": "str", "required": True},
            "encryption_key": {"type": "str", "no_log": True},
            "env_file": {"type": "str"},
            "checks": checks,
            "mandatory": checks,
            "fail": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": 120.0},
            "ca_file": {"type": "path"},
            "api_path": {"type": "str", "default": "api/v1"},
            "webhook_path": {"type": "str", "default": "webhook"},
        },
        mutually_exclusive=[("encryption_key", "env_file")],
        required_one_of=[("encryption_key", "env_file")],
        supports_check_mode=True,
    )
    run(module, n8n_check, Step("n8n_check", path=module.params["url"]))


if __name__ == "__main__":
    main()
