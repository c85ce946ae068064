# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a repository's objects are kept: the contract every store fulfils.

Names are relative, ``/``-separated, ASCII, without ``..`` or empty components, for
example ``packs/ab/ab12…``. A store knows nothing about what an object contains.
"""

from __future__ import annotations

import typing as t
from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True)
class ObjectInfo:
    """One object as the store lists it. ``size`` in bytes, ``modified`` in seconds since the epoch (UTC)."""

    name: str
    size: int
    modified: float


class Store(ABC):
    """A flat collection of immutable-by-convention objects. Every method may be called from several threads.

    Errors: :class:`~..errors.StoreUnreachableError` when there was no answer within the deadline,
    :class:`~..errors.StoreDeniedError` when the store refused, :class:`~..errors.ObjectMissingError` when the
    named object does not exist, :class:`~..errors.StoreError` for everything else (no space left included).
    """

    #: Where the store is, for people: a path or a URL. Never holds credentials.
    location: str
    #: The server as well, where locations of the same name exist on several: what is kept on this machine for one of
    #: them is never taken for the other's. Empty where the location says it all.
    server: str = ""
    #: How many bytes one read request should ask for when reading ahead; small where a request costs nothing.
    read_ahead: int = 1 << 20

    @abstractmethod
    def put(self, name: str, content: t.Iterable[bytes | memoryview]) -> int:
        """Write an object and return its size in bytes.

        All or nothing: when ``content`` raises or the process dies, no object of that name becomes visible and
        an older one stays as it was. When this returns, the object is durable. An existing object is replaced.
        """

    @abstractmethod
    def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return ``length`` bytes from ``offset`` (to the end when None); fewer only where the object ends."""

    @abstractmethod
    def stat(self, name: str) -> ObjectInfo:
        """Return size and time of one object."""

    @abstractmethod
    def list(self, prefix: str) -> t.Iterator[ObjectInfo]:
        """Yield every object whose name starts with ``prefix``, in ascending order of name (bytewise)."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove an object; one that is not there is no error."""

    def close(self) -> None:
        """Let go of connections and files."""
