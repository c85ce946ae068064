# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._drill.dns_client import RecordChangedError
from ansible_collections.dfr.continuity.plugins.module_utils._drill.traffic import (
    Kept,
    decide,
    keep_old,
    note_switched,
    read_current,
)
from ansible_collections.dfr.continuity.plugins.module_utils._drill.traffic_records import Guard, check_records
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError, TargetError


def _record(**options):
    given = {"record": "shop.example.com", "zone": "example.com", "provider": "cloudflare", "values": ["192.0.2.9"]}
    (record,) = check_records([{**given, "credentials": "cf", **options}], {"cf": ["api_token"]}, Guard())
    return record


def _found(*values, ttl=300):
    return read_current(_record(), {"values": list(values), "ttl": ttl, "details": {"proxied": False}})


def _kept(old):
    return {"old": old, "new": {"values": ["192.0.2.9"], "ttl": 60, "details": {"proxied": False}}}


OLD = _found("192.0.2.1")


@pytest.mark.parametrize(
    ("found", "state", "needed"),
    [
        (OLD, "switched", True),
        (_found("192.0.2.9", ttl=60), "switched", False),
        # Half way, after a crash: some of both, or the new value with the old TTL.
        (_found("192.0.2.1", "192.0.2.9"), "switched", True),
        (_found("192.0.2.9"), "switched", True),
        (_found("192.0.2.1", "192.0.2.9"), "undone", True),
        (_found("192.0.2.1", ttl=60), "undone", True),
        (OLD, "undone", False),
    ],
)
def test_what_is_kept_decides(found, state, needed):
    step = decide(_record(), found, _kept(OLD), state)
    assert step.needed is needed
    assert step.old == OLD
    assert not step.keep
    if needed:
        assert (step.target["values"], step.target["ttl"]) == (
            (["192.0.2.9"], 60) if state == "switched" else (["192.0.2.1"], 300)
        )


@pytest.mark.parametrize("state", ["switched", "undone", "verified"])
@pytest.mark.parametrize("values", [(), ("203.0.113.5",), ("192.0.2.1", "203.0.113.5")])
def test_anything_else_is_somebody_elses(values, state):
    with pytest.raises(RecordChangedError, match=r"expected to be 192\.0\.2\.1 or 192\.0\.2\.9, and is "):
        decide(_record(), _found(*values), _kept(OLD), state)


def test_other_new_values_than_those_of_the_run_that_kept_the_old_ones_are_refused():
    with pytest.raises(InputError, match=r"was switched to 192\.0\.2\.9 by an earlier run") as caught:
        decide(_record(values=["192.0.2.7"]), _found("192.0.2.9", ttl=60), _kept(OLD), "switched")
    assert "traffic_state: undone" in caught.value.next_step


def test_two_values_are_one_set_whatever_their_order():
    record = _record(values=["192.0.2.9", "192.0.2.8"])
    assert not decide(record, _found("192.0.2.8", "192.0.2.9", ttl=60), None, "switched").needed


def test_a_kept_value_survives_and_one_that_cannot_be_read_stops_everything(tmp_path):
    kept, record = Kept(str(tmp_path / "kept")), _record()
    step = decide(record, OLD, None, "switched")
    assert step.keep
    keep_old(step, kept)
    note_switched(record["id"], kept)
    document = kept.read(record["id"])
    assert document["old"] == OLD
    assert document["switched_at"].endswith("Z")
    (file,) = (tmp_path / "kept").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    for content in ("", "{}", '{"schema": "another", "old": {}, "new": {}}', file.read_text()[:-20]):
        file.write_text(content)
        with pytest.raises(TargetError, match="cannot be read") as caught:
            kept.read(record["id"])
        assert "Nothing was changed" in caught.value.next_step
    kept.remove(record["id"])
    assert kept.read(record["id"]) is None


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_changed(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TargetError, match="cannot be kept"):
        keep_old(decide(_record(), OLD, None, "switched"), Kept(str(tmp_path / "file" / "kept")))


def test_secrets_do_not_belong_into_records():
    with pytest.raises(InputError, match="has the option api_token, which belongs into traffic_credentials") as caught:
        _record(api_token="hidden")
    assert "hidden" not in str(caught.value)
