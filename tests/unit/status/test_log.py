# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import re
import socket
import threading

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import SourceError
from ansible_collections.dfr.continuity.plugins.module_utils._status.log import Step, StepLog


def _lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def test_start_and_success_name_time_size_and_path(tmp_path):
    file = tmp_path / "log" / "continuity.log"
    with StepLog(str(file), None).step(Step("database_backup", "shop", "b1", "db1.shop.database")) as outcome:
        outcome.size, outcome.stored, outcome.path = 3000, 120, "/backup/continuity"
    start, end = _lines(file)
    tail = "action=database_backup backup_set=shop backup_id=b1 part=db1.shop.database"
    result = r"path=/backup/continuity seconds=\d+\.\d{3} size=3000 stored=120"
    assert re.fullmatch(rf"time=\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ event=start {tail}", start)
    assert re.fullmatch(rf"time=\S+ event=success {tail} {result}", end)


def test_failure_has_reason_and_next_step_and_passes_on(tmp_path):
    file = tmp_path / "continuity.log"
    with pytest.raises(SourceError), StepLog(str(file), None).step(Step("file_backup", path="/opt/addons")):
        raise SourceError('No "addons"\nhere.', "Look.")
    start, end = _lines(file)
    assert "event=failure" in end
    assert "path=/opt/addons" in start
    assert "path=/opt/addons" in end
    assert end.endswith(r'reason="No \"addons\"\nhere." next_step=Look.')


def test_a_foreign_exception_is_named_but_not_quoted(tmp_path):
    file = tmp_path / "continuity.log"
    with pytest.raises(ValueError, match="hunter2"), StepLog(str(file), None).step(Step("database_backup")):
        raise ValueError("password=hunter2")
    assert 'reason="stopped by ValueError"' in _lines(file)[1]
    assert "hunter2" not in file.read_text(encoding="utf-8")


def test_names_cannot_break_a_line_or_steer_a_terminal(tmp_path):
    file = tmp_path / "continuity.log"
    broken = os.fsdecode(b"/srv/\xff\x1b[2J\n\xc2\x9b")
    with StepLog(str(file), None).step(Step("file_backup", path=broken)):
        pass
    start, _end = _lines(file)
    assert start.endswith(r'path="/srv/\udcff\u001b[2J\n\u009b"')


def test_rotation_by_rename_loses_nothing(tmp_path):
    file = tmp_path / "continuity.log"
    log = StepLog(str(file), None)
    with log.step(Step("one")):
        file.rename(tmp_path / "continuity.log.1")
    assert "event=start" in _lines(tmp_path / "continuity.log.1")[0]
    assert "event=success" in _lines(file)[0]
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_log_that_cannot_be_written_is_one_problem_and_no_error(tmp_path):
    (tmp_path / "log").write_text("in the way", encoding="utf-8")
    log = StepLog(str(tmp_path / "log" / "continuity.log"), None)
    with log.step(Step("one")):
        pass
    assert len(log.problems) == 1
    assert str(tmp_path / "log") in log.problems[0]


def test_a_symbolic_link_is_not_followed(tmp_path):
    (tmp_path / "continuity.log").symlink_to(tmp_path / "elsewhere")
    log = StepLog(str(tmp_path / "continuity.log"), None)
    with log.step(Step("one")):
        pass
    assert not (tmp_path / "elsewhere").exists()
    assert log.problems


def test_syslog_gets_identifier_and_severity(tmp_path):
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(path)
        log = StepLog(None, path)
        with pytest.raises(SourceError), log.step(Step("one")):
            raise SourceError("No.", "Look.")
        start, end = (daemon.recv(4096).decode() for _message in range(2))
    stamp = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
    assert re.fullmatch(rf"<30>{stamp} dfr-continuity\[{os.getpid()}\]: event=start action=one", start)
    assert re.fullmatch(rf"<27>{stamp} dfr-continuity\[\d+\]: event=failure action=one .*", end)
    assert not log.problems


def test_lines_of_several_writers_do_not_mix(tmp_path):
    file = tmp_path / "continuity.log"

    def work(number):
        for _turn in range(50):
            with StepLog(str(file), None).step(Step("work", path="x" * 500 + str(number))):
                pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = _lines(file)
    assert len(lines) == 400
    assert all(
        re.fullmatch(r"time=\S+ event=(start|success) action=work path=x{500}\d( seconds=\S+)?", line) for line in lines
    )
