# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts on this machine, each in folders of its own, on which playbooks are run as users run them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

Variables = dict[str, t.Any]
PASSPHRASE = "only for tests"


@dataclass
class Played:
    """How a playbook ended, and all that it printed."""

    code: int
    output: str


@dataclass
class Site:
    """Two hosts, ``one`` and ``two``, and ``control``; all with the folder of one virtual environment.

    :ivar hosts: variables of the hosts in the group ``continuity``; tests change them.
    """

    folder: Path
    hosts: dict[str, Variables] = field(default_factory=dict)
    variables: Variables = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("one", "two"):
            data = self.folder / "data" / name
            data.mkdir(parents=True)
            (data / "letter.txt").write_text(f"Dear {name}")
            self.hosts[name] = {"backup_files": [{"name": "data", "path": str(data)}]}
        self.repository.mkdir()

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def status(self) -> Variables:
        """What the control host's status file says."""
        found: Variables = json.loads((self.folder / "control/lib/status/continuity.json").read_text())
        return found

    def copy_to(self, folder: Path) -> Site:
        """Return the same site in another folder: as it is now, free to be broken."""
        shutil.copytree(self.folder, folder, symlinks=True, ignore=shutil.ignore_patterns("runtime"))
        (folder / "runtime").symlink_to(self.folder / "runtime")
        made = object.__new__(Site)
        made.__dict__.update(folder=folder, variables={}, hosts={})
        for name, variables in self.hosts.items():
            made.hosts[name] = json.loads(json.dumps(variables).replace(str(self.folder), str(folder)))
        return made

    def public(self, name: str) -> str:
        path = self.folder / "control/etc" / f"{name}.pub"
        return path.read_text().strip() if path.exists() else ""

    def inventory(self) -> Variables:
        machine = f"{self.folder}/{{{{ inventory_hostname }}}}"
        own = {name: f"{machine}/{place}" for name, place in _FOLDERS.items()}
        shared: Variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "ansible_become": False,
            "runtime_python": "{{ ansible_playbook_python }}",
            "runtime_folder": f"{self.folder}/runtime",
            "runtime_command": "",
            "runtime_logrotate_file": "",
            "continuity_repository": {"location": str(self.repository), "trust": [self.public("administrator")]},
            "continuity_recipients": [{"name": "safe", "key": self.public("recovery-key")}],
            "continuity_recovery_passphrase": PASSPHRASE,
        }
        groups = {"continuity_control": {"hosts": {"control": {}}}, "continuity": {"hosts": self.hosts}}
        return {"all": {"vars": {**shared, **own, **self.variables}, "children": groups}}

    def play(self, playbook: str, *options: str, **variables: t.Any) -> Played:
        """Run a playbook of the collection, with extra variables."""
        (self.folder / "inventory.yml").write_text(json.dumps(self.inventory()))
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory.yml"]
        done = subprocess.run(
            [*command, "-e", json.dumps(variables), *options, f"dfr.continuity.{playbook}"],
            cwd=self.folder,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Played(done.returncode, done.stdout)

    def play_well(self, playbook: str, *options: str, **variables: t.Any) -> str:
        """Run a playbook that must succeed, and return its output."""
        played = self.play(playbook, *options, **variables)
        assert played.code == 0, played.output[-6000:]
        return played.output


_FOLDERS = {
    "runtime_configuration_folder": "etc",
    "runtime_state_folder": "lib",
    "runtime_cache_folder": "cache",
    "runtime_log_folder": "log",
}
