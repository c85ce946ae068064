# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role schedule on a machine with systemd and cron: what a job does when it is started, and when it is removed."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.tests.environment.containers import Container
from ansible_collections.dfr.continuity.tests.environment.processes import wait_until

#: In the place of ansible-playbook: tells how it was started, and goes on while it is held.
JOB = """\
#!/bin/sh
echo "started with $*"
echo "niceness $(nice), class $(ionice --pid $$), folder $(pwd), setting $SETTING"
while [ -e /run/hold ]; do sleep 0.1; done
[ ! -e /run/fail ]
"""
BACKUP = {"name": "backup", "playbook": "dfr.continuity.backup", "at": ["02:30"], "arguments": ["--forks=3"]}
VERIFY = {"name": "verify", "playbook": "dfr.continuity.verify", "at": ["06:30", "18:05"], "days": ["sun"]}


class Scheduled:
    """A machine to which the role is applied."""

    def __init__(self, folder: Path, host: Container, method: str) -> None:
        self._folder = folder
        self.host = host
        self._method = method
        #: That of a job: everything on the machine is at least as nice as the tests that started it.
        self.niceness = min(19, 10 + int(host.run("nice").stdout))

    def apply(self, jobs: t.Sequence[dict[str, t.Any]], **variables: t.Any) -> str:
        """Apply the role, and return what Ansible printed."""
        settings = {
            "ansible_connection": "containers.podman.podman",
            "schedule_method": self._method,
            "schedule_jobs": jobs,
            "schedule_command": "/usr/local/bin/job",
            "schedule_inventory": ["/etc/inventory of the shop.yml"],
            "schedule_environment": {"SETTING": 'it\'s "set"'},
            "schedule_folder": "/srv",
            "schedule_user": "root",
            "schedule_random_delay": 0,
        }
        inventory = {"all": {"hosts": {self.host.name: {**settings, **variables}}}}
        play = {"hosts": "all", "roles": ["dfr.continuity.schedule"]}
        (self._folder / "inventory.yml").write_text(json.dumps(inventory))
        (self._folder / "play.yml").write_text(json.dumps([play]))
        program = Path(sys.executable).with_name("ansible-playbook")
        done = subprocess.run(
            [program, "-i", "inventory.yml", "play.yml"],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def entries(self) -> list[str]:
        """Return the cron entries."""
        text = self.host.run("cat", "/etc/cron.d/dfr-continuity", check=False).stdout
        return [line for line in text.splitlines() if line[:1].isdigit()]

    def start(self, name: str) -> int:
        """Start a job as cron or systemd would, wait for its end, and return its exit code."""
        if self._method == "timer":
            return self.host.run("systemctl", "start", f"dfr-continuity-run-{name}.service", check=False).returncode
        [command] = {line.split(" root ", 1)[1] for line in self.entries() if f"run-{name}" in line}
        return self.host.run("sh", "-c", command, check=False).returncode

    def journal(self, name: str) -> str:
        """Return what a job has written to the journal."""
        self.host.run("journalctl", "--sync")
        return self.host.run("journalctl", "--identifier", f"dfr-continuity-{name}", "--output=cat", check=False).stdout

    @contextlib.contextmanager
    def held(self, name: str) -> t.Iterator[None]:
        """Have a job running inside the block."""
        self.host.run("touch", "/run/hold")
        before = self.journal(name).count("niceness")
        script = ["systemd-cat", f"--identifier=dfr-continuity-{name}", f"/usr/local/lib/dfr-continuity/run-{name}"]
        running = subprocess.Popen(["podman", "exec", self.host.name, *script])
        try:
            wait_until(lambda: self.journal(name).count("niceness") > before, "the start of the job")
            yield
        finally:
            self.host.run("rm", "--force", "/run/hold")
            running.wait()


@pytest.fixture(scope="module", params=["cron", "timer"])
def scheduled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, host: Container) -> Scheduled:
    """A backup and a verification are scheduled; the last test removes them."""
    host.run("sh", "-c", "cat > /usr/local/bin/job && chmod 755 /usr/local/bin/job", input=JOB)
    # Nothing that an earlier test wrote.
    host.run("journalctl", "--rotate", "--vacuum-time=1us")
    made = Scheduled(tmp_path_factory.mktemp(request.param), host, request.param)
    made.apply([BACKUP, VERIFY])
    return made


def test_a_job_has_its_arguments_low_priority_and_its_output_in_the_journal(scheduled: Scheduled) -> None:
    assert scheduled.start("backup") == 0
    said = scheduled.journal("backup")
    assert "started with --inventory=/etc/inventory of the shop.yml --forks=3 dfr.continuity.backup\n" in said
    assert f'niceness {scheduled.niceness}, class idle, folder /srv, setting it\'s "set"\n' in said
    assert "backup: succeeded after " in said


def test_a_job_that_fails_says_so_and_ends_with_its_exit_code(scheduled: Scheduled) -> None:
    scheduled.host.run("touch", "/run/fail")
    try:
        assert scheduled.start("backup") == 1
    finally:
        scheduled.host.run("rm", "/run/fail")
    assert "backup: FAILED with exit code 1 after " in scheduled.journal("backup")


def test_runs_of_a_job_do_not_overlap_and_other_jobs_do(scheduled: Scheduled) -> None:
    script = "/usr/local/lib/dfr-continuity/run-{}"
    with scheduled.held("backup"):
        second = scheduled.host.run(script.format("backup"), check=False)
        assert second.returncode == 75
        assert "its last run is still going" in second.stderr
        with scheduled.held("verify"):
            pass
    assert scheduled.start("backup") == 0


def test_a_crash_releases_the_lock(scheduled: Scheduled) -> None:
    with scheduled.held("backup"):
        scheduled.host.run("pkill", "--signal=KILL", "--exact", "flock")
        scheduled.host.run("pkill", "--signal=KILL", "--exact", "job")
    assert scheduled.start("backup") == 0


def test_a_second_application_changes_nothing_and_what_is_not_wanted_any_more_goes(scheduled: Scheduled) -> None:
    assert "changed=0" in scheduled.apply([BACKUP, VERIFY])
    scheduled.apply([BACKUP])
    assert scheduled.start("backup") == 0
    left = scheduled.host.run("find", "/etc", "/usr/local", "-name", "*run-verify*").stdout.split()
    assert left == []
    assert not any("verify" in entry for entry in scheduled.entries())
    scheduled.apply([BACKUP], schedule_state="absent")
    left = scheduled.host.run("find", "/etc", "/usr/local", "/var/lib", "-name", "*dfr-continuity*").stdout.split()
    assert left == []
    timers = scheduled.host.run("systemctl", "list-timers", "--all", "--no-legend", "dfr-continuity-*").stdout
    assert timers == ""
