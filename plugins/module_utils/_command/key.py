# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity key``: make a recovery key or an identity, and show the public half of one."""

from __future__ import annotations

import argparse
import os
import typing as t

from .._repository.errors import ContinuityError, InputError, TargetError
from .._repository.keys import KEM_X25519, KEMS, Identity, RecoveryKey, load_recovery_key, read_key_file, write_key_file
from . import exit_codes
from .arguments import Subparsers, add_command, add_passphrase
from .console import Console
from .passphrases import existing_passphrase, is_locked, new_passphrase


def add(subparsers: Subparsers) -> None:
    """Add the subcommands."""
    parser = subparsers.add_parser(
        "key",
        help="make a recovery key or an identity; show a public key",
        description="Make a recovery key or an identity, or show the public half of one.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_recovery(actions)
    _add_identity(actions)
    _add_show(actions)


def _add_recovery(actions: Subparsers) -> None:
    parser = add_command(
        actions,
        "recovery",
        "make a recovery key, which opens backups",
        """
        Make a recovery key: the private key that opens backups. It belongs on no server: keep it, and its passphrase
        apart from it, where people will find them when the servers are gone. Its public half, the recipient, is
        printed; it goes into the inventory.
        """,
        """
        continuity key recovery --output recovery.pem
        continuity key recovery --output recovery.pem --type mlkem768-x25519 --passphrase-file passphrase.txt
        """,
    )
    parser.add_argument("--output", metavar="FILE", required=True, help="a file that does not exist yet")
    parser.add_argument(
        "--type",
        choices=KEMS,
        default=KEM_X25519,
        help="%(default)s by default; mlkem768-x25519 withstands quantum computers too, p256 is for where only NIST "
        "curves are allowed",
    )
    parser.add_argument("--no-passphrase", action="store_true", help="whoever has the file has the backups")
    add_passphrase(parser.add_argument_group("passphrase"))
    parser.set_defaults(run=make_recovery_key)


def _add_identity(actions: Subparsers) -> None:
    parser = add_command(
        actions,
        "identity",
        "make an identity, which signs backups",
        """
        Make an identity: the private key with which a host, or the administrator, signs. It opens no backup. Its
        public half, the signer, is printed; the administrator's is what other machines pin as "trust".
        """,
        "continuity key identity --output /etc/dfr-continuity/identity.pem",
    )
    parser.add_argument("--output", metavar="FILE", required=True, help="a file that does not exist yet")
    parser.set_defaults(run=make_identity)


def _add_show(actions: Subparsers) -> None:
    parser = add_command(
        actions,
        "show",
        "print the public half of a recovery key or an identity",
        "Print the public half of a private key, and its fingerprint.",
        "continuity key show recovery.pem",
    )
    parser.add_argument("file", metavar="FILE", help="the private key, a PEM file")
    add_passphrase(parser.add_argument_group("passphrase"))
    parser.set_defaults(run=show)


def make_recovery_key(options: argparse.Namespace, console: Console) -> int:
    """Make a recovery key file."""
    if options.no_passphrase and (options.passphrase_file or options.passphrase_fd is not None):
        raise InputError("A passphrase is given together with --no-passphrase.", "Give one of the two.")
    _check_free(options.output)
    passphrase = None if options.no_passphrase else new_passphrase(options)
    key = RecoveryKey.generate(options.type)
    write_key_file(options.output, key.to_pem(passphrase))
    return _tell(console, "key recovery", key, {"file": options.output, "passphrase": passphrase is not None})


def make_identity(options: argparse.Namespace, console: Console) -> int:
    """Make an identity file."""
    identity = Identity.generate()
    write_key_file(options.output, identity.to_pem())
    return _tell(console, "key identity", identity, {"file": options.output})


def show(options: argparse.Namespace, console: Console) -> int:
    """Show the public half of a key file."""
    pem = read_key_file(options.file, "The key")
    passphrase = existing_passphrase(options, f"The key {options.file}") if is_locked(pem) else None
    return _tell(console, "key show", _load(pem, passphrase, options.file), {"file": options.file})


def _load(pem: bytes, passphrase: bytes | None, path: str) -> RecoveryKey | Identity:
    try:
        return Identity.from_pem(pem, f"The key {path}", passphrase)
    except InputError as not_an_identity:
        try:
            return load_recovery_key(pem, passphrase, f"The key {path}")
        except ContinuityError as error:
            raise error from not_an_identity


def _check_free(path: str) -> None:
    """Notice before a passphrase is asked for, not after."""
    if os.path.lexists(path):
        raise TargetError(
            f"There is a file {path} already.",
            "Choose another path; an existing key is never replaced, because it may open backups.",
        )


def _tell(console: Console, command: str, key: RecoveryKey | Identity, facts: t.Mapping[str, t.Any]) -> int:
    public = key.signer if isinstance(key, Identity) else key.recipient
    what = "signer" if isinstance(key, Identity) else "recipient"
    document = {**facts, "type": what, "public": public.text, "fingerprint": public.fingerprint}
    console.result(
        command,
        document,
        [f"file         {facts['file']}", f"{what:<12} {public.text}", f"fingerprint  {public.fingerprint}"],
    )
    return exit_codes.OK
