# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backing up an Odoo: database, filestore, add-ons and configuration, so that they fit together.

The order is what makes them fit: collection of unused files is held off, then the database's snapshot is taken, then
the filestore is read. So every file that the snapshot names is still there when its turn comes; what users add
meanwhile is in the filestore too, and does no harm. The attachment list, read in the same snapshot, proves it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import typing as t
from dataclasses import dataclass, field

from .._files.backup import FILESTORE, TREE, PartAdditions, TreeBackup, backup_file, backup_tree
from .._postgres.dump import DumpedDatabase, DumpOptions, dump_snapshot
from .._postgres.programs import Client
from .._postgres.snapshot import open_snapshot
from .._repository.errors import ContinuityError
from .._repository.part_writer import PartWriter
from .._repository.progress import Progress
from .._repository.repository import Repository
from .odoo_attachments import Accounting, AttachmentList, attachment_counts, read_attachments
from .odoo_database import HoldOff, collection_held_off, is_supported, odoo_facts
from .odoo_installation import OdooInstallation
from .odoo_neutralising_sql import Neutralising, neutralising_sql

DATABASE, FILES, ADDONS, CONFIG = "database", "filestore", "addons", "config"


@dataclass(frozen=True)
class OdooBackupOptions:
    """How to back up.

    :arg parts: which parts to make.
    :arg dump: how to dump the database.
    :arg tolerated_attachments: so many attachments may be missing or corrupt at the source before the filestore's part
        counts as incomplete. They are named in any case.
    """

    parts: t.Collection[str] = (DATABASE, FILES, ADDONS, CONFIG)
    dump: DumpOptions = field(default_factory=DumpOptions)
    tolerated_attachments: int = 0


@dataclass(frozen=True)
class PartResult:
    """What became of one part. Exactly one of ``record`` and ``error`` is there, unless there was nothing to back up.

    ``incomplete`` says what the part lacks; empty when it is whole.
    """

    name: str
    kind: str
    record: dict[str, t.Any] | None = None
    error: ContinuityError | None = None
    incomplete: str = ""
    next_step: str = ""


