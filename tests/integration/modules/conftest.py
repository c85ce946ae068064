# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the modules as users do: through ``ansible-playbook``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@dataclass
class Played:
    """What a run of ``ansible-playbook`` has shown and returned."""

    code: int
    output: str
    lines: list[dict[str, t.Any]] = field(default_factory=list)

    def result(self, task: str, host: str = "db1") -> dict[str, t.Any]:
        """The result of the only task of this name on a host."""
        found = [line["result"] for line in self.lines if line["task"] == task and line["host"] == host]
        assert len(found) == 1, f"{len(found)} results of {task} on {host}:\n{self.output}"
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

    def command(self, tasks: t.Sequence[t.Mapping[str, t.Any]], *options: str, hosts: str = "db1") -> list[str]:
        """Write playbook and inventory; return the command that runs them."""
        interpreter = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory = {"all": {"hosts": {"db1": None, "db2": None}, "vars": {**interpreter, **self.variables}}}
        play = {"hosts": hosts, "gather_facts": False, "tasks": list(tasks)}
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

    def module(self, name: str, *, check: bool = False, diff: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        """Run one module of this collection and return its result."""
        options = ["--check"] * check + ["--diff"] * diff
        played = self.play({"name": name, f"dfr.continuity.{name}": arguments}, options=options)
        return {**played.result(name), "output": played.output}


def _collections() -> str:
    """The collections path this test runs from (``tests/environment/run`` puts it on the Python path)."""
    for entry in sys.path:
        if (Path(entry) / "ansible_collections" / "dfr" / "continuity").is_dir():
            return entry
    raise RuntimeError("The collection is not on the Python path: run the tests through `make`.")


@pytest.fixture
def ansible(tmp_path: Path) -> Ansible:
    directory = tmp_path / "ansible"
    directory.mkdir()
    return Ansible(directory, _collections())
