#!/usr/bin/python
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: n8n_backup
short_description: Back up an n8n, with database, settings, encryption key and files
version_added: 0.1.0
description:
  - Takes one snapshot of the database, dumps it, and proves in it that the encryption key is the right one, by opening
    credentials offline. n8n goes on working.
  - Stores the key and all settings that n8n runs with, encrypted for the recipients of the repository, as a file of
    environment variables; and the files of the user folder, such as community nodes and binary data.
  - Makes the parts C(<prefix>.database), C(<prefix>.settings) and C(<prefix>.files) (and C(.files-1) and so on for
    folders that are elsewhere). A part that fails does not stop the others; the task fails when they are done.
  - A key that opens no credential fails the part C(settings). Credentials that do not open although others do are
    warned of.
  - n8n 1.x and 2.x on PostgreSQL, on a host or in a container.
author:
  - The dfr.continuity authors (@dfr)
extends_documentation_fragment:
  - dfr.continuity.attributes
  - dfr.continuity.attributes.watched
  - dfr.continuity.repository
  - dfr.continuity.part
  - dfr.continuity.connection
  - dfr.continuity.log
attributes:
  check_mode:
    support: full
    details:
      - Opens the repository, the database and the folders, proves the key, and writes nothing.
  diff_mode:
    support: none
options:
  prefix:
    description:
      - Beginning of the names of the parts, by custom the host and the system, such as V(db1.automation).
    type: str
    required: true
  env_file:
    description:
      - File of environment variables that n8n is started with, as systemd reads it. On this host, even when n8n is in
        a container.
    type: str
  unit:
    description:
      - Systemd unit that n8n runs as. The environment is that of its process, or what the unit says when it is stopped.
    type: str
  environment:
    description:
      - Settings by name. They go before those found elsewhere.
      - Secrets are refused here, since Ansible shows and logs this option. They belong into O(env_file),
        O(encryption_key) and O(connection).
    type: dict
  encryption_key:
    description:
      - The encryption key, where it is neither in C(N8N_ENCRYPTION_KEY) nor in the file C(config) of n8n's folder.
    type: str
  user_folder:
    description:
      - Directory that holds C(.n8n). By default C(N8N_USER_FOLDER) of the settings, or the home of n8n's process.
    type: str
  more_folders:
    description:
      - Folders outside O(user_folder) that belong to n8n. By default what C(N8N_BINARY_DATA_STORAGE_PATH),
        C(N8N_STORAGE_PATH) and C(N8N_CUSTOM_EXTENSIONS) name.
    type: list
    elements: str
  exclude:
    description:
      - Patterns of what to leave out of the folders, besides caches, the event log and the mark of a crash.
    type: list
    elements: str
    default: []
  database:
    description:
      - Name of the database. By default as the settings say.
    type: str
  connection:
    description:
      - Which PostgreSQL server, and as whom. By default as the settings say, which in a container may be a name that
        only containers know.
  container:
    description:
      - Name or id of the running Docker or Podman container that n8n is in; its settings are those of the container
        unless O(env_file) or O(unit) is given. Nothing needs to be installed in it. The database's container is
        O(connection.container).
    type: str
  engine:
    description:
      - Engine of O(container). By default the one that has the container.
    type: str
    choices: [podman, docker]
  parts:
    description:
      - Which parts to make.
    type: list
    elements: str
    choices: [database, settings, files]
    default: [database, settings, files]
  lock_timeout:
    description:
      - Seconds to wait for tables that someone has locked against reading.
    type: int
    default: 300
  checksums:
    description:
      - Whether to count and checksum the rows of every table too, in the same snapshot, so that a restore can prove to
        be the same. Reads the database a second time.
    type: bool
    default: false
requirements:
  - pg_dump, pg_dumpall and psql, at least as new as the server
seealso:
  - module: dfr.continuity.n8n_settings
  - module: dfr.continuity.n8n_isolate
  - module: dfr.continuity.n8n_check
  - module: dfr.continuity.database_restore
  - module: dfr.continuity.file_restore
"""

EXAMPLES = r"""
- name: Back up the n8n that runs as a systemd unit
  dfr.continuity.n8n_backup:
    repository: "{{ continuity_repository }}"
    backup_id: "{{ backup_id }}"
    prefix: "{{ inventory_hostname }}.automation"
    unit: n8n.service
  register: automation

