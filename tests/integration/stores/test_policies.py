# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policies of docs/stores.md are enough for each kind of machine, and give it no more."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository import keys
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import StoreDeniedError
from ansible_collections.dfr.continuity.plugins.module_utils._repository.verification import (
    verify_bytes,
    verify_structure,
)
from ansible_collections.dfr.continuity.tests.unit.repository.site import Site

PREFIX = "some/prefix"
PAGE = Path(__file__).resolve().parents[3] / "docs/stores.md"


class Machines:
    """A repository in a bucket of Ceph, and a user for each policy of the page, in its order."""

    def __init__(self, ceph, root):
        bucket = ceph.new_bucket()
        policies = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
        self.host, self.restore, self.administrator = users = [ceph.new_user() for _ in policies]
        statements = []
        for user, policy in zip(users, policies, strict=True):
            text = policy.replace("BUCKET", bucket).replace("PREFIX", PREFIX)
            for statement in json.loads(text)["Statement"]:
                principal = {"AWS": [f"arn:aws:iam:::user/{user.access_key}"]}
                statements.append({**statement, "Principal": principal})
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        ceph.client().put_bucket_policy(Bucket=bucket, Policy=document)
        self.site = Site(root)
        self.location = f"s3://{bucket}/{PREFIX}"

    def act_as(self, user):
        self.site.bucket.update({"location": self.location, "s3": user.settings()})
        return self.site


@pytest.fixture
def machines(ceph, tmp_path):
    return Machines(ceph, tmp_path)


def test_the_whole_life_of_a_repository(machines):
    content = os.urandom(40 << 20)  # more than one pack
    machines.act_as(machines.administrator).configure(recovery_files={"FORMAT.md": b"text"})
    site = machines.act_as(machines.host)
    backup = site.back_up(content)
    site.back_up(content + b"more")
    with site.open() as repository:
        assert verify_structure(repository, backup)[0].valid
    assert machines.act_as(machines.restore).read_back(backup) == content

    another = keys.RecoveryKey.generate()
    site = machines.act_as(machines.administrator)
    recipients = (site.recovery_key.recipient, another.recipient)
    site.configure(recipients=recipients, recovery_key=site.recovery_key)
    site = machines.act_as(machines.restore)
    assert site.read_back(backup, key=another) == content
    with site.open(None) as repository:
        assert verify_bytes(repository, backup, site.recovery_key).valid


def test_no_machine_may_do_more(machines):
    site = machines.act_as(machines.administrator)
    site.configure()
    backup = machines.act_as(machines.host).back_up(b"content")

    with site.open() as host:
        store = host.store
        names = {info.name for info in store.list("")}
        packs = [name for name in names if name.startswith("packs/")]
        assert packs
        for name in names:
            with pytest.raises(StoreDeniedError):
                store.delete(name)
        with pytest.raises(StoreDeniedError):
            store.put("repository.json", [b"mine"])
        with pytest.raises(StoreDeniedError):
            store.put("recovery/continuity", [b"mine"])

    with machines.act_as(machines.restore).open(None) as restoring:
        for name in (*names, "packs/new", "index/new"):
            with pytest.raises(StoreDeniedError):
                restoring.store.put(name, [b"mine"])
            with pytest.raises(StoreDeniedError):
                restoring.store.delete(name)

    with machines.act_as(machines.administrator).open("administrator") as administrator:
        for name in packs:
            with pytest.raises(StoreDeniedError):
                administrator.store.put(name, [b"mine"])
            with pytest.raises(StoreDeniedError):
                administrator.store.delete(name)
    assert machines.act_as(machines.restore).read_back(backup) == b"content"
