# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a restored n8n works: it is ready, its credentials open, and a workflow answers through its webhook.

The workflow is made, published and removed by n8n's public API, with an API key that exists in the database for as long
as the check takes. So the address and the database must belong to the same n8n: one that has not this key refuses, and
nothing was done to it.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import ssl
import time
import typing as t
import urllib.error
import urllib.request
from dataclasses import dataclass, field

from .._postgres.programs import Client
from .._postgres.session import Session
from .._repository.errors import ContinuityError, InputError, TargetError
from .n8n_database import Tables, prove_key

READINESS, CREDENTIAL, WEBHOOK = "n8n-readiness", "n8n-credential", "n8n-webhook"
CHECKS = (READINESS, CREDENTIAL, WEBHOOK)
#: What our workflow and our API key are called, so that what a killed check has left is known and removed.
_LABEL = "dfr.continuity check"
#: Keys of this form are looked up in the database alone; others are signed tokens.
_KEY_PREFIX = "n8n_api_"
_SCOPES = ("workflow:create", "workflow:activate", "workflow:deactivate", "workflow:delete", "workflow:read")
#: Seconds for one request, and between two tries.
_REQUEST_TIMEOUT, _PAUSE = 30.0, 0.5
_ANSWER_LIMIT = 1 << 20


@dataclass(frozen=True)
class N8nTarget:
    """One n8n: its address and its database, which must belong together.

    :arg url: its address, without a path unless n8n is below one.
    :arg key: its encryption key.
    :arg ca_file: PEM file of the authorities to trust instead of the system's.
    :arg api_path: ``webhook_path``: where it has its public API and its webhooks (``N8N_PUBLIC_API_ENDPOINT``,
        ``N8N_ENDPOINT_WEBHOOK``).
    :arg timeout: seconds that it gets to become ready, and its workflow to be published.
    """

    url: str
    client: Client
    database: str
    key: str = field(repr=False)
    tables: Tables = field(default_factory=Tables)
    ca_file: str | None = None
    api_path: str = "api/v1"
    webhook_path: str = "webhook"
    timeout: float = 120.0


class _FailedError(Exception):
    """A check did not pass: what was found instead, why, and what to do."""

    def __init__(self, actual: str, reason: str, next_step: str) -> None:
        super().__init__(reason)
        self.actual, self.reason, self.next_step = actual, reason, next_step


class _Skipped(Exception):
    """There was nothing to check."""


class _Found(t.NamedTuple):
    actual: str
    evidence: dict[str, t.Any]


def check_n8n(
    target: N8nTarget, wanted: t.Collection[str] = CHECKS, mandatory: t.Collection[str] = CHECKS
) -> list[dict[str, t.Any]]:
    """Do the checks and return their results, in the form that the run document has for checks.

    Raises :class:`~.._repository.errors.InputError` for values that cannot be meant; whatever n8n, its database or
    the network do wrong is in the results.
    """
    if not target.url.startswith(("http://", "https://")):
        raise InputError(f"{target.url!r} is no address of n8n.", "Give one that begins with http:// or https://.")
    http = _Http(target)
    kinds: tuple[tuple[str, str, t.Callable[[], _Found]], ...] = (
        (READINESS, "200 from /healthz/readiness", lambda: _readiness(target, http)),
        (CREDENTIAL, "a credential opens with the encryption key", lambda: _credential(target)),
        (WEBHOOK, "the answer that a new workflow makes of a nonce", lambda: _webhook(target, http)),
    )
    results = []
    for name, expected, work in kinds:
        if name in wanted:
            results.append(_result(name, expected, name in mandatory, work))
    return results


def _result(name: str, expected: str, mandatory: bool, work: t.Callable[[], _Found]) -> dict[str, t.Any]:
    result = {"name": name, "service": "n8n", "mandatory": mandatory, "expected": expected, "actual": ""}
    result |= {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "evidence": {}, "reason": "", "next_step": ""}
    started = time.monotonic()
    try:
        found = work()
        result |= {"status": "passed", "actual": found.actual, "evidence": found.evidence}
    except _Skipped as skipped:
        result |= {"status": "skipped", "actual": "nothing", "reason": str(skipped)}
        result["next_step"] = f"Take {name} from the mandatory checks if that is as it should be."
    except _FailedError as failed:
        result |= {"status": "failed", "actual": failed.actual, "reason": failed.reason, "next_step": failed.next_step}
    except ContinuityError as error:
        result |= {"status": "failed", "actual": "an error", "reason": error.message, "next_step": error.next_step}
    result["seconds"] = round(time.monotonic() - started, 3)
    return result


# -- the three checks


