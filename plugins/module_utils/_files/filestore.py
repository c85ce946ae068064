# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo's filestore: a file's name is the SHA-1 of its content (``ir_attachment._get_path`` in Odoo 14 to 19).

Odoo writes files in place, without rename: until the content is what the name says, somebody may still be writing.
"""

from __future__ import annotations

import re

_CONTENT_ADDRESS = re.compile(rb"([0-9a-f]{2})/(\1[0-9a-f]{38})")


def content_address(path: bytes) -> str | None:
    """Return the SHA-1, in hexadecimal, that the content of a file in a filestore must have.

    None for a file that is named otherwise, such as the collector's marks in ``checklist/``.
    """
    found = _CONTENT_ADDRESS.fullmatch(path)
    return found[2].decode() if found else None