- name: Back up an n8n in containers
  dfr.continuity.n8n_backup:
    repository: "{{ continuity_repository }}"
    backup_id: "{{ backup_id }}"
    prefix: "{{ inventory_hostname }}.automation"
    container: n8n
    connection:
      container: n8n-postgres
      user: n8n
"""

RETURN = r"""
backup_id:
  description: The backup that the parts belong to.
  returned: success
  type: str
  sample: 20261122T050301Z-1f2e3d4c
n8n:
  description: >-
    What is, or in check mode would be, backed up. The series is V(1), V(2), or V(1 or 2) where the database does not
    tell.
  returned: when the repository could be opened
  type: dict
  sample: {database: n8n, folder: /home/node/.n8n, series: "2"}
key:
  description: What the encryption key opens.
  returned: when the repository could be opened
  type: dict
  contains:
    proved_by:
      description: >-
        V(credentials), V(data keys) (of key rotation, where there are no credentials yet), or V(nothing), when n8n has
        encrypted nothing so far or the key could not be tried.
      type: str
      sample: credentials
    credentials:
      description: Number of credentials in the database.
      type: int
      sample: 12
    tried:
      description: How many of them were tried, the newest first.
      type: int
      sample: 12
    opened:
      description: How many of them open with the key.
      type: int
      sample: 12
    formats:
      description: How many of them are encrypted under the instance key, and how many under a rotated one.
      type: dict
      sample: {instance key: 12}
parts:
  description: What became of each part.
  returned: always, except in check mode and when the options are wrong
  type: list
  elements: dict
  contains:
    part:
      description: Name of the part.
      type: str
      sample: db1.automation.settings
    kind:
      description: Kind of the part.
      type: str
      sample: file
    status:
      description: V(success), V(partial) or V(failure).
      type: str
      sample: success
    started:
      description: When the work on it began, unless it failed. The same holds for all below.
      type: str
      sample: "2026-11-22T05:03:11Z"
    finished:
      description: When it was complete.
      type: str
      sample: "2026-11-22T05:03:51Z"
    duration_seconds:
      description: How long it took.
      type: float
      sample: 40.0
    size:
      description: Bytes of source data.
      type: int
      sample: 2512345678
    new:
      description: Bytes of source data that the repository did not have before.
      type: int
      sample: 1234567
    stored:
      description: Bytes written to the repository for them, compressed and encrypted.
      type: int
      sample: 412345
    facts:
      description: Versions, numbers of files and the like.
      type: dict
      sample: {files: 1, settings: 23}
outcomes:
  description: What became of each part, in the form that O(dfr.continuity.backup_summary#module:parts) takes.
  returned: always, except in check mode
  type: list
  elements: dict
  sample:
    - {name: db1.automation.database, host: db1, kind: database, status: success, reason: "", next_step: ""}
size:
  description: Bytes of source data, all parts together.
  returned: when the repository could be opened, not in check mode
  type: int
  sample: 5512345678
stored:
  description: Bytes newly written to the repository, all parts together.
  returned: when the repository could be opened, not in check mode
  type: int
  sample: 812345
reason:
  description: Why it failed; of the first part that failed.
  returned: failure
  type: str
  sample: The encryption key of n8n from encryption_key opens none of the 12 credentials of the database n8n.
next_step:
  description: What to do now.
  returned: failure
  type: str
  sample: Find the key that this n8n runs with.
error:
  description: Kind of the failure.
  returned: failure
  type: str
  sample: WrongKeyError
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dfr.continuity.plugins.module_utils._ansible.argument_spec import (
    BACKUP_PART,
    CONNECTION,
    LOG,
    REPOSITORY,
)
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.n8n_backup import PARTS, SPEC, n8n_backup
from ansible_collections.dfr.continuity.plugins.module_utils._ansible.running import run
from ansible_collections.dfr.continuity.plugins.module_utils._status.log import Step


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **REPOSITORY,
            **BACKUP_PART,
            **CONNECTION,
            **LOG,
            **SPEC,
            "prefix": {"type": "str", "required": True},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "parts": {"type": "list", "elements": "str", "choices": list(PARTS), "default": list(PARTS)},
            "lock_timeout": {"type": "int", "default": 300},
            "checksums": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("env_file", "unit")],
        required_one_of=[("env_file", "unit", "container", "environment")],
        supports_check_mode=True,
    )
    params = module.params
    step = Step("n8n_backup", params["backup_set"] or "", params["backup_id"], params["prefix"])
    run(module, n8n_backup, step)


if __name__ == "__main__":
    main()
