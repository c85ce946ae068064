# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns over paths: what a backup leaves out, and what a restore picks.

The rules are those of ``.gitignore`` without negation (gitignore(5), "Pattern format"):

* ``*``, ``?`` and ``[a-z]`` (``[!a-z]``) do not match a slash; ``**`` as a whole component matches any number of them;
* a backslash takes the next character literally;
* a pattern that ends in a slash is for directories only;
* an *exclude* pattern with a slash before its end starts at the root of the tree, one without matches a name at any
  depth; a *selection* pattern always starts at the root of the tree;
* whatever is below something that matches, matches too.
"""

from __future__ import annotations

import re
import typing as t

from .._repository.errors import InputError


def _component(text: bytes, pattern: str) -> bytes:
    """Translate one component of a pattern to a regular expression."""
    pieces, position = [], 0
    while position < len(text):
        character = text[position : position + 1]
        position += 1
        if character == b"*":
            pieces.append(b"[^/]*")
            position += len(text[position:]) - len(text[position:].lstrip(b"*"))
        elif character == b"?":
            pieces.append(b"[^/]")
        elif character == b"[":
            found, position = _character_class(text, position, pattern)
            pieces.append(found)
        elif character == b"\\" and position < len(text):
            pieces.append(re.escape(text[position : position + 1]))
            position += 1
        else:
            pieces.append(re.escape(character))
    return b"".join(pieces)


def _character_class(text: bytes, position: int, pattern: str) -> tuple[bytes, int]:
    """Translate what follows a ``[``; return it and where the pattern goes on."""
    end = text.find(b"]", position + (2 if text[position : position + 1] in (b"!", b"^") else 1))
    if end < 0:
        raise InputError(f"The pattern {pattern!r} has a [ without a ].", "Write \\[ for the character itself.")
    inside = text[position:end]
    negated = inside[:1] in (b"!", b"^")
    members = re.sub(rb"([\\\[\]^&~|])", rb"\\\1", inside[1:] if negated else inside)
    return (b"(?!/)[" + (b"^" if negated else b"") + members + b"]"), end + 1


def _translate(pattern: str, anchored: bool) -> tuple[bytes, bool]:
    """Return the regular expression of a pattern, and whether it is for directories only."""
    if not pattern.strip("/") or "\0" in pattern:
        raise InputError(f"The pattern {pattern!r} is empty.", "Give a name or a path with wildcards, such as *.log.")
    if pattern.startswith("!"):
        raise InputError(
            f"The pattern {pattern!r} starts with !, which would take something in again; that is not supported.",
            "Write narrower patterns, or \\! for a name that starts with an exclamation mark.",
        )
    text = pattern.encode("utf-8", "surrogateescape")
    only_directories = text.endswith(b"/")
    components = text.strip(b"/").split(b"/")
    anchored = anchored or text.startswith(b"/") or len(components) > 1
    expression = b"" if anchored else b"(?:.*/)?"
    last = len(components) - 1
    for number, component in enumerate(components):
        if component != b"**":
            expression += _component(component, pattern) + (b"/" if number < last else b"")
        elif number == last:
            expression += b".+"
        else:
            expression += b"(?:.*/)?"
    try:
        re.compile(expression)
    except re.error as error:
        raise InputError(f"The pattern {pattern!r} cannot be used: {error}.", "Correct it.") from error
    return expression, only_directories


class Exclusion:
    """What a backup leaves out. Whoever walks the tree does not descend into a directory that matches."""

    def __init__(self, patterns: t.Sequence[str], paths: t.Sequence[bytes] = ()) -> None:
        """Take patterns, and ``paths`` that are taken for what they are."""
        translated = [_translate(pattern, False) for pattern in patterns]
        translated += [(re.escape(path), False) for path in paths]
        self._any = _union([expression for expression, only_directories in translated if not only_directories])
        self._directories = _union([expression for expression, _only in translated])

    def matches(self, path: bytes, is_directory: bool) -> bool:
        """Tell whether ``path``, relative to the root of the tree, is left out."""
        expression = self._directories if is_directory else self._any
        return expression is not None and expression.fullmatch(path) is not None

    def __bool__(self) -> bool:
        return self._directories is not None


class Selection:
    """What a restore picks: paths, or patterns, with all that is below them. Nothing given picks everything."""

    def __init__(self, patterns: t.Sequence[str]) -> None:
        self.patterns = tuple(patterns)
        self._each = [_union([self._expression(pattern)]) for pattern in patterns]
        self._all = _union([self._expression(pattern) for pattern in patterns])
        self._unused = set(range(len(self.patterns)))

    @staticmethod
    def _expression(pattern: str) -> bytes:
        expression, _only_directories = _translate(pattern, True)
        # A path as a listing shows it is taken for what it is, even if it holds a character that patterns use.
        literal = re.escape(pattern.encode("utf-8", "surrogateescape").strip(b"/"))
        return b"(?:" + literal + b"|" + expression + b")(?:/.*)?"

    def matches(self, path: bytes) -> bool:
        """Tell whether ``path``, relative to the root of the tree, is picked; remember which pattern did."""
        if self._all is None:
            return True
        if self._all.fullmatch(path) is None:
            return False
        for number in list(self._unused):
            expression = self._each[number]
            if expression is not None and expression.fullmatch(path):
                self._unused.discard(number)
        return True

    @property
    def everything(self) -> bool:
        """Tell whether no pattern was given."""
        return self._all is None

    def unmatched(self) -> list[str]:
        """Return the patterns that have picked nothing so far."""
        return [self.patterns[number] for number in sorted(self._unused)]


def _union(expressions: list[bytes]) -> re.Pattern[bytes] | None:
    if not expressions:
        return None
    return re.compile(b"|".join(b"(?:" + expression + b")" for expression in expressions), re.DOTALL)
