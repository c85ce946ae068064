# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes that modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """``dfr.continuity.attributes`` for all modules, ``…attributes.watched`` for those with an action plugin."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode, and then changes nothing and tells what would be done.
  diff_mode:
    description: Returns what has changed, or in check mode would change, when in diff mode.
  platform:
    description: Operating systems the module can run on.
    platforms: posix
    support: full
"""

    WATCHED = r"""
options: {}
attributes:
  async:
    description: Can be used with C(async).
    support: full
    details:
      - The progress is displayed only without C(async).
  action:
    description: Has a counterpart on the controller.
    support: full
    details:
      - It runs the module in the background of the target, and displays a line with bytes, rate and remaining time
        every 8 seconds. The variable C(dfr_continuity_progress_interval), the environment variable
        E(DFR_CONTINUITY_PROGRESS_INTERVAL), or C(progress_interval) in the section C([dfr_continuity]) of
        C(ansible.cfg) sets another number of seconds; 0 displays nothing.
      - A lost connection does not end the work. Interrupting C(ansible-playbook), and the C(timeout) of the task, do.
      - The connection must be able to feed standard input (C(ssh), C(local), C(docker) and C(podman) can), and so must
        the become plugin; the module runs unwatched otherwise.
"""
