#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: n8n_isolate
short_description: Keep a restored n8n from doing anything by itself
version_added: 0.1.0
description:
  - Unpublishes all workflows and agents, cancels executions that wait, are queued or running, removes registered
    webhooks, and disables schedules and destinations of log streaming, in the database of an n8n that is not running.
    An execution that waits would be resumed whether its workflow is published or not.
  - Everything happens in one transaction, is looked at again inside it, and is undone unless nothing is left. Fails
    when somebody is connected to the database.
  - Meant for copies, in drills, before their first start. Workflows that are made or published afterwards work. What
    n8n does for itself, such as asking for its licence, sending telemetry or reading secrets from a vault, is not
    stopped by this; keep a copy from reaching those places.
  - M(dfr.continuity.database_restore) does the same, before the restored database gets its name, with
    O(dfr.continuity.database_restore#module:neutralise).
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.connection
  - dfr.continuity.log
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  database:
    description:
      - Name of the database of the copy.
    type: str
    required: true
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
requirements:
  - psql
seealso:
  - module: dfr.continuity.n8n_backup
  - module: dfr.continuity.n8n_check
"""

EXAMPLES = r"""
- name: Make the copy harmless before it is started
  dfr.continuity.n8n_isolate:
    database: n8n_drill
    connection:
      run_as: postgres
  register: isolation

- name: Start n8n on it
  ansible.builtin.systemd_service:
    name: n8n-drill
    state: started
"""

RETURN = r"""
database:
  description: The database.
  returned: success
  type: str
  sample: n8n_drill
series:
  description: n8n's major version, as far as the database tells; V(1 or 2) where it might be late 1.x or early 2.x.
  returned: success
  type: str
  sample: "2"
isolated:
  description: What was kept from working, in numbers. What this n8n does not have is not named.
  returned: success
  type: dict
  contains:
    workflows_unpublished:
      description: Workflows that were active or published.
      type: int
      sample: 0
    executions_canceled:
      description: Executions that waited, were queued or running.
      type: int
      sample: 1
    webhooks_removed:
      description: Registered webhooks.
      type: int
      sample: 2
    published_versions_removed:
      description: Records of what is published (2.x).
      type: int
      sample: 0
    publications_removed:
      description: Publications under way (2.x).
      type: int
      sample: 1
    scheduled_tasks_removed:
      description: Runs that were due (2.x).
      type: int
      sample: 2
    scheduled_jobs_disabled:
      description: Schedules of workflows and agents (2.x).
      type: int
      sample: 0
    agents_unpublished:
      description: Agents that were published (2.x).
      type: int
      sample: 1
    agent_jobs_canceled:
      description: Background jobs of agents (2.x).
      type: int
      sample: 2
    test_runs_canceled:
      description: Evaluations that were under way.
      type: int
      sample: 0
    log_destinations_disabled:
      description: Destinations of log streaming.
      type: int
      sample: 1
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: Somebody is connected to the database n8n_drill.
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Stop n8n and its workers.
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
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.n8n_isolate import n8n_isolate
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run
from ansible_collections.dfr.continuity.plugins.module_utils._status.log import Step


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={**CONNECTION, **LOG, **N8N_TABLES, "database": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    run(module, n8n_isolate, Step("n8n_isolate", path=module.params["database"]))


if __name__ == "__main__":
    main()
