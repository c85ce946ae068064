# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command says: the result on standard output, everything else on standard error."""

from __future__ import annotations

# This is a command line program: printing is what it is for.
# pylint: disable=ansible-bad-function
import json
import os
import re
import sys
import typing as t

from .._repository.errors import ContinuityError
from .progress_display import ProgressDisplay

#: Version of all JSON results: keys are only added within it.
SCHEMA = "dfr.continuity/command/1"


class Console:
    """The two streams of the command.

    :arg as_json: write the result as one JSON document instead of text.
    :arg quiet: show no progress and no remarks; errors and the result remain.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet

    def result(self, command: str, document: t.Mapping[str, t.Any], lines: t.Iterable[str]) -> None:
        """Write the result: the document, or the lines for people."""
        if self.as_json:
            whole = {"schema": SCHEMA, "command": command, **document}
            print(json.dumps(whole, indent=2))
        else:
            for line in lines:
                print(printable(line))
        sys.stdout.flush()

    def remark(self, text: str) -> None:
        """Tell something that is not the result, on standard error."""
        if not self.quiet:
            print(printable(text), file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Tell something that must be seen, on standard error."""
        print(f"warning: {printable(text)}", file=sys.stderr, flush=True)

    def tell(self, error: ContinuityError) -> None:
        """Tell what is wrong and what to do next, on standard error."""
        print(f"error: {printable(error.message)}", file=sys.stderr)
        if error.next_step:
            print(f"next step: {printable(error.next_step)}", file=sys.stderr, flush=True)

    def error(self, error: ContinuityError) -> None:
        """Tell what ended the command; for programs also on standard output."""
        self.tell(error)
        if self.as_json:
            told = {"kind": _kind(error), "message": error.message, "next_step": error.next_step}
            print(json.dumps({"schema": SCHEMA, "error": told}, indent=2), flush=True)

    def watch(self) -> ProgressDisplay:
        """Return what shows the progress of a piece of work while a ``with`` block runs."""
        return ProgressDisplay(sys.stderr, quiet=self.quiet)


def _kind(error: ContinuityError) -> str:
    """Return the kind of an error as programs read it: ``store_unreachable``."""
    name = type(error).__name__.removesuffix("Error")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def printable(text: str) -> str:
    """Return one line without anything that could move a terminal's cursor: names may hold any character."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def table(heads: t.Sequence[str], rows: t.Sequence[t.Sequence[str]], right: t.Collection[int] = ()) -> list[str]:
    """Return aligned lines. ``right`` holds the numbers of the columns aligned to the right."""
    every = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in every) for column in range(len(heads))]
    lines = []
    for row in every:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def silence_output() -> None:
    """Let nothing more be written to a standard output whose reader has gone (``continuity list | head``)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
