# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command in one file."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._command import program

MODULE_UTILS = Path(__file__).parents[3] / "plugins" / "module_utils"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "continuity.pyz"
    path.write_bytes(program.build_program())
    path.chmod(0o755)
    return path


def _run(*arguments: str | Path, **options: str) -> subprocess.CompletedProcess[str]:
    """Run in an empty environment, away from the checkout, with nothing of it importable."""
    return subprocess.run(list(map(str, arguments)), capture_output=True, text=True, env=dict(options), cwd="/")


def test_the_same_sources_give_the_same_bytes(built: Path) -> None:
    assert program.build_program() == built.read_bytes()


def test_it_runs_by_itself(built: Path) -> None:
    ended = _run(sys.executable, "-I", built, "--help")
    assert ended.returncode == 0
    assert ended.stderr == ""
    assert "continuity" in ended.stdout
    direct = _run(built, "--help", PATH=f"{Path(sys.executable).parent}:/usr/bin:/bin")
    assert direct.stdout == ended.stdout


def test_the_program_builds_itself(built: Path, tmp_path: Path) -> None:
    ended = _run(sys.executable, "-I", built, "program", tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "continuity.pyz").read_bytes() == built.read_bytes()
    assert (tmp_path / "FORMAT.md").read_text() == (MODULE_UTILS.parents[1] / "docs/repository-format.md").read_text()


def test_a_program_built_from_a_zip_file_is_the_same(built: Path, tmp_path: Path) -> None:
    """As on a host to which Ansible sent a module: everything is imported from a zip file."""
    package = "ansible_collections/dfr/continuity/plugins/module_utils"
    payload = tmp_path / "payload.zip"
    with zipfile.ZipFile(built) as packed, zipfile.ZipFile(payload, "w", zipfile.ZIP_DEFLATED) as sent:
        for folder in ("ansible_collections", "dfr", "continuity", "plugins", "module_utils"):
            sent.writestr(package[: package.index(folder) + len(folder)] + "/__init__.py", "")
        for name in packed.namelist():
            if name.count("/") > 1:
                sent.writestr(name.replace(program.PACKAGE, package), packed.read(name))
    module = f"{package.replace('/', '.')}._command.program"
    code = f"import sys; sys.path.insert(0, {str(payload)!r})\nfrom {module} import build_program\n"
    ended = subprocess.run(
        [sys.executable, "-I", "-c", f"{code}sys.stdout.buffer.write(build_program())"],
        capture_output=True,
        cwd="/",
        check=True,
    )
    assert ended.stdout == built.read_bytes()


def test_every_relative_import_leads_to_a_file_in_it(built: Path) -> None:
    with zipfile.ZipFile(built) as packed:
        names = set(packed.namelist())
        for name in names:
            for module in _relative_imports(packed.read(name).decode(), name):
                assert f"{module}.py" in names or f"{module}/__init__.py" in names, f"{name} needs {module}"


def _relative_imports(source: str, name: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = name.rsplit("/", node.level)[0]
            found.append(f"{folder}/{node.module.replace('.', '/')}" if node.module else folder)
    return found


def test_it_holds_no_ansible_and_no_absolute_import_of_the_collection(built: Path) -> None:
    with zipfile.ZipFile(built) as packed:
        for name in packed.namelist():
            assert "/_ansible/" not in name
            for node in ast.walk(ast.parse(packed.read(name).decode())):
                modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                    modules.append(node.module)
                assert not [module for module in modules if module.startswith("ansible")], name


def test_entries_say_nothing_of_the_machine_that_built_it(built: Path) -> None:
    with zipfile.ZipFile(built) as packed:
        entries = packed.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}


def test_a_python_without_the_two_packages_is_told_which(built: Path, tmp_path: Path) -> None:
    arguments = ["list", "--repository", "/nonexistent", "--cache-dir", tmp_path]
    ended = _run(sys.executable, "-I", "-S", built, *arguments)
    assert ended.returncode == 2
    assert "has no zstandard and no cryptography" in ended.stderr
    assert f"{sys.executable} -m pip install" in ended.stderr


def test_its_beginning_can_be_read_by_every_python_to_tell_that_it_is_too_old(built: Path) -> None:
    with zipfile.ZipFile(built) as packed:
        source = packed.read("__main__.py").decode()
    code = "import sys; sys.version_info = (3, 6, 9)\n" + source
    ended = _run(sys.executable, "-I", "-c", code)
    assert ended.returncode == 2
    assert ended.stderr == "error: this is Python 3.6\nnext step: Use Python 3.10 or newer.\n"
    ast.parse(source, feature_version=(3, 4))


def test_recovery_files() -> None:
    files = program.recovery_files()
    assert sorted(files) == ["FORMAT.md", "continuity.pyz"]
    assert zipfile.is_zipfile(io.BytesIO(files["continuity.pyz"]))
