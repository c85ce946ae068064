# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a backed-up n8n, changed for the place where it is to run now."""

from __future__ import annotations

import typing as t

from .._files.reading import read_entries
from .._repository.errors import InputError
from .._repository.part_reader import PartReader
from .n8n_settings import NAME, Environment, parse_environment_file


def read_settings(reader: PartReader) -> Environment:
    """Return the settings that a part holds; raise :class:`~.._repository.errors.InputError` when it holds none."""
    if "settings" not in reader.record["facts"]:
        raise InputError(
            f"The part {reader.part} holds no settings of an n8n: it is a {reader.record['kind']}.",
            "Name the part of n8n that ends in .settings; `continuity info` lists the parts.",
        )
    (entry,) = read_entries(reader)
    text = b"".join(reader.read_stream(entry.data)).decode("utf-8", "surrogateescape")
    return parse_environment_file(text, f"the part {reader.part}")


def changed_settings(
    environment: t.Mapping[str, str], given: t.Mapping[str, t.Any], left_out: t.Collection[str]
) -> Environment:
    """Return the settings with some set otherwise and some left out.

    Raises :class:`~.._repository.errors.InputError` for a name that cannot be one, or that is both set and left out.
    """
    for name in (*given, *left_out):
        if not NAME.fullmatch(name):
            raise InputError(f"{name!r} cannot be the name of a setting.", "Use letters, digits and underscores.")
    if both := sorted(set(given) & set(left_out)):
        raise InputError(f"{', '.join(both)}: both set and left out.", "Do one of the two.")
    values = {name: _text(value) for name, value in given.items()}
    return {name: value for name, value in {**environment, **values}.items() if name not in left_out}


def _text(value: t.Any) -> str:
    """Return what n8n reads of a value: its truth is written in small letters."""
    return str(value).lower() if isinstance(value, bool) else str(value)
