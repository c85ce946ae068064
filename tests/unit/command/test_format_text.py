# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The format document inside the program is the one in docs/, to the letter.

After a change of docs/repository-format.md:

    tests/environment/run python -m ansible_collections.dfr.continuity.tests.unit.command.test_format_text
"""

from __future__ import annotations

from pathlib import Path

from ansible_collections.dfr.continuity.plugins.module_utils._command import format_text

DOCUMENT = Path(__file__).parents[3] / "docs" / "repository-format.md"
MODULE = Path(__file__).parents[3] / "plugins" / "module_utils" / "_command" / "format_text.py"
_LICENCE = "".join(Path(__file__).read_text().splitlines(keepends=True)[:3])
_HEAD = '''"""The text of docs/repository-format.md, which every repository carries as recovery/FORMAT.md.

Written by tests/unit/command/test_format_text.py, which also compares the two; change the document, not this.
"""

from __future__ import annotations

FORMAT_TEXT = """\\
'''
_WIDTH = 120


def module_source(document: str) -> str:
    """Return the module that holds the document; its long lines are broken, which the string does not show."""
    escaped = document.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return _LICENCE + _HEAD + "".join(map(_broken, escaped.splitlines(keepends=True))) + '"""\n'


def _broken(line: str) -> str:
    pieces = []
    while len(line) > _WIDTH + 1:
        cut = line.rfind(" ", 1, _WIDTH - 1)
        pieces.append(line[:cut] + "\\\n")
        line = line[cut:]
    return "".join([*pieces, line])


def test_the_program_holds_the_document() -> None:
    assert DOCUMENT.read_text() == format_text.FORMAT_TEXT, __doc__


def test_the_module_is_as_written() -> None:
    assert MODULE.read_text() == module_source(DOCUMENT.read_text()), __doc__


if __name__ == "__main__":
    MODULE.write_text(module_source(DOCUMENT.read_text()))
