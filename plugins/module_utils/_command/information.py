# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``continuity info``: everything that is known of a repository, of a backup, or of one part."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
import typing as t

from .._repository.encoding import check_part_name, parse_json
from .._repository.errors import ObjectMissingError
from .._repository.keys import RecoveryKey
from .._repository.naming import PACKS, RECOVERY, key_slots_name, scope_of
from .._repository.part_reader import PartReader, read_record
from .._repository.progress import Progress
from .._repository.repository import Repository
from .._repository.summary import list_backup_ids, read_chain, read_summary
from .._status.text import duration, size
from . import exit_codes
from .arguments import Subparsers, add_command, add_recovery_key, add_repository
from .catalogue import age, describe_backup
from .console import Console, table
from .opening import open_named
from .passphrases import read_recovery_key
from .selection import LATEST, choose_for_look


def add(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "info",
        "what is known of the repository, of a backup, or of one part",
        """
        Without arguments: who can open backups of this repository (recipients), whose backups are believed
        (signers), how large it is, and whether the recovery program in it is the one that was put there.
        With a backup: its parts, sizes, warnings. With a part: versions, counts, and who can open it; with the
        recovery key also its streams.

        "latest" is the newest backup that was finished, whole or not.
        """,
        """
        continuity info
        continuity info latest
        continuity info 20261122T050301Z-1f2e3d4c db1.shop.database --recovery-key recovery.pem
        """,
    )
    parser.add_argument("backup", nargs="?", metavar="BACKUP", help="a backup's id, or latest")
    parser.add_argument("part", nargs="?", metavar="PART", help="one of its parts")
    add_repository(parser)
    add_recovery_key(parser, "opens the repository where there is no identity, and shows the streams of a part")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Show what is known."""
    recovery_key = read_recovery_key(options)
    with open_named(options, recovery_key) as repository:
        if options.backup is None:
            with console.watch() as progress:
                document = describe_repository(repository, progress)
            console.result("info", document, _repository_lines(document))
            return exit_codes.PROBLEMS if document["problems"] else exit_codes.OK
        backup_id = options.backup
        if backup_id == LATEST:
            backup_id = choose_for_look(read_chain(repository), LATEST)[0]
        if options.part is None:
            document = {"backup": describe_backup(read_summary(repository, backup_id), time.time())}
            console.result("info", document, _backup_lines(document["backup"]))
        else:
            part = check_part_name(options.part)
            document = {"part": describe_part(repository, backup_id, part, recovery_key)}
            console.result("info", document, _part_lines(document["part"]))
    return exit_codes.OK


# The repository


def describe_repository(repository: Repository, progress: Progress) -> dict[str, t.Any]:
    """Return the JSON result for a repository."""
    settings = repository.settings
    progress.begin("listing packs")
    count = total = 0
    for info in repository.store.list(PACKS):
        count, total = count + 1, total + info.size
        progress.add(items=1, done=info.size)
    files = [_recovery_file(repository, name, digest) for name, digest in sorted(settings.recovery_files.items())]
    return {
        "repository": {
            "id": repository.repository_id,
            "location": repository.store.location,
            "created": settings.created,
            "revision": settings.revision,
            "epoch": settings.epoch,
            "compression_level": settings.compression_level,
            "recipients": [
                {"name": one.name, "kem": one.kem, "fingerprint": one.fingerprint, "key": one.text}
                for one in settings.recipients
            ],
            "signers": [
                {
                    "name": one.signer.name,
                    "fingerprint": one.signer.fingerprint,
                    "key": one.signer.text,
                    "retired": one.retired or None,
                }
                for one in settings.signers
            ],
            "recovery_files": files,
            "backups": len(list_backup_ids(repository)),
            "packs": count,
            "packs_bytes": total,
        },
        "problems": [f"{file['name']}: {file['problem']}" for file in files if file["problem"]],
    }


def _recovery_file(repository: Repository, name: str, digest: str) -> dict[str, t.Any]:
    """Describe one object that carries the recovery, checked against the signed settings."""
    described = {"name": RECOVERY + name, "sha256": digest, "bytes": None, "problem": ""}
    try:
        content = repository.store.get(RECOVERY + name)
    except ObjectMissingError:
        return {**described, "problem": "it is missing"}
    changed = hashlib.sha256(content).hexdigest() != digest
    return {
        **described,
        "bytes": len(content),
        "problem": "it is not what the administrator put there: do not run it" if changed else "",
    }


def _repository_lines(document: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    told = document["repository"]
    yield f"repository   {told['id']}"
    yield f"location     {told['location']}"
    yield f"created      {told['created']}, settings revision {told['revision']}"
    yield f"backups      {told['backups']}"
    yield f"packs        {told['packs']}, {size(told['packs_bytes'])}"
    yield f"compression  zstd level {told['compression_level']}"
    yield ""
    yield "These recovery keys open its backups:"
    rows = [(one["name"] or "-", one["kem"], one["fingerprint"]) for one in told["recipients"]]
    yield from _indented(table(("name", "type", "fingerprint"), rows))
    yield ""
    yield "Backups signed by these are believed:"
    rows = [(one["name"] or "-", one["fingerprint"], one["retired"] or "-") for one in told["signers"]]
    yield from _indented(table(("name", "fingerprint", "retired"), rows))
    if told["recovery_files"]:
        yield ""
        yield "It carries for recovery:"
        for file in told["recovery_files"]:
            yield f"  {file['name']}, {file['problem'] or size(file['bytes'])}"


# A backup


def _backup_lines(told: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    yield f"backup    {told['id']}"
    yield f"status    {told['status']}"
    yield f"started   {told['started']} ({duration(told['age_seconds'])} ago)"
    yield f"finished  {told['finished']} (took {duration(told['age_seconds'] - age(told['finished'], time.time()))})"
    yield f"signer    {told['signer']}"
    yield ""
    rows = [
        (one["part"], one["kind"], one["status"], size(one["source_bytes"]), size(one["stored_bytes"]))
        for one in told["parts"]
    ]
    yield from table(("part", "kind", "status", "data", "stored"), rows, right=(3, 4))
    for part in told["parts"]:
        if part["reason"]:
            yield f"{part['part']}: {part['reason']} {part['next_step']}".rstrip()
        for warning in part["warnings"]:
            yield f"{part['part']}: warning: {warning}"


# A part


def describe_part(
    repository: Repository, backup_id: str, part: str, recovery_key: RecoveryKey | None
) -> dict[str, t.Any]:
    """Return the JSON result for a part: its signed record, who can open it, and with a key its streams."""
    record = read_record(repository, backup_id, part)
    name = key_slots_name(scope_of(backup_id, part))
    slots = parse_json(repository.read_signed(name, backup_id)[1], name)["slots"]
    described = {key: value for key, value in record.items() if key not in ("type", "manifest", "commitment")}
    described["packs"] = {"count": record["packs"]["count"], "bytes": record["packs"]["size"]}
    described["opened_by"] = [{"name": slot.get("name", ""), "fingerprint": slot["recipient"]} for slot in slots]
    described["streams"] = None
    if recovery_key is not None:
        with repository.open_part(backup_id, part, recovery_key) as reader:
            described["streams"] = _streams(reader)
    return described


def _streams(reader: PartReader) -> list[dict[str, t.Any]]:
    return [{"name": name, "bytes": reference.size} for name, reference in sorted(reader.streams.items())]


def _part_lines(told: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    counts = told["bytes"]
    yield f"part      {told['part']} of {told['backup']}"
    yield f"kind      {told['kind']}, made by {told['host']}"
    yield f"started   {told['started']}, finished {told['finished']}"
    yield f"data      {size(counts['source'])}, new {size(counts['new'])}, stored {size(counts['stored'])}"
    yield f"needs     {told['packs']['count']} packs, {size(told['packs']['bytes'])}"
    yield "opens by  " + (", ".join(slot["name"] or slot["fingerprint"] for slot in told["opened_by"]) or "nobody")
    for name, value in sorted(told["facts"].items()):
        yield f"  {name}: {value if isinstance(value, (str, int, float)) else json.dumps(value)}"
    for stream in told["streams"] or ():
        yield f"stream    {stream['name']}, {size(stream['bytes'])}"
    for warning in told["warnings"]:
        yield f"warning: {warning}"


def _indented(lines: t.Iterable[str]) -> t.Iterator[str]:
    return (f"  {line}" for line in lines)
