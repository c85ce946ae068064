# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several subcommands share."""

from __future__ import annotations

import argparse
import textwrap
import typing as t

from .._repository.errors import InputError
from .configuration import DEFAULT_CONFIG

if t.TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Subparsers = t.Any


class Parser(argparse.ArgumentParser):
    """A parser that tells a mistake in the command line like every other error."""

    def error(self, message: str) -> t.NoReturn:
        """Raise :class:`~.._repository.errors.InputError`."""
        raise InputError(f"{message[:1].upper()}{message[1:].rstrip('.')}.", f"See: {self.prog} --help")


def add_command(
    subparsers: Subparsers, name: str, summary: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """Add a subcommand with help that shows how it is used."""
    parser = subparsers.add_parser(
        name,
        help=summary,
        description=textwrap.dedent(description).strip(),
        epilog="examples:\n" + textwrap.indent(textwrap.dedent(examples).strip(), "  "),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="write the result as JSON (keys: docs/command.md)")
    output.add_argument("--quiet", action="store_true", help="no progress and no remarks, only errors and the result")
    output.add_argument("--debug", action="store_true", help="show where in the program an error arose")
    return parser


def add_repository(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which repository is meant; see :mod:`.configuration`."""
    group = parser.add_argument_group("repository")
    group.add_argument("--config", metavar="FILE", help=f"configuration file (default: {DEFAULT_CONFIG})")
    group.add_argument(
        "--repository",
        metavar="LOCATION",
        help="a directory or s3://bucket/prefix, instead of the configured one; the default configuration file "
        "is then not read",
    )
    group.add_argument(
        "--trust",
        action="append",
        metavar="SIGNER",
        help="the administrator's public identity (signer:...) or its fingerprint (32 hexadecimal digits), noted "
        "when the repository was made; can be repeated",
    )
    group.add_argument("--identity", metavar="FILE", help="this machine's identity, a PEM file")
    group.add_argument("--host", metavar="NAME", help="this machine's name among the signers")
    group.add_argument("--cache-dir", metavar="DIR", help="where the index is kept between runs")
    group.add_argument(
        "--s3-option",
        action="append",
        metavar="NAME=VALUE",
        help="endpoint, region, addressing, ca_file, checksums or deadline of an S3 store; credentials belong into "
        "the configuration file or where AWS tools look for them",
    )


def add_recovery_key(parser: argparse.ArgumentParser, why: str) -> None:
    """Add the options that give a recovery key and its passphrase."""
    group = parser.add_argument_group("recovery key")
    group.add_argument(
        "--recovery-key", metavar="FILE", help=f"private recovery key, a PEM file, or - for standard input: {why}"
    )
    add_passphrase(group)


def add_passphrase(group: argparse._ArgumentGroup) -> None:
    """Add the ways to give a passphrase, none of which shows it to other users."""
    ways = group.add_mutually_exclusive_group()
    ways.add_argument(
        "--passphrase-file", metavar="FILE", help="file with the passphrase (default: it is asked for on the terminal)"
    )
    ways.add_argument("--passphrase-fd", metavar="N", type=int, help="open file descriptor with the passphrase")
