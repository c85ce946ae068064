#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dr_journal
short_description: Keep the journal of a drill, a failover or a failback
version_added: 0.2.0
description:
  - Records durably who runs what at which site, when each phase began and ended, and what was found; the run document
    that reports are made from is derived from it. The collection's C(docs/disaster-recovery.md) describes both.
  - Every call is on disk before it returns, so a control node may be killed at any moment. O(action=resume) goes on
    then, and phases that are done are not run again.
  - A site has one run at a time. A second drill, a drill during a failover, and a failover during a drill are refused
    with the other run, who began it, and since when. After a failover there is no drill until a failback.
  - Run it on the control node, always the same one, since the journal is there.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  action:
    description:
      - V(begin) begins a run of O(mode) with O(plan), unless another run has the site.
      - V(resume) goes on with O(run_id), unless a living process works on it, or O(plan) has changed.
      - V(phase) says that O(phase) begins, ends, fails or is skipped; see O(step).
      - V(note) merges O(backup), O(data_sets), O(checks) and the like into the run document.
      - V(abort) aborts the run; only its report and its clean-up run then. Refused after the point of no return.
      - V(finish) ends the run with its verdict. It has failed when a phase failed or did not run, a mandatory check
        failed, was skipped or has no result, an objective was missed or not measured, or a drill's clean-up left
        something or is not known to be done.
      - V(read) returns the run document.
    type: str
    choices: [begin, resume, phase, note, abort, finish, read]
    required: true
  state_dir:
    description:
      - Folder that holds the journals, one folder per site and run, open to its owner only.
    type: path
    default: /var/lib/dfr-continuity/drills
  run_id:
    description:
      - Id of the run. By default the newest one of O(site).
    type: str
  site:
    description:
      - Name of the site pair, which is the name of its plan, where there is no O(run_id).
    type: str
  mode:
    description:
      - What is begun.
    type: str
    choices: [drill, failover, failback]
  plan:
    description:
      - The plan, for O(action=begin), and for O(action=resume) to see whether it is still the same.
    type: dict
  accept_changed_plan:
    description:
      - Resume although the plan has changed, with the new one. A finding says so.
    type: bool
    default: false
  scenario:
    description:
      - What is assumed to have happened. By default that of the plan.
    type: str
    default: ""
  started_by:
    description:
      - Who begins, or aborts, the run. By default the user who logged in.
    type: str
    default: ""
  approved_by:
    description:
      - Who approved it.
    type: str
    default: ""
  interruption:
    description:
      - The moment from which recovery time and recovery point are measured, with a time zone. By default when the run
        was begun. O(action=note) corrects it.
    type: str
  pid:
    description:
      - The process that stands for the run. By default the C(ansible-playbook) that runs this module on this machine.
    type: int
  phase:
    description:
      - Name of the phase.
    type: str
  step:
    description:
      - V(begin) returns in RV(needed) whether the phase is to be run. The task fails when an earlier phase is not done.
      - V(end), V(fail) and V(skip) say what became of it; the latter two need O(reason).
    type: str
    choices: [begin, end, fail, skip]
  reason:
    description:
      - Why the phase failed or was skipped, or why the run is aborted.
    type: str
    default: ""
  next_step:
    description:
      - What to do about it.
    type: str
    default: ""
  details:
    description:
      - What else to keep of the phase. Values under names such as C(password) are replaced by C(hidden), here and in
        everything that is noted.
    type: dict
    default: {}
  backup:
    description:
      - The backup that was chosen; merged key by key.
    type: dict
  data_sets:
    description:
      - What was restored, with C(recovery_point), the moment up to which the data is there. An entry takes the place of
        one with the same C(name) and C(kind).
    type: list
    elements: dict
  checks:
    description:
      - Results of checks. An entry takes the place of one with the same C(name) and C(service).
    type: list
    elements: dict
  plan_check:
    description:
      - The check of the plan that O(checks) belong to. Without it, a result belongs to the check of its name, or of the
        part of its name before a slash.
    type: str
    default: ""
  traffic:
    description:
      - Records that were switched. An entry takes the place of one with the same C(record).
    type: list
    elements: dict
  isolation:
    description:
      - Checks that a drill touched nothing of production.
    type: list
    elements: dict
  objectives:
    description:
      - C(achieved_seconds) of C(rto) and C(rpo), where they were measured by other means. The worse value counts.
    type: dict
  findings:
    description:
      - Findings. An entry takes the place of one with the same C(title) and C(phase). Each gets an id.
    type: list
    elements: dict
  cleanup:
    description:
      - C(status) of the clean-up (C(done), C(failed) or C(not needed)), and what it C(left).
    type: dict
seealso:
  - module: dfr.continuity.dr_plan
