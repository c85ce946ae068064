# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what this interpreter is, as JSON: its version, whether it has ensurepip and pip, which packages do not work."""

import importlib
import importlib.util
import json
import sys

missing = {}
for name in ("cryptography.hazmat.primitives.hpke", "zstandard", "boto3", "dns.update"):
    try:
        importlib.import_module(name)
    except Exception as error:  # a wheel for another libc or processor raises more than ImportError
        missing[name.partition(".")[0]] = str(error)

print(
    json.dumps(
        {
            "version": ".".join(map(str, sys.version_info[:3])),
            "ensurepip": importlib.util.find_spec("ensurepip") is not None,
            "pip": importlib.util.find_spec("pip") is not None,
            "missing": missing,
        }
    )
)
