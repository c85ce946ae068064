# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real stores that go away and come back: nothing is lost, nothing is told to be where it is not."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._command.main import main
from ansible_collections.dfr.continuity.plugins.module_utils._command.spooled import with_spooled
from ansible_collections.dfr.continuity.plugins.module_utils._files.backup import backup_tree
from ansible_collections.dfr.continuity.plugins.module_utils._files.references import NESTED_REFERENCES
from ansible_collections.dfr.continuity.plugins.module_utils._files.restore import restore_tree
from ansible_collections.dfr.continuity.plugins.module_utils._repository.deferred import Closing, close_or_defer
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import ObjectMissingError
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.location import open_store
from ansible_collections.dfr.continuity.plugins.module_utils._repository.summary import PartOutcome, read_chain
from ansible_collections.dfr.continuity.plugins.module_utils._repository.verification import verify_bytes
from ansible_collections.dfr.continuity.tests.environment import s3
from ansible_collections.dfr.continuity.tests.environment.processes import wait_until
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

FIRST, SECOND, THIRD = (f"2026010{day}T000000Z-00000001" for day in (1, 2, 3))
PART = "db1.shop.dump"
# Several packs.
CONTENT = random.Random(9).randbytes(120_000_000)


@pytest.fixture(params=["rclone", "ceph"])
def server(request: pytest.FixtureRequest) -> t.Iterator[s3.S3Server]:
    """A server of the test's own, which it may stop."""
    with s3.rclone_server() if request.param == "rclone" else s3.ceph_server() as running:
        yield running


def site_in_bucket(root: Path, server: s3.S3Server, limit: str = "1GiB") -> Site:
    site = Site(root)
    site.bucket = {
        "location": f"s3://{server.new_bucket()}/odoo",
        "s3": {**server.settings(), "deadline": 4},
        "spool": {"path": str(root / "spool"), "limit": limit},
    }
    site.configure()
    return site


def back_up(site: Site, backup_id: str, content: bytes, halfway: t.Callable[[], object] = lambda: None) -> Closing:
    """Do what a run does, with something happening in the middle of it."""
    with site.open(spooling=True) as repository:
        repository.deliver_waiting()
        with repository.write_part(backup_id, PART, kind="database") as writer:
            stream = writer.open_stream()
            for start in range(0, len(content), 1 << 20):
                stream.write(content[start : start + (1 << 20)])
                if start >> 20 == len(content) >> 21:
                    halfway()
            writer.finish(streams={"dump": stream.close()}, facts={})
        told = with_spooled(repository, backup_id, PartOutcome(PART, "db1", "database"))
        return close_or_defer(repository, backup_id, [told])


def check(site: Site, *whole: tuple[str, bytes]) -> None:
    """Verify every byte, restore, and compare."""
    with site.open(None, spool=None) as repository:
        chain = read_chain(repository)
        assert [one.backup_id for one in chain.summaries] == sorted(backup_id for backup_id, _content in whole)
        assert (chain.findings, chain.unfinished) == ([], [])
        for backup_id, _content in whole:
            assert verify_bytes(repository, backup_id, site.recovery_key).problems == []
    for backup_id, content in whole:
        assert site.read_back(backup_id) == content


def test_a_server_that_dies_during_a_backup_and_is_back_for_the_next(server: s3.S3Server, tmp_path: Path) -> None:
    site = site_in_bucket(tmp_path, server)
    assert back_up(site, FIRST, CONTENT[:1000]).reason == ""

    closing = back_up(site, SECOND, CONTENT, server.program.kill)
    assert closing.document["status"] == "partial"
    (part,) = closing.document["parts"]
    assert server.endpoint.partition("//")[2] in part["reason"]
    assert 30_000_000 < part["spooled_bytes"] < len(CONTENT) + 1_000_000
    # And one that begins without a server at all.
    assert back_up(site, THIRD, CONTENT[:2000]).document["status"] == "partial"

    server.program.start()
    with site.open(None, spool=None) as repository, pytest.raises(ObjectMissingError):
        repository.open_part(SECOND, PART, site.recovery_key)
    last = "20260104T000000Z-00000001"
    closing = back_up(site, last, CONTENT)
    assert closing.document["status"] == "success"
    assert closing.document["parts"][0]["bytes"]["new"] == 0
    assert [(one["backup"], one["status"]) for one in closing.closed] == [(SECOND, "success"), (THIRD, "success")]
    assert not list((tmp_path / "spool").glob("*/*%*"))
    check(site, (FIRST, CONTENT[:1000]), (SECOND, CONTENT), (THIRD, CONTENT[:2000]), (last, CONTENT))


def configured(site: Site) -> list[str]:
    path = site.root / "continuity.json"
    path.touch(0o600)
    path.write_text(json.dumps({"repository": site.access("db1")}))
    return ["--config", str(path)]


