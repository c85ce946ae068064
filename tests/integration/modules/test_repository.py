# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest


@pytest.fixture
def keys(ansible, tmp_path):
    recovery = ansible.module("repository_key", type="recovery", path=str(tmp_path / "recovery.pem"))
    administrator = ansible.module("repository_key", type="signing", path=str(tmp_path / "administrator.pem"))
    return recovery, administrator


def test_key_is_made_once_and_private(ansible, tmp_path):
    path = tmp_path / "recovery.pem"
    planned = ansible.module("repository_key", type="recovery", path=str(path), check=True)
    assert (planned["changed"], planned["public_key"], path.exists()) == (True, None, False)
    made = ansible.module("repository_key", type="recovery", path=str(path), passphrase="open sesame")
    assert made["changed"]
    assert path.stat().st_mode & 0o777 == 0o600
    again = ansible.module("repository_key", type="recovery", path=str(path), passphrase="open sesame")
    assert not again["changed"]
    assert again["public_key"] == made["public_key"]
    assert path.read_text() not in made["output"]
    assert "PRIVATE" not in str(made)
    wrong = ansible.module("repository_key", type="recovery", path=str(path), passphrase="wrong")
    assert wrong["error"] == "WrongKeyError"
    assert wrong["next_step"] in wrong["msg"]


def test_repository_is_made_changed_and_left_alone(ansible, tmp_path, keys):
    recovery, administrator = keys
    given = {
        "location": str(tmp_path / "repository"),
        "identity_file": str(tmp_path / "administrator.pem"),
        "cache_dir": str(tmp_path / "cache"),
    }
    recipients = [{"name": "safe", "key": recovery["public_key"]}]
    planned = ansible.module("repository", repository=given, recipients=recipients, check=True, diff=True)
    print(planned)
    assert planned["changed"]
    made = ansible.module("repository", repository=given, recipients=recipients)
    print(made)
    assert made["created"]
