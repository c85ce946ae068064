# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Zips that claim to be Odoo's: good ones become backups, others are refused before anything is written."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zipfile

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_zip_import import import_zip
from ansible_collections.dfr.continuity.plugins.module_utils._files.entries import decode, split_lines
from ansible_collections.dfr.continuity.plugins.module_utils._repository.encoding import new_backup_id
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError

from ..repository.site import Site

SQL = (
    b"--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n"
    b"CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA public;\n\n\\unrestrict abc\n"
)
MANIFEST = {
    "odoo_dump": "1",
    "db_name": "shop",
    "version": "19.0",
    "version_info": [19, 0, 0, "final", 0, ""],
    "major_version": "19.0",
    "pg_version": "15.0",
    "modules": {"base": "19.0.1.3", "web": "19.0.1.0"},
}


def name_of(content):
    """Return where a filestore keeps such content."""
    sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return f"filestore/{sha1[:2]}/{sha1}"


SMALL, LARGE = b"an attachment", os.urandom(3 << 20)


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    made.configure()
    return made


@pytest.fixture
def make_zip(tmp_path):
    """Makes a zip of the usual members, changed as told; None takes one away."""

    def make(changes=(), infos=()):
        members = {
            "dump.sql": SQL,
            "manifest.json": json.dumps(MANIFEST).encode(),
            name_of(SMALL): SMALL,
            name_of(LARGE): LARGE,
            name_of(b""): b"",
            "filestore/checklist/aa/" + "aa" * 20: b"",
            **dict(changes),
        }
        path = tmp_path / "backup.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for name, content in members.items():
                if content is not None:
                    made.writestr(name, content)
            for info, content in infos:
                made.writestr(info, content)
        return str(path)

    return make


def import_it(site, path):
    backup_id = new_backup_id()
    with site.open() as repository:
        return backup_id, import_zip(path, repository, backup_id, "db1.shop")


def test_a_zip_becomes_a_backup(site, make_zip):
    backup_id, imported = import_it(site, make_zip())
    assert imported.corrupt == []
    assert imported.database["facts"]["format"] == "plain"
    assert imported.database["facts"]["server_major"] == 15
    assert imported.filestore["facts"]["files"] == 4
    with site.open(None) as repository:
        with repository.open_part(backup_id, "db1.shop.database", site.recovery_key) as reader:
            assert b"".join(reader.read_stream(reader.streams["dump"])) == SQL
            assert reader.manifest["odoo"]["modules"] == MANIFEST["modules"]
            assert reader.manifest["database"]["indexed_functions"][0]["function"] == "public.unaccent(text)"
        with repository.open_part(backup_id, "db1.shop.filestore", site.recovery_key) as reader:
            entries = [decode(line) for line in split_lines(reader.read_stream(reader.streams["entries"]))]
            contents = {
                "filestore/" + entry.path.decode(): b"".join(reader.read_stream(entry.content))
                for entry in entries
                if entry.content is not None
            }
    assert contents[name_of(SMALL)] == SMALL
    assert contents[name_of(LARGE)] == LARGE
    paths = [entry.path for entry in entries]
    assert paths[0] == b""
    assert b"checklist/aa" in paths
    assert paths == sorted(paths, key=lambda path: path.replace(b"/", b"\0"))


def test_a_wrong_sha1_is_named(site, make_zip):
    _id, imported = import_it(site, make_zip({name_of(b"x"): b"y"}))
    assert imported.corrupt == [name_of(b"x").removeprefix("filestore/")]
    assert imported.corrupt[0] in imported.filestore["warnings"][0]
    assert imported.filestore["facts"]["incomplete"] == imported.filestore["warnings"][0]


def test_one_without_a_filestore(site, make_zip):
    nothing = dict.fromkeys([name_of(SMALL), name_of(LARGE), name_of(b""), "filestore/checklist/aa/" + "aa" * 20])
    _id, imported = import_it(site, make_zip(nothing))
    assert imported.filestore is None


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info


@pytest.mark.parametrize(
    ("changes", "infos", "reason"),
    [
        ({"filestore/../../etc/cron.d/x": b"x"}, (), "no backup of Odoo has"),
        ({"/etc/passwd": b"x"}, (), "no backup of Odoo has"),
        ({"filestore/aa\\..\\x": b"x"}, (), "no backup of Odoo has"),
        ({"filestore//etc": b"x"}, (), "no backup of Odoo has"),
        ({"other.txt": b"x"}, (), "no backup of Odoo has"),
        ({"dump.sql": None}, (), r"holds no dump\.sql"),
        ({"manifest.json": None}, (), r"holds no manifest\.json"),
        ({"dump.sql": b"DROP TABLE x;"}, (), "not written by pg_dump"),
        ({"manifest.json": b"{}"}, (), "odoo_dump"),
        ({"manifest.json": b"["}, (), "not one of Odoo's"),
        ({"manifest.json": json.dumps({**MANIFEST, "modules": 3}).encode()}, (), "modules"),
        ({"filestore/aa": b"x", "filestore/aa/b": b"x"}, (), "both a file and a directory"),
        ({}, [(link("filestore/aa/link"), b"/etc/shadow")], "symbolic link"),
        ({"filestore/bomb": bytes(80 << 20), name_of(LARGE): None}, (), "made to fill disks"),
    ],
)
def test_what_is_no_zip_of_odoos_is_refused(site, make_zip, changes, infos, reason):
    path = make_zip(changes, infos)
    with pytest.raises(InputError, match=reason):
        import_it(site, path)
    assert site.objects("backups/") == []


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_is_refused(site, make_zip):
    with pytest.raises(InputError, match="twice"):
        import_it(site, make_zip({}, [("dump.sql", SQL)]))


def test_members_that_share_bytes_are_refused(site, make_zip):
    path = make_zip()
    with open(path, "rb") as file:
        data = bytearray(file.read())
    directory = data.rindex(b"PK\x01\x02")  # the last entry is made to point at the first member
    struct.pack_into("<L", data, directory + 42, 0)
    with open(path, "wb") as file:
        file.write(data)
    with pytest.raises(InputError, match="overlap"):
        import_it(site, path)


@pytest.mark.parametrize("damage", ["cut", "flip", "nothing"])
def test_a_damaged_zip_is_refused(site, make_zip, tmp_path, damage):
    path = make_zip()
    with open(path, "rb") as file:
        data = bytearray(file.read())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "flip":
        data[len(data) // 2] ^= 1  # within the large attachment
    else:
        data = bytearray()
    with open(path, "wb") as file:
        file.write(data)
    with pytest.raises(InputError, match="cannot be read as a zip"):
        import_it(site, path)
    assert not any(name.name == "record" and "filestore" in str(name) for name in site.objects("backups/"))


def test_one_that_is_not_there(site):
    with pytest.raises(InputError, match="No such file"):
        import_it(site, "/nowhere/backup.zip")
