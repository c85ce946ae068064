# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``connection``."""

from __future__ import annotations


class ModuleDocFragment:
    """See :data:`plugins.module_utils._ansible.argument_spec.CONNECTION`."""

    DOCUMENTATION = r"""
options:
  connection:
    description:
      - Which PostgreSQL server, and as whom.
      - By default the server at the default Unix socket, as the user the module runs as.
    type: dict
    suboptions:
      host:
        description:
          - Host name, address, or directory of the Unix socket. In a container, as seen from inside it.
        type: str
      port:
        description:
          - TCP port, or the number in the name of the socket.
        type: int
      user:
        description:
          - PostgreSQL role.
          - By default O(connection.run_as) or the user the module runs as; in a container V(postgres).
        type: str
      password:
        description:
          - Password of the role. It appears in no process argument, environment or file.
        type: str
      maintenance_database:
        description:
          - Database to be connected to while another one is created or renamed.
        type: str
        default: postgres
      sslmode:
        description:
          - Whether to use TLS, and what to check, as in libpq.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      sslrootcert:
        description:
          - Path of the certificate of the authority, or V(system).
        type: str
      container:
        description:
          - Name or id of the Docker or Podman container that the server runs in. Nothing needs to be installed in it.
        type: str
      engine:
        description:
          - The container engine. By default the one that has the container.
        type: str
        choices: [podman, docker]
      run_as:
        description:
          - Operating system user to run the client programs as, for peer authentication. The module must run as root
            or as this user.
        type: str
      programs:
        description:
          - Directory of C(pg_dump), C(pg_restore) and C(psql). By default the most suitable ones are searched for.
        type: path
      connect_timeout:
        description:
          - Seconds to wait for the server to answer.
        type: int
        default: 15
"""
