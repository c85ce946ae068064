# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a report's folder: three files and their checksums, each replaced atomically and open to the owner only."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t
from dataclasses import dataclass

from ..._repository.errors import TargetError
from ..._status.atomic_file import write_atomically
from . import html_page, markdown
from .comparison import REPORT_FILE
from .contents import page_of

CHECKSUMS = "SHA256SUMS"
HTML, MARKDOWN = "report.html", "report.md"

Document = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class ReportFiles:
    """A report that is, or in check mode would be, in ``folder``; ``sha256`` has the digest of each file by name."""

    folder: str
    changed: bool
    sha256: t.Mapping[str, str]

    def path(self, name: str) -> str:
        """Return where one of the files is."""
        return os.path.join(self.folder, name)


def render_files(report: Document) -> dict[str, bytes]:
    """Return the content of every file of a report by its name."""
    page = page_of(report)
    files = {
        HTML: html_page.render(page).encode(),
        MARKDOWN: markdown.render(page).encode(),
        # A lone surrogate, which UTF-8 has not, becomes the escape that JSON has for it.
        REPORT_FILE: (json.dumps(report, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "backslashreplace"),
    }
    sums = "".join(f"{_digest(content)}  {name}\n" for name, content in sorted(files.items()))
    return {**files, CHECKSUMS: sums.encode()}


def write_report(parent: str, report: Document, *, dry_run: bool = False) -> ReportFiles:
    """Write the report to ``<parent>/<run id>``; nothing is written that is there already.

    The checksums come last, so files that agree with them are of one report. Raises
    :class:`~..._repository.errors.TargetError`.
    """
    folder = os.path.join(parent, report["id"])
    files = render_files(report)
    digests = {name: _digest(content) for name, content in files.items()}
    try:
        changed = {name: content for name, content in files.items() if not _holds(os.path.join(folder, name), content)}
        if not dry_run:
            os.makedirs(parent, mode=0o700, exist_ok=True)
            _own_folder(folder)
            for name, content in changed.items():
                write_atomically(os.path.join(folder, name), content, 0o600)
    except OSError as error:
        raise TargetError(
            f"The report cannot be written to {folder}: {error.strerror}.",
            "Give a folder that can be written, on a file system with space, then write the report again.",
        ) from error
    return ReportFiles(folder, bool(changed), digests)


def _own_folder(folder: str) -> None:
    os.makedirs(folder, mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def _holds(path: str, content: bytes) -> bool:
    """Whether a file is there as it should be: a plain one, with this content, and closed to others."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False  # missing, or a link: replaced
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        return status.st_size == len(content) and status.st_mode & 0o777 == 0o600 and file.read() == content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
