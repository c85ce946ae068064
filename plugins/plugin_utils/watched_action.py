# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of the action plugins that watch a long module and tell how far it has come.

Ansible shows nothing while a module runs. So the module is started detached from the connection (see
:mod:`.detached_job`), its progress is polled, and a plain line is displayed every few seconds, on a terminal and
elsewhere alike. The module's result is then handed to Ansible as if it had run in the ordinary way: all of this
happens inside one call of ``_low_level_execute_command``, and building the module and reading its result stay with
Ansible.

A lost connection does not end the module; polling goes on until the host answers again. When ``ansible-playbook`` is
interrupted, or the task's ``timeout`` passes, the module is told to stop and clean up.
"""

from __future__ import annotations

import configparser
import json
import os
import shlex
import signal
import time
import typing as t
from contextlib import suppress

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.text.converters import to_bytes
from ansible.plugins.action import ActionBase

from ansible_collections.dfr.continuity.plugins.module_utils._status.text import ProgressText, duration, utc
from ansible_collections.dfr.continuity.plugins.plugin_utils import detached_job

VARIABLE = "dfr_continuity_progress_interval"
DEFAULT_INTERVAL = 8.0
# The launcher comes first on standard input, its length is the first argument; the module's source is the rest.
_BOOTSTRAP = "import sys; exec(sys.stdin.buffer.read(int(sys.argv[1])))"
_SHORTEST_WAIT, _LONGEST_WAIT = 0.2, 3.0
# A supervisor keeps a result for an hour; a host that is silent for longer has nothing left to tell.
_PATIENCE = detached_job.KEPT


class _Interrupted(BaseException):
    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class WatchedAction(ActionBase):
    """Runs the module of the same name and tells its progress; plugins say which options name the work."""

    _supports_check_mode = True
    _supports_async = True
    #: Options whose first value given tells what is worked on, for the progress line.
    label_options: t.ClassVar[tuple[str, ...]] = ("part",)
    _interval = DEFAULT_INTERVAL

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        self._task_vars = task_vars or {}
        self._interval = self._find_interval()
        wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
        result.update(self._execute_module(task_vars=task_vars, wrap_async=wrap_async))
        return result

    # -- The two places where Ansible's way of running a module is changed

    def _is_pipelining_enabled(self, module_style: str, wrap_async: bool = False) -> bool:
        return self._watches() or super()._is_pipelining_enabled(module_style, wrap_async)

    def _low_level_execute_command(
        self, cmd: str, sudoable: bool = True, in_data: bytes | str | None = None, **options: t.Any
    ) -> dict[str, t.Any]:
        # Only the module itself is run with become and fed through standard input.
        if not (sudoable and in_data and self._watches()):
            return super()._low_level_execute_command(cmd, sudoable=sudoable, in_data=in_data, **options)
        launcher = _launcher()
        limit = int(self._task.timeout or 0)
        command = f"{cmd} -c {shlex.quote(_BOOTSTRAP)} {len(launcher)} {limit}"
        with _Interruptions() as interruptions:
            started = super()._low_level_execute_command(command, in_data=launcher + to_bytes(in_data), **options)
            try:
                job = json.loads(started["stdout"].strip().splitlines()[-1])
                folder, pid = str(job["job"]), int(job["pid"])
            except (ValueError, LookupError, TypeError):
                # The interpreter or become failed; Ansible reports that as it does for every module.
                return started
            return self._watch(folder, pid, interruptions)

    def _watches(self) -> bool:
        """Whether this run is worth watching, and whether the connection can feed standard input."""
        become = self._connection.become
        return (
            not self._task.check_mode
            and not self._task.async_val
            and not constants.DEFAULT_KEEP_REMOTE_FILES
            and bool(self._connection.has_pipelining)
            and (not become or getattr(become, "pipelining", True))
            and self._interval > 0
        )

    # -- Watching

    def _watch(self, folder: str, pid: int, interruptions: _Interruptions) -> dict[str, t.Any]:
        try:
            interruptions.let_through()
            done = self._poll(folder, pid)
        except BaseException as error:
            self._stop(folder)
            if isinstance(error, _Interrupted):
                # Nobody listens any more; end this worker as Ansible would have ended it.
                signal.signal(error.signum, signal.SIG_DFL)
                os.kill(os.getpid(), error.signum)
            raise
        with suppress(AnsibleConnectionFailure):
            super()._low_level_execute_command(f"rm -rf {shlex.quote(folder)}", sudoable=True)
        if not done["stdout"].strip() and done["rc"] < 0:
            done["stdout"] = json.dumps(_killed(-done["rc"]))
        return {**done, "stdout_lines": done["stdout"].splitlines(), "stderr_lines": done["stderr"].splitlines()}

    def _poll(self, folder: str, pid: int) -> dict[str, t.Any]:
        """Return the content of ``done`` as soon as it is there; tell the progress until then."""
        quoted = shlex.quote(folder)
        # Succeeds with nothing to show while the module has not yet written any progress.
        look = f"kill -0 {pid} 2>/dev/null && {{ cat {quoted}/progress 2>/dev/null || true; }}"
        command = f"touch -c {quoted}/seen; cat {quoted}/done 2>/dev/null || {{ {look}; }}"
        began = time.monotonic()
        text, wait, told, gone = ProgressText(), _SHORTEST_WAIT, began, 0
        while True:
            time.sleep(wait)
            answer = self._ask(command)
            found = _parse(answer["stdout"])
            if "rc" in found:
                return found
            gone = gone + 1 if answer["rc"] else 0
            if gone >= 3:
                raise AnsibleActionFail(
                    f"The module's process on the target ended without a result (job directory {folder}). "
                    "Look into the target's journal: it was rebooted, ran out of memory, or has a full /run."
                )
            now = time.monotonic()
            if now - told >= self._interval:
                told = now
                self._tell(text.line(found, found["now"]) if found else f"running for {duration(now - began)}")
            # Never sleep past the moment of the next line.
            wait = max(min(wait * 1.5, _LONGEST_WAIT, told + self._interval - now), 0.05)

    def _ask(self, command: str) -> dict[str, t.Any]:
        """Run a short command, through lost connections until the host answers again."""
        silent_since = None
        while True:
            try:
                return super()._low_level_execute_command(command, sudoable=True)
            except AnsibleConnectionFailure as error:
                if silent_since is None:
                    silent_since = time.monotonic()
                    self._tell(f"the connection was lost at {utc(time.time())}; the work goes on ({error})")
                elif time.monotonic() - silent_since > _PATIENCE:
                    raise
                time.sleep(self._interval)
                with suppress(AnsibleError):
                    self._connection.reset()

    def _stop(self, folder: str) -> None:
        """Ask the supervisor to end the module; it cleans up by itself."""
        try:
            super()._low_level_execute_command(f"touch {shlex.quote(folder + '/stop')}", sudoable=True)
        except Exception as error:
            self._display.warning(f"The module may still be running on {self._host()}: {error}")

    # -- Telling

    def _tell(self, text: str) -> None:
        self._display.display(f"[{self._host()}] {self._title()}: {text}")

    def _host(self) -> str:
        return str(self._task_vars.get("inventory_hostname", "target"))

    def _title(self) -> str:
        name = str(self._task.action).rpartition(".")[2]
        given = (self._task.args.get(option) for option in self.label_options)
        label = "" if self._task.no_log else next((str(value) for value in given if value), "")
        # A file name may hold anything; a line of output may not.
        return f"{name} {label if label.isprintable() else ascii(label)}".rstrip()

    def _find_interval(self) -> float:
        """The seconds between two lines: a variable, the environment, ``ansible.cfg``, or the default; 0 for none."""
        given = self._task_vars.get(VARIABLE)
        value = self._templar.template(given) if given is not None else os.environ.get(VARIABLE.upper())
        if value is None and constants.CONFIG_FILE:
            settings = configparser.ConfigParser(inline_comment_prefixes=(";",), interpolation=None, strict=False)
            settings.read(constants.CONFIG_FILE, encoding="utf-8")
            value = settings.get("dfr_continuity", "progress_interval", fallback=None)
        try:
            return max(float(value), 0.0) if value is not None else DEFAULT_INTERVAL
        except (TypeError, ValueError) as error:
            raise AnsibleActionFail(f"{VARIABLE} is {value!r}; it must be a number of seconds.") from error


def _launcher() -> bytes:
    with open(detached_job.__file__, "rb") as file:
        return file.read()


def _parse(text: str) -> dict[str, t.Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _killed(signum: int) -> dict[str, t.Any]:
    """The result of a module that left none, because a signal ended it."""
    return {
        "failed": True,
        "msg": f"The module's process on the target was killed by signal {signum} and left no result.",
        "next_step": "Look into the target's journal, for example for the kernel ending it for lack of memory.",
    }


class _Interruptions:
    """Turns the first of the signals that end an Ansible worker into an exception, at a moment when that is of use.

    Before :meth:`let_through`, while the job is being started and nobody could stop it yet, a signal is kept. All
    further signals are ignored: ``ansible-playbook`` sends several, and none of them may end the stopping.
    """

    _signals = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self._received = 0
        self._open = False
        self._before: dict[int, t.Any] = {}

    def __enter__(self) -> _Interruptions:
        self._before = {signum: signal.signal(signum, self._receive) for signum in self._signals}
        return self

    def __exit__(self, *_exception: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _receive(self, signum: int, _frame: object) -> None:
        if not self._received:
            self._received = signum
            if self._open:
                raise _Interrupted(signum)

    def let_through(self) -> None:
        """Raise from now on, and at once if there was a signal already."""
        self._open = True
        if self._received:
            raise _Interrupted(self._received)
