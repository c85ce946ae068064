# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check of any web server: what it answers to one request."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import dataclass, field

from .._repository.errors import InputError
from .checks import NotAsExpectedError, Seen, excerpt
from .web import Answer, Visitor, check_url

#: What no value in a JSON document is equal to.
_ABSENT = object()


@dataclass(frozen=True)
class HttpExpectation:
    """What is asked, and what the answer is to be. What is not given is not looked at.

    :arg statuses: HTTP statuses that are right.
    :arg pattern: regular expression that is to be found in the body.
    :arg headers_expected: headers of the answer, and the regular expression that is to be found in each.
    :arg json_path: where in a JSON document, as keys and indexes separated by dots; empty for the whole document.
    :arg json_value: what is to be there; None with ``json_path`` given means null.
    """

    url: str
    method: str = "GET"
    headers: t.Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    follow: bool = False
    statuses: t.Sequence[int] = (200,)
    pattern: str | None = None
    headers_expected: t.Mapping[str, str] = field(default_factory=dict)
    json_path: str | None = None
    json_value: t.Any = None

    def check(self) -> None:
        """Raise :class:`~.._repository.errors.InputError` for values that cannot be meant."""
        check_url(self.url)
        if not re.fullmatch(r"[A-Za-z]+", self.method):
            raise InputError(f"{self.method!r} is no method of HTTP.", "Give one such as GET or POST.")
        for name, value in self.headers.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or re.search(r"[\r\n\0]", value):
                raise InputError(
                    f"The header {name!r} cannot be sent.", "Correct its name, or its value's line breaks."
                )
        for pattern in (self.pattern, *self.headers_expected.values()):
            compiled(pattern)

    @property
    def words(self) -> str:
        """Say what is expected."""
        words = ["status " + " or ".join(map(str, self.statuses))]
        words += [f"header {name} matching {pattern}" for name, pattern in self.headers_expected.items()]
        if self.pattern is not None:
            words.append(f"text matching {self.pattern}")
        if self.json_path is not None:
            words.append(f"{json.dumps(self.json_value)} at {self.json_path or 'the whole document'}")
        return ", ".join(words)


def compiled(pattern: str | None) -> re.Pattern[str] | None:
    """Return a regular expression; raise InputError when it is none."""
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise InputError(f"{pattern!r} is no regular expression: {error}.", "Correct it.") from error


def look_at_http(visitor: Visitor, expectation: HttpExpectation) -> Seen:
    """Ask once; raise :class:`NotAsExpectedError` when the answer is another one than expected."""
    what = expectation
    answer = visitor.ask(what.url, method=what.method.upper(), headers=what.headers, body=what.body, follow=what.follow)
    evidence: dict[str, t.Any] = {
        "url": answer.url,
        "address": answer.address,
        "status": answer.status,
        "bytes": len(answer.body),
        "sha256": hashlib.sha256(answer.body).hexdigest(),
    }
    if answer.status not in what.statuses:
        raise NotAsExpectedError(
            f"{answer.url} answered with status {answer.status}.",
            "Look into the log of the service.",
            f"status {answer.status}: {excerpt(answer.text)}",
            evidence,
        )
    actual = [f"status {answer.status}"]
    for name, pattern in what.headers_expected.items():
        actual.append(_header(answer, name, pattern, evidence))
    if what.pattern is not None:
        actual.append(_text(answer, what.pattern, evidence))
    if what.json_path is not None:
        actual.append(_json(answer, what.json_path, what.json_value, evidence))
    return Seen(", ".join(actual), evidence)


def _header(answer: Answer, name: str, pattern: str, evidence: dict[str, t.Any]) -> str:
    value = answer.headers.get(name.lower())
    if value is None or not re.search(pattern, value):
        said = "no header" if value is None else "the header"
        seen = f"{said} {name}" if value is None else f"{said} {name}: {excerpt(value)}"
        raise NotAsExpectedError(
            f"{answer.url} answered with {seen}, which is not {pattern}.",
            "Look which server answers under this name.",
            seen,
            evidence,
        )
    return f"header {name}: {excerpt(value)}"


def _text(answer: Answer, pattern: str, evidence: dict[str, t.Any]) -> str:
    found = re.search(pattern, answer.text)
    if found is None:
        raise NotAsExpectedError(
            f"{answer.url} answered without the text {pattern}.",
            "Look which server answers under this name, and what it shows.",
            f"status {answer.status}: {excerpt(answer.text)}",
            evidence,
        )
    return f"text {excerpt(found[0])}"


def _json(answer: Answer, path: str, expected: t.Any, evidence: dict[str, t.Any]) -> str:
    try:
        value: t.Any = json.loads(answer.body)
    except ValueError as error:
        raise NotAsExpectedError(
            f"{answer.url} answered with something else than JSON.",
            "Look which server answers under this name.",
            excerpt(answer.text),
            evidence,
        ) from error
    found = value_at(value, path)
    if found is _ABSENT or found != expected or isinstance(found, bool) != isinstance(expected, bool):
        seen = "nothing" if found is _ABSENT else excerpt(json.dumps(found, ensure_ascii=False))
        raise NotAsExpectedError(
            f"{answer.url} has {seen} at {path or 'the whole document'}, not {json.dumps(expected)}.",
            "Look into the log of the service.",
            seen,
            evidence,
        )
    return f"{path or 'document'} {excerpt(json.dumps(found, ensure_ascii=False))}"


def value_at(document: t.Any, path: str) -> t.Any:
    """Return what stands at a path such as ``checks.0.status`` in a JSON document, or a mark that nothing does."""
    for step in path.split(".") if path else []:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif (
            isinstance(document, list) and re.fullmatch(r"-?\d+", step) and -len(document) <= int(step) < len(document)
        ):
            document = document[int(step)]
        else:
            return _ABSENT
    return document
