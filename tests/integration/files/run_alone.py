# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup or a restore as a process of its own, to be killed or measured from outside. Prints its peak memory."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ansible_collections.dfr.continuity.plugins.module_utils._files.backup import backup_tree
from ansible_collections.dfr.continuity.plugins.module_utils._files.restore import restore_tree
from ansible_collections.dfr.continuity.plugins.module_utils._repository.keys import load_recovery_key
from ansible_collections.dfr.continuity.plugins.module_utils._repository.repository import open_repository
from ansible_collections.dfr.continuity.tests.environment.processes import peak_memory
from ansible_collections.dfr.continuity.tests.integration.files.scene import PART, use_processes


def main() -> None:
    """Do what the first argument says, in the way of the second, in the repository that the third one describes."""
    action, how, access, backup_id, where, *key = sys.argv[1:]
    if how == "processes":
        use_processes(setattr)
    facts = {}
    if action == "backup":
        with (
            open_repository(json.loads(access)) as repository,
            repository.write_part(backup_id, PART, kind="tree") as part,
        ):
            facts = backup_tree(part, where).record["facts"]
    else:
        recovery_key = load_recovery_key(Path(key[0]).read_bytes(), None)
        with (
            open_repository(json.loads(access), recovery_key) as repository,
            repository.open_part(backup_id, PART, recovery_key) as reader,
        ):
            result = restore_tree(reader, where)
            facts = {"written": result.written, "unchanged": result.unchanged}
    print(json.dumps({**facts, "peak": peak_memory()}))


if __name__ == "__main__":
    main()
