# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place in this package that imports dnspython; see :mod:`.._repository.third_party` for the reasons."""

from __future__ import annotations

import sys
import traceback

from .._repository.errors import DependencyError

MISSING: dict[str, str] = {}

try:
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.query
    import dns.rcode
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype
    import dns.resolver
    import dns.rrset
    import dns.tsig
    import dns.update
except ImportError:
    MISSING["dnspython >= 2.6"] = traceback.format_exc()
    dns = None  # type: ignore[assignment]


def require() -> None:
    """Raise :class:`~.._repository.errors.DependencyError` when this interpreter lacks dnspython."""
    if MISSING:
        raise DependencyError(
            f"The Python interpreter {sys.executable} has no dnspython.",
            f"Install it, for example with: {sys.executable} -m pip install 'dnspython>=2.6'",
        )


__all__ = ["MISSING", "dns", "require"]
