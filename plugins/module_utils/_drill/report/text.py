# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts from anywhere (names, answers of servers, messages) made fit to be shown, and values written as text."""

from __future__ import annotations

import json
import typing as t
import unicodedata

#: More of one value than this does not help a reader; report.json has the whole.
LONGEST = 1500


def visible(text: str) -> str:
    """Return a text in which every character can be seen.

    Control characters, those that turn the direction of writing (with which a text can be made to look like another)
    and lone surrogates, which no file can hold, are written as ``\\u…``. Line breaks and tabs are kept.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        f"\\u{ord(one):04x}" if one not in "\n\t" and unicodedata.category(one) in ("Cc", "Cf", "Cs", "Co") else one
        for one in text.replace("\r\n", "\n")
    )


def one_line(text: str) -> str:
    """Return a text without line breaks, such as the subject of an e-mail must be."""
    return " ".join(visible(text).split())


def shown(value: t.Any, longest: int = 60) -> str:
    """Write a value for a message about it."""
    text = one_line(repr(value))
    return text if len(text) <= longest else text[:longest] + "…"


def written(value: t.Any) -> str:
    """Write any value of a document as people expect it: texts bare, the rest as JSON; "" for none."""
    return cut(_whole(value))


def pairs(values: t.Mapping[str, t.Any]) -> str:
    """Write a dictionary with one line for each key."""
    return cut("\n".join(f"{visible(str(name))}: {_whole(value)}" for name, value in values.items()))


def _whole(value: t.Any) -> str:
    if value is None:
        return ""
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def cut(text: str) -> str:
    """Shorten a text that is too long to be shown."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… (report.json has all {len(text)} characters)"
