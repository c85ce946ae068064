# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity verify``: is a backup whole? Its structure, or every byte."""

from __future__ import annotations

import argparse
import typing as t

from .._files.references import NESTED_REFERENCES
from .._repository.errors import InputError
from .._repository.keys import RecoveryKey
from .._repository.progress import Progress
from .._repository.repository import Repository
from .._repository.summary import Chain, read_chain
from .._repository.verification import Sample, StoreListing, Verification, verify_bytes, verify_structure
from .._status.text import size
from . import exit_codes
from .arguments import Subparsers, add_command, add_recovery_key, add_repository
from .console import Console
from .opening import open_named
from .passphrases import read_recovery_key
from .selection import LATEST, choose_for_look


def add(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "verify",
        "whether backups are whole: their structure, or every byte",
        """
        Check the chain of summaries, every signature, and that each object a backup needs is in the store with the
        size it was written with. That needs no recovery key and reads little.

        With --bytes every pack is read and decrypted, and every chunk checked. With --sample n/t only one of t shares
        of the packs is read; t runs with n from 1 to t have read everything. "today/7" takes the share whose turn it
        is today, so that a daily run covers everything in a week.

        "latest" (the default) is the newest backup that was finished, whole or not.

        Exit code 1: something is wrong with a backup, or with the chain.
        """,
        """
        continuity verify
        continuity verify all
        continuity verify latest --bytes --recovery-key recovery.pem --sample today/7
        """,
    )
    parser.add_argument("backup", nargs="?", default=LATEST, metavar="BACKUP", help="a backup's id, latest, or all")
    parser.add_argument("--bytes", action="store_true", help="read and check every byte; needs the recovery key")
    parser.add_argument("--sample", metavar="N/T", help="with --bytes: read only this share of the packs")
    add_repository(parser)
    add_recovery_key(parser, "needed for --bytes, and where there is no identity")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Verify what was named."""
    sample = _sample(options)
    recovery_key = read_recovery_key(options)
    if options.bytes and recovery_key is None:
        raise InputError("verify --bytes decrypts, and no recovery key is given.", "Give --recovery-key FILE.")
    with open_named(options, recovery_key) as repository, console.watch() as progress:
        progress.begin("reading summaries")
        chain = read_chain(repository)
        wanted = choose_for_look(chain, options.backup)
        progress.begin("listing packs")
        verifier = _Verifier(repository, chain, options, recovery_key)
        progress.begin("checking signatures", items_total=len(wanted))
        checked = [verifier.verify(backup_id, progress) for backup_id in wanted]
    problems = list(chain.findings)
    document = {
        "valid": not problems and all(backup["valid"] for backup in checked),
        "mode": "bytes" if options.bytes else "structure",
        "sample": f"{sample.number}/{sample.of}" if sample else None,
        "backups": checked,
        "problems": problems,
    }
    console.result("verify", document, _lines(document))
    return exit_codes.OK if document["valid"] else exit_codes.PROBLEMS


def _sample(options: argparse.Namespace) -> Sample | None:
    if not options.sample:
        return None
    if not options.bytes:
        raise InputError("--sample chooses which bytes are read, and --bytes is not given.", "Add --bytes.")
    day, _slash, of = options.sample.partition("/")
    if day == "today":
        return Sample.of_day(Sample.parse(f"1/{of}").of)
    return Sample.parse(options.sample)


class _Verifier:
    """Verifies one backup after the other; what backups share is looked at once."""

    def __init__(
        self, repository: Repository, chain: Chain, options: argparse.Namespace, key: RecoveryKey | None
    ) -> None:
        self._repository = repository
        self._chain = chain
        self._key = key if options.bytes else None
        self._sample = _sample(options)
        self._listing = StoreListing(repository)
        self._packs_seen: dict[bytes, str] = {}

    def verify(self, backup_id: str, progress: Progress) -> dict[str, t.Any]:
        """Return the JSON result for one backup."""
        broken = self._chain.broken.get(backup_id)
        if broken is not None:
            return _result(Verification(backup_id, problems=[broken.message]))
        if self._key is None:
            return _result(verify_structure(self._repository, backup_id, self._listing)[0])
        return _result(
            verify_bytes(
                self._repository,
                backup_id,
                self._key,
                sample=self._sample,
                progress=progress,
                listing=self._listing,
                findings=self._packs_seen,
                nested=NESTED_REFERENCES,
            )
        )


def _result(verification: Verification) -> dict[str, t.Any]:
    return {
        "id": verification.backup_id,
        "valid": verification.valid,
        "parts": verification.parts,
        "packs": verification.packs,
        "packs_read": verification.packs_read,
        "bytes_read": verification.bytes_read,
        "problems": verification.problems,
    }


def _lines(document: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    for backup in document["backups"]:
        verdict = "valid" if backup["valid"] else "NOT VALID"
        read = f", {backup['packs_read']} read ({size(backup['bytes_read'])})" if document["mode"] == "bytes" else ""
        yield f"{backup['id']}  {verdict}: {len(backup['parts'])} parts, {backup['packs']} packs{read}"
        for problem in backup["problems"]:
            yield f"  problem: {problem}"
    for problem in document["problems"]:
        yield f"problem: {problem}"
    if document["mode"] == "structure" and document["valid"]:
        yield "Nothing is missing. Whether every byte is right, --bytes tells."
