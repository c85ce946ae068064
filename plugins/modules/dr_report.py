#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dr_report
short_description: Write the report of a disaster-recovery drill or failover
version_added: 0.2.0
description:
  - Makes a report from the run document that the journal of a drill, a failover or a failback keeps, and writes it as
    HTML, Markdown and JSON, with the SHA-256 of each, to a folder named after the run.
  - Derives findings with remedy and owner, compares with the earlier reports in the same folder, and says whether the
    plan has changed since a drill of it passed.
  - With O(repository), the folder is also stored there, encrypted and signed, as a backup of the set V(drills). That is
    done at each call, so call it once the clean-up is over.
  - A run that failed is no failed task, because writing its report has worked. Look at RV(status).
  - The HTML is a single file that needs nothing else and runs no scripts. All files are readable by their owner alone.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.repository.optional
  - dfr.continuity.log
attributes:
  check_mode:
    support: full
    details:
      - Makes the report without writing it, and opens the repository.
  diff_mode:
    support: none
options:
  run:
    description:
      - The run document. It is checked as a whole, and every fault is named at once.
      - Exactly one of O(run) and O(run_file) is needed.
    type: dict
  run_file:
    description:
      - JSON file with the run document.
    type: path
  folder:
    description:
      - Folder of all reports. The report goes to a folder below it, named after the run's id. It is made when missing,
        for its owner alone.
      - Reports of earlier runs of the same site are looked for here.
    type: path
    default: /var/lib/dfr-continuity/drills
  earlier_runs:
    description:
      - How many earlier runs the report shows beside this one. What became worse is looked for in all of them.
    type: int
    default: 5
  due_days:
    description:
      - Within how many days after the run findings are to be dealt with, unless they say so themselves.
    type: dict
    default: {}
    suboptions:
      high:
        description:
          - Days for findings of high severity.
        type: int
        default: 7
      medium:
        description:
          - Days for findings of medium severity.
        type: int
        default: 30
      low:
        description:
          - Days for findings of low severity.
        type: int
        default: 90
  secrets:
    description:
      - Values that must not be in the report, such as the passwords that checks have used. They are left out wherever
        they occur, from four characters on.
      - What is stored under the name of a secret, such as C(password) or C(api_key), private keys, and passwords in
        URLs are left out anyway.
    type: list
    elements: str
seealso:
  - module: dfr.continuity.backup_info
  - module: community.general.mail
"""

EXAMPLES = r"""
- name: Write the report of the drill, and keep it in the repository
  dfr.continuity.dr_report:
    run_file: "/var/lib/dfr-continuity/runs/{{ run_id }}.json"
    repository: "{{ continuity_repository }}"
    secrets: ["{{ vault_drill_password }}"]
  register: report

- name: Send it to people
  community.general.mail:
    to: management@example.org
    subject: "{{ report.subject }}"
    body: "{{ report.body }}"
    charset: utf-8
    attach:
      - "{{ report.files.html }}"

- name: Fail when the drill did
  ansible.builtin.assert:
    that: report.status == 'passed'
    fail_msg: "{{ report.subject }}. The report: {{ report.files.html }}"
"""

RETURN = r"""
run_id:
  description: The run.
  returned: when the run document is right
  type: str
  sample: 20261125T031500Z-ab12cd34
site:
  description: The site.
  returned: when the run document is right
  type: str
  sample: shop
status:
  description:
    - What became of the run, V(passed), V(failed), V(aborted) or V(unfinished).
    - V(failed) also when the run calls itself passed, and a mandatory check, an objective or the isolation says
      otherwise.
  returned: when the run document is right
  type: str
  sample: passed
folder:
  description: Where the report is.
  returned: when the report could be written
  type: str
  sample: /var/lib/dfr-continuity/drills/20261125T031500Z-ab12cd34
files:
  description: The paths of its files.
  returned: when the report could be written
  type: dict
  contains:
    html:
      description: The page for people.
      type: str
      sample: /var/lib/dfr-continuity/drills/20261125T031500Z-ab12cd34/report.html
    markdown:
      description: The same as Markdown.
      type: str
      sample: /var/lib/dfr-continuity/drills/20261125T031500Z-ab12cd34/report.md
    json:
      description: The same as data.
      type: str
      sample: /var/lib/dfr-continuity/drills/20261125T031500Z-ab12cd34/report.json
    checksums:
      description: The SHA-256 of each, for C(sha256sum --check).
      type: str
      sample: /var/lib/dfr-continuity/drills/20261125T031500Z-ab12cd34/SHA256SUMS
