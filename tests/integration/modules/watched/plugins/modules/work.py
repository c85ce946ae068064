#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A long piece of work: goes on until a file named ``until`` exists."""

from __future__ import annotations

import os
import signal
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.progress import ProgressFile


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "part": {"type": "str"},
            "until": {"type": "path"},
            "started": {"type": "path"},
            "stopped": {"type": "path"},
            "secret": {"type": "str", "no_log": True},
            "how": {"type": "str", "default": "well"},
        },
        supports_check_mode=True,
    )
    params = module.params
    if module.check_mode:
        module.exit_json(changed=True, worked=False)

    def stop(_signum, _frame):
        with open(params["stopped"], "w", encoding="utf-8") as file:
            file.write("stopped")
        module.fail_json(msg="stopped")

    signal.signal(signal.SIGTERM, stop)
    if params["started"]:
        with open(params["started"], "w", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n{os.path.dirname(os.environ.get('DFR_CONTINUITY_PROGRESS_FILE', ''))}\n")
    if params["how"] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    module.warn("look out")
    with ProgressFile(interval=0.1) as progress:
        progress.begin("dump shop", 3_000_000_000)
        progress.add(done=1_234_000_000, items=7)
        while params["until"] and not os.path.exists(params["until"]):
            time.sleep(0.05)
    if params["how"] == "badly":
        module.fail_json(msg="It went badly.", next_step="Try again.")
    module.exit_json(changed=True, worked=True, uid=os.getuid(), colour=os.environ.get("COLOUR"), echo=params["secret"])


if __name__ == "__main__":
    main()
