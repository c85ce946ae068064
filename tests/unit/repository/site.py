# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository in a directory with an administrator, hosts and a recovery key: what the tests of it start from."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.dfr.continuity.plugins.module_utils._repository import keys
from ansible_collections.dfr.continuity.plugins.module_utils._repository.encoding import new_backup_id
from ansible_collections.dfr.continuity.plugins.module_utils._repository.repository import (
    Repository,
    WantedSettings,
    configure_repository,
    open_repository,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.settings import TrustedSigner
from ansible_collections.dfr.continuity.plugins.module_utils._repository.summary import PartOutcome, close_backup


@dataclass
class Site:
    """Where everything is, and who may do what."""

    root: Path
    administrator: keys.Identity = field(default_factory=keys.Identity.generate)
    recovery_key: keys.RecoveryKey = field(default_factory=keys.RecoveryKey.generate)
    hosts: dict[str, keys.Identity] = field(default_factory=lambda: {"db1": keys.Identity.generate()})
    #: Where the repository is when it is not in a directory: ``location`` and ``s3``.
    bucket: dict[str, t.Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, identity in {"administrator": self.administrator, **self.hosts}.items():
            keys.write_key_file(str(self.root / f"{name}.pem"), identity.to_pem())

    @property
    def store(self) -> Path:
        """The directory that holds the repository."""
        return self.root / "repository"

    def access(self, who: str | None = "db1", **changes: t.Any) -> dict[str, t.Any]:
        """Return the ``repository`` dictionary of a host, of the administrator, or of a restoring machine (None)."""
        given = {
            "location": str(self.store),
            "trust": [self.administrator.signer.text],
            "cache_dir": str(self.root / f"cache-{who}"),
            "host": who or "somewhere",
        }
        if who:
            given["identity_file"] = str(self.root / f"{who}.pem")
        return {**given, **self.bucket, **changes}

    def signers(self, **retired: str) -> tuple[TrustedSigner, ...]:
        """Return the hosts as trusted signers."""
        return tuple(
            TrustedSigner(replace(identity.signer, name=name), retired.get(name, ""))
            for name, identity in self.hosts.items()
        )

    def configure(self, **wanted: t.Any) -> t.Any:
        """Create or change the repository as the administrator."""
        options = {key: wanted.pop(key) for key in ("recovery_key", "dry_run") if key in wanted}
        self.store.mkdir(exist_ok=True)
        settings = WantedSettings(**{"recipients": (self.recovery_key.recipient,), "signers": self.signers(), **wanted})
        return configure_repository(self.access("administrator"), settings, **options)

    def open(
        self, who: str | None = "db1", opener: t.Any = None, *, spooling: bool = False, **changes: t.Any
    ) -> Repository:
        """Open the repository; a restoring machine opens it with the recovery key."""
        opener = opener or (None if who else self.recovery_key)
        return open_repository(self.access(who, **changes), opener, spooling=spooling)

    def back_up(self, content: bytes, part: str = "db1.shop.dump", who: str = "db1", backup_id: str = "") -> str:
        """Make a closed backup with one part that has one stream; return its id."""
        backup_id = backup_id or new_backup_id()
        with self.open(who) as repository:
            with repository.write_part(backup_id, part, kind="database") as writer:
                stream = writer.open_stream()
                stream.write(content)
                writer.finish(streams={"dump": stream.close()}, facts={"version": 1})
            close_backup(repository, backup_id, [PartOutcome(part, who, "database")])
        return backup_id

    def read_back(self, backup_id: str, part: str = "db1.shop.dump", key: keys.RecoveryKey | None = None) -> bytes:
        """Return the stream of a part, read on a machine that never saw the repository before."""
        key = key or self.recovery_key
        cache = str(self.root / f"cache-{new_backup_id()}")
        with (
            self.open(None, opener=key, cache_dir=cache) as repository,
            repository.open_part(backup_id, part, key) as reader,
        ):
            return b"".join(reader.read_stream(reader.streams["dump"]))

    def objects(self, prefix: str) -> list[Path]:
        """Return the files of the objects whose names start with ``prefix``."""
        found = (path for path in self.store.rglob("*") if path.is_file())
        return sorted(path for path in found if str(path.relative_to(self.store)).startswith(prefix))
