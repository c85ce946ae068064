# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local connection, lost while the file named in the environment variable ``LOST`` exists."""

from __future__ import annotations

import os

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
name: unsteady
short_description: A connection that can be lost
description: For tests.
author: The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - connection_pipelining
"""


class Connection(Local):
    """See above."""

    transport = "test.watched.unsteady"

    def exec_command(self, cmd, in_data=None, sudoable=True):
        """Run a command, unless the connection is lost."""
        if os.path.exists(os.environ["LOST"]):
            with open(os.environ["LOST"], "a", encoding="utf-8") as file:
                file.write("asked\n")
            raise AnsibleConnectionFailure("no route to host")
        return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
