# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository in a directory, trees to back up, and a way to say exactly what a tree is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import struct
import subprocess
import sys
import typing as t
from pathlib import Path

from ansible_collections.dfr.continuity.plugins.module_utils._files import backup, restore
from ansible_collections.dfr.continuity.plugins.module_utils._files.backup import TreeBackup, backup_file, backup_tree
from ansible_collections.dfr.continuity.plugins.module_utils._files.entries import Entry
from ansible_collections.dfr.continuity.plugins.module_utils._files.reading import read_entries
from ansible_collections.dfr.continuity.plugins.module_utils._files.references import NESTED_REFERENCES
from ansible_collections.dfr.continuity.plugins.module_utils._files.restore import (
    RestoreResult,
    restore_file,
    restore_tree,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.encoding import new_backup_id
from ansible_collections.dfr.continuity.plugins.module_utils._repository.keys import write_key_file
from ansible_collections.dfr.continuity.plugins.module_utils._repository.part_reader import PartReader
from ansible_collections.dfr.continuity.plugins.module_utils._repository.summary import PartOutcome, close_backup
from ansible_collections.dfr.continuity.plugins.module_utils._repository.verification import verify_bytes
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

PART = "db1.shop.filestore"
_ALONE = "ansible_collections.dfr.continuity.tests.integration.files.run_alone"
#: A time long past, so that files are not taken for changed just now.
LONG_AGO = 1_700_000_000_123_456_789


def _acl(*entries: tuple[int, int, int]) -> bytes:
    """Encode a POSIX ACL as the kernel does: version 2, then tag, permissions and number of each entry."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


_NOBODY = 0xFFFFFFFF
#: Read and write for the owner, reading for the user 1234, the group and the mask, nothing for others.
SOME_ACL = _acl((1, 6, _NOBODY), (2, 4, 1234), (4, 4, _NOBODY), (0x10, 4, _NOBODY), (0x20, 0, _NOBODY))


def use_processes(set_attribute: t.Callable[[object, str, object], None]) -> None:
    """Have small files dealt with by processes, however few they are."""
    for module in (backup, restore):
        set_attribute(module, "WORTHWHILE", 1)


class Scene:
    """A repository with one host, and what one does with it.

    ``processes``: runs in a process of their own give small files to processes of theirs.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.processes = False
        root.mkdir(exist_ok=True)
        self.site = Site(root)
        self.site.configure()
        self.tree = root / "tree"
        self.tree.mkdir()

    def back_up(self, tree: Path | None = None, **options: t.Any) -> tuple[str, TreeBackup]:
        """Back a tree up in a closed backup; return its id and what was found."""
        backup_id = new_backup_id()
        with self.site.open() as repository:
            kind = options.get("kind", "tree")
            with repository.write_part(backup_id, PART, kind=kind) as part:
                result = backup_tree(part, str(tree or self.tree), **options)
            self._close(repository, backup_id, kind, result)
        return backup_id, result

    def back_up_file(self, path: Path) -> tuple[str, TreeBackup]:
        """Back a single file up."""
        backup_id = new_backup_id()
        with self.site.open() as repository:
            with repository.write_part(backup_id, PART, kind="file") as part:
                result = backup_file(part, str(path))
            self._close(repository, backup_id, "file", result)
        return backup_id, result

    @staticmethod
    def _close(repository: t.Any, backup_id: str, kind: str, result: TreeBackup) -> None:
        outcome = PartOutcome(
            PART, "db1", kind, degraded=result.degraded, reason=result.reason, next_step=result.next_step
        )
        close_backup(repository, backup_id, [outcome])

    def command(self, action: str, backup_id: str, where: Path) -> list[str]:
        """Return the command that backs up or restores in a process of its own."""
        key = self.root / "recovery.pem"
        if not key.exists():
            write_key_file(str(key), self.site.recovery_key.to_pem())
        access = self.site.access("db1" if action == "backup" else None)
        how = "processes" if self.processes else "as usual"
        return [sys.executable, "-m", _ALONE, action, how, json.dumps(access), backup_id, str(where), str(key)]

    def run_alone(self, action: str, backup_id: str, where: Path) -> dict[str, int]:
        """Back up or restore in a process of its own; return what it did, and the most memory that it had."""
        done = subprocess.run(self.command(action, backup_id, where), check=True, capture_output=True, text=True)
        facts: dict[str, int] = json.loads(done.stdout)
        return facts

    @contextlib.contextmanager
    def reader(self, backup_id: str) -> t.Iterator[PartReader]:
        """Open a backed up tree as another machine does."""
        key = self.site.recovery_key
        with self.site.open(None, key) as repository, repository.open_part(backup_id, PART, key) as reader:
            yield reader

    def restore(self, backup_id: str, target: Path, **options: t.Any) -> RestoreResult:
        """Restore a tree."""
        with self.reader(backup_id) as reader:
            return restore_tree(reader, str(target), **options)

    def restore_file(self, backup_id: str, path: Path, **options: t.Any) -> RestoreResult:
        """Restore a single file."""
        with self.reader(backup_id) as reader:
            return restore_file(reader, str(path), **options)

    def entries(self, backup_id: str) -> dict[bytes, Entry]:
        """Return what a backup has, by path."""
        with self.reader(backup_id) as reader:
            return {entry.path: entry for entry in read_entries(reader)}

    def problems(self, backup_id: str) -> list[str]:
        """Return what is found wrong when every byte of a backup is read."""
        key = self.site.recovery_key
        with self.site.open(None, key) as repository:
            return verify_bytes(repository, backup_id, key, nested=NESTED_REFERENCES).problems

    def assert_whole(self, backup_id: str) -> None:
        """Read every byte of a backup."""
        assert self.problems(backup_id) == []


def describe(root: Path, *, times: bool = True, owners: bool = True) -> dict[bytes, tuple[t.Any, ...]]:
    """Say what a tree is: of each path the type, permissions, owners, time, content, attributes and other names."""
    top = os.fsencode(root)
    inodes: dict[tuple[int, int], list[bytes]] = {}
    found: dict[bytes, tuple[t.Any, ...]] = {}
    for path in _walk(top):
        status = os.lstat(path)
        inodes.setdefault((status.st_dev, status.st_ino), []).append(path)
        content: t.Any = None
        if stat.S_ISREG(status.st_mode):
            content = (status.st_size, _digest(path))
        elif stat.S_ISLNK(status.st_mode):
            content = os.readlink(path)
        elif not stat.S_ISDIR(status.st_mode):
            content = status.st_rdev
        found[path[len(top) + 1 :]] = (
            oct(status.st_mode),
            (status.st_uid, status.st_gid) if owners else None,
            status.st_mtime_ns if times else None,
            content,
            {
                name: os.getxattr(path, name, follow_symlinks=False)
                for name in os.listxattr(path, follow_symlinks=False)
            },
        )
    for names in inodes.values():
        for path in names if len(names) > 1 else ():
            found[path[len(top) + 1 :]] += (sorted(name[len(top) + 1 :] for name in names),)
    return found


def _walk(top: bytes) -> t.Iterator[bytes]:
    yield top
    for directory, names, files in os.walk(top):
        for name in names + files:
            yield os.path.join(directory, name)


def _digest(path: bytes) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def age(root: Path) -> None:
    """Give everything in a tree a time long past, the root last."""
    for path in reversed(list(_walk(os.fsencode(root)))):
        os.utime(path, ns=(LONG_AGO, LONG_AGO), follow_symlinks=False)


def leftovers(root: Path) -> list[bytes]:
    """Return the temporary names in a tree."""
    return [path for path in _walk(os.fsencode(root)) if b".continuity-restore." in path]
