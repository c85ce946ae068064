#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_check
short_description: Check whether an Odoo does what its users need
version_added: 0.2.0
description:
  - Makes these checks. C(health), the page C(/web/health) is green, as soon as Odoo has started. C(assets), the login
    page and every style sheet and script that it names can be fetched. C(login), a user logs in. C(sentinel), a record
    that is known to be there has the values it should have. C(customer), the newest customers are shown as PostgreSQL
    has them. C(attachments), the SHA-1 of some attachments that Odoo delivers is what PostgreSQL says. C(site), where
    O(site) is given, it is this site that answers under the public name.
  - All of them are mandatory unless O(optional) says otherwise; one that could not be made, or for which something is
    not given, counts as failed.
  - Calls are made with JSON-2 when an API key is given and the Odoo is 19 or later, and with JSON-RPC otherwise.
  - Run it where both the Odoo and its PostgreSQL can be reached. Odoo 14 to 19.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.check
  - dfr.continuity.web
  - dfr.continuity.connection
attributes:
  check_mode:
    support: full
    details:
      - Does the same. All that it changes is what Odoo itself notes of a login; set C(web.base.url.freeze), as
        M(dfr.continuity.odoo_neutralise) does, so that this is not the base URL.
  diff_mode:
    support: none
options:
  url:
    description:
      - Where users find the Odoo, without a path, such as V(https://odoo.example.com).
    type: str
    required: true
  database:
    description:
      - Name of the database.
    type: str
    required: true
  connection:
    description:
      - The PostgreSQL server that has O(database), and as whom to read there.
  login:
    description:
      - The user. Not needed with an API key from Odoo 19 on.
    type: str
  password:
    description:
      - Password of the user. A second factor must not be asked for.
    type: str
  api_key:
    description:
      - API key of the user. Without O(password), attachments are fetched as records, since the key does not open the
        web client.
    type: str
  sentinel:
    description:
      - A record that is known to be there, which tells that it is the right backup.
    type: dict
    suboptions:
      model:
        description:
          - The model, such as V(res.partner).
        type: str
        required: true
      domain:
        description:
          - A domain that finds exactly one record, such as V([["ref", "=", "SENTINEL"]]).
        type: list
        elements: raw
        required: true
      fields:
        description:
          - Names of fields, and what they hold. Of a many2one either the id or the name.
        type: dict
        required: true
  samples:
    description:
      - Number of attachments to fetch. Half of them are the newest ones, the others are chosen by chance.
    type: int
    default: 10
  site:
    description:
      - What tells this site from another one that answers under the same name.
    type: dict
    suboptions:
      path:
        description:
          - The page to ask for.
        type: str
        default: /web/login
      headers:
        description:
          - Headers that the answer is to have, and for each a regular expression that is to be found in it.
        type: dict
      text:
        description:
          - Regular expression that is to be found in the page.
        type: str
  optional:
    description:
      - Checks that need not pass.
    type: list
    elements: str
    choices: [health, login, sentinel, customer, assets, attachments, site]
    default: []
  service:
    description:
      - Name of the service in results; the names of the checks begin with it.
    type: str
    default: odoo
  wait:
    description:
      - Seconds that Odoo is given to become healthy. The other checks are made once after that.
    default: 60.0
  timeout:
    description:
      - Seconds that one request may take, as a whole. The first one after a start takes longest.
    default: 60.0
requirements:
  - psql
seealso:
  - module: dfr.continuity.odoo_neutralise
  - module: dfr.continuity.http_check
  - module: dfr.continuity.sql_check
"""

EXAMPLES = r"""
- name: The restored shop works, under its public name that does not lead there yet
  dfr.continuity.odoo_check:
    url: https://shop.example.com
    resolve:
      shop.example.com: 192.0.2.9
    database: shop
    connection:
      run_as: postgres
    login: drill
    password: "{{ drill_password }}"
    sentinel:
      model: res.partner
      domain: [["ref", "=", "SENTINEL"]]
      fields:
        name: Sentinel of the drills
        country_id: Iceland
    site:
      headers:
        X-Site: ^dr$
    wait: 300
  register: odoo

- name: Look again with an API key, and go on whatever is seen
  dfr.continuity.odoo_check:
    url: http://127.0.0.1:8069
    database: shop
    api_key: "{{ drill_api_key }}"
    optional: [sentinel]
    fail: false
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
      sample: odoo-attachments
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
      sample: attachments whose SHA-1 is what PostgreSQL has
    actual:
      description: What was seen.
      type: str
      sample: 10 equal
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
      sample: {attachments: [{id: 512, expected: 86f7e437faa5a7fc, actual: 86f7e437faa5a7fc, bytes: 1}]}
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
  sample: "1 of 6 mandatory checks did not pass: odoo-assets (failed). /web/assets/web.css, … is empty."
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Look whether the filestore was restored to where Odoo looks for it, and into Odoo's log.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: ChecksFailedError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import CHECK, CONNECTION, WEB
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.odoo_check import odoo_check
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run
from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_check import NAMES


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **CHECK,
            **WEB,
            **CONNECTION,
            "url": {"type": "str", "required": True},
            "database": {"type": "str", "required": True},
            "login": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "api_key": {"type": "str", "no_log": True},
            "sentinel": {
                "type": "dict",
                "options": {
                    "model": {"type": "str", "required": True},
                    "domain": {"type": "list", "elements": "raw", "required": True},
                    "fields": {"type": "dict", "required": True},
                },
            },
            "samples": {"type": "int", "default": 10},
            "site": {
                "type": "dict",
                "options": {
                    "path": {"type": "str", "default": "/web/login"},
                    "headers": {"type": "dict"},
                    "text": {"type": "str"},
                },
                "required_one_of": [("headers", "text")],
            },
            "optional": {"type": "list", "elements": "str", "choices": list(NAMES), "default": []},
            "service": {"type": "str", "default": "odoo"},
            "wait": {"type": "float", "default": 60.0},
            "timeout": {"type": "float", "default": 60.0},
        },
        required_one_of=[("password", "api_key")],
        required_by={"password": "login"},
        supports_check_mode=True,
    )
    run(module, odoo_check, needs_packages=False)


if __name__ == "__main__":
    main()
