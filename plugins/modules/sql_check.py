#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sql_check
short_description: Check what a query on a PostgreSQL database returns
version_added: 0.2.0
description:
  - Runs one query in a transaction that may only read, and compares the first column of its first row with what is
    expected. A query that returns no row is not as expected.
  - Returns the result in the form that all checks of this collection have, so that it can go into the report of a
    drill.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.check
  - dfr.continuity.check.named
  - dfr.continuity.connection
attributes:
  check_mode:
    support: full
    details:
      - Does the same, since it only looks.
  diff_mode:
    support: none
options:
  database:
    description:
      - Name of the database.
    type: str
    required: true
  query:
    description:
      - A SELECT. Tables without a schema are looked for in C(public). It must hold no secret.
    type: str
    required: true
  value:
    description:
      - What it is to return, as text; V(true), V(false) and V(null) for what is not text.
    type: str
  text:
    description:
      - Regular expression (Python's) that is to be found in what it returns.
    type: str
  minimum:
    description:
      - Number that what it returns must not be below.
    type: float
  timeout:
    description:
      - Seconds that the query may take.
    type: float
    default: 20.0
requirements:
  - psql
seealso:
  - module: dfr.continuity.http_check
"""

EXAMPLES = r"""
- name: The last order is of the hour before the disaster
  dfr.continuity.sql_check:
    name: odoo-orders
    service: odoo
    database: shop
    connection:
      run_as: postgres
    query: SELECT count(*) FROM sale_order WHERE create_date > '2026-11-25 02:15:00'
    minimum: 1
"""

RETURN = r"""
checks:
  description: What became of each check.
  returned: always, except when the options are wrong
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      type: str
      sample: odoo-orders
    service:
      description: The service that was checked.
      type: str
      sample: odoo
    mandatory:
      description: Whether it must pass.
      type: bool
      sample: true
    status:
      description: V(passed), V(failed), or V(skipped). A mandatory check that was skipped has not passed.
      type: str
      sample: passed
    expected:
      description: What was expected.
      type: str
      sample: at least 1
    actual:
      description: What was seen.
      type: str
      sample: "17"
    seconds:
      description: How long the check took, waiting included.
      type: float
      sample: 0.21
    at:
      description: When it began.
      type: str
      sample: "2026-11-22T05:03:01Z"
    evidence:
      description: What shows it; never a secret.
      type: dict
      sample: {database: shop, server: "the PostgreSQL at the default socket, port 5432"}
    reason:
      description: Why it did not pass, or empty.
      type: str
      sample: ""
    next_step:
      description: What to do then, or empty.
      type: str
      sample: ""
passed:
  description: Whether all mandatory checks passed, and there was at least one that did.
  returned: always, except when the options are wrong
  type: bool
  sample: true
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: "1 of 1 mandatory checks did not pass: odoo-orders (failed). The query returned 0 and not at least 1."
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Look whether it is the right database, and whether all of it was restored.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: ChecksFailedError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import CONNECTION, NAMED_CHECK
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.sql_check import sql_check


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **NAMED_CHECK,
            **CONNECTION,
            "database": {"type": "str", "required": True},
            "query": {"type": "str", "required": True},
            "value": {"type": "str"},
            "text": {"type": "str"},
            "minimum": {"type": "float"},
            "timeout": {"type": "float", "default": 20.0},
        },
        required_one_of=[("value", "text", "minimum")],
        supports_check_mode=True,
    )
    run(module, sql_check, needs_packages=False)


if __name__ == "__main__":
    main()
