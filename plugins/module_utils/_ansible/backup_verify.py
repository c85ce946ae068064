# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verifies backups: that everything they need is there, or every byte of it."""

from __future__ import annotations

import time
import typing as t
from dataclasses import asdict, dataclass

from .._command.selection import choose_for_look
from .._files.references import NESTED_REFERENCES
from .._repository.errors import ContinuityError, IntegrityError
from .._repository.keys import RecoveryKey
from .._repository.repository import Repository, open_repository
from .._repository.summary import read_chain
from .._repository.verification import Sample, StoreListing, Verification, verify_bytes, verify_structure
from .._status.notice import verification_notice
from .._status.status_file import Status, VerificationResult, check_name, record_verification
from .recovery_keys import given_recovery_key, needed_recovery_key
from .running import FailureWithResultError, Result, Work
from .telling import tell

_NEXT_STEP = (
    "Make a new backup now, and restore only from one that verifies. When something is missing or changed that was "
    "there before, find out who wrote to the store."
)


@dataclass(frozen=True)
class _Wish:
    """What to verify and how. ``key`` is None for the structure alone."""

    backups: str
    key: RecoveryKey | None
    sample: Sample | None


def backup_verify(work: Work) -> Result:
    """Do what the module ``backup_verify`` promises."""
    params, started = work.params, time.time()
    name = check_name(params["backup_set"]) if params["backup_set"] else None
    wish = _wish(params)
    found: list[Verification] = []
    problems: list[str] = []
    failure: ContinuityError | None = None
    try:
        # A recovery key opens a repository without an identity; with both, the identity is what this host has.
        opener = None if params["repository"]["identity_file"] else given_recovery_key(params)
        with open_repository(params["repository"], opener) as repository:
            work.outcome.path = repository.store.location
            problems += _verify(work, repository, wish, found)
    except ContinuityError as error:
        failure = error
    problems += [f"{one.backup_id}: {problem}" for one in found for problem in one.problems]
    work.outcome.size = sum(one.bytes_read for one in found)
    result = _result(wish, found, problems)
    if name:
        verified = _for_status(wish, found, problems, failure, started)

        def follow(previous: Status | None, set_name: str) -> Status:
            return record_verification(previous, set_name, verified)

        result.update(tell(work, name, follow, verification_notice))
    if not failure and problems:
        count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        failure = IntegrityError(f"{count} found; the first is: {problems[0]}", _NEXT_STEP)
    if failure:
        raise FailureWithResultError(failure, result) from failure
    return result


def _wish(params: t.Mapping[str, t.Any]) -> _Wish:
    key = needed_recovery_key(params) if params["mode"] == "bytes" else None
    return _Wish(params["backup_id"], key, _sample(params["sample"]) if params["sample"] else None)


def _sample(text: str) -> Sample:
    day, _slash, of = text.partition("/")
    return Sample.of_day(Sample.parse(f"1/{of}").of) if day == "today" else Sample.parse(text)


def _verify(work: Work, repository: Repository, wish: _Wish, found: list[Verification]) -> list[str]:
    """Verify what was asked for, and return what is wrong with the repository as a whole."""
    chain = read_chain(repository)
    wanted = choose_for_look(chain, wish.backups)
    listing = StoreListing(repository)
    packs_seen: dict[bytes, str] = {}
    for backup_id in wanted:
        work.progress.begin(f"verify {backup_id}")
        if backup_id in chain.broken:
            found.append(Verification(backup_id, problems=[chain.broken[backup_id].message]))
        elif wish.key is None:
            found.append(verify_structure(repository, backup_id, listing)[0])
        else:
            found.append(
                verify_bytes(
                    repository,
                    backup_id,
                    wish.key,
                    sample=wish.sample,
                    progress=work.progress,
                    listing=listing,
                    findings=packs_seen,
                    nested=NESTED_REFERENCES,
                )
            )
    return chain.findings


def _result(wish: _Wish, found: t.Sequence[Verification], problems: t.Sequence[str]) -> Result:
    return {
        "changed": False,
        "mode": "bytes" if wish.key else "structure",
        "sample": _sample_text(wish),
        "verified": [asdict(one) for one in found],
        "problems": list(problems),
        "bytes_read": sum(one.bytes_read for one in found),
    }


def _for_status(
    wish: _Wish,
    found: t.Sequence[Verification],
    problems: t.Sequence[str],
    failure: ContinuityError | None,
    started: float,
) -> VerificationResult:
    return VerificationResult(
        backup_id=found[-1].backup_id if found else wish.backups,
        mode="bytes" if wish.key else "structure",
        started=started,
        finished=time.time(),
        checked=sum(one.packs_read if wish.key else one.packs for one in found),
        size=sum(one.bytes_read for one in found),
        sample=_sample_text(wish),
        problems=tuple(problems),
        reason=failure.message if failure else "",
        next_step=failure.next_step if failure else _NEXT_STEP if problems else "",
    )


def _sample_text(wish: _Wish) -> str:
    return f"{wish.sample.number}/{wish.sample.of}" if wish.sample else ""
