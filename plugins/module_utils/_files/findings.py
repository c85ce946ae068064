# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to tell people about files: those that changed, vanished, could not be read, are corrupt."""

from __future__ import annotations

import typing as t

#: Stored, but it changed while it was read, every time.
CHANGED = "changed"
#: Listed, then gone before it was read; not stored.
VANISHED = "vanished"
#: It could not be read; not stored, and so the part is not whole.
FAILED = "failed"
#: In a filestore: stored, but its content is not what its name says.
CORRUPT = "corrupt"
#: A socket or something else that has no content and no meaning elsewhere; not stored.
SKIPPED = "skipped"
#: Stored, but without something: an extended attribute, what is below a mount point.
INCOMPLETE = "incomplete"

#: Restoring: it was there, differs from the backup and was left alone, as asked.
KEPT = "kept"

BACKUP_SENTENCES = {
    FAILED: "could not be read and are not in the backup",
    CORRUPT: "do not have the content that their names stand for; they were stored as they are",
    CHANGED: "changed each time while being read; they were stored as last read",
    VANISHED: "vanished before they were read",
    SKIPPED: "were left out, being sockets",
    INCOMPLETE: "were stored incompletely",
}
RESTORE_SENTENCES = {
    FAILED: "could not be restored",
    CORRUPT: "do not have the content that their names stand for; they were restored as they were backed up",
    INCOMPLETE: "were restored incompletely",
    KEPT: "differ from the backup and were left as they are",
}
#: So many names of a kind at most are kept, so that memory stays bounded, and so many are told in a sentence.
_KEPT = 1000
_TOLD = 10


def show(path: bytes) -> str:
    """Return a path for people: what is not UTF-8, and control characters, as escapes; the root as ``.``."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text) or "."


class Findings:
    """Counts what was found by kind, and keeps the first names of each. Used by one thread.

    :arg sentences: the kinds, the worst first, and what to say about each.
    """

    def __init__(self, sentences: t.Mapping[str, str] | None = None) -> None:
        sentences = BACKUP_SENTENCES if sentences is None else sentences
        self._sentences = sentences
        self.counts: dict[str, int] = dict.fromkeys(sentences, 0)
        self.named: dict[str, list[str]] = {kind: [] for kind in sentences}

    def add(self, kind: str, path: bytes, reason: str = "") -> None:
        """Note that something of this kind was found at ``path``."""
        self.counts[kind] += 1
        if len(self.named[kind]) < _KEPT:
            self.named[kind].append(f"{show(path)} ({reason})" if reason else show(path))

    def sentence(self, kind: str) -> str:
        """Say what was found of a kind, naming the first of them; empty when nothing was."""
        count, names = self.counts[kind], self.named[kind]
        if not count:
            return ""
        more = f" and {count - _TOLD} more" if count > _TOLD else ""
        return f"{count} of the files {self._sentences[kind]}: {', '.join(names[:_TOLD])}{more}."

    def sentences(self) -> list[str]:
        """Say all that was found, the worst first."""
        return [sentence for sentence in map(self.sentence, self._sentences) if sentence]

    def to_json(self) -> dict[str, t.Any]:
        """Return the names by kind, as they go into the manifest."""
        return {kind: list(names) for kind, names in self.named.items() if names}
