# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that talk to DNS servers."""

from __future__ import annotations


class ModuleDocFragment:
    """``dfr.continuity.dns``"""

    DOCUMENTATION = r"""
options:
  zone:
    description:
      - Name of the zone.
    type: str
    required: true
  record:
    description:
      - The whole name of the record.
    type: str
    required: true
  type:
    description:
      - Type of the record.
    type: str
    choices: [A, AAAA, CNAME]
    default: A
  key_name:
    description:
      - Name of the TSIG key that signs what is asked; without it nothing is signed.
    type: str
  key_secret:
    description:
      - The key's secret, in base64.
    type: str
  key_algorithm:
    description:
      - The key's algorithm.
    type: str
    choices: [hmac-sha256, hmac-sha384, hmac-sha512]
    default: hmac-sha256
requirements:
  - dnspython >= 2.6
"""
