# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the help and the two pages show can be typed like that, and what JSON says is written down."""

from __future__ import annotations

import re
import shlex
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._command import exit_codes
from ansible_collections.dfr.continuity.plugins.module_utils._command.main import build_parser
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

from .conftest import Command

DOCS = Path(__file__).parents[3] / "docs"
PAGES = {page.name: page.read_text() for page in (DOCS / "command.md", DOCS / "recovery.md")}


def _parsers(parser: t.Any) -> t.Iterator[t.Any]:
    yield parser
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for below in action.choices.values():
                yield from _parsers(below)


def _commands(text: str) -> t.Iterator[str]:
    """Yield the command lines in a text: what follows the program's name, up to a pipe, a redirection or a remark."""
    joined = re.sub(r" \\\n\s*", " ", text)
    for line in joined.splitlines():
        found = re.match(r"(?: {2,4}|.*`)(?:\S*python3? )?continuity(?:\.pyz)? ([a-z]+ [^`]*)", line)
        if found:
            yield re.split(r" [|<] | {2,}| #|`", found[1])[0]


SHOWN = [
    *((name, command) for name, text in PAGES.items() for command in _commands(text)),
    *(
        (parser.prog, command)
        for parser in _parsers(build_parser())
        for command in _commands(parser.epilog or "")
        if parser.prog != "continuity"
    ),
]


def test_there_are_commands_to_be_looked_at() -> None:
    assert len(SHOWN) > 35
    assert {where.split()[0] for where, _command in SHOWN} == {"command.md", "recovery.md", "continuity"}


@pytest.mark.parametrize(("where", "command"), SHOWN, ids=lambda value: value)
def test_what_is_shown_can_be_typed(where: str, command: str) -> None:
    build_parser().parse_args(shlex.split(command.replace("…", "")))


def test_every_command_is_on_the_page() -> None:
    for parser in _parsers(build_parser()):
        if parser.get_default("run") is not None:
            assert " ".join(parser.prog.split()[:2]) in PAGES["command.md"], parser.prog


def test_every_option_of_the_pages_exists() -> None:
    known = {
        option for parser in _parsers(build_parser()) for action in parser._actions for option in action.option_strings
    }
    foreign = {"--progress", "--dest", "--no-index", "--find-links", "--exit-on-error", "--jobs", "--owner"}
    for name, text in PAGES.items():
        used = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text))
        assert used <= known | foreign, f"{name}: {used - known - foreign}"


def test_exit_codes_are_on_the_page_and_in_the_help() -> None:
    codes = {value for name, value in vars(exit_codes).items() if name.isupper()}
    for code in codes:
        assert re.search(rf"^\| {code} \|", PAGES["command.md"], re.MULTILINE), code
        assert re.search(rf"^  {code} ", build_parser().epilog or "", re.MULTILINE), code


def _keys(document: t.Any) -> set[str]:
    if isinstance(document, dict):
        # Facts are what the source says of itself, and `lacking` has parts as keys.
        return set(document).union(
            *(_keys(value) for name, value in document.items() if name not in ("facts", "lacking", "manifest"))
        )
    if isinstance(document, list):
        return set().union(*map(_keys, document))
    return set()


def test_every_key_of_a_json_result_is_on_the_page(site: Site, command: Command) -> None:
    site.configure(recovery_files={"FORMAT.md": b"text"})
    tree = site.root / "tree"
    tree.mkdir()
    (tree / "file").write_text("x")
    results = [
        command.host("backup", "files", tree, "--json"),
        command.person("list", "--json"),
        command.person("info", "--json"),
        command.person("info", "latest", "--json"),
        command.person("info", "latest", "db1.tree.tree", "--json"),
        command.person("verify", "all", "--bytes", "--json"),
        command.person("restore", "latest", "--all", "--target", site.root / "out", "--json"),
        command.person("restore", "latest", "db1.tree.tree", "--path", "file", "--output", site.root / "f", "--json"),
        command.person("files", "latest", "db1.tree.tree", "file", "--json"),
        command.bare("key", "recovery", "--no-passphrase", "--output", site.root / "k.pem", "--json"),
        command.bare("key", "identity", "--output", site.root / "i.pem", "--json"),
        command.bare("program", site.root, "--json"),
        command.bare("list", "--json", "--config", "/nonexistent"),
    ]
    assert [ended.code for ended in results] == [0] * 12 + [2]
    documented = set(re.findall(r"[`\"]([a-z0-9_]+)[`\"]", PAGES["command.md"]))
    for ended in results:
        assert _keys(ended.document) <= documented, _keys(ended.document) - documented
