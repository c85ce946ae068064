# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of a drill, a failover and a failback, in the order in which they run."""

from __future__ import annotations

DRILL, FAILOVER, FAILBACK = "drill", "failover", "failback"
MODES = (DRILL, FAILOVER, FAILBACK)

FUNCTIONAL_TESTS, REPORT, CLEAN_UP, COMMIT = "functional_tests", "report", "clean_up", "commit"

#: Name and title of every phase.
TITLES = {
    "declare": "Declare the loss of the primary site",
    "preflight": "Check what can be checked beforehand",
    "activate_site": "Activate the site",
    "choose_backup": "Choose the backup",
    "restore_database": "Restore the databases",
    "recovery_point": "Measure the recovery point",
    "restore_files": "Restore files and objects",
    "start_services": "Start the services",
    "switch_traffic": "Switch the traffic",
    FUNCTIONAL_TESTS: "Test the functions",
    "recovery_time": "Measure the recovery time",
    REPORT: "Write the report",
    CLEAN_UP: "Clean up",
    COMMIT: "Commit",
}


def phases_of(mode: str) -> tuple[str, ...]:
    """Return the names of a mode's phases in order: a drill is cleaned up, the others are committed."""
    other = COMMIT if mode == DRILL else CLEAN_UP
    return tuple(name for name in TITLES if name != other)
