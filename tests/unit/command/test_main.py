# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the command ends, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._command import catalogue, exit_codes
from ansible_collections.dfr.continuity.plugins.module_utils._command.console import printable, table
from ansible_collections.dfr.continuity.plugins.module_utils._command.main import build_parser
from ansible_collections.dfr.continuity.plugins.module_utils._repository import errors
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

from .conftest import Command

MAIN = "ansible_collections.dfr.continuity.plugins.module_utils._command.main"
PROGRAM = [sys.executable, "-c", f"import sys; from {MAIN} import main; sys.exit(main())"]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.InputError, 2),
        (errors.DependencyError, 2),
        (errors.StoreError, 3),
        (errors.StoreUnreachableError, 3),
        (errors.StoreDeniedError, 3),
        (errors.ObjectMissingError, 3),
        (errors.IntegrityError, 4),
        (errors.FormatError, 4),
        (errors.WrongKeyError, 4),
        (errors.TrustError, 4),
        (errors.SourceError, 5),
        (errors.TargetError, 5),
    ],
)
def test_every_error_has_an_exit_code(kind: type[errors.ContinuityError], code: int) -> None:
    assert exit_codes.exit_code(kind("a", "b")) == code


def test_no_kind_of_error_is_forgotten_above() -> None:
    mark = next(mark for mark in test_every_error_has_an_exit_code.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    kinds = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert kinds - {errors.ContinuityError} == {case[0] for case in mark.args[1]}


def test_an_error_is_told_in_two_lines_and_for_programs_on_standard_output(command: Command) -> None:
    ended = command.bare("list", "--repository", "/nonexistent", "--cache-dir", "/tmp", "--json")
    lines = ended.err.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["error", "next step"]
    assert "/nonexistent" in lines[0]
    assert ended.document["error"]["message"] == lines[0].removeprefix("error: ")
    assert ended.document["error"]["next_step"] == lines[1].removeprefix("next step: ")


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["list", "--nothing"], ["key"], ["info", "a", "b", "c"]])
def test_a_mistake_in_the_command_line_is_told_like_any_other(command: Command, arguments: list[str]) -> None:
    ended = command.bare(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert "next step: See: continuity" in ended.err
    assert "error" in command.bare(*arguments, "--json").document


def test_a_mistake_of_the_program_is_no_traceback(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_repository: object) -> t.NoReturn:
        raise KeyError("surprise")

    monkeypatch.setattr(catalogue, "read_chain", fail)
    ended = command.host("list")
    assert ended.code == exit_codes.INTERNAL
    assert "A mistake in this program: KeyError" in ended.err
    assert "Traceback" not in ended.err
    assert "Traceback" in command.host("list", "--debug").err


def _parsers() -> t.Iterator[tuple[str, t.Any]]:
    waiting = [("continuity", build_parser())]
    while waiting:
        name, parser = waiting.pop()
        yield name, parser
        for action in parser._actions:
            if hasattr(action, "choices") and isinstance(action.choices, dict):
                waiting += [(f"{name} {choice}", below) for choice, below in action.choices.items()]


@pytest.mark.parametrize(
    ("name", "parser"), list(_parsers()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_help_is_worth_reading(name: str, parser: t.Any) -> None:
    text = parser.format_help()
    assert parser.description
    if parser.get_default("run") is not None:
        assert f"{name} " in parser.epilog
        assert parser._option_string_actions["--json"]
    for action in parser._actions:
        if isinstance(action.choices, dict):
            continue
        assert action.help, f"{name}: {action.option_strings or action.dest} has no help"
    assert len(text.splitlines()) > 8


def test_text_from_elsewhere_cannot_move_the_cursor() -> None:
    assert printable("a\x1b[2Jb\nc\udc80ü") == "a\\x1b[2Jb\\nc\\udc80ü"


def test_tables_are_aligned() -> None:
    assert table(("a", "bb"), [("long", "1"), ("x", "100")], right=(1,)) == ["a      bb", "long    1", "x     100"]


def test_a_reader_that_goes_away_is_no_error(site: Site, command: Command) -> None:
    for _number in range(3):
        site.back_up(os.urandom(10))
    arguments = [*PROGRAM, "list", *command.place("c"), "--recovery-key", str(command.recovery_key), "--quiet"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 128 + signal.SIGPIPE


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_cleanly(site: Site, command: Command, signum: signal.Signals, code: int) -> None:
    """It waits for the passphrase, on a terminal, when the signal comes."""
    command.recovery_key.write_bytes(site.recovery_key.to_pem(b"secret"))
    arguments = [*PROGRAM, "list", *command.place("c"), "--recovery-key", str(command.recovery_key)]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(arguments[0], arguments)
    said = b""
    while b"Passphrase of the recovery key" not in said:
        said += os.read(terminal, 1000)
    os.kill(pid, signum)
    try:
        while piece := os.read(terminal, 1000):
            said += piece
    except OSError:
        pass  # how Linux says that nobody has the other side open any more
    os.close(terminal)
    _pid, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == code
    assert b"Traceback" not in said
    assert b"stopped by " + signum.name.encode() in said


def test_a_passphrase_typed_on_the_terminal_is_not_shown(site: Site, command: Command) -> None:
    backup_id = site.back_up(b"x")
    command.recovery_key.write_bytes(site.recovery_key.to_pem(b"secret words"))
    arguments = [*PROGRAM, "list", *command.place("c"), "--recovery-key", str(command.recovery_key), "--json"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(arguments[0], arguments)
    said = b""
    while b"Passphrase of the recovery key" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, b"secret words\n")
    try:
        while piece := os.read(terminal, 1000):
            said += piece
    except OSError:
        pass
    os.close(terminal)
    _pid, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert backup_id.encode() in said
    assert b"secret words" not in said


def test_a_passphrase_without_a_terminal_must_be_given(site: Site, command: Command) -> None:
    command.recovery_key.write_bytes(site.recovery_key.to_pem(b"secret"))
    arguments = [*PROGRAM, "list", *command.place("c"), "--recovery-key", str(command.recovery_key), "--json"]
    ended = subprocess.run(arguments, capture_output=True, stdin=subprocess.DEVNULL, start_new_session=True)
    assert ended.returncode == 2
    assert "--passphrase-file" in json.loads(ended.stdout)["error"]["next_step"]
