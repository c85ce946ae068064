# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packing the command into one file.

The file is a zip application (https://docs.python.org/3/library/zipapp.html) that holds the modules reachable by
imports from :mod:`.main`, in their packages, so that relative imports work unchanged. It is built from wherever this
module runs: a checkout, a payload that Ansible sent (a zip file, in which only imported modules are), or the program
itself; hence sources are asked from the import system, and dependencies are followed like Ansible follows them.

The same sources give the same bytes everywhere: sorted names, one fixed time, no compression.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import io
import typing as t
import zipfile

from . import main as _entry_point
from .format_text import FORMAT_TEXT

#: The package that holds `_command`, `_repository` … in the program.
PACKAGE = "dfr_continuity"
PROGRAM_NAME, FORMAT_NAME = "continuity.pyz", "FORMAT.md"
_HEADER = b"#!/usr/bin/env python3\n"
#: The earliest time that a zip archive can hold.
_TIME = (1980, 1, 1, 0, 0, 0)
_MAIN = f'''\
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at, verify and restore backups of dfr.continuity. Needs Python 3.10, cryptography and zstandard."""
import sys

if sys.version_info < (3, 10):
    sys.stderr.write("error: this is Python %d.%d\\nnext step: Use Python 3.10 or newer.\\n" % sys.version_info[:2])
    sys.exit(2)

from {PACKAGE}._command.main import main

sys.exit(main())
'''


def build_program() -> bytes:
    """Return the program: one file that runs with ``python3 continuity.pyz``, or by itself when executable."""
    files = {"__main__.py": _MAIN, f"{PACKAGE}/__init__.py": ""}
    for name, source in _sources().items():
        files[f"{PACKAGE}/{name}"] = source
    archive = io.BytesIO()
    archive.write(_HEADER)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as zipped:
        for name in sorted(files):
            zipped.writestr(_entry(name), files[name].encode())
    return archive.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.create_system = 3  # Unix, whatever this runs on
    entry.external_attr = 0o644 << 16
    return entry


def recovery_files() -> dict[str, bytes]:
    """Return what a repository carries under ``recovery/``: the program, and the specification of the format."""
    return {PROGRAM_NAME: build_program(), FORMAT_NAME: FORMAT_TEXT.encode()}


def _sources() -> dict[str, str]:
    """Return path and source of each module that :mod:`.main` needs, itself and all packages above included."""
    root = __name__.rsplit(".", 2)[0]
    found: dict[str, str] = {}
    waiting = [_entry_point.__name__]
    seen = {root}
    while waiting:
        name = waiting.pop()
        if name in seen or not name.startswith(root + "."):
            continue
        seen.add(name)
        source = _source_of(name)
        if source is None:
            # What "from package import name" names need not be a module.
            continue
        text, is_package = source
        path = name[len(root) + 1 :].replace(".", "/")
        found[path + ("/__init__.py" if is_package else ".py")] = text
        waiting.append(name.rpartition(".")[0])
        waiting += _imports(text, name if is_package else name.rpartition(".")[0])
    return found


def _source_of(name: str) -> tuple[str, bool] | None:
    """Return a module's source and whether it is a package, or None when there is no such module."""
    try:
        specification = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        # Its parent is a module, not a package: a name in that module is meant.
        return None
    if specification is None:
        return None
    loader: t.Any = specification.loader
    text = loader.get_source(name)
    if text is None:
        raise ImportError(f"{name} has no source to be packed", name=name)
    return text, specification.submodule_search_locations is not None


def _imports(source: str, package: str) -> t.Iterator[str]:
    """Yield the full names of what a module imports relatively, in functions too; modules and names in modules."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield base
            for alias in node.names:
                yield f"{base}.{alias.name}"
