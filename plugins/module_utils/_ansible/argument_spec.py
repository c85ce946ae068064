# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs that several modules share; the doc fragments of the same names describe them."""

from __future__ import annotations

import typing as t

from .._repository.keys import KEMS
from .._repository.stores.s3_options import ADDRESSING, CHECKSUMS, DEFAULT_DEADLINE
from .._status.log import DEFAULT_FILE

Spec = dict[str, t.Any]

S3: Spec = {
    "endpoint": {"type": "str"},
    "region": {"type": "str"},
    "access_key": {"type": "str", "no_log": False},
    "secret_key": {"type": "str", "no_log": True},
    "session_token": {"type": "str", "no_log": True},
    "addressing": {"type": "str", "choices": list(ADDRESSING), "default": "auto"},
    "ca_file": {"type": "path"},
    "checksums": {"type": "str", "choices": list(CHECKSUMS), "default": "when_supported"},
    "deadline": {"type": "float", "default": DEFAULT_DEADLINE},
}

SPOOL: Spec = {
    "path": {"type": "path", "required": True},
    # A text, since sizes have units; what it may be is checked where it is used.
    "limit": {"type": "str", "required": True},
}

#: Of a part that waits; :meth:`.parts.Written.outcome` makes it.
SPOOLED_PART: Spec = {
    "bytes": {"type": "int", "required": True},
    "path": {"type": "str", "required": True},
    "reason": {"type": "str", "required": True},
    "next_step": {"type": "str"},
    "part_status": {"type": "str", "choices": ["success", "partial"], "default": "success"},
    "part_reason": {"type": "str"},
    "part_next_step": {"type": "str"},
}

REPOSITORY: Spec = {
    "repository": {
        "type": "dict",
        "required": True,
        "options": {
            "location": {"type": "str", "required": True},
            "trust": {"type": "list", "elements": "str"},
            "identity_file": {"type": "path"},
            "host": {"type": "str"},
            "cache_dir": {"type": "path", "default": "/var/cache/dfr-continuity"},
            "s3": {"type": "dict", "options": S3},
            "spool": {"type": "dict", "options": SPOOL},
        },
    },
}

OPTIONAL_REPOSITORY: Spec = {"repository": {**REPOSITORY["repository"], "required": False}}

RECOVERY_KEY: Spec = {
    "recovery_key": {
        "type": "dict",
        # Spelled out, because the name says "key" and the parts that are secret are marked themselves.
        "no_log": False,
        "options": {
            "content": {"type": "str", "no_log": True},
            "path": {"type": "path"},
            "passphrase": {"type": "str", "no_log": True},
        },
        "mutually_exclusive": [("content", "path")],
        "required_one_of": [("content", "path")],
    },
}

NEEDED_RECOVERY_KEY: Spec = {"recovery_key": {**RECOVERY_KEY["recovery_key"], "required": True}}

CONNECTION: Spec = {
    "connection": {
        "type": "dict",
        "options": {
            "host": {"type": "str"},
            "port": {"type": "int"},
            "user": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "maintenance_database": {"type": "str", "default": "postgres"},
            "sslmode": {
                "type": "str",
                "choices": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
            },
            "sslrootcert": {"type": "str"},
            "container": {"type": "str"},
            "engine": {"type": "str", "choices": ["podman", "docker"]},
            "run_as": {"type": "str"},
            "programs": {"type": "path"},
            "connect_timeout": {"type": "int", "default": 15},
        },
    },
}

#: Where in a database n8n's tables are.
N8N_TABLES: Spec = {
    "schema": {"type": "str", "default": "public"},
    "table_prefix": {"type": "str", "default": ""},
}

LOG: Spec = {"log_file": {"type": "path", "default": DEFAULT_FILE}}

BACKUP_PART: Spec = {
    "backup_id": {"type": "str", "required": True},
    "backup_set": {"type": "str"},
}

#: How web servers are reached.
WEB: Spec = {
    "resolve": {"type": "dict"},
    "ca_file": {"type": "path"},
    "timeout": {"type": "float", "default": 20.0},
}

#: What all checks take.
CHECK: Spec = {
    "wait": {"type": "float", "default": 0.0},
    "fail": {"type": "bool", "default": True},
}

#: What a check of one thing takes besides.
NAMED_CHECK: Spec = {
    **CHECK,
    "name": {"type": "str", "required": True},
    "service": {"type": "str", "required": True},
    "mandatory": {"type": "bool", "default": True},
}

KEY_TYPES = list(KEMS)
