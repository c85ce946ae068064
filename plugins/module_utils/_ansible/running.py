# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How every module runs: one call, one family of errors, a log line, progress, and a clean end on a signal."""

from __future__ import annotations

import signal
import typing as t
from contextlib import contextmanager

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .._repository.errors import ContinuityError
from .._repository.progress import Progress
from .._repository.third_party import MISSING
from .._status.log import Outcome, Step, StepLog
from .progress import ProgressFile

Result = dict[str, t.Any]


class Work:
    """What the function behind a module is given: its parameters, where to count progress, and what to log."""

    def __init__(self, module: AnsibleModule, progress: Progress, log: StepLog, outcome: Outcome) -> None:
        self.module = module
        self.progress = progress
        self.log = log
        self.outcome = outcome

    @property
    def params(self) -> dict[str, t.Any]:
        """The module's parameters."""
        return t.cast("dict[str, t.Any]", self.module.params)

    @property
    def check_mode(self) -> bool:
        """Whether nothing may be changed."""
        return bool(self.module.check_mode)

    def warn(self, sentences: t.Iterable[str]) -> None:
        """Add warnings to the result."""
        for sentence in sentences:
            self.module.warn(sentence)


class FailureWithResultError(ContinuityError):
    """A failure after which there is still something to return, such as the notice that tells people of it."""

    def __init__(self, error: ContinuityError, result: Result) -> None:
        super().__init__(error.message, error.next_step)
        self.error = error
        self.result = result


class StoppedBySignal(BaseException):
    """The module was asked to end. Its name is what the log tells as the reason."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def run(
    module: AnsibleModule,
    function: t.Callable[[Work], Result],
    step: Step | None = None,
    *,
    needs_packages: bool = True,
) -> t.NoReturn:
    """Call ``function`` and end the module with its result, or with a failure that says what to do next.

    :arg step: what the log calls this; nothing is logged without it, nor in check mode.
    :arg needs_packages: whether the module needs packages that a blank machine lacks.
    """
    for package, trace in MISSING.items() if needs_packages else ():
        module.fail_json(msg=missing_required_lib(package), exception=trace, error="DependencyError")
    log = _log(module, step)
    try:
        with _stoppable(), ProgressFile() as progress, log.step(step or Step("")) as outcome:
            result = function(Work(module, progress, log, outcome))
    except ContinuityError as error:
        _warn(module, log)
        _fail(module, error)
    except StoppedBySignal as stopped:
        _warn(module, log)
        name = signal.Signals(stopped.signum).name
        module.fail_json(
            msg=f"The module was stopped by {name} before it was done.",
            next_step="Run it again; nothing half done counts, and what is stored already is not stored again.",
            error="Stopped",
        )
    _warn(module, log)
    if {"path", "dest"} & result.keys():
        raise ValueError("Ansible would put owner, mode and size of that file in the place of our results.")
    module.exit_json(**result)
    raise AssertionError("exit_json does not return")


def _log(module: AnsibleModule, step: Step | None) -> StepLog:
    if step is None or module.check_mode:
        return StepLog(None, None)
    return StepLog(module.params.get("log_file") or None)


def _warn(module: AnsibleModule, log: StepLog) -> None:
    for problem in log.problems:
        module.warn(problem)


def _fail(module: AnsibleModule, error: ContinuityError) -> t.NoReturn:
    carried = error if isinstance(error, FailureWithResultError) else FailureWithResultError(error, {})
    result = {"reason": error.message, "next_step": error.next_step, "error": type(carried.error).__name__}
    # `msg` is what a person sees on the terminal, so it holds the next step too.
    module.fail_json(**{**carried.result, **result, "msg": str(error)})
    raise AssertionError("fail_json does not return")


@contextmanager
def _stoppable() -> t.Iterator[None]:
    """Turn the signals that end a process into an exception, so that what was begun is cleaned up; only the first."""

    def stop(signum: int, _frame: object) -> t.NoReturn:
        for name in before:
            signal.signal(name, signal.SIG_IGN)
        raise StoppedBySignal(signum)

    before = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    for name in before:
        signal.signal(name, stop)
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
