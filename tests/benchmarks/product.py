# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured of this collection: one process a call, as modules and the command do it.

    python product.py DIRECTORY repository | files ROOT | restore-files TARGET | database NAME CONNECTION

``DIRECTORY`` takes the repository, its keys and its caches. Prints what the part's record says about sizes.
"""

from __future__ import annotations

import json
import os
import sys
import typing as t
from dataclasses import replace
from pathlib import Path

from ansible_collections.dfr.continuity.plugins.module_utils._repository.encoding import new_backup_id
from ansible_collections.dfr.continuity.plugins.module_utils._repository.keys import (
    Identity,
    RecoveryKey,
    load_recovery_key,
    write_key_file,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.part_writer import PartWriter
from ansible_collections.dfr.continuity.plugins.module_utils._repository.repository import (
    WantedSettings,
    configure_repository,
    open_repository,
)

_HOST = "bench"
_FILES = f"{_HOST}.odoo.filestore"
_DATABASE = f"{_HOST}.odoo.database"


class _Product:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._recovery_key = directory / "recovery.pem"

    def _settings(self) -> dict[str, t.Any]:
        return {
            "location": str(self._directory / "repository"),
            "trust": [(self._directory / "trust").read_text()],
            "identity_file": str(self._directory / "identity.pem"),
            "cache_dir": str(self._directory / "cache"),
            "host": _HOST,
        }

    def make_repository(self) -> None:
        identity, recovery_key = Identity.generate(), RecoveryKey.generate()
        (self._directory / "repository").mkdir(parents=True)
        write_key_file(str(self._directory / "identity.pem"), identity.to_pem())
        write_key_file(str(self._recovery_key), recovery_key.to_pem())
        (self._directory / "trust").write_text(replace(identity.signer, name="").text)
        configure_repository(self._settings(), WantedSettings(recipients=(recovery_key.recipient,)))

    def _write(self, part: str, kind: str, work: t.Callable[[PartWriter], dict[str, t.Any]]) -> None:
        backup_id = new_backup_id()
        with (
            open_repository(self._settings()) as repository,
            repository.write_part(backup_id, part, kind=kind) as writer,
        ):
            record = work(writer)
        (self._directory / "latest").write_text(backup_id)
        json.dump(record["bytes"], sys.stdout)

    def back_up_files(self, root: str) -> None:
        from ansible_collections.dfr.continuity.plugins.module_utils._files.backup import FILESTORE, backup_tree

        self._write(_FILES, FILESTORE, lambda part: backup_tree(part, root, kind=FILESTORE).record)

    def restore_files(self, target: str) -> None:
        from ansible_collections.dfr.continuity.plugins.module_utils._files.restore import restore_tree

        recovery_key = load_recovery_key(self._recovery_key.read_bytes())
        backup_id = (self._directory / "latest").read_text()
        with (
            open_repository(self._settings(), recovery_key) as repository,
            repository.open_part(backup_id, _FILES, recovery_key) as part,
        ):
            restore_tree(part, target)

    def back_up_database(self, name: str, settings: str) -> None:
        from ansible_collections.dfr.continuity.plugins.module_utils._postgres.connection import Connection
        from ansible_collections.dfr.continuity.plugins.module_utils._postgres.dump import backup_database

        connection = Connection.from_settings(json.loads(settings))
        self._write(_DATABASE, "database", lambda part: backup_database(part, connection, name))


def main() -> None:
    """Do what the arguments say."""
    directory, action, *arguments = sys.argv[1:]
    product = _Product(Path(directory))
    actions: dict[str, t.Callable[..., None]] = {
        "repository": product.make_repository,
        "files": product.back_up_files,
        "restore-files": product.restore_files,
        "database": product.back_up_database,
    }
    os.umask(0o077)
    actions[action](*arguments)


if __name__ == "__main__":
    main()
