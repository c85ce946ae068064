# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies the role ``traffic`` as users do: from a playbook, to this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

Variables = dict[str, t.Any]


@dataclass
class Applied:
    """How the role ended, all that was printed, and ``traffic_result``."""

    code: int
    output: str
    result: Variables

    def worked(self) -> Applied:
        assert self.code == 0, self.output[-6000:]
        return self

    def refused(self, *texts: str) -> Applied:
        """Assert that it failed, saying all of ``texts``, and without a traceback."""
        flat = " ".join(self.output.split())
        assert self.code != 0, self.output[-6000:]
        assert "Traceback" not in flat
        for text in texts:
            assert text in flat, self.output[-6000:]
        return self

    @property
    def changed(self) -> bool:
        assert "changed=" in self.output
        return "changed=0 " not in self.output


class Traffic:
    """A folder with a playbook that applies the role, and the folder of old values.

    :ivar secrets: what must never be seen; looked for in everything a run printed or left behind.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept = folder / "kept"
        # Quick; without it modules lie in files while they run, which are looked for where it is off.
        self.environment: dict[str, str] = {"ANSIBLE_PIPELINING": "true"}
        self.secrets: list[str] = []
        self.variables: Variables = {"traffic_patience": 20}

    def command(self, state: str, records: t.Sequence[Variables], *options: str, **variables: t.Any) -> list[str]:
        """Write playbook and variables; return the command that runs them."""
        given = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "traffic_python": sys.executable,
            "traffic_state": state,
            "traffic_records": list(records),
            "traffic_state_folder": str(self.kept),
            **self.variables,
            **variables,
        }
        tell = {
            "ansible.builtin.copy": {
                "content": "{{ traffic_result | to_json }}",
                "dest": str(self.folder / "result"),
                "mode": "0600",
            },
            "name": "Keep what the role returned",
            "changed_when": False,
        }
        role = {"ansible.builtin.include_role": {"name": "dfr.continuity.traffic"}, "name": "Apply the role"}
        play = {"hosts": "all", "gather_facts": False, "tasks": [{"block": [role], "always": [tell], "name": "All"}]}
        # Secrets are in the inventory's variables, as a vault's are.
        (self.folder / "inventory.yml").write_text(json.dumps({"all": {"hosts": {"control": given}}}))
        (self.folder / "play.yml").write_text(json.dumps([play]))
        program = Path(sys.executable).with_name("ansible-playbook")
        return [str(program), "-i", "inventory.yml", "play.yml", *options]

    def settings(self) -> dict[str, str]:
        """The environment of a run: temporary files of its own, so that what is left is seen."""
        (self.folder / "tmp").mkdir(exist_ok=True)
        own = {
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_REMOTE_TMP": str(self.folder / "tmp"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
            "TMPDIR": str(self.folder / "tmp"),
        }
        return {**os.environ, **own, **self.environment}

    def __call__(self, state: str, *records: Variables, options: t.Sequence[str] = (), **variables: t.Any) -> Applied:
        """Apply the role, with everything printed that Ansible can print."""
        (self.folder / "result").unlink(missing_ok=True)
        done = subprocess.run(
            self.command(state, records, "-vvv", "--diff", *options, **variables),
            cwd=self.folder,
            env=self.settings(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        result = self.folder / "result"
        self.assert_no_secrets(done.stdout)
        return Applied(done.returncode, done.stdout, json.loads(result.read_text()) if result.exists() else {})

    def assert_no_secrets(self, output: str) -> None:
        left = [path for path in self.folder.rglob("*") if path.is_file() and path.name != "inventory.yml"]
        seen = {"what was printed": output, **{str(path): path.read_text("utf-8", "replace") for path in left}}
        for secret in self.secrets:
            assert [where for where, text in seen.items() if secret in text] == []

    def kept_values(self) -> dict[str, Variables]:
        """What is kept, by the name of the record."""
        found = [yaml.safe_load(path.read_text()) for path in self.kept.glob("*.json")]
        return {document["record"]: document for document in found}


@pytest.fixture
def traffic(tmp_path: Path) -> Traffic:
    return Traffic(tmp_path)
