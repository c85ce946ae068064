# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers of docs/architecture.md: imports point down only, and third-party packages come in by one door each."""

from __future__ import annotations

import ast
import typing as t
from pathlib import PurePath

import pytest

from .checkout import CHECKOUT, source_files

_ROOT = PurePath("plugins/module_utils")
_LAYERS = {
    "_repository": set[str](),
    "_status": {"_repository.errors"},
    "_files": {"_repository"},
    "_postgres": {"_repository"},
    "_drill": {"_repository", "_status"},
    "_apps": {"_drill", "_files", "_postgres", "_repository"},
    "_command": {"_apps", "_files", "_postgres", "_repository", "_status"},
    "_ansible": {"_apps", "_command", "_drill", "_files", "_postgres", "_repository", "_status"},
}
_DOORS = {
    "cryptography": "_repository/third_party.py",
    "zstandard": "_repository/third_party.py",
    "boto3": "_repository/stores/s3.py",
    "botocore": "_repository/stores/s3.py",
    "dns": "_drill/dns_library.py",
}
_HEADER = """\
# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""


def _sources() -> list[PurePath]:
    return [PurePath(name).relative_to(_ROOT) for name in source_files(f"{_ROOT}/**/*.py")]


class Import(t.NamedTuple):
    module: str  # dotted, from module_utils on when it is ours
    ours: bool
    for_types_only: bool


def imports_of(source: str, path: PurePath) -> t.Iterator[Import]:
    """Every import of a file, wherever it stands; ``path`` is relative to module_utils."""
    tree = ast.parse(source)
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("t.TYPE_CHECKING", "TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, False, id(node) in for_types)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield Import(node.module or "", False, id(node) in for_types)
        elif isinstance(node, ast.ImportFrom):
            package = path.parent.parts[: len(path.parent.parts) - node.level + 1]
            base = [*package, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                yield Import(".".join([*base, alias.name]), True, id(node) in for_types)


def violations(source: str, path: PurePath) -> list[str]:
    """What a file imports although its layer must not."""
    layer = path.parts[0]
    found = []
    for module, ours, for_types_only in imports_of(source, path):
        package = module.split(".")[0]
        if ours:
            allowed = {layer, *_LAYERS[layer]}
            if not any(module == name or module.startswith(f"{name}.") for name in allowed):
                found.append(f"{path}: {layer} must not import {module}")
        elif package == "ansible_collections":
            found.append(f"{path}: imports of our own are relative, not {module}")
        elif package == "ansible" and layer != "_ansible":
            found.append(f"{path}: only _ansible imports Ansible")
        elif package in _DOORS and str(path) != _DOORS[package] and not for_types_only:
            found.append(f"{path}: {package} is imported by {_DOORS[package]} alone")
    return found


@pytest.mark.parametrize(
    ("path", "source", "wrong"),
    [
        ("_repository/pack.py", "from .errors import IntegrityError", []),
        ("_repository/stores/s3.py", "from ..errors import StoreError\nimport boto3", []),
        ("_repository/pack.py", "from .._files.scan import scan", ["must not import _files.scan.scan"]),
        ("_repository/pack.py", "from .._ansible import progress", ["must not import _ansible.progress"]),
        ("_status/notice.py", "from .._repository.errors import InputError", []),
        ("_status/notice.py", "from .._repository.keys import Identity", ["must not import _repository.keys.Identity"]),
        ("_files/scan.py", "def f():\n    import cryptography.hazmat", ["cryptography is imported by"]),
        ("_files/scan.py", "import typing as t\nif t.TYPE_CHECKING:\n    import zstandard", []),
        ("_apps/odoo.py", "from ansible.module_utils.basic import AnsibleModule", ["only _ansible imports"]),
        ("_apps/odoo.py", "import ansible_collections.dfr.continuity", ["are relative"]),
    ],
)
def test_the_check_itself(path, source, wrong):
    found = violations(source, PurePath(path))
    assert len(found) == len(wrong)
    assert all(expected in line for expected, line in zip(wrong, found, strict=True))


def test_imports_point_down_only():
    found = [line for path in _sources() for line in violations((CHECKOUT / _ROOT / path).read_text(), path)]
    assert found == []


def test_every_python_file_names_its_licence():
    files = [name for name in source_files("*.py") if (CHECKOUT / name).stat().st_size]
    without = [name for name in files if _HEADER not in (CHECKOUT / name).read_text()[:600]]
    assert without == []


def test_no_file_is_named_after_nothing():
    vague = {"util", "utils", "helper", "helpers", "manager", "common", "misc"}
    assert [name for name in source_files("*.py") if PurePath(name).stem.strip("_") in vague] == []
