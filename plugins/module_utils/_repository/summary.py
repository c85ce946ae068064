# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signed summary that closes a backup, and the chain that summaries form.

Every summary names its predecessor by the same signer: backup id and SHA-256. A summary that is removed, put back or
slipped in leaves a gap that :func:`read_chain` finds; the newest one being removed is found by what this machine
remembers (:mod:`.local_state`).
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from .encoding import canonical_json, check_backup_id, parse_json
from .errors import (
    ContinuityError,
    InputError,
    IntegrityError,
    ObjectMissingError,
    StoreUnreachableError,
    TrustError,
)
from .keys import Signer
from .naming import BACKUPS, part_object_name, scope_of, summary_name
from .part_reader import read_record
from .worker_pool import WorkerPool

if t.TYPE_CHECKING:
    from .repository import Repository

SUCCESS, PARTIAL, FAILURE = "success", "partial", "failure"


@dataclass(frozen=True)
class PartOutcome:
    """What became of one part that a backup was to have. ``reason`` and ``next_step`` only for a failed one.

    ``degraded`` says that the part exists but lacks something, such as files that could not be read. ``spooled`` tells
    that, when it was written, it could not be delivered to the store, why, and how much waits where; ``deliver_step``
    what to do about that. ``spooled_bytes`` is all that waits on that host.
    """

    name: str
    host: str
    kind: str = ""
    failed: bool = False
    degraded: bool = False
    reason: str = ""
    next_step: str = ""
    spooled: str = ""
    deliver_step: str = ""
    spooled_bytes: int = 0


@dataclass(frozen=True)
class Summary:
    """A summary as read back: who signed it, what it says, the SHA-256 of its envelope."""

    signer: Signer
    document: t.Mapping[str, t.Any]
    digest: str

    @property
    def backup_id(self) -> str:
        """The backup it closes."""
        return str(self.document["backup"])

    @property
    def status(self) -> str:
        """``success``, ``partial`` or ``failure``."""
        return str(self.document["status"])

    @property
    def sequence(self) -> int:
        """Its number in the chain of its signer."""
        return int(self.document["sequence"])


