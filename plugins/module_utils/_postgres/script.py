# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""SQL scripts on their way into ``psql``.

psql obeys commands that stand in a script (``\!`` runs a shell command). Against scripts made by someone with bad
intent it has ``\restrict KEY``, after which it refuses them until ``\unrestrict KEY`` (CVE-2025-8714). Newer pg_dump
programs write both, with a key that the script therefore tells; so scripts are run under a key of our own.
"""

from __future__ import annotations

import re
import secrets
import typing as t

from .._repository.errors import DependencyError
from .programs import Program
from .session import identifier

#: The first releases whose psql knows ``\restrict``.
_RESTRICT_SINCE = {13: 22, 14: 19, 15: 14, 16: 10, 17: 6}
#: Bytes at both ends of a script among which its own ``\restrict`` and ``\unrestrict`` stand.
_EDGE = 1 << 15
_COMMENTS = re.compile(rb"(?:--[^\n]*\n|\s)*")
_RESTRICT = re.compile(rb"\\restrict ([A-Za-z0-9]+)\r?\n")
_EXTENSION_COMMENT = re.compile(rb"^COMMENT ON EXTENSION [^\n]*;\n", re.MULTILINE)
#: Written by pg_restore 17 and later, unknown to older servers.
_TRANSACTION_TIMEOUT = re.compile(rb"^SET transaction_timeout = 0;\n", re.MULTILINE)


def require_restrict(psql: Program) -> None:
    """Raise :class:`~.._repository.errors.DependencyError` when this psql cannot run scripts safely."""
    major, minor = psql.release
    since = _RESTRICT_SINCE.get(major, 0)
    if major < 13 or minor < since:
        raise DependencyError(
            f"{psql.path} {psql.version} would run shell commands that stand in a dump of plain SQL.",
            f"Install release {major}.{since} or newer of postgresql-client-{major}."
            if since
            else "Install a supported release of postgresql-client.",
        )


def restricted(pieces: t.Iterable[bytes], server_major: int, role: str | None = None) -> t.Iterator[bytes]:
    r"""Yield a script so that it runs with psql's commands refused from its first to its last byte.

    Its own ``\restrict`` and ``\unrestrict`` are taken out. They stand in its first and last lines; elsewhere no line
    is touched, since such a line within data means something else.

    :arg role: role to run the script as. Comments on extensions, which only their owners may set, are then left out.
    """
    mark = secrets.token_hex(32).encode()
    yield b"\\restrict " + mark + b"\n"
    if role is not None:
        yield f"SET ROLE {identifier(role)};\n".encode()
    own: bytes | None = None
    held = b""
    at_start = True
    for piece in pieces:
        held += piece
        if at_start and len(held) >= _EDGE:
            held, own = _open_start(held, server_major, role)
            at_start = False
        if not at_start and len(held) > _EDGE:
            yield held[:-_EDGE]
            held = held[-_EDGE:]
    if at_start:
        held, own = _open_start(held, server_major, role)
    yield _open_end(held, own)
    yield b"\n\\unrestrict " + mark + b"\n"


def _open_start(head: bytes, server_major: int, role: str | None) -> tuple[bytes, bytes | None]:
    r"""Take ``\restrict`` out of a script's beginning; return the rest and its key."""
    if role is not None:
        head = _EXTENSION_COMMENT.sub(b"", head)
    if server_major < 17:
        head = _TRANSACTION_TIMEOUT.sub(b"", head, count=1)
    comments = _COMMENTS.match(head)
    found = _RESTRICT.match(head, comments.end() if comments else 0)
    if found is None:
        return head, None
    return head[: found.start()] + head[found.end() :], found[1]


def _open_end(tail: bytes, key: bytes | None) -> bytes:
    r"""Take ``\unrestrict KEY`` out of a script's end."""
    return tail if key is None else re.sub(rb"(?m)^\\unrestrict " + key + rb"\r?\n", b"", tail)
