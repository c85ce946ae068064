# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in a container, with nothing installed inside: reached from the host, resolved inside."""

from __future__ import annotations

import os
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._files.backup import backup_file
from ansible_collections.dfr.continuity.plugins.module_utils._files.container import find_container
from ansible_collections.dfr.continuity.plugins.module_utils._repository.encoding import new_backup_id
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    DependencyError,
    InputError,
    SourceError,
)
from ansible_collections.dfr.continuity.tests.environment.containers import POSTGRES_17, Container, container, podman
from ansible_collections.dfr.continuity.tests.integration.files.scene import PART, Scene, describe

_MAKE = """
set -eu
useradd --uid 4711 odoo
mkdir -p /srv/data/filestore /outside
echo attachment > /srv/data/filestore/file
ln -s /outside /srv/data/away
ln -s /srv/data /var/lib/odoo
echo volume > /volume/file
chown -R odoo:odoo /srv/data /volume/file
"""


@pytest.fixture(scope="module", params=["same users", "own users"])
def box(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Container]:
    """A running container with files and a volume; once with a user namespace of its own."""
    volume = tmp_path_factory.mktemp("volume")
    volume.chmod(0o777)
    options: list[str | os.PathLike[str]] = ["--volume", f"{volume}:/volume"]
    if request.param == "own users":
        options += ["--uidmap", "0:200000:65536", "--gidmap", "0:300000:65536"]
    with container(POSTGRES_17, "sleep", "infinity", options=options) as made:
        made.run("sh", "-c", _MAKE)
        yield made


def test_files_are_read_through_links_of_the_container(scene: Scene, box: Container) -> None:
    backup_id, result = scene.back_up(Path("/var/lib/odoo"), container=box.name)
    entries = scene.entries(backup_id)
    assert set(entries) == {b"", b"away", b"filestore", b"filestore/file"}
    assert entries[b"away"].target == b"/outside"
    assert (entries[b"filestore/file"].uid, entries[b"filestore/file"].gid) == (4711, 4711)
    with scene.reader(backup_id) as reader:
        assert reader.manifest["tree"]["owners"]["users"]["4711"] == "odoo"
    assert (result.degraded, result.record["warnings"]) == (False, [])


def test_a_volume_is_there_too_and_an_unchanged_one_is_not_read_again(scene: Scene, box: Container) -> None:
    time.sleep(2.1)
    scene.back_up(Path("/volume"), container=box.name)
    backup_id, result = scene.back_up(Path("/volume"), container=box.name)
    assert result.record["facts"]["unchanged_files"] == 1
    scene.restore(backup_id, scene.root / "restored", owners="none")
    assert (scene.root / "restored/file").read_text() == "volume\n"


def test_files_are_restored_into_the_container(scene: Scene, box: Container) -> None:
    backup_id, _result = scene.back_up(Path("/srv/data"), container=box.name)
    box.run("ln", "-sfn", "/outside", "/link")
    result = scene.restore(backup_id, Path("/link/new/restored"), container=box.name)
    assert result.warnings == []
    listing = box.run("stat", "-c", "%n %U %u %a", "/outside/new/restored/filestore/file", "/outside/new").stdout
    assert listing.splitlines()[0] == "/outside/new/restored/filestore/file odoo 4711 644"
    assert listing.splitlines()[1].startswith("/outside/new root 0 ")
    assert box.run("cat", "/outside/new/restored/filestore/file").stdout == "attachment\n"
    assert not scene.restore(backup_id, Path("/link/new/restored"), container=box.name).changed
    box.run("rm", "-r", "/outside/new")


def test_a_single_file_of_the_container(scene: Scene, box: Container) -> None:
    backup_id = new_backup_id()
    with scene.site.open() as repository, repository.write_part(backup_id, PART, kind="file") as part:
        backup_file(part, "/var/lib/odoo/filestore/file", container=box.name)
    scene.restore_file(backup_id, scene.root / "file", owners="none")
    assert (scene.root / "file").read_text() == "attachment\n"


def test_the_host_is_not_reached_through_the_container(scene: Scene, box: Container) -> None:
    (scene.tree / "secret").write_text("of the host")
    box.run("ln", "-sfn", str(scene.tree), "/srv/to-host")
    box.run("ln", "-sfn", "/../../../.." + str(scene.tree), "/srv/up")
    for path in ("/srv/to-host", "/srv/up", f"/../..{scene.tree}"):
        with pytest.raises(SourceError, match="does not exist"):
            scene.back_up(Path(path), container=box.name)


def test_what_is_missing_in_the_container_is_named(scene: Scene, box: Container) -> None:
    with pytest.raises(SourceError, match=f"/nowhere in the container {box.name} does not exist"):
        scene.back_up(Path("/nowhere"), container=box.name)


def test_a_container_that_does_not_exist(scene: Scene) -> None:
    with pytest.raises(InputError, match="no container 'no-such-container'"):
        scene.back_up(Path("/"), container="no-such-container")


def test_an_engine_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "docker"
    program.write_text(
        "#!/bin/sh\necho 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock.' >&2; exit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match=r"docker could not be asked .* Cannot connect to the Docker daemon"):
        find_container("odoo", "docker")
    with pytest.raises(DependencyError, match="podman"):
        find_container("odoo", "podman")


def test_a_container_that_does_not_run() -> None:
    name = f"dfr-continuity-stopped-{os.getpid()}"
    podman("create", "--name", name, POSTGRES_17.build(), "true")
    try:
        with pytest.raises(SourceError, match="does not run"):
            find_container(name)
        with pytest.raises(SourceError, match="does not run"):
            find_container(name, "podman")
    finally:
        podman("rm", "--force", name)


def test_the_restored_tree_equals_the_volume_on_the_host(
    scene: Scene, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    volume = tmp_path / "volume"
    (volume / "a/b").mkdir(parents=True)
    (volume / "a/file").write_bytes(os.urandom(100_000))
    subprocess.run(["chown", "-R", "1234:1234", volume], check=True)
    with container(POSTGRES_17, "sleep", "infinity", options=["--volume", f"{volume}:/volume"]) as made:
        backup_id, _result = scene.back_up(Path("/volume"), container=made.name)
    scene.restore(backup_id, scene.root / "restored")
    assert describe(scene.root / "restored") == describe(volume)
