#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: http_check
short_description: Check what a web server answers
version_added: 0.2.0
description:
  - Makes one request, and compares status, text, headers or a value of a JSON document with what is expected.
  - Returns the result in the form that all checks of this collection have, so that it can go into the report of a
    drill.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.check
  - dfr.continuity.check.named
  - dfr.continuity.web
attributes:
  check_mode:
    support: full
    details:
      - Does the same, since it only looks.
  diff_mode:
    support: none
options:
  url:
    description:
      - What is asked for. It is shown, so it must hold no secret.
    type: str
    required: true
  method:
    description:
      - Method of the request.
    type: str
    default: GET
  headers:
    description:
      - Headers of the request.
    type: dict
  secret_headers:
    description:
      - Headers of the request that are not to be shown, such as C(Authorization).
    type: dict
  body:
    description:
      - Body of the request. It is not shown.
    type: str
  follow_redirects:
    description:
      - Whether to go where the server sends one, five times at most. Headers are not taken along to other hosts.
    type: bool
    default: false
  status:
    description:
      - HTTP statuses that are right.
    type: list
    elements: int
    default: [200]
  text:
    description:
      - Regular expression (Python's) that is to be found in the body.
    type: str
  answer_headers:
    description:
      - Headers that the answer is to have, and for each a regular expression that is to be found in it.
    type: dict
  json_path:
    description:
      - Where in the JSON document that is the body, as keys and indexes with dots between them, such as
        V(checks.0.status); empty for the whole document.
    type: str
  json_value:
    description:
      - What is to be at O(json_path). Nothing given means null.
    type: raw
seealso:
  - module: dfr.continuity.odoo_check
  - module: dfr.continuity.sql_check
"""

EXAMPLES = r"""
- name: The gateway of the new site answers under the public name, which does not lead there yet
  dfr.continuity.http_check:
    name: gateway-site
    service: gateway
    url: https://odoo.example.com/
    resolve:
      odoo.example.com: 192.0.2.9
    ca_file: /etc/ssl/drill-ca.pem
    answer_headers:
      X-Site: ^dr$
    status: [200, 303]
    wait: 60

- name: The notification service takes a message
  dfr.continuity.http_check:
    name: notification-accepts
    service: notification
    url: http://127.0.0.1:8080/messages
    method: POST
    headers:
      Content-Type: application/json
    secret_headers:
      Authorization: "Bearer {{ notification_token }}"
    body: "{{ {'to': 'drill', 'text': 'test'} | to_json }}"
    status: [202]
    json_path: accepted
    json_value: true
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
      sample: gateway-site
    service:
      description: The service that was checked.
      type: str
      sample: gateway
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
      sample: "status 200, header X-Site matching ^dr$"
    actual:
      description: What was seen.
      type: str
      sample: "status 200, header X-Site: dr"
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
      sample: {url: "https://odoo.example.com/", address: "192.0.2.9:443", status: 200, bytes: 5120}
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
  sample: "1 of 1 mandatory checks did not pass: gateway (failed). http://shop.example.com/ answered with status 502."
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Look into the log of the service.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: ChecksFailedError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import NAMED_CHECK, WEB
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.http_check import http_check
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **NAMED_CHECK,
            **WEB,
            "url": {"type": "str", "required": True},
            "method": {"type": "str", "default": "GET"},
            "headers": {"type": "dict"},
            "secret_headers": {"type": "dict", "no_log": True},
            "body": {"type": "str", "no_log": True},
            "follow_redirects": {"type": "bool", "default": False},
            "status": {"type": "list", "elements": "int", "default": [200]},
            "text": {"type": "str"},
            "answer_headers": {"type": "dict"},
            "json_path": {"type": "str"},
            "json_value": {"type": "raw"},
        },
        supports_check_mode=True,
    )
    run(module, http_check, needs_packages=False)


if __name__ == "__main__":
    main()