def test_the_command_spools_tells_and_delivers_however_often_it_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(12):
        (tree / f"file{number}").write_bytes(CONTENT[number * 10_000_000 : (number + 1) * 10_000_000])
    with s3.rclone_server() as server:
        site = site_in_bucket(tmp_path, server)
        config = configured(site)

        def command(*arguments: str) -> tuple[int, t.Any]:
            capsys.readouterr()
            code = main([*arguments, *config, "--json"])
            return code, json.loads(capsys.readouterr().out)

        with site.open(spooling=True):
            server.program.stop()
        code, made = command("backup", "files", str(tree))
        assert (code, made["status"]) == (1, "partial")
        assert made["spooled_bytes"] > 100_000_000
        assert made["reason"].startswith("NOT offsite: ")
        assert "continuity deliver" in made["next_step"]
        code, told = command("deliver", "--dry-run")
        assert (code, told["waiting"]["bytes"], told["left_open"]) == (1, made["spooled_bytes"], [made["backup"]])
        code, told = command("deliver")
        assert (code, told["error"]["kind"]) == (3, "store_unreachable")

        server.program.start()
        program = [sys.executable, "-c", f"import sys; from {main.__module__} import main; sys.exit(main())", "deliver"]
        queue = next((tmp_path / "spool").iterdir())
        for _turn in range(3):
            before = len(list(queue.glob("*%*")))
            running = subprocess.Popen([*program, *config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_until(lambda before=before: len(list(queue.glob("*%*"))) < before, "an object was delivered")
            running.send_signal(signal.SIGKILL)
            running.wait()
            assert list(queue.glob("*%*"))
        code, told = command("deliver")
        assert (code, told["waiting"]["objects"], told["left_open"]) == (0, 0, [])
        assert told["closed"] == [{"backup": made["backup"], "status": "success"}]
        assert command("deliver")[1]["delivered"] == {"objects": 0, "bytes": 0}

        with site.open(None) as repository:
            assert verify_bytes(repository, made["backup"], site.recovery_key).problems == []
            key = tmp_path / "recovery.pem"
            key.touch(0o600)
            key.write_bytes(site.recovery_key.to_pem())
        arguments = ["restore", "latest", made["part"], "--target", str(tmp_path / "out"), "--recovery-key", str(key)]
        assert command(*arguments)[0] == 0
        for path in tree.iterdir():
            assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_the_limit_is_reached_and_what_was_spooled_is_of_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "big").write_bytes(CONTENT)
    with s3.rclone_server() as server:
        site = site_in_bucket(tmp_path, server, "64MiB")
        config = configured(site)
        with site.open(spooling=True):
            server.program.stop()
        capsys.readouterr()
        assert main(["backup", "files", str(tree), *config]) == 3
        error = capsys.readouterr().err
        assert f"of at most {64 << 20}, and has no room for packs/" in error
        assert server.endpoint.partition("//")[2] in error
        assert "next step: Bring the store back" in error
        taken = sum(path.stat().st_size for path in (tmp_path / "spool").glob("*/*%*"))
        assert 30_000_000 < taken <= 64 << 20

        server.program.start()
        assert back_up(site, THIRD, CONTENT).document["status"] == "success"
        assert not list((tmp_path / "spool").glob("*/*%*"))
        assert site.read_back(THIRD) == CONTENT


_WRITER = """
import json, sys
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.location import open_store
store = open_store(json.loads(sys.argv[1]))
for number in range(60):
    print(store.put(f"packs/{sys.argv[2]}/{number:04}", [b"%04d" % number] * 50_000), flush=True)
"""


def test_processes_of_one_run_that_each_open_the_store(tmp_path: Path) -> None:
    with s3.rclone_server() as server:
        site = site_in_bucket(tmp_path, server)
        settings = site.access("db1")
        writers = [
            subprocess.Popen([sys.executable, "-c", _WRITER, json.dumps(settings), name], stdout=subprocess.PIPE)
            for name in ("a", "b", "c", "d")
        ]
        for writer in writers:
            assert writer.stdout
            for _object in range(10):
                writer.stdout.readline()
        server.program.kill()
        spool = tmp_path / "spool"
        wait_until(lambda: len(list(spool.glob("*/*%packs%*"))) > 20, "they spool")
        server.program.start()
        assert [writer.wait() for writer in writers] == [0] * 4
        # The store was found to be away by one of them, at most five minutes ago: the rest waits.
        assert list(spool.glob("*/*%packs%*"))
        store: t.Any = open_store(settings)
        store.deliver()
        assert store.spooled.objects == 0
        assert [info.size for info in store.store.list("packs/")] == [200_000] * 240


@contextlib.contextmanager
def killed_at_the_first_pack(site: Site, server: s3.S3Server) -> t.Iterator[None]:
    """Kill the server as soon as a pack is in the store."""
    bucket = open_store({**site.access("db1"), "spool": None})
    before = len(list(bucket.list("packs/")))

    def watch() -> None:
        wait_until(lambda: len(list(bucket.list("packs/"))) > before, "a pack is in the store")
        server.program.kill()

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield
    watcher.join()


def test_small_files_that_several_processes_store(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(12_000):
        (tree / f"{number:05}").write_bytes(CONTENT[number * 8_000 : number * 8_000 + 16_000])

    def back_up_files(site: Site, backup_id: str) -> tuple[dict[str, t.Any], Closing]:
        with site.open(spooling=True) as repository:
            repository.deliver_waiting()
            with repository.write_part(backup_id, PART, kind="tree") as part:
                record = backup_tree(part, str(tree)).record
            told = with_spooled(repository, backup_id, PartOutcome(PART, "db1", "tree"))
            return record, close_or_defer(repository, backup_id, [told])

    with s3.rclone_server() as server:
        site = site_in_bucket(tmp_path, server)
        with killed_at_the_first_pack(site, server):
            record, closing = back_up_files(site, FIRST)
        assert closing.document["status"] == "partial"
        assert record["bytes"]["new"] > 150_000_000
        spooled = {path.name for path in (tmp_path / "spool").glob("*/*%packs%*")}
        assert 0 < len(spooled) < record["packs"]["count"]
        # All files are other ones now, and the store is away from the beginning.
        for path in tree.iterdir():
            path.write_bytes(path.read_bytes()[1:])
        assert back_up_files(site, SECOND)[1].document["status"] == "partial"
        server.program.start()
        _record, closing = back_up_files(site, THIRD)
        assert [(one["backup"], one["status"]) for one in closing.closed] == [(FIRST, "success"), (SECOND, "success")]
        with site.open(None, spool=None) as repository:
            for backup_id in (FIRST, SECOND, THIRD):
                found = verify_bytes(repository, backup_id, site.recovery_key, nested=NESTED_REFERENCES)
                assert found.problems == []
            with repository.open_part(SECOND, PART, site.recovery_key) as reader:
                restore_tree(reader, str(tmp_path / "out"))
    for path in tree.iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


@contextlib.contextmanager
def mounted(source: Path, place: Path) -> t.Iterator[None]:
    subprocess.run(["mount", "--bind", source, place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=False, stderr=subprocess.DEVNULL)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems")
def test_a_directory_that_is_unmounted_during_a_backup(tmp_path: Path) -> None:
    disk, place = tmp_path / "disk", tmp_path / "mnt"
    disk.mkdir()
    place.mkdir()
    site = Site(tmp_path)
    site.bucket = {"location": str(place), "spool": {"path": str(tmp_path / "spool"), "limit": "1GiB"}}

    def processes_that_open_it_now() -> None:
        subprocess.run(["umount", "--lazy", place], check=True)
        # The place is there, and empty: it must not be taken for the store, by nobody.
        argv = [sys.executable, "-c", _WRITER, json.dumps(site.access("db1")), "a"]
        assert subprocess.run(argv, stdout=subprocess.DEVNULL).returncode == 0

    with mounted(disk, place):
        site.configure()
        assert back_up(site, FIRST, CONTENT[:1000]).reason == ""
        closing = back_up(site, SECOND, CONTENT, processes_that_open_it_now)
    assert closing.document["status"] == "partial"
    assert list(place.iterdir()) == []
    # A whole run on the bare mount point finds no repository there, and says so.
    with pytest.raises(ObjectMissingError, match="There is no repository"):
        back_up(site, THIRD, CONTENT[:1000])
    assert list(place.iterdir()) == []
    with mounted(disk, place):
        assert [one["backup"] for one in back_up(site, THIRD, CONTENT[:5000]).closed] == [SECOND]
        check(site, (FIRST, CONTENT[:1000]), (SECOND, CONTENT), (THIRD, CONTENT[:5000]))


def test_a_full_disk_under_the_spool_is_told_with_both_reasons(tmp_path: Path) -> None:
    site = Site(tmp_path)
    small = tmp_path / "small"
    small.mkdir()
    site.bucket = {"spool": {"path": str(small / "spool"), "limit": "1GiB"}}
    site.configure()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=70m", "tmpfs", small], check=True)
    try:
        with site.open(spooling=True):
            site.store.rename(tmp_path / "away")
        with pytest.raises(
            Exception, match=r"It was not spooled either: Cannot write .* No space left on device"
        ) as caught:
            back_up(site, FIRST, CONTENT)
        assert "does not exist" in str(caught.value)
        # Delivery must not need room that only delivery makes.
        with contextlib.suppress(OSError), open(small / "rest", "wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        assert os.statvfs(small).f_bavail == 0
        (tmp_path / "away").rename(site.store)
        assert back_up(site, SECOND, CONTENT).document["status"] == "success"
    finally:
        subprocess.run(["umount", "--lazy", small], check=True)
    assert site.read_back(SECOND) == CONTENT
