# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a restored application harmless before its database gets its name, whichever application it is."""

from __future__ import annotations

import typing as t

from .._postgres.programs import Client
from .._repository.part_reader import PartReader
from . import odoo_neutralise
from .n8n_database import Tables
from .n8n_isolate import isolator


def neutraliser(reader: PartReader) -> t.Callable[[Client, str], None]:
    """Return what ``restore_database`` takes as ``finish``: for a part of n8n's its isolation, else Odoo's own SQL.

    Raises :class:`~.._repository.errors.InputError` when the part is of neither.
    """
    n8n = reader.record["facts"].get("n8n")
    if n8n is not None:
        return isolator(Tables(n8n["schema"], n8n["table_prefix"]))
    return odoo_neutralise.neutraliser(reader)
