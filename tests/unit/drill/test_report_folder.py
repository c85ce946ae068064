# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a report: closed to others, whole or not there, and read back for the next one."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._drill.report.comparison import read_earlier
from ansible_collections.dfr.continuity.plugins.module_utils._drill.report.report import build_report
from ansible_collections.dfr.continuity.plugins.module_utils._drill.report.report_folder import write_report
from ansible_collections.dfr.continuity.plugins.module_utils._drill.report.run_document import checked_run
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import TargetError

from .runs import NAMES, earlier, example, report

FILES = ["SHA256SUMS", "report.html", "report.json", "report.md"]


def _write(parent, run):
    """Write the report of a run after those that are there; return where it is and what could not be read."""
    checked = checked_run(run)
    before, problems = read_earlier(str(parent), checked)
    return write_report(str(parent), build_report(checked, before)), problems


def _mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_four_files_that_only_their_owner_reads(tmp_path):
    before = os.umask(0)
    try:
        files, _problems = _write(tmp_path / "drills", example("passed"))
    finally:
        os.umask(before)
    folder = Path(files.folder)
    assert folder == tmp_path / "drills" / "20261125T031500Z-ab12cd34"
    assert sorted(os.listdir(folder)) == FILES
    assert {_mode(folder / name) for name in FILES} == {0o600}
    assert _mode(folder) == _mode(tmp_path / "drills") == 0o700
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout.count(": OK")) == (0, 3)
    for name, digest in files.sha256.items():
        told = subprocess.run(["sha256sum", folder / name], capture_output=True, text=True)
        assert told.stdout.startswith(digest)


def test_a_folder_that_is_open_to_others_is_closed(tmp_path):
    folder = tmp_path / example("passed")["id"]
    folder.mkdir()
    folder.chmod(0o755)
    _write(tmp_path, example("passed"))
    assert _mode(folder) == 0o700


def test_the_same_again_changes_nothing(tmp_path):
    first, _problems = _write(tmp_path, example("passed"))
    times = {name: os.stat(first.path(name)).st_mtime_ns for name in FILES}
    again, _problems = _write(tmp_path, example("passed"))
    assert (first.changed, again.changed) == (True, False)
    assert again.sha256 == first.sha256
    assert {name: os.stat(first.path(name)).st_mtime_ns for name in FILES} == times


@pytest.mark.parametrize("harm", ["changed", "open", "link", "missing"])
def test_what_is_not_as_it_was_written_is_written_again(tmp_path, harm):
    files, _problems = _write(tmp_path / "drills", example("passed"))
    path = Path(files.path("report.html"))
    right = path.read_bytes()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(right)
    elsewhere.chmod(0o600)
    if harm == "changed":
        path.write_bytes(right[:-1])
    elif harm == "open":
        path.chmod(0o644)
    else:
        path.unlink()
        if harm == "link":
            path.symlink_to(elsewhere)
    again, _problems = _write(tmp_path / "drills", example("passed"))
    assert again.changed
    assert (path.read_bytes(), _mode(path), path.is_symlink()) == (right, 0o600, False)
    assert elsewhere.read_bytes() == right


def test_a_later_state_of_the_run_takes_the_earlier_ones_place(tmp_path):
    run = example("passed")
    early = {**run, "state": "running", "cleanup": {}, "phases": run["phases"][:-1]}
    early.pop("finished")
    first, _problems = _write(tmp_path, early)
    last, _problems = _write(tmp_path, run)
    assert last.folder == first.folder
    assert json.loads(Path(last.path("report.json")).read_text())["result"] == "passed"


def test_a_dry_run_writes_nothing(tmp_path):
    made = report(example("passed"))
    planned = write_report(str(tmp_path / "drills"), made, dry_run=True)
    assert planned.changed
    assert not (tmp_path / "drills").exists()
    assert write_report(str(tmp_path / "drills"), made).sha256 == planned.sha256
    assert not write_report(str(tmp_path / "drills"), made, dry_run=True).changed


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "drills").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (tmp_path / "drills" / example("passed")["id"]).symlink_to(elsewhere)
    for parent in (tmp_path / "file", tmp_path / "drills"):
        with pytest.raises(TargetError) as caught:
            write_report(str(parent), report(example("passed")))
        assert str(parent) in caught.value.message
    assert os.listdir(elsewhere) == []
    assert _mode(elsewhere) == 0o755


def test_a_full_disk_leaves_the_old_report_and_nothing_else(tmp_path, monkeypatch):
    files, _problems = _write(tmp_path, example("passed"))
    before = {name: Path(files.path(name)).read_bytes() for name in FILES}

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(TargetError, match="No space left on device"):
        _write(tmp_path, {**example("passed"), "scenario": "another"})
    monkeypatch.undo()
    assert {name: Path(files.path(name)).read_bytes() for name in sorted(os.listdir(files.folder))} == before


# -- earlier reports


def test_reports_are_read_back_as_they_were_made(tmp_path):
    for name in NAMES[:3]:
        _files, problems = _write(tmp_path, example(name))
        assert problems == []
    found, problems = read_earlier(str(tmp_path), checked_run(example("failed")))
    assert problems == []
    assert found == earlier(*map(example, NAMES[:3]))


def test_only_earlier_runs_of_the_same_site_count(tmp_path):
    now = example("passed")
    for run in (
        {**now, "site": "other", "id": "20260101T000000Z-00000000"},
        {**now, "id": "20270101T000000Z-00000000"},
        now,
        {**now, "id": "20260102T000000Z-00000000"},
    ):
        _write(tmp_path, run)
    (tmp_path / "notes").mkdir()
    found, problems = read_earlier(str(tmp_path), checked_run(now))
    assert [one.run["id"] for one in found] == ["20260102T000000Z-00000000"]
    assert problems == []


def test_there_is_nothing_yet(tmp_path):
    assert read_earlier(str(tmp_path / "none"), checked_run(example("passed"))) == ([], [])


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"schema": "dfr.continuity/report/2"}', b"\xff", b"null"]
)
def test_an_earlier_report_that_cannot_be_read_is_named_and_stops_nothing(tmp_path, content):
    files, _problems = _write(tmp_path, example("earlier-2026-08"))
    broken = tmp_path / "20260101T000000Z-00000000"
    broken.mkdir()
    (broken / "report.json").write_bytes(content)
    found, problems = read_earlier(str(tmp_path), checked_run(example("passed")))
    assert [one.run["id"] for one in found] == [os.path.basename(files.folder)]
    assert len(problems) == 1
    assert str(broken / "report.json") in problems[0]


def test_an_earlier_run_that_is_wrong_is_left_out(tmp_path):
    files, _problems = _write(tmp_path, example("earlier-2026-08"))
    path = Path(files.path("report.json"))
    made = json.loads(path.read_text())
    made["run"]["phases"][0]["status"] = "green"
    path.write_text(json.dumps(made))
    found, problems = read_earlier(str(tmp_path), checked_run(example("passed")))
    assert found == []
    assert "phases[0].status is 'green'" in problems[0]


def test_as_many_earlier_runs_are_shown_as_wanted():
    before = [{**example("earlier-2026-08"), "id": f"2026010{number}T000000Z-00000000"} for number in range(1, 9)]
    for wanted in (0, 1, 5, 100):
        made = build_report(checked_run(example("passed")), earlier(*before), shown_runs=wanted)
        shown = [one["id"] for one in made["comparison"]["runs"]]
        assert shown == [one["id"] for one in before][len(before) - min(wanted, len(before)) :]
        assert made["plan"]["last_passed_drill"]["id"] == before[-1]["id"]
