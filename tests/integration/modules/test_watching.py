# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress in the output of a real ``ansible-playbook``, and the ends that watching a module can take."""

from __future__ import annotations

import contextlib
import queue
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.tests.environment.processes import working_directory

HERE = Path(__file__).parent
PATIENCE = 120
SECRET = "correct-horse-battery"


class Watched:
    """A running ``ansible-playbook`` whose output is read as it comes, from a pipe, as AWX does."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, **options
        )
        self.lines = []
        self._queue = queue.Queue()
        self._ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def wait_for_line(self, *texts):
        """Wait for a line with all these texts; fail when the output ends before."""
        deadline = time.monotonic() + PATIENCE
        while True:
            line = self._queue.get(timeout=PATIENCE)
            assert line is not None, self.output
            assert time.monotonic() < deadline, self.output
            self.lines.append(line)
            if all(text in line for text in texts):
                return line

    def end(self):
        """Read the rest of the output; return the exit code."""
        deadline = time.monotonic() + PATIENCE
        while not self._ended:
            line = self._queue.get(timeout=PATIENCE)
            assert time.monotonic() < deadline, self.output
            if line is None:
                self._ended = True
            else:
                self.lines.append(line)
        return self.process.wait(PATIENCE)

    @property
    def output(self):
        return "\n".join(self.lines)


@pytest.fixture
def play(ansible, tmp_path):
    """Starts a playbook with one task of the module ``work``; ends what it has started."""
    collection = tmp_path / "collections" / "ansible_collections" / "test"
    collection.mkdir(parents=True)
    (collection / "watched").symlink_to(HERE / "watched")
    path = f"{tmp_path / 'collections'}:{ansible.environment['ANSIBLE_COLLECTIONS_PATH']}"
    ansible.environment.update(
        ANSIBLE_COLLECTIONS_PATH=path,
        DFR_CONTINUITY_PROGRESS_INTERVAL="0.5",
        LOST=str(tmp_path / "lost"),
        ANSIBLE_HOME=str(tmp_path / "home"),
        ANSIBLE_REMOTE_TMP=str(tmp_path / "remote"),
    )
    with contextlib.ExitStack() as stack:
        # pytest's own directories are closed to other users.
        shared = stack.enter_context(working_directory("watching"))
        shared.chmod(0o777)
        ansible.until, ansible.started, ansible.stopped = (shared / name for name in ("until", "started", "stopped"))

        def start(*options, hosts="db1", task=None, environment=None, **arguments):
            arguments = {"until": str(ansible.until), "stopped": str(ansible.stopped), **arguments}
            step = {"name": "work", "test.watched.work": arguments, **(task or {})}
            command = ansible.command([step], *options, hosts=hosts)
            watched = Watched(command, cwd=ansible.directory, env={**ansible.environment, **(environment or {})})
            stack.callback(_finish, watched, ansible.until)
            return watched

        yield start


def _finish(watched, until):
    until.touch()
    with contextlib.suppress(queue.Empty, AssertionError):
        watched.end()
    watched.process.kill()
    watched.process.wait()


def _wait(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _process(ansible):
    """Process id of the module, and its job directory."""
    _wait(lambda: ansible.started.exists() and ansible.started.read_text().endswith("\n"))
    pid, job = ansible.started.read_text().splitlines()
    return Path("/proc") / pid, Path(job)


def test_lines_are_displayed_while_the_module_runs_on_two_hosts(ansible, play):
    watched = play(hosts="all", part="shop")
    for host in ("db1", "db2"):
        line = watched.wait_for_line(f"[{host}] work shop: ", "1.2 GB of 3.0 GB")
        assert line.startswith(f"[{host}] work shop: dump shop 1.2 GB of 3.0 GB, 7 files, ")
        assert line.endswith(" left")
    assert watched.process.poll() is None
    ansible.until.touch()
    assert watched.end() == 0, watched.output
    assert "changed: [db1]" in watched.output
    assert "changed: [db2]" in watched.output


def test_nothing_is_left_on_the_target(ansible, play):
    watched = play(part="shop", started=str(ansible.started))
    process, job = _process(ansible)
    assert job.is_dir()
    ansible.until.touch()
    assert watched.end() == 0, watched.output
    _wait(lambda: not process.exists() and not job.exists())


def test_the_result_is_that_of_an_ordinary_run(ansible, play):
    ansible.until.touch()
    results = []
    for interval in ("0", "0.5"):
        environment = {"DFR_CONTINUITY_PROGRESS_INTERVAL": interval}
        watched = play(part="shop", secret=SECRET, environment=environment, task={"environment": {"COLOUR": "blue"}})
        assert watched.end() == 0, watched.output
        results.append(ansible.played(0, watched.output).last)
    assert results[0] == results[1]
    assert results[0]["colour"] == "blue"
    assert (
        results[0]["echo"] == results[0]["invocation"]["module_args"]["secret"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    )


def test_a_failure_is_that_of_an_ordinary_run(ansible, play):
    ansible.until.touch()
    watched = play(how="badly")
    assert watched.end() == 2
    result = ansible.played(2, watched.output).last
    assert (result["msg"], result["next_step"]) == ("It went badly.", "Try again.")


def test_check_mode_starts_nothing_in_the_background(ansible, play):
    watched = play("--check", part="shop")
    assert watched.end() == 0, watched.output
    assert ansible.played(0, watched.output).last["worked"] is False
    assert "work shop:" not in watched.output


def test_ansibles_own_async_works(ansible, play):
    ansible.until.touch()
    watched = play(part="shop", task={"async": 60, "poll": 1})
    assert watched.end() == 0, watched.output
    assert ansible.played(0, watched.output).last["worked"] is True


def test_no_log_hides_what_is_worked_on(ansible, play):
    watched = play(part="shop", task={"no_log": True})
    watched.wait_for_line("[db1] work: ", "1.2 GB of 3.0 GB")
    ansible.until.touch()
    assert watched.end() == 0, watched.output
    assert "shop:" not in watched.output


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_ansible_stops_the_module(ansible, play, signum):
    watched = play(part="shop", started=str(ansible.started))
    watched.wait_for_line("1.2 GB")
    process, job = _process(ansible)
    watched.process.send_signal(signum)
    assert watched.end() != 0
    _wait(ansible.stopped.exists)
    _wait(lambda: not process.exists() and not job.exists())


def test_the_timeout_of_the_task_stops_the_module(ansible, play):
    watched = play(part="shop", started=str(ansible.started), task={"timeout": 10})
    process, job = _process(ansible)
    assert watched.end() == 2
    assert "Timed out after 10 second(s)" in watched.output
    _wait(ansible.stopped.exists)
    _wait(lambda: not process.exists() and not job.exists())


def test_a_module_that_is_killed_is_told_of_in_words(ansible, play):
    watched = play(how="killed")
    assert watched.end() == 2
    result = ansible.played(2, watched.output).last
    assert "killed by signal 9" in result["msg"]
    assert "memory" in result["next_step"]


def test_work_goes_on_through_a_lost_connection(ansible, play, tmp_path):
    ansible.variables = {"ansible_connection": "test.watched.unsteady"}
    watched = play(part="shop")
    watched.wait_for_line("1.2 GB")
    lost = tmp_path / "lost"
    lost.touch()
    assert "no route to host" in watched.wait_for_line("the connection was lost")
    _wait(lambda: lost.read_text().count("asked") > 2)
    ansible.until.touch()
    lost.unlink()
    assert watched.end() == 0, watched.output
    assert ansible.played(0, watched.output).last["worked"] is True


def test_secrets_are_nowhere_but_in_memory_while_the_module_runs(ansible, play, tmp_path):
    watched = play("-vvv", part="shop", secret=SECRET, started=str(ansible.started))
    watched.wait_for_line("1.2 GB")
    module, job = _process(ansible)
    for process in (module, Path("/proc") / (module / "stat").read_text().rsplit(")", 1)[1].split()[1]):
        for name in ("cmdline", "environ"):
            assert SECRET.encode() not in (process / name).read_bytes()
    own = {ansible.directory / "play.yml"}
    files = [path for folder in (job, tmp_path) for path in folder.rglob("*") if path.is_file() and path not in own]
    assert files
    for path in files:
        with contextlib.suppress(FileNotFoundError):
            assert SECRET.encode() not in path.read_bytes(), path
    ansible.until.touch()
    assert watched.end() == 0, watched.output
    assert SECRET not in watched.output


def test_it_works_as_another_user(ansible, play):
    ansible.variables = {"ansible_python_interpreter": "/usr/bin/python3"}
    watched = play(part="shop", task={"become": True, "become_user": "nobody"})
    watched.wait_for_line("1.2 GB")
    ansible.until.touch()
    assert watched.end() == 0, watched.output
    assert ansible.played(0, watched.output).last["uid"] == 65534


def test_where_standard_input_cannot_be_fed_it_runs_unwatched(ansible, play):
    ansible.until.touch()
    watched = play(part="shop", task={"become": True, "become_user": "root", "become_method": "ansible.builtin.su"})
    ansible.environment["ANSIBLE_BECOME_ALLOW_SAME_USER"] = "true"
    assert watched.end() == 0, watched.output
    assert ansible.played(0, watched.output).last["worked"] is True


@pytest.mark.parametrize("where", ["variable", "configuration"])
def test_the_interval_can_be_set(ansible, play, where):
    del ansible.environment["DFR_CONTINUITY_PROGRESS_INTERVAL"]
    if where == "variable":
        ansible.variables = {"dfr_continuity_progress_interval": 0.5}
    else:
        (ansible.directory / "ansible.cfg").write_text("[dfr_continuity]\nprogress_interval = 0.5 ; seconds\n")
    watched = play(part="shop")
    watched.wait_for_line("1.2 GB")
    watched.wait_for_line("1.2 GB")
    ansible.until.touch()
    assert watched.end() == 0, watched.output


def test_an_interval_that_is_no_number_is_told(play):
    watched = play(part="shop", environment={"DFR_CONTINUITY_PROGRESS_INTERVAL": "often"})
    assert watched.end() == 2
    assert "dfr_continuity_progress_interval is 'often'; it must be a number of seconds" in watched.output
