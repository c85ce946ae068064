# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception family of this collection.

Every error a user can cause is a :class:`ContinuityError`: what is wrong, naming
the value, and what to do next. Modules and the command line catch this family
and nothing else; any other exception is a bug.
"""

from __future__ import annotations


class ContinuityError(Exception):
    """Something a user can understand and act upon.

    :arg message: what is wrong and why, naming the offending value; one sentence or two, no secrets.
    :arg next_step: what the reader should do now; one sentence.
    """

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message, next_step)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}"


class InputError(ContinuityError):
    """A value given by the user cannot be used."""


class DependencyError(ContinuityError):
    """A third-party package or an external program is missing or too old."""


class StoreError(ContinuityError):
    """The object store did not do what it was asked."""


class StoreUnreachableError(StoreError):
    """No answer from the store within the deadline; a later try may succeed."""


class StoreDeniedError(StoreError):
    """The store refused: wrong credentials, or no permission for this action."""


class ObjectMissingError(StoreError):
    """The named object does not exist. Raised only when the store said so."""


class IntegrityError(ContinuityError):
    """An object is not what was written: flipped, cut short, swapped or replayed."""


class FormatError(ContinuityError):
    """The repository's format is unknown to this program, usually because it is newer."""


class WrongKeyError(ContinuityError):
    """The key or passphrase given does not open this object."""


class TrustError(ContinuityError):
    """A signature is missing, wrong, or made by someone who is not trusted."""


class SourceError(ContinuityError):
    """The data to be backed up cannot be read as it should be."""


class TargetError(ContinuityError):
    """The place to restore to cannot take the data."""
