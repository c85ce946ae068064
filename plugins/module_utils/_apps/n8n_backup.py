# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backing up an n8n: database, settings with the encryption key, and the files of its user folder.

The key is proved before it is stored: it must open a credential of the very snapshot that is dumped. A database whose
key is lost, or another one, restores to an n8n without credentials, which nobody notices before the day it is needed.
The database's snapshot comes before the files: n8n writes binary data first and the execution that names it then.
"""

from __future__ import annotations

import functools
import os
import time
import typing as t
from dataclasses import dataclass, field

from .._files.backup import ENTRIES, ENTRIES_FORMAT, SINGLE_FILE, TREE, backup_tree
from .._files.entries import FILE, Entry
from .._postgres.dump import DumpOptions, dump_snapshot
from .._postgres.programs import Client
from .._postgres.session import Session
from .._postgres.snapshot import open_snapshot
from .._repository.errors import ContinuityError, InputError, WrongKeyError
from .._repository.part_writer import PartWriter
from .._repository.progress import Progress
from .._repository.repository import Repository
from .n8n_database import KeyProof, n8n_facts, prove_key
from .n8n_installation import N8nInstallation
from .n8n_settings import KEY, FoundKey, needs_quotes, write_environment

DATABASE, SETTINGS, FILES = "database", "settings", "files"
#: Left out of the user folder: caches, the mark of a crash, and the event log, whose unsent entries a restored n8n
#: would send to its log destinations.
EXCLUDED = ("/.cache/", "/nodes/node_modules/.cache/", "/crash.journal", "/n8nEventLog*.log")
#: The name of the only file in the part of the settings.
ENV_FILE = "n8n.env"


@dataclass(frozen=True)
class N8nBackupOptions:
    """How to back up: which parts, how to dump the database, and what to leave out of the folders besides caches."""

    parts: t.Collection[str] = (DATABASE, SETTINGS, FILES)
    dump: DumpOptions = field(default_factory=DumpOptions)
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class PartResult:
    """What became of one part: ``record`` or ``error``. ``incomplete`` says what the part lacks; empty when whole."""

    name: str
    kind: str
    record: dict[str, t.Any] | None = None
    error: ContinuityError | None = None
    incomplete: str = ""
    next_step: str = ""


@dataclass
class N8nBackup:
    """What became of a backup of an n8n. ``facts`` and ``proof`` are None when the database could not be read."""

    parts: list[PartResult] = field(default_factory=list)
    facts: dict[str, t.Any] | None = None
    proof: KeyProof | None = None
    key: FoundKey | None = None


class _Made(t.NamedTuple):
    record: dict[str, t.Any]
    incomplete: str = ""
    next_step: str = ""


def backup_n8n(
    repository: Repository,
    backup_id: str,
    prefix: str,
    installation: N8nInstallation,
    options: N8nBackupOptions | None = None,
    progress: Progress | None = None,
    on_part: t.Callable[[PartResult], None] | None = None,
) -> N8nBackup:
    """Back up an n8n as the parts ``<prefix>.database``, ``.settings`` and ``.files`` (``.files-1`` and so on for
    folders that are elsewhere).

    A part that fails does not stop the others; its error is in its result.

    :arg prefix: host and system, for example ``db1.automation``.
    :arg on_part: told of each part when it is done.
    """
    run = _Run(repository, backup_id, prefix, installation, options or N8nBackupOptions(), progress, on_part)
    run.all()
    return run.result


def find_key(session: Session, installation: N8nInstallation) -> tuple[FoundKey, KeyProof]:
    """Return the key that opens the database's credentials, and what it opens.

    Raises :class:`~.._repository.errors.InputError` when there is no key,
    :class:`~.._repository.errors.WrongKeyError` when there is none that opens anything.
    """
    keys = installation.settings.keys
    if not keys:
        raise InputError(
            f"Nothing says which encryption key n8n runs with: {KEY} is not in {installation.settings.source}, and"
            f" {installation.folder}/config holds none.",
            "Correct where its settings are, or give encryption_key.",
        )
    errors: list[WrongKeyError] = []
    for key in keys:
        try:
            return key, prove_key(session, installation.tables, key.value, key.place)
        except WrongKeyError as error:
            errors.append(error)
    raise WrongKeyError(" ".join(dict.fromkeys(error.message for error in errors)), errors[0].next_step)


class _Run:
    def __init__(
        self,
        repository: Repository,
        backup_id: str,
        prefix: str,
        installation: N8nInstallation,
        options: N8nBackupOptions,
        progress: Progress | None,
        on_part: t.Callable[[PartResult], None] | None,
    ) -> None:
        self._repository = repository
        self._backup_id = backup_id
        self._prefix = prefix
        self._n8n = installation
        self._options = options
        self._progress = progress or Progress()
        self._on_part = on_part
        #: Why the key could not be proved, when it could not.
        self._unproved: ContinuityError | None = None
        self.result = N8nBackup()

    def all(self) -> None:
        """Back up each part that is asked for."""
        parts = self._options.parts
        if DATABASE in parts:
            self._write(DATABASE, "database", self._database)
        if SETTINGS in parts:
            self._write(SETTINGS, SINGLE_FILE, self._settings)
        if FILES in parts:
            self._write(FILES, TREE, functools.partial(self._files, path=self._n8n.folder))
            for number, path in enumerate(self._n8n.more_folders, 1):
                self._write(f"{FILES}-{number}", TREE, functools.partial(self._files, path=path))

    def _write(self, suffix: str, kind: str, work: t.Callable[[PartWriter], _Made]) -> None:
        """Write one part; an error becomes its result."""
        name = f"{self._prefix}.{suffix}"
        try:
            with self._repository.write_part(self._backup_id, name, kind=kind, progress=self._progress) as part:
                made = work(part)
            result = PartResult(name, kind, made.record, None, made.incomplete, made.next_step)
        except ContinuityError as error:
            result = PartResult(name, kind, error=error)
        self.result.parts.append(result)
        if self._on_part is not None:
            self._on_part(result)

    # -- database and key

    def _look(self, session: Session) -> dict[str, t.Any]:
        """Read facts, and prove the key, in one and the same snapshot."""
        facts = n8n_facts(session, self._n8n.tables)
        self.result.facts = facts
        try:
            self.result.key, self.result.proof = find_key(session, self._n8n)
        except ContinuityError as error:
            self._unproved = error
        return facts

    def _database(self, part: PartWriter) -> _Made:
        options = self._options.dump
        try:
            with open_snapshot(Client(self._n8n.connection), self._n8n.database, options.lock_timeout) as snapshot:
                facts = self._look(snapshot.session)
                dumped = dump_snapshot(part, snapshot, options)
        except ContinuityError as error:
            self._unproved = self._unproved or error
            raise
        tables = {"schema": self._n8n.tables.schema, "table_prefix": self._n8n.tables.prefix}
        dumped.facts["n8n"] = {**facts, **tables, "key": self._key_facts()}
        if self._unproved is not None and SETTINGS not in self._options.parts:
            dumped.warnings.append(self._unproved.message)
        return _Made(dumped.finish(part))

    def _key_facts(self) -> dict[str, t.Any]:
        return self.result.proof.facts() if self.result.proof is not None else {"proved_by": "nothing"}

    # -- settings

    def _settings(self, part: PartWriter) -> _Made:
        """Store the settings as the only file of a part, so that anything that restores files brings them back."""
        if DATABASE not in self._options.parts:
            with Session(Client(self._n8n.connection), self._n8n.database) as session:
                self._look(session)
        if isinstance(self._unproved, (WrongKeyError, InputError)) and self.result.proof is None:
            raise self._unproved
        key = self.result.key or next(iter(self._n8n.settings.keys), None)
        if key is None:
            raise self._unproved or InputError("There is no encryption key.", "Give encryption_key.")
        incomplete = ""
        if self._unproved is not None:
            incomplete = f"The encryption key of n8n is stored, but could not be proved: {self._unproved.message}"
        environment = {**self._n8n.settings.environment, KEY: key.value}
        return _Made(self._store(part, environment, key, incomplete), incomplete, "See to the database first.")

    def _store(self, part: PartWriter, environment: dict[str, str], key: FoundKey, incomplete: str) -> dict[str, t.Any]:
        content = part.open_stream()
        content.write(write_environment(environment).encode("utf-8", "surrogateescape"))
        reference = content.close()
        entries = part.open_stream()
        entry = Entry(os.fsencode(ENV_FILE), FILE, mode=0o600, mtime=time.time_ns(), content=reference)
        entries.write(entry.encode() + b"\n")
        settings = self._n8n.settings
        tree: dict[str, t.Any] = {
            "root": settings.source,
            "container": self._n8n.container,
            "entries_format": ENTRIES_FORMAT,
            "owners": {"users": {}, "groups": {}},
            "findings": {},
        }
        facts = {"size": reference.size, "files": 1, "settings": len(environment), "key": self._key_facts()}
        described = {"source": settings.source, "key_from": key.place, "names": sorted(environment)}
        return part.finish(
            streams={ENTRIES: entries.close()},
            facts={**facts, **({"incomplete": incomplete} if incomplete else {})},
            manifest={"tree": tree, "n8n": described},
            source=reference.size,
            warnings=self._warnings(environment, key),
        )

    def _warnings(self, environment: dict[str, str], key: FoundKey) -> list[str]:
        settings = self._n8n.settings
        warnings = [*settings.warnings]
        if self.result.proof is not None:
            warnings += self.result.proof.sentences()
        if key.value != settings.keys[0].value:
            warnings.append(f"Of several encryption keys, that from {key.place} opens the credentials, and is stored.")
        if quoted := needs_quotes(environment):
            warnings.append(
                f"These settings stand in quotes in the file, as systemd wants it: {', '.join(quoted)}. Docker and"
                " Podman take quotes for a part of the value."
            )
        return warnings

    # -- files

    def _files(self, part: PartWriter, path: str) -> _Made:
        excluded = (*(EXCLUDED if path == self._n8n.folder else ()), *self._options.exclude)
        tree = backup_tree(
            part,
            path,
            exclude=excluded,
            container=self._n8n.container,
            container_engine=self._n8n.engine,
        )
        return _Made(tree.record, tree.reason if tree.degraded else "", tree.next_step)