def _readiness(target: N8nTarget, http: _Http) -> _Found:
    deadline, tries = time.monotonic() + target.timeout, 0
    while True:
        tries += 1
        answer = http.ask("GET", "healthz/readiness")
        if answer.status == 200:
            return _Found("200", {"url": f"{http.base}healthz/readiness", "tries": tries})
        if time.monotonic() > deadline:
            raise _FailedError(
                answer.said,
                f"n8n at {target.url} was not ready after {target.timeout:.0f} seconds: {answer.said}.",
                "Look into its log: a wrong encryption key, and a database out of reach, keep it from starting.",
            )
        time.sleep(_PAUSE)


def _credential(target: N8nTarget) -> _Found:
    with Session(target.client, target.database) as session:
        proof = prove_key(session, target.tables, target.key, "the options")
    if proof.by == "nothing":
        raise _Skipped(proof.sentences()[0])
    actual = f"{proof.opened} of {proof.tried} open" if proof.tried else "no credentials; the data keys open"
    return _Found(actual, {"database": target.database, **proof.facts()})


def _webhook(target: N8nTarget, http: _Http) -> _Found:
    nonce, path = secrets.token_hex(16), f"dfr-continuity-{secrets.token_hex(12)}"
    expected = nonce[::-1]
    with _api_key(target) as key, _published_workflow(target, http, key, path) as workflow:
        published = time.monotonic()
        # n8n registers a published webhook a moment later.
        place = f"{target.webhook_path.strip('/')}/{path}"
        answer = http.until("POST", place, {"nonce": nonce}, target.timeout, unless=(404,))
        content = answer.json()
        content = content[0] if isinstance(content, list) and content else content
        actual = str(content.get("answer", "")) if isinstance(content, dict) else ""
        if answer.status != 200 or actual != expected:
            raise _FailedError(
                answer.said,
                f"The workflow {workflow} answered {answer.said} instead of the nonce it was sent.",
                "Look at the log of n8n, and of a proxy before it: webhooks must reach n8n under its public address.",
            )
        seconds = round(time.monotonic() - published, 3)
    evidence = {"workflow": workflow, "path": path, "nonce": nonce, "answer": actual, "seconds_to_answer": seconds}
    return _Found(actual, {**evidence, "removed": True})


# -- a workflow that is there as long as it is needed


@contextlib.contextmanager
def _api_key(target: N8nTarget) -> t.Iterator[str]:
    """Have an API key of the owner's in the database while the block runs."""
    tables = target.tables
    with Session(target.client, target.database) as session:
        users, keys = tables.columns(session, "user"), tables.columns(session, "user_api_keys")
        role = next((name for name in ("roleSlug", "role") if name in users), None)
        if role is None or not {"id", "userId", "label", "apiKey"} <= keys:
            raise TargetError(
                f"The n8n of the database {target.database} keeps users or API keys in a way that is not known here.",
                "Check its webhooks by hand; n8n 1.123 and 2.40 were tried.",
            )
        owner = session.value(f"SELECT id::text AS id FROM {tables('user')} WHERE \"{role}\" = 'global:owner' LIMIT 1")
        if owner is None:
            raise TargetError(f"The n8n of the database {target.database} has no owner.", "Set it up, then check it.")
        remove = f"DELETE FROM {tables('user_api_keys')} WHERE label = %s"
        session.execute(remove, _LABEL)
        key = _KEY_PREFIX + secrets.token_hex(20)
        values = {"id": secrets.token_hex(8), "userId": owner, "label": _LABEL, "apiKey": key}
        if "scopes" in keys:
            values["scopes"] = json.dumps(_SCOPES)
        if "audience" in keys:
            values["audience"] = "public-api"
        names = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join(["%s"] * len(values))
        session.execute(f"INSERT INTO {tables('user_api_keys')} ({names}) VALUES ({marks})", *values.values())
        try:
            yield key
        finally:
            session.execute(remove, _LABEL)


@contextlib.contextmanager
def _published_workflow(target: N8nTarget, http: _Http, key: str, path: str) -> t.Iterator[str]:
    """Have a workflow that answers under a path while the block runs; it is gone afterwards, however the block ends."""
    base = f"{target.api_path.strip('/')}/workflows"
    # n8n 1.x says that it is ready seconds before it has its API.
    identifier = str(http.call("POST", base, key, _workflow(path), target.timeout).get("id", ""))
    try:
        http.call("POST", f"{base}/{identifier}/activate", key, {})
        yield identifier
    except _FailedError as failed:
        if left := _remove(target, http, key, identifier):
            raise _FailedError(failed.actual, f"{failed.reason} {left}", failed.next_step) from failed
        raise
    except BaseException:
        _remove(target, http, key, identifier)
        raise
    if left := _remove(target, http, key, identifier):
        raise _FailedError("not removed", left, f"Delete the workflow {_LABEL!r} in n8n.")


