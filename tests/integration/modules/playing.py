# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the modules as users do: through ``ansible-playbook``."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import yaml

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[2]


@dataclass
class Played:
    """What a run of ``ansible-playbook`` has shown and returned."""

    code: int
    output: str
    lines: list[dict[str, t.Any]] = field(default_factory=list)

    def __getitem__(self, task: str) -> dict[str, t.Any]:
        """The result of the only task of this name."""
        found = [line["result"] for line in self.lines if line["task"] == task]
        assert len(found) == 1, f"{len(found)} results of {task}:\n{self.output}"
        return found[0]

    @property
    def last(self) -> dict[str, t.Any]:
        """The result of the last task."""
        assert self.lines, self.output
        return self.lines[-1]["result"]


class Ansible:
    """A directory to run playbooks in, with two hosts ``db1`` and ``db2`` that are this machine."""

    def __init__(self, directory: Path, collections: str) -> None:
        self.directory = directory
        self.python = sys.executable
        self.environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": collections,
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "result_lines",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_RETRY_FILES_ENABLED": "false",
            "RESULT_LINES": str(directory / "results"),
        }
        self.variables: dict[str, t.Any] = {}
        self.defaults: dict[str, t.Any] = {}

    def command(self, tasks: t.Sequence[t.Mapping[str, t.Any]], *options: str, hosts: str = "db1") -> list[str]:
        """Write playbook and inventory; return the command that runs them."""
        interpreter = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory = {"all": {"hosts": {"db1": None, "db2": None}, "vars": {**interpreter, **self.variables}}}
        play = {"hosts": hosts, "gather_facts": False, "module_defaults": self.defaults, "tasks": list(tasks)}
        (self.directory / "inventory.yml").write_text(json.dumps(inventory), encoding="utf-8")
        (self.directory / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
        program = Path(sys.executable).with_name("ansible-playbook")
        return [str(program), "-i", "inventory.yml", "play.yml", *options]

    def play(self, *tasks: t.Mapping[str, t.Any], options: t.Sequence[str] = (), hosts: str = "db1") -> Played:
        """Run tasks and return what came of them, whether they succeeded or not."""
        done = subprocess.run(
            self.command(tasks, *options, hosts=hosts),
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        return self.played(done.returncode, done.stdout)

    def played(self, code: int, output: str) -> Played:
        """Return what the last run has left: its results, besides its exit code and output."""
        results = self.directory / "results"
        text = results.read_text(encoding="utf-8") if results.exists() else ""
        results.unlink(missing_ok=True)
        return Played(code, output, [json.loads(line) for line in text.splitlines()])


@dataclass
class Installation:
    """A repository in a directory, the keys to it, and where status, metrics and log go."""

    folder: Path
    repository: dict[str, t.Any]
    passphrase: str = "open sesame"

    @property
    def recovery_key(self) -> dict[str, str]:
        """The option of modules."""
        return {"path": str(self.folder / "recovery.pem"), "passphrase": self.passphrase}

    @property
    def log(self) -> str:
        """What the steps have logged."""
        return (self.folder / "log").read_text(encoding="utf-8")

    def defaults(self) -> dict[str, t.Any]:
        """Options that every module of a group takes."""
        return {
            "group/dfr.continuity.repository": {"repository": self.repository},
            "group/dfr.continuity.log": {"log_file": str(self.folder / "log")},
            "group/dfr.continuity.status": {
                "status_dir": str(self.folder / "status"),
                "metrics_dir": str(self.folder / "metrics"),
            },
        }


def returned(module: str) -> dict[str, t.Any]:
    """What the documentation of a module says it returns."""
    source = (CHECKOUT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "RETURN":
            return t.cast("dict[str, t.Any]", yaml.safe_load(ast.literal_eval(node.value)))
    raise AssertionError(f"{module} has no RETURN")


_TYPES = {"str": str, "int": int, "float": (int, float), "bool": bool, "list": list, "dict": dict}
_USUAL = {"changed", "failed", "msg", "invocation", "diff", "warnings", "exception", "deprecations"}


def check_documented(module: str, result: dict[str, t.Any]) -> None:
    """Assert that a result has what is documented, and nothing else."""
    documented = returned(module)
    found = {key for key in result if not key.startswith("_ansible")} - _USUAL
    assert found <= set(documented), f"{module} returns {found - set(documented)}, which is not documented"
    for key in found:
        value, kind = result[key], documented[key]["type"]
        assert value is None or isinstance(value, _TYPES[kind]), f"{module} returns {key}={value!r}, which is no {kind}"
        if value is not None and "contains" in documented[key]:
            entries = value if kind == "list" else [value]
            known = set(documented[key]["contains"])
            assert all(set(entry) <= known for entry in entries), f"{module}: {key} has {entries}, documented: {known}"
    if not result.get("failed"):
        always = {key for key, entry in documented.items() if entry["returned"].split(",")[0] == "success"}
        promised = always if "check" in documented else {k for k in always if documented[k]["returned"] == "success"}
        assert promised <= found, f"{module} does not return {promised - found}"
