# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calling a running Odoo as one of its users: JSON-2 since 19, where there is an API key, and JSON-RPC otherwise."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field

from .._drill.checks import excerpt
from .._drill.web import Answer, Visitor
from .._repository.errors import ContinuityError, InputError

#: Since this series there is JSON-2, which takes API keys alone.
_JSON_2_SINCE = 19


class OdooRefusedError(ContinuityError):
    """Odoo answered that it will not, or cannot."""


@dataclass(frozen=True)
class OdooUser:
    """Who logs in. ``api_key`` is one that the user has made; ``password`` opens the web client as well."""

    login: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)

    def check(self) -> None:
        """Raise :class:`~.._repository.errors.InputError` when nobody could log in like that."""
        if not self.password and not self.api_key:
            raise InputError("Neither a password nor an API key of a user of Odoo is given.", "Give one.")
        if self.password and not self.login:
            raise InputError("A password is given without the user it belongs to.", "Give login.")
        if self.api_key and re.search(r"[^\x21-\x7e]", self.api_key):
            raise InputError("The API key holds characters that none has.", "Look whether it was read with a line end.")


class OdooServer:
    """A running Odoo as seen by one visitor. ``url`` has no slash at its end; ``database`` is what is logged in to."""

    def __init__(self, visitor: Visitor, url: str, database: str, user: OdooUser) -> None:
        user.check()
        self.visitor = visitor
        self.url = url.rstrip("/")
        self.database = database
        self._user = user
        self._uid: int | None = None
        self._version: str | None = None

    @property
    def opens_web_client(self) -> bool:
        """Tell whether the user can log in as a browser does."""
        return bool(self._user.password)

    # -- without logging in -----------------------------------------------------------------------------------

    def version(self) -> str:
        """Return the version that it calls itself, such as ``19.0-20250918``."""
        if self._version is None:
            said = self._json_rpc("/web/webclient/version_info", {})
            if not isinstance(said, dict) or not isinstance(said.get("server_version"), str):
                raise OdooRefusedError(
                    f"{self.url} does not tell its version, as every Odoo does.", "Look which server answers there."
                )
            self._version = said["server_version"]
        return self._version

    @property
    def speaks_json_2(self) -> bool:
        """Tell whether calls are made with JSON-2."""
        found = re.search(r"\d+", self.version()) if self._user.api_key else None
        return found is not None and int(found[0]) >= _JSON_2_SINCE

    # -- as a user --------------------------------------------------------------------------------------------

    def log_in(self) -> int:
        """Log in as a browser does, or without a password as a program does; return the user's id."""
        if self.opens_web_client:
            user = {"db": self.database, "login": self._user.login, "password": self._user.password}
            said = self._json_rpc("/web/session/authenticate", user)
            uid = said.get("uid") if isinstance(said, dict) else None
            if not uid:
                raise OdooRefusedError(
                    f"Odoo did not let {self._user.login} in: it wants a second factor.",
                    "Use a user for checks whom a password alone lets in.",
                )
            return int(uid)
        if self.speaks_json_2:
            context = self.call("res.users", "context_get")
            return int(context.get("uid", 0))
        return self._authenticate()

    def call(self, model: str, method: str, ids: t.Sequence[int] | None = None, **arguments: t.Any) -> t.Any:
        """Call a method of a model."""
        if self.speaks_json_2:
            given = arguments if ids is None else {"ids": list(ids), **arguments}
            return self._json_2(f"/json/2/{model}/{method}", given)
        uid, secret = self._authenticate(), self._user.api_key or self._user.password
        records = [] if ids is None else [list(ids)]
        return self._service("object", "execute_kw", self.database, uid, secret, model, method, records, arguments)

    def _authenticate(self) -> int:
        if self._uid is None:
            if not self._user.login:
                raise InputError("Before Odoo 19, an API key needs the name of its user.", "Give login.")
            secret = self._user.api_key or self._user.password
            uid = self._service("common", "authenticate", self.database, self._user.login, secret, {})
            if not uid:
                raise OdooRefusedError(
                    f"Odoo did not let {self._user.login} in: user, password or API key are wrong.", "Correct them."
                )
            self._uid = int(uid)
        return self._uid

    def _service(self, service: str, method: str, *arguments: t.Any) -> t.Any:
        return self._json_rpc("/jsonrpc", {"service": service, "method": method, "args": arguments})

    def _json_rpc(self, path: str, parameters: t.Mapping[str, t.Any]) -> t.Any:
        body = {"jsonrpc": "2.0", "method": "call", "params": parameters}
        answer, said = self._post(path, body, {})
        if answer.status == 200 and isinstance(said, dict) and "error" in said:
            raise _refused(said["error"].get("data") or said["error"], path, answer)
        if answer.status != 200 or not isinstance(said, dict) or "result" not in said:
            raise _refused(None, path, answer)
        return said["result"]

    def _json_2(self, path: str, arguments: t.Mapping[str, t.Any]) -> t.Any:
        headers = {"Authorization": f"bearer {self._user.api_key}", "X-Odoo-Database": self.database}
        answer, said = self._post(path, arguments, headers)
        if answer.status != 200:
            raise _refused(said, path, answer)
        return said

    def _post(self, path: str, body: t.Any, headers: t.Mapping[str, str]) -> tuple[Answer, t.Any]:
        content = {"Content-Type": "application/json", **headers}
        answer = self.visitor.ask(self.url + path, method="POST", headers=content, body=json.dumps(body).encode())
        try:
            return answer, json.loads(answer.body)
        except ValueError:
            return answer, None


def _refused(said: t.Any, path: str, answer: Answer) -> OdooRefusedError:
    """Make an error of what Odoo said: its message, never the traceback that it sends along."""
    message = said.get("message") if isinstance(said, dict) else None
    if message:
        return OdooRefusedError(f"Odoo refused {path}: {excerpt(str(message))}.", _next_step(str(message)))
    return OdooRefusedError(
        f"Odoo answered to {path} with status {answer.status} and nothing that can be used.", "Look into Odoo's log."
    )


def _next_step(message: str) -> str:
    denied = re.search("denied|invalid apikey|wrong login", message, re.IGNORECASE)
    return "Correct login and password, or the API key." if denied else "Look into Odoo's log."
