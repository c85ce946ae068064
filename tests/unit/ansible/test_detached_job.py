# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that runs modules in the background, as the action plugin starts it."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.dfr.continuity.plugins.plugin_utils import detached_job

LAUNCHER = pathlib.Path(detached_job.__file__).read_text(encoding="utf-8")
BOOTSTRAP = "import sys; exec(sys.stdin.buffer.read(int(sys.argv[1])))"


class Job:
    """A started job."""

    def __init__(self, script, limit=0, launcher=LAUNCHER):
        source = launcher.encode()
        started = subprocess.run(
            [sys.executable, "-c", BOOTSTRAP, str(len(source)), str(limit)],
            input=source + script.encode(),
            capture_output=True,
            timeout=60,
            check=True,
        )
        assert not started.stderr
        answer = json.loads(started.stdout)
        self.folder, self.pid = pathlib.Path(answer["job"]), answer["pid"]

    def wait(self, condition):
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def done(self):
        self.wait((self.folder / "done").exists)
        return json.loads((self.folder / "done").read_text())

    def read(self, name):
        path = self.folder / name
        self.wait(lambda: path.exists() and path.read_text())
        return path.read_text()

    @property
    def running(self):
        return os.path.exists(f"/proc/{self.pid}")


@pytest.fixture
def start():
    jobs = []

    def start_job(*arguments, **options):
        jobs.append(Job(*arguments, **options))
        return jobs[-1]

    yield start_job
    for job in jobs:
        with contextlib.suppress(FileNotFoundError):
            (job.folder / "stop").touch()
        job.wait(lambda job=job: not job.running)
        assert not job.folder.exists()


def test_output_and_exit_code(start):
    job = start("import sys; print('{}'); sys.stderr.write('oh'); sys.exit(3)")
    assert job.done() == {"rc": 3, "stdout": "{}\n", "stderr": "oh"}


def test_much_output_and_bytes_that_are_no_text(start):
    job = start("import sys; sys.stdout.buffer.write(b'\\xff' + b'x' * 3_000_000)")
    assert job.done()["stdout"] == "\udcff" + "x" * 3_000_000


def test_the_job_is_private_and_told_to_the_module_alone(start):
    job = start("import os, time; print(os.environ['DFR_CONTINUITY_PROGRESS_FILE'], flush=True); time.sleep(60)")
    assert job.read("stdout").strip() == str(job.folder / "progress")
    assert job.folder.stat().st_mode & 0o777 == 0o700
    assert (job.folder / "stdout").stat().st_mode & 0o777 == 0o600


def test_the_module_is_in_no_file_argument_or_environment(start):
    job = start("import os, time; print(os.getpid(), flush=True); time.sleep(60) # hunter2hunter2")
    for pid in (int(job.read("stdout")), job.pid):
        for name in ("cmdline", "environ"):
            assert b"hunter2" not in pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
    assert all(b"hunter2" not in path.read_bytes() for path in job.folder.iterdir())


def test_it_has_a_session_and_a_standard_input_of_its_own(start):
    job = start("import os, sys, time; print(os.getpid(), os.getsid(0), sys.stdin.read() == '', flush=True)")
    pid, session, empty = job.done()["stdout"].split()
    assert int(session) not in (int(pid), os.getsid(0))
    assert empty == "True"


def test_a_module_killed_by_a_signal(start):
    job = start("import os; os.kill(os.getpid(), 9)")
    assert job.done()["rc"] == -signal.SIGKILL


def test_stopping_lets_the_module_clean_up_and_removes_the_job(start, tmp_path):
    mark = tmp_path / "mark"
    job = start(
        "import signal, sys, time, pathlib\n"
        f"def stop(*_): pathlib.Path({str(mark)!r}).write_text('clean'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop); print('ready', flush=True); time.sleep(60)"
    )
    job.read("stdout")
    (job.folder / "stop").touch()
    job.wait(lambda: not job.running)
    assert mark.read_text() == "clean"
    assert not job.folder.exists()


def test_what_does_not_end_is_killed_with_all_it_has_started(start):
    job = start(
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(os.getpid(), child.pid, flush=True); time.sleep(60)",
        launcher=LAUNCHER.replace("GRACE = 30.0", "GRACE = 0.3"),
    )
    pids = job.read("stdout").split()
    (job.folder / "stop").touch()
    job.wait(lambda: not job.running)
    job.wait(lambda: not any(_alive(pid) for pid in pids))


def _alive(pid):
    try:
        return " Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_the_time_limit_ends_the_module_and_keeps_its_words(start):
    job = start(
        "import signal, sys, time\n"
        "def stop(*_): print('{\"failed\": true}'); sys.exit(1)\n"
        "signal.signal(signal.SIGTERM, stop); time.sleep(60)",
        limit=1,
    )
    assert job.done() == {"rc": 1, "stdout": '{"failed": true}\n', "stderr": ""}


def test_removing_the_job_stops_the_module_too(start):
    job = start("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    pid = job.read("stdout").strip()
    subprocess.run(["rm", "-rf", str(job.folder)], check=True)
    job.wait(lambda: not job.running)
    assert not _alive(pid)


def test_a_module_that_nobody_looks_at_is_stopped(start):
    job = start("import time; time.sleep(60)", launcher=LAUNCHER.replace("UNSEEN = 86400.0", "UNSEEN = 0.5"))
    job.wait(lambda: not job.running)
    assert not job.folder.exists()


def test_a_result_that_nobody_collects_goes_away(start):
    job = start("print('{}')", launcher=LAUNCHER.replace("KEPT = 3600.0", "KEPT = 0.5"))
    job.wait(lambda: not job.running)
    assert not job.folder.exists()
