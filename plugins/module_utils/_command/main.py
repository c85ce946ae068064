# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `continuity` command: its subcommands, and how it ends."""

from __future__ import annotations

# This is a command line program: printing is what it is for.
# pylint: disable=ansible-bad-function
import argparse
import signal
import sys
import traceback
import typing as t
from contextlib import contextmanager

from .._repository.errors import ContinuityError, InputError
from . import (
    backup,
    catalogue,
    deliver,
    exit_codes,
    file_list,
    information,
    key,
    odoo_zip,
    recovery_files,
    restore,
    verify,
)
from .arguments import Parser
from .console import Console, silence_output

_DESCRIPTION = """\
Look at, verify and restore encrypted backups made by the Ansible collection dfr.continuity."""

_EPILOG = """\
exit codes:
  0    done
  1    done, and problems were found (list, info, verify), or a backup is not whole
  2    the command line, the configuration, or a missing program or package
  3    the store did not answer, refused, or does not hold what was asked for
  4    wrong key or passphrase, untrusted signer, damaged data, or an unknown format
  5    data that cannot be read, or a target that cannot take it
  130  interrupted (143: stopped by SIGTERM); nothing half done is left in place
  70   a mistake in this program

The repository is the one of /etc/dfr-continuity/continuity.json, or of --config or --repository.
"continuity COMMAND --help" shows examples."""

_COMMANDS = (catalogue, information, file_list, verify, restore, odoo_zip, backup, deliver, key, recovery_files)


class Stopped(BaseException):
    """A signal asked the command to end. Not an Exception, so that nothing takes it for a failure of its own."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = Parser(
        prog="continuity",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add(subparsers)
    return parser


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        options = build_parser().parse_args(given)
    except InputError as error:
        Console(as_json="--json" in given).error(error)
        return exit_codes.INPUT
    console = Console(as_json=options.json, quiet=options.quiet)
    try:
        with _stoppable():
            return int(options.run(options, console))
    except ContinuityError as error:
        if options.debug:
            traceback.print_exc()
        console.error(error)
        return exit_codes.exit_code(error)
    except Stopped as stopped:
        print(f"stopped by {signal.Signals(stopped.signum).name}", file=sys.stderr)
        return 128 + stopped.signum
    except BrokenPipeError:
        silence_output()
        return 128 + signal.SIGPIPE
    except Exception as error:
        return _mistake(error, options, console)


def _mistake(error: Exception, options: argparse.Namespace, console: Console) -> int:
    if options.debug:
        traceback.print_exc()
    place = traceback.extract_tb(error.__traceback__)[-1]
    console.error(
        ContinuityError(
            f"A mistake in this program: {type(error).__name__} in {place.name}, line {place.lineno}: {error}.",
            "Run it again with --debug, and report what it prints.",
        )
    )
    return exit_codes.INTERNAL


@contextmanager
def _stoppable() -> t.Iterator[None]:
    """Turn the signals that end a process into an exception, so that what was begun is cleaned up; only the first."""

    def stop(signum: int, _frame: object) -> t.NoReturn:
        for name in before:
            # Cleaning up may have to wait for a store that does not answer; a second Ctrl-C does not.
            signal.signal(name, signal.SIG_DFL if name == signal.SIGINT else signal.SIG_IGN)
        raise Stopped(signum)

    before = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    for name in before:
        signal.signal(name, stop)
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