sha256:
  description: The SHA-256 of each file, by the names of RV(files).
  returned: when the report could be written
  type: dict
  sample: {html: 30d9b2d6b418bf7925e3724e3a4e2fdcc003ffdc2066fcac1750f16181a6d4b0}
findings:
  description: What was found to be wrong, the most severe first.
  returned: when the report could be written
  type: list
  elements: dict
  contains:
    id:
      description: The same for the same fault in every run.
      type: str
      sample: check-failed:odoo/login
    severity:
      description: V(high), V(medium) or V(low).
      type: str
      sample: high
    title:
      description: What is wrong.
      type: str
      sample: The mandatory check odoo/login failed
    detail:
      description: Why, and with which values.
      type: str
      sample: "Expected: 200. Actual: 502."
    remedy:
      description: What to do about it.
      type: str
      sample: Look at the log of odoo on dr1.
    owner:
      description: Who is to do it. The plan's C(report.owner), unless the finding has one.
      type: str
      sample: Platform team
    due:
      description: Until when.
      type: str
      sample: "2026-12-02"
    phase:
      description: Name of the phase it is about, or empty.
      type: str
      sample: functional_tests
    first_seen:
      description: The first of the runs, up to this one without a break, that have it. Empty when that is this one.
      type: str
      sample: 20260820T081500Z-7d20beef
regressions:
  description: What became worse since an earlier run.
  returned: when the report could be written
  type: list
  elements: dict
  contains:
    kind:
      description: V(phase), V(check), V(rto) or V(rpo).
      type: str
      sample: phase
    subject:
      description: Name of the phase, or of the check.
      type: str
      sample: restore_files
    title:
      description: What became worse.
      type: str
      sample: Restore files and objects took longer
    compared_with:
      description: The run it is compared with.
      type: str
      sample: 20260820T081500Z-7d20beef
    before_seconds:
      description: How long it took, or none.
      type: float
      sample: 412.0
    now_seconds:
      description: How long it takes now, or none.
      type: float
      sample: 636.0
plan_proved:
  description: Whether the plan as it is now has passed a drill, this one or an earlier one.
  returned: when the report could be written
  type: bool
  sample: true
subject:
  description: Subject of an e-mail.
  returned: when the report could be written
  type: str
  sample: Disaster-recovery drill shop passed
body:
  description: Body of an e-mail, with objectives, findings, and the SHA-256 of each file.
  returned: when the report could be written
  type: str
  sample: Disaster-recovery drill shop (20261125T031500Z-ab12cd34) passed...
backup_id:
  description: The backup that holds the report, or none.
  returned: when the report could be written
  type: str
  sample: 20261125T033801Z-1f2e3d4c
part:
  description: The part of it, or none.
  returned: when the report could be written
  type: str
  sample: control.drills.report
reason:
  description: Why the report could not be written or stored.
  returned: failure
  type: str
  sample: "The run document has 1 fault: state is missing."
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Correct it; docs/run.schema.json describes it.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: InputError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import LOG, OPTIONAL_REPOSITORY
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.dr_report import BACKUP_SET, dr_report
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run
from ansible_collections.dfr.continuity.plugins.module_utils._status.log import Step


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **OPTIONAL_REPOSITORY,
            **LOG,
            "run": {"type": "dict"},
            "run_file": {"type": "path"},
            "folder": {"type": "path", "default": "/var/lib/dfr-continuity/drills"},
            "earlier_runs": {"type": "int", "default": 5},
            "due_days": {
                "type": "dict",
                "default": {},
                "options": {
                    "high": {"type": "int", "default": 7},
                    "medium": {"type": "int", "default": 30},
                    "low": {"type": "int", "default": 90},
                },
            },
            "secrets": {"type": "list", "elements": "str", "no_log": True},
        },
        mutually_exclusive=[("run", "run_file")],
        required_one_of=[("run", "run_file")],
        supports_check_mode=True,
    )
    step = Step("dr_report", BACKUP_SET, path=module.params["folder"])
    run(module, dr_report, step, needs_packages=bool(module.params["repository"]))


if __name__ == "__main__":
    main()