def overall_status(parts: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """Success when every part is whole, Failure when none exists, Partial otherwise."""
    if not parts or all(part["status"] == FAILURE for part in parts):
        return FAILURE
    return SUCCESS if all(part["status"] == SUCCESS for part in parts) else PARTIAL


def close_backup(
    repository: Repository, backup_id: str, outcomes: t.Sequence[PartOutcome], started: str | None = None
) -> dict[str, t.Any]:
    """Write the summary of a backup from what its parts became, and return it.

    A part that is said to have succeeded is read back from the store first; one that cannot be is a failed one.

    Raises :class:`~.errors.StoreUnreachableError` when the store does not answer, :class:`~.errors.InputError` when
    the backup is closed already.
    """
    check_backup_id(backup_id)
    if is_closed(repository, backup_id):
        raise InputError(f"The backup {backup_id} is closed already.", "Give every run a backup id of its own.")
    identity = repository.signing_identity()
    parts = [describe_part(repository, backup_id, outcome) for outcome in outcomes]
    with repository.state.locked() as state:
        previous = state["summaries"].get(identity.signer.text) or _newest_of(repository, identity.signer)
        document = {
            "type": "summary",
            "backup": backup_id,
            "status": overall_status(parts),
            "started": started or time_of(backup_id),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "parts": parts,
            "sequence": previous["sequence"] + 1 if previous else 1,
            "previous": {"backup": previous["backup"], "sha256": previous["sha256"]} if previous else None,
        }
        digest = repository.write_signed(summary_name(backup_id), canonical_json(document))
        state["summaries"][identity.signer.text] = _memory(document, digest)
    return document


def is_closed(repository: Repository, backup_id: str) -> bool:
    """Tell whether a backup has its summary."""
    try:
        repository.store.stat(summary_name(backup_id))
    except ObjectMissingError:
        return False
    return True


def time_of(backup_id: str) -> str:
    """Return the moment in a backup's id, in the usual form."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.strptime(backup_id[:16], "%Y%m%dT%H%M%SZ"))


def _memory(document: t.Mapping[str, t.Any], digest: str) -> dict[str, t.Any]:
    return {"sequence": document["sequence"], "backup": document["backup"], "sha256": digest}


def describe_part(repository: Repository, backup_id: str, outcome: PartOutcome) -> dict[str, t.Any]:
    """Return what a summary says of a part: as its record in the store does, or why it failed."""
    described: dict[str, t.Any] = {"part": outcome.name, "host": outcome.host, "kind": outcome.kind, "status": FAILURE}
    if outcome.failed:
        return {**described, "reason": outcome.reason, "next_step": outcome.next_step}
    try:
        record = read_record(repository, backup_id, outcome.name)
        name = part_object_name(scope_of(backup_id, outcome.name), "record")
        digest = repository.read_signed(name, backup_id)[2]
    except StoreUnreachableError:
        # Says nothing about the part.
        raise
    except ContinuityError as error:
        lost = "It was spooled, and was lost before it was delivered. " if outcome.spooled else ""
        return {**described, "reason": lost + error.message, "next_step": error.next_step}
    return {
        **described,
        "status": PARTIAL if outcome.degraded else SUCCESS,
        "host": record["host"],
        "kind": record["kind"],
        "started": record["started"],
        "finished": record["finished"],
        "bytes": record["bytes"],
        "warnings": record["warnings"],
        "reason": outcome.reason,
        "next_step": outcome.next_step,
        "sha256": digest,
    }


def _newest_of(repository: Repository, signer: Signer) -> dict[str, t.Any] | None:
    """Find the end of a signer's chain in the store, for a machine that has no memory of it."""
    newest: Summary | None = None
    # All of them: backups that were left open for a while (:mod:`.deferred`) are closed after newer ones.
    for backup_id in list_backup_ids(repository):
        try:
            summary = read_summary(repository, backup_id)
        except ObjectMissingError:
            continue
        if summary.signer.text == signer.text and (newest is None or summary.sequence > newest.sequence):
            newest = summary
    return _memory(newest.document, newest.digest) if newest else None


def list_backup_ids(repository: Repository) -> list[str]:
    """Return the ids of all backups of which anything is in the store, oldest first."""
    return sorted({info.name[len(BACKUPS) :].split("/", 1)[0] for info in repository.store.list(BACKUPS)})


def read_summary(repository: Repository, backup_id: str) -> Summary:
    """Return a backup's summary, its signature checked.

    Raises :class:`~.errors.ObjectMissingError` for a backup that was never closed.
    """
    name = summary_name(check_backup_id(backup_id))
    try:
        signer, payload, digest = repository.read_signed(name, backup_id)
    except ObjectMissingError as error:
        raise ObjectMissingError(
            f"The backup {backup_id} in {repository.store.location} does not exist or was never finished.",
            "Look at the backups with `continuity list`.",
        ) from error
    document = parse_json(payload, name)
    if (document.get("type"), document.get("backup")) != ("summary", backup_id):
        raise IntegrityError(f"{name} is the summary of something else.", "Choose another backup.")
    return Summary(signer, document, digest)


@dataclass
class Chain:
    """All summaries of a repository, oldest first, and what is wrong: by backup id, and as a whole."""

    summaries: list[Summary] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    broken: dict[str, ContinuityError] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


def read_chain(repository: Repository) -> Chain:
    """Read every summary and check signatures, gaps, and that nothing seen here before has gone."""
    chain = Chain()
    pool = WorkerPool(8)
    try:
        ids = list_backup_ids(repository)
        for backup_id, found in zip(ids, pool.map_ordered(lambda name: _try_read(repository, name), ids), strict=True):
            if isinstance(found, Summary):
                chain.summaries.append(found)
            elif isinstance(found, ObjectMissingError):
                chain.unfinished.append(backup_id)
            else:
                chain.broken[backup_id] = found
    finally:
        pool.close(cancel=True)
    chain.findings += _gaps(chain.summaries)
    chain.findings += _rolled_back(repository, chain.summaries)
    return chain


def _try_read(repository: Repository, backup_id: str) -> Summary | ContinuityError:
    try:
        return read_summary(repository, backup_id)
    except (InputError, IntegrityError, ObjectMissingError, TrustError) as error:
        # These are facts about this backup; a store that does not answer is not.
        return error


def _gaps(summaries: t.Sequence[Summary]) -> list[str]:
    findings = []
    newest: dict[str, Summary] = {}
    for summary in sorted(summaries, key=lambda one: int(one.document["sequence"])):
        before = newest.get(summary.signer.text)
        named = summary.document["previous"]
        if before is not None and (named is None or named["sha256"] != before.digest):
            findings.append(
                f"Between {before.backup_id} and {summary.backup_id} of {summary.signer.name} at least one summary is "
                f"missing or was replaced: {summary.backup_id} follows {named['backup'] if named else 'nothing'}."
            )
        newest[summary.signer.text] = summary
    return findings


def _rolled_back(repository: Repository, summaries: t.Sequence[Summary]) -> list[str]:
    by_id = {summary.backup_id: summary for summary in summaries}
    findings = []
    with repository.state.locked() as state:
        for text, seen in state["summaries"].items():
            now = by_id.get(seen["backup"])
            if now is None or now.digest != seen["sha256"]:
                signer = repository.settings.trusted(text)
                name = signer.name if signer else "a removed signer"
                findings.append(
                    f"The backup {seen['backup']} of {name}, seen here before, has "
                    f"{'gone' if now is None else 'been replaced'}: the store was turned back or objects were deleted."
                )
        for summary in summaries:
            seen = state["summaries"].get(summary.signer.text)
            if seen is None or summary.document["sequence"] > seen["sequence"]:
                state["summaries"][summary.signer.text] = _memory(summary.document, summary.digest)
    return findings