@dataclass
class OdooBackup:
    """What became of a backup of an Odoo. ``missing`` and ``corrupt`` name files and attachments, see ``Unsound``."""

    parts: list[PartResult] = field(default_factory=list)
    accounted: bool = False
    missing: list[dict[str, t.Any]] = field(default_factory=list)
    corrupt: list[dict[str, t.Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def backup_odoo(
    repository: Repository,
    backup_id: str,
    prefix: str,
    installation: OdooInstallation,
    options: OdooBackupOptions | None = None,
    progress: Progress | None = None,
    on_part: t.Callable[[PartResult], None] | None = None,
) -> OdooBackup:
    """Back up an Odoo as the parts ``<prefix>.database``, ``.filestore``, ``.addons`` and ``.config``.

    A part that fails does not stop the others; its error is in its result.

    :arg prefix: host and system, for example ``db1.shop``.
    :arg on_part: told of each part when it is done.
    """
    run = _Run(repository, backup_id, prefix, installation, options or OdooBackupOptions(), progress, on_part)
    with contextlib.closing(AttachmentList(repository.cache_directory)) as attachments:
        run.database_and_filestore(attachments)
    run.rest()
    return run.result


class _Run:
    def __init__(
        self,
        repository: Repository,
        backup_id: str,
        prefix: str,
        installation: OdooInstallation,
        options: OdooBackupOptions,
        progress: Progress | None,
        on_part: t.Callable[[PartResult], None] | None,
    ) -> None:
        self._repository = repository
        self._backup_id = backup_id
        self._prefix = prefix
        self._odoo = installation
        self._options = options
        self._progress = progress or Progress()
        self._on_part = on_part
        self._listed = False
        self.result = OdooBackup()

    def _write(self, suffix: str, kind: str, work: t.Callable[[PartWriter], tuple[dict[str, t.Any], str, str]]) -> None:
        """Write one part; an error becomes its result."""
        name = f"{self._prefix}.{suffix}"
        try:
            with self._repository.write_part(self._backup_id, name, kind=kind, progress=self._progress) as part:
                record, incomplete, next_step = work(part)
            result = PartResult(name, kind, record, None, incomplete, next_step)
        except ContinuityError as error:
            result = PartResult(name, kind, error=error)
        self._done(result)

    def _done(self, result: PartResult) -> None:
        self.result.parts.append(result)
        if self._on_part is not None:
            self._on_part(result)

    # -- database and filestore -------------------------------------------------------------------------------

    def database_and_filestore(self, attachments: AttachmentList) -> None:
        """Back up what must fit together, with collection held off from before the snapshot to the last file."""
        options = self._options
        with self._hold_off() as hold_off:
            if DATABASE in options.parts:
                self._write(DATABASE, "database", lambda part: self._database(part, attachments))
            if FILES not in options.parts:
                return
            if self._listed and attachments.files == 0 and not self._has_filestore():
                # A new database, or one with ir_attachment.location=db.
                self._done(PartResult(f"{self._prefix}.{FILES}", FILESTORE))
                return
            self._write(FILES, FILESTORE, lambda part: self._filestore(part, attachments, hold_off))

    def _has_filestore(self) -> bool:
        return self._odoo.container is not None or os.path.lexists(self._odoo.filestore)

    @contextlib.contextmanager
    def _hold_off(self) -> t.Iterator[HoldOff]:
        try:
            client = Client(self._odoo.connection)
        except ContinuityError as error:
            yield HoldOff(None, error.message)
            return
        with collection_held_off(client, self._odoo.database, self._options.dump.lock_timeout) as hold_off:
            yield hold_off

    def _database(self, part: PartWriter, attachments: AttachmentList) -> tuple[dict[str, t.Any], str, str]:
        options = self._options.dump
        client = Client(self._odoo.connection)
        with open_snapshot(client, self._odoo.database, options.lock_timeout) as snapshot:
            facts = odoo_facts(snapshot.session)
            counts = attachment_counts(snapshot.session)
            listed = read_attachments(part, snapshot.session, attachments)
            self._listed = True
            dumped = dump_snapshot(part, snapshot, options)
        dumped.streams["attachments"] = listed
        dumped.manifest["odoo"] = facts
        dumped.facts["odoo"] = {
            "version": facts["version"],
            "series": facts["series"],
            "modules": len(facts["modules"]),
            "neutralized": facts["neutralized"],
            "attachment_location": facts["attachment_location"],
            "attachments": counts,
            "neutralise": _save(part, dumped, neutralising_sql(self._odoo, facts["series"])),
        }
        self.result.counts = counts
        dumped.warnings += _database_warnings(facts, counts)
        return dumped.finish(part), "", ""

    def _filestore(
        self, part: PartWriter, attachments: AttachmentList, hold_off: HoldOff
    ) -> tuple[dict[str, t.Any], str, str]:
        accounting = Accounting(attachments) if self._listed else None
        incomplete = ""

        def additions() -> PartAdditions:
            nonlocal incomplete
            held = hold_off.held
            facts: dict[str, t.Any] = {"collection_held_off": held, "attachments_accounted_for": accounting is not None}
            warnings = [] if held else [f"Odoo's collection of unused files was not held off: {hold_off.reason}"]
            if accounting is None:
                warnings.append("Attachments were not accounted for, since there is no list of them.")
                return PartAdditions(facts=facts, warnings=warnings)
            accounting.finish()
            facts.update(accounting.facts())
            incomplete = self._lacking(accounting)
            if incomplete:
                facts["incomplete"] = incomplete
            named = {"missing_attachments": accounting.missing.named, "corrupt_attachments": accounting.corrupt.named}
            return PartAdditions(facts=facts, manifest=named, warnings=[*warnings, *accounting.sentences()])

        tree = backup_tree(
            part,
            self._odoo.filestore,
            kind=FILESTORE,
            container=self._odoo.container,
            container_engine=self._odoo.engine,
            on_file=None if accounting is None else lambda path, _size, sound: accounting.see(path, sound),
            additions=additions,
        )
        if accounting is not None:
            self.result.accounted = True
            self.result.missing, self.result.corrupt = accounting.missing.named, accounting.corrupt.named
        if incomplete and not tree.degraded:
            return tree.record, incomplete, "Look for these files in an earlier backup, or delete the attachments."
        return _of(tree)

    def _lacking(self, accounting: Accounting) -> str:
        """Say which attachments the backup lacks, when they are more than tolerated."""
        lacking = accounting.missing.rows + accounting.corrupt.rows
        return " ".join(accounting.sentences()) if lacking > self._options.tolerated_attachments else ""

    # -- the rest ---------------------------------------------------------------------------------------------

    def rest(self) -> None:
        """Back up add-ons and configuration."""
        odoo, parts = self._odoo, self._options.parts
        where: dict[str, t.Any] = {"container": odoo.container, "container_engine": odoo.engine}
        if ADDONS in parts:
            for number, path in enumerate(odoo.addons, 1):
                suffix = ADDONS if len(odoo.addons) == 1 else f"{ADDONS}-{number}"
                self._write(suffix, TREE, functools.partial(_back_up_tree, path=path, **where))
        if CONFIG in parts and odoo.config is not None:
            config = odoo.config
            self._write(CONFIG, "file", lambda part: _of(backup_file(part, config, **where)))


def _back_up_tree(part: PartWriter, path: str, **where: t.Any) -> tuple[dict[str, t.Any], str, str]:
    return _of(backup_tree(part, path, **where))


def _save(part: PartWriter, dumped: DumpedDatabase, neutralising: Neutralising) -> str:
    """Save the neutralising SQL; return "saved", or why it is not."""
    if neutralising.sql is None:
        return f"not saved: {neutralising.reason}"
    writer = part.open_stream()
    writer.write(neutralising.sql)
    dumped.streams["neutralise"] = writer.close()
    return "saved"


def _of(tree: TreeBackup) -> tuple[dict[str, t.Any], str, str]:
    return tree.record, tree.reason if tree.degraded else "", tree.next_step


def _database_warnings(facts: t.Mapping[str, t.Any], counts: t.Mapping[str, int]) -> list[str]:
    """Say what a restore from this backup would lack, or do, unexpectedly."""
    warnings = []
    if not is_supported(facts["series"]):
        warnings.append(f"Odoo {facts['series']} is no series that this backup is known to be right for.")
    if counts["elsewhere"]:
        warnings.append(
            f"{counts['elsewhere']} attachments are kept outside of database and filestore, by an add-on:"
            " they are not in this backup."
        )
    return warnings
