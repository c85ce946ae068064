# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether people must be told about a run, and in which words.

Every run that is not a success is told, and so is the first success after one. Sending is not done here: the subject
and body are for e-mail, the payload is the JSON body of a webhook (``docs/status.md`` lists its fields).
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field

from .status_file import FAILURE, PARTIAL, SUCCESS, Status
from .text import duration, size

SCHEMA = "dfr.continuity/notice/1"
PROBLEM, RECOVERED = "problem", "recovered"

_HEADLINES = {PARTIAL: "incomplete", FAILURE: "FAILED"}


@dataclass(frozen=True)
class Notice:
    """What to tell; all texts are empty when nothing is ``needed``."""

    needed: bool = False
    kind: str = ""
    subject: str = ""
    body: str = ""
    payload: dict[str, t.Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, t.Any]:
        """Return the notice as a module returns it."""
        return asdict(self)


def backup_notice(status: Status) -> Notice:
    """Decide about the last backup run of a status."""
    run, state = status["last_run"], status["state"]
    failed = [part for part in run["parts"] if part["status"] != SUCCESS]
    if state == SUCCESS and status["previous_state"] in (None, SUCCESS):
        return Notice()
    payload = {
        "backup_id": run["backup_id"],
        "state": state,
        "previous_state": status["previous_state"],
        "started": run["started"],
        "finished": run["finished"],
        "location": run["location"],
        "reason": run["reason"],
        "next_step": run["next_step"],
        "spooled_bytes": run.get("spooled_bytes", 0),
        "problems_in_a_row": status["problems_in_a_row"],
        "last_success": status["last_success"] and status["last_success"]["finished"],
        "parts": [{key: part[key] for key in ("name", "host", "status", "reason", "next_step")} for part in failed],
    }
    if state == SUCCESS:
        body = [
            f"The backup {status['name']} is complete again ({run['backup_id']}).",
            f"All {len(run['parts'])} parts: {size(run['size_bytes'])} in {duration(run['duration_seconds'])}.",
            f"Repository: {run['location']}",
        ]
        return _notice(status, RECOVERED, f"Backup {status['name']} is well again", body, payload)
    return _notice(status, PROBLEM, _backup_subject(status, failed), _backup_problem(status, failed), payload)


def verification_notice(status: Status) -> Notice:
    """Decide about the last verification of a status."""
    found = status["verification"]
    if found["state"] == SUCCESS and found["previous_state"] in (None, SUCCESS):
        return Notice()
    last = found["last"]
    kept = ("backup_id", "mode", "started", "finished", "reason", "next_step", "problems")
    payload = {"state": found["state"], "previous_state": found["previous_state"], **{key: last[key] for key in kept}}
    payload["last_success"] = found["last_success"]
    what = f"{status['name']} ({last['backup_id']}, {last['mode']})"
    if found["state"] == SUCCESS:
        body = [f"The backup {what} passed verification again, {size(last['size_bytes'])} read."]
        return _notice(status, RECOVERED, f"Verification of {status['name']} is well again", body, payload)
    body = [f"The verification of {what} found problems.", *(f"  {problem}" for problem in last["problems"])]
    body += [*_why(last), "", f"Last good verification: {found['last_success'] or 'none yet'}"]
    subject = f"Verification of {status['name']} FAILED"
    return _notice(status, PROBLEM, subject, body, payload)


def _notice(status: Status, kind: str, subject: str, body: list[str], payload: dict[str, t.Any]) -> Notice:
    text = "\n".join([*body, f"Told by: {status['host']}", ""])
    # "text" is the field that chat systems (Slack, Mattermost, Rocket.Chat) show of an incoming webhook.
    head = {"schema": SCHEMA, "kind": kind, "backup_set": status["name"], "host": status["host"], "subject": subject}
    return Notice(True, kind, subject, text, {**head, **payload, "text": f"{subject}\n\n{text}"})


def _backup_subject(status: Status, failed: list[dict[str, t.Any]]) -> str:
    subject = f"Backup {status['name']} {_headline(status)}"
    if failed:
        total = len(status["last_run"]["parts"])
        subject += f": {len(failed)} of {total} parts ({_some(part['name'] for part in failed)})"
    # A name can hold a line break, and a line break in a subject is how mail headers are forged.
    return " ".join(subject.split())


def _headline(status: Status, *, in_text: bool = False) -> str:
    run = status["last_run"]
    if run.get("spooled_bytes", 0) and not any(part["status"] == FAILURE for part in run["parts"]):
        return "NOT OFFSITE"
    headline = _HEADLINES[status["state"]]
    return headline.lower() if in_text else headline


def _backup_problem(status: Status, failed: list[dict[str, t.Any]]) -> list[str]:
    run = status["last_run"]
    lines = [
        f"The backup {status['name']} ({run['backup_id']}) is {_headline(status, in_text=True)}.",
        f"Repository: {run['location']}",
        f"Started:    {run['started']}, took {duration(run['duration_seconds'])}",
    ]
    if run.get("spooled_bytes", 0):
        lines.append(f"Not offsite yet, in spools on the hosts: {size(run['spooled_bytes'])}")
    lines.append("")
    lines += _why(run)
    for part in failed:
        lines += [f"Part {part['name']} on host {part['host'] or 'unknown'}: {part['status']}", *_why(part), ""]
    good = [part["name"] for part in run["parts"] if part["status"] == SUCCESS]
    if good:
        lines.append(f"Backed up all the same: {', '.join(good)}")
    success = status["last_success"]
    lines.append(f"Last complete backup: {success['finished'] if success else 'none yet'}")
    if status["problems_in_a_row"] > 1:
        lines.append(f"This is problem number {status['problems_in_a_row']} in a row, since {status['state_since']}.")
    return lines


def _why(source: t.Mapping[str, t.Any]) -> list[str]:
    lines = [f"  Reason:    {source['reason']}"] if source["reason"] else []
    return lines + ([f"  Next step: {source['next_step']}"] if source["next_step"] else [])


def _some(names: t.Iterable[str], most: int = 3) -> str:
    every = list(names)
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")
