# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the entries of a tree refer to: for whoever verifies a backup without knowing what a tree is."""

from __future__ import annotations

import typing as t

from .._repository.part_reader import PartReader
from .._repository.references import StreamReference
from .entries import decode, split_lines
from .findings import show


def file_contents(reader: PartReader) -> t.Iterator[tuple[str, StreamReference]]:
    """Yield path and content of every file of a part, in order."""
    for line in split_lines(reader.read_stream(reader.streams["entries"])):
        entry = decode(line)
        if entry.content is not None:
            yield show(entry.path), entry.content


#: By the kind of a part.
NESTED_REFERENCES = {"tree": file_contents, "odoo_filestore": file_contents, "file": file_contents}