def _remove(target: N8nTarget, http: _Http, key: str, identifier: str) -> str:
    """Remove the workflow; return what is wrong when it is still there afterwards."""
    place, headers = f"{target.api_path.strip('/')}/workflows/{identifier}", {"X-N8N-API-KEY": key}
    http.ask("POST", f"{place}/deactivate", {}, headers)
    # It is unpublished a moment later, and not deleted before.
    answer = http.until("DELETE", place, None, target.timeout, unless=(409,), headers=headers)
    with Session(target.client, target.database) as session:
        query = f"SELECT count(*) AS number FROM {target.tables('workflow_entity')} WHERE id::text = %s"
        there = int(session.value(query, identifier))
    return f"The workflow {identifier} of the check could not be removed: {answer.said}." if there else ""


def _workflow(path: str) -> dict[str, t.Any]:
    """Return a workflow that answers with the nonce turned round; it needs no credential and calls nobody."""
    nodes = [
        {
            "id": "hook",
            "name": "Webhook",
            "type": "n8n-nodes-base.webhook",
            "typeVersion": 2,
            "position": [0, 0],
            "webhookId": path,
            "parameters": {"httpMethod": "POST", "path": path, "responseMode": "lastNode"},
        },
        {
            "id": "answer",
            "name": "Answer",
            "type": "n8n-nodes-base.set",
            "typeVersion": 3.4,
            "position": [200, 0],
            "parameters": {
                "assignments": {
                    "assignments": [
                        {
                            "id": "answer",
                            "name": "answer",
                            "type": "string",
                            "value": '={{ $json.body.nonce.split("").reverse().join("") }}',
                        }
                    ]
                }
            },
        },
    ]
    connections = {"Webhook": {"main": [[{"node": "Answer", "type": "main", "index": 0}]]}}
    settings = {"saveDataSuccessExecution": "none", "saveDataErrorExecution": "none"}
    return {"name": _LABEL, "nodes": nodes, "connections": connections, "settings": settings}


# -- talking to n8n


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An API key must not go where a redirect leads."""

    def redirect_request(self, *_arguments: t.Any, **_keywords: t.Any) -> None:
        """Follow none."""


@dataclass(frozen=True)
class _Answer:
    """What came back: status 0 when nothing did, and then ``content`` is why."""

    status: int
    content: bytes

    def json(self) -> t.Any:
        try:
            return json.loads(self.content)
        except ValueError:
            return None

    @property
    def said(self) -> str:
        """Status and, where n8n says one, the reason."""
        content = self.json()
        message = content.get("message") if isinstance(content, dict) else None
        text = str(message) if message else self.content[:200].decode("utf-8", "replace").strip()
        return text if not self.status else f"{self.status} {text}".strip()


class _Http:
    def __init__(self, target: N8nTarget) -> None:
        self.base = target.url.rstrip("/") + "/"
        try:
            context = ssl.create_default_context(cafile=target.ca_file)
        except OSError as error:
            raise InputError(f"{target.ca_file} cannot be used: {error.strerror}.", "Correct ca_file.") from error
        # No proxy: what is checked is this very instance.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirect()
        )

    def ask(self, method: str, path: str, body: t.Any = None, headers: t.Mapping[str, str] | None = None) -> _Answer:
        data = None if body is None else json.dumps(body).encode()
        given = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(self.base + path, data, given, method=method)
        try:
            with self._opener.open(request, timeout=_REQUEST_TIMEOUT) as answer:
                return _Answer(answer.status, answer.read(_ANSWER_LIMIT))
        except urllib.error.HTTPError as error:
            with error:
                return _Answer(error.code, error.read(_ANSWER_LIMIT))
        except OSError as error:
            return _Answer(0, str(getattr(error, "reason", error)).encode())

    def until(
        self,
        method: str,
        path: str,
        body: t.Any,
        timeout: float,
        *,
        unless: tuple[int, ...],
        headers: t.Mapping[str, str] | None = None,
    ) -> _Answer:
        """Ask until the answer has none of these statuses, for ``timeout`` seconds at most."""
        deadline = time.monotonic() + timeout
        while True:
            answer = self.ask(method, path, body, headers)
            if answer.status not in unless or time.monotonic() > deadline:
                return answer
            time.sleep(_PAUSE)

    def call(self, method: str, path: str, key: str, body: t.Any, patience: float = 0.0) -> dict[str, t.Any]:
        """Call the public API; raise :class:`_FailedError` unless it does what it is asked.

        :arg patience: seconds to go on for while it is not there (404, 503).
        """
        answer = self.until(method, path, body, patience, unless=(404, 503), headers={"X-N8N-API-KEY": key})
        content = answer.json()
        if answer.status not in (200, 201, 204) or not isinstance(content, dict):
            raise _FailedError(
                answer.said,
                f"{method} {self.base}{path} was refused: {answer.said}.",
                "Look whether this address belongs to this database; an n8n without public API"
                " (N8N_PUBLIC_API_DISABLED) cannot be checked so."
                if answer.status in (401, 403, 404)
                else "Look into the log of n8n.",
            )
        return content