"""

EXAMPLES = r"""
- name: Begin a drill
  dfr.continuity.dr_journal:
    action: begin
    mode: drill
    plan: "{{ dr_plan }}"
    approved_by: bob
  register: drill

- name: Begin to restore the databases
  dfr.continuity.dr_journal: {action: phase, run_id: "{{ drill.run_id }}", phase: restore_database, step: begin}
  register: phase

- name: Restore the databases
  ansible.builtin.include_tasks: restore_database.yml
  when: phase.needed

- name: Keep how old the data is
  dfr.continuity.dr_journal:
    action: note
    run_id: "{{ drill.run_id }}"
    data_sets:
      - {name: shop, kind: database, recovery_point: "2026-11-22T05:03:01Z", source: snapshot}

- name: Say that they are restored
  dfr.continuity.dr_journal: {action: phase, run_id: "{{ drill.run_id }}", phase: restore_database, step: end}

- name: End the drill
  dfr.continuity.dr_journal: {action: finish, run_id: "{{ drill.run_id }}"}
  register: ended
  failed_when: ended.state != 'passed'
"""

RETURN = r"""
run_id:
  description: The run's id.
  returned: success
  type: str
  sample: 20261125T031500Z-ab12cd34
state:
  description: V(running), V(passed), V(failed) or V(aborted).
  returned: success
  type: str
  sample: running
needed:
  description: Whether the phase that was to begin is to be run. Always true for other actions.
  returned: success
  type: bool
  sample: true
shortcomings:
  description: Why the run has not passed, as far as it is known now; O(action=finish) would make it failed. Empty when
    it would pass.
  returned: success
  type: list
  elements: str
  sample: ["The RPO was missed: 1200 s instead of at most 900 s."]
document:
  description: The run document.
  returned: success
  type: dict
  sample: {schema: dfr.continuity/run/1, id: 20261125T031500Z-ab12cd34, state: running}
runs:
  description: All runs of the site, newest first.
  returned: success, with action=read
  type: list
  elements: dict
  contains:
    id:
      description: The run's id.
      type: str
      sample: 20261125T031500Z-ab12cd34
    mode:
      description: V(drill), V(failover) or V(failback).
      type: str
      sample: drill
    state:
      description: As RV(state).
      type: str
      sample: passed
    started:
      description: When it was begun.
      type: str
      sample: "2026-11-25T03:15:00Z"
    finished:
      description: When it ended, or none.
      type: str
      sample: "2026-11-25T03:29:40Z"
    started_by:
      description: Who began it.
      type: str
      sample: alice
    reason:
      description: Why it failed or was aborted.
      type: str
      sample: ""
    objectives:
      description: Target and achieved RTO and RPO.
      type: dict
      sample: {rto: {target_seconds: 14400, achieved_seconds: 812.0, met: true}}
    plan_sha256:
      description: SHA-256 of the plan.
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
reason:
  description: Why it failed.
  returned: failure
  type: str
  sample: "The drill 20261125T031500Z-ab12cd34 of the site shop is not over: alice began it at 2026-11-25T03:15:00Z."
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Wait for its end.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: SiteTakenError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.dr_journal import ACTIONS, STEPS, dr_journal
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run
from ansible_collections.dfr.continuity.plugins.module_utils._drill.journal import DEFAULT_FOLDER
from ansible_collections.dfr.continuity.plugins.module_utils._drill.phases import MODES


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "action": {"type": "str", "choices": list(ACTIONS), "required": True},
            "state_dir": {"type": "path", "default": DEFAULT_FOLDER},
            "run_id": {"type": "str"},
            "site": {"type": "str"},
            "mode": {"type": "str", "choices": list(MODES)},
            "plan": {"type": "dict"},
            "accept_changed_plan": {"type": "bool", "default": False},
            "scenario": {"type": "str", "default": ""},
            "started_by": {"type": "str", "default": ""},
            "approved_by": {"type": "str", "default": ""},
            "interruption": {"type": "str"},
            "pid": {"type": "int"},
            "phase": {"type": "str"},
            "step": {"type": "str", "choices": list(STEPS)},
            "reason": {"type": "str", "default": ""},
            "next_step": {"type": "str", "default": ""},
            "details": {"type": "dict", "default": {}},
            "backup": {"type": "dict"},
            "data_sets": {"type": "list", "elements": "dict"},
            "checks": {"type": "list", "elements": "dict"},
            "plan_check": {"type": "str", "default": ""},
            "traffic": {"type": "list", "elements": "dict"},
            "isolation": {"type": "list", "elements": "dict"},
            "objectives": {"type": "dict"},
            "findings": {"type": "list", "elements": "dict"},
            "cleanup": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    run(module, dr_journal, needs_packages=False)


if __name__ == "__main__":
    main()
