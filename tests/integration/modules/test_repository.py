# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, and who may read and write a repository."""

from __future__ import annotations

from .playing import check_documented


def _key(name, kind, path, **options):
    return {"name": name, "dfr.continuity.repository_key": {"type": kind, "path": str(path), **options}}


def _unless(task, **more):
    return {**task, "ignore_errors": True, **more}


def test_keys_are_made_once_and_stay_private(ansible, tmp_path):
    path, signing = tmp_path / "recovery.pem", tmp_path / "identity.pem"
    secret = {"passphrase": "open sesame"}
    planned = ansible.play(_key("planned", "recovery", path), options=["--check"])
    assert (planned["planned"]["changed"], planned["planned"]["public_key"], path.exists()) == (True, None, False)
    played = ansible.play(
        _key("made", "recovery", path, **secret),
        _key("again", "recovery", path, **secret),
        _unless(_key("wrong passphrase", "recovery", path, passphrase="wrong")),
        _unless(_key("wrong kind", "signing", path, **secret)),
        _unless(_key("other mechanism", "recovery", path, kem="p256", **secret)),
        _unless({"name": "nowhere", "dfr.continuity.repository_key": {"type": "recovery"}}),
        _key("signing", "signing", signing),
        _unless(_key("passphrase of none", "signing", signing, **secret)),
        _key("hybrid", "recovery", tmp_path / "hybrid.pem", kem="mlkem768-x25519"),
        {
            "name": "shown",
            "no_log": True,
            "dfr.continuity.repository_key": {"type": "signing", "return_private_key": True},
        },
        options=["-vvv"],
    )
    assert played.code == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert (played["made"]["changed"], played["again"]["changed"]) == (True, False)
    assert played["again"]["public_key"] == played["made"]["public_key"]
    assert played["made"]["public_key"].startswith("x25519:")
    assert played["hybrid"]["kem"] == "mlkem768-x25519"
    assert played["signing"]["public_key"].startswith("signer:")
    assert {
        name: played[name]["error"] for name in ("wrong passphrase", "wrong kind", "other mechanism", "nowhere")
    } == {
        "wrong passphrase": "WrongKeyError",
        "wrong kind": "InputError",
        "other mechanism": "InputError",
        "nowhere": "InputError",
    }
    assert played["passphrase of none"]["error"] == "WrongKeyError"
    assert "PRIVATE KEY" not in played.output
    assert "open sesame" not in played.output
    for name in ("made", "again", "signing", "hybrid"):
        check_documented("repository_key", played[name])


def test_a_repository_is_made_left_alone_and_changed(ansible, tmp_path):
    ansible.play(
        _key("administrator", "signing", tmp_path / "administrator.pem"),
        _key("host", "signing", tmp_path / "host.pem"),
        _key("recovery", "recovery", tmp_path / "recovery.pem"),
        _key("other", "recovery", tmp_path / "other.pem"),
    )
    keys = [
        {**_key(name, kind, tmp_path / f"{name}.pem"), "register": name}
        for name, kind in (
            ("administrator", "signing"),
            ("host", "signing"),
            ("recovery", "recovery"),
            ("other", "recovery"),
        )
    ]
    location = tmp_path / "repository"
    common = {"location": str(location), "cache_dir": str(tmp_path / "cache")}
    administrator = {**common, "identity_file": str(tmp_path / "administrator.pem")}
    host = {**common, "identity_file": str(tmp_path / "host.pem"), "trust": ["{{ administrator.fingerprint }}"]}
    safe = {"name": "safe", "key": "{{ recovery.public_key }}"}
    office = {"name": "office", "key": "{{ other.public_key }}"}
    signer = {"name": "db1", "key": "{{ host.public_key }}"}

    def task(name, repository, **options):
        return {"name": name, "dfr.continuity.repository": {"repository": repository, **options}}

    planned = ansible.play(*keys, task("planned", administrator, recipients=[safe]), options=["--check", "--diff"])
    assert planned["planned"]["created"]
    assert planned["planned"]["repository_id"] is None
    assert not location.exists()
    check_documented("repository", planned["planned"])
    played = ansible.play(
        *keys,
        _unless(task("nobody reads", administrator)),
        _unless(task("nothing to open", administrator, state="opened")),
        task("made", administrator, recipients=[safe]),
        task("again", administrator, recipients=[safe]),
        _unless(task("not a signer", host, state="opened")),
        task("changed", administrator, recipients=[safe, office], signers=[signer]),
        task("opened", host, state="opened"),
        _unless(task("mistrusted", {**host, "trust": ["{{ host.fingerprint }}"]}, state="opened")),
        _unless(task("opened and changed", host, state="opened", recipients=[safe])),
        task("removed", administrator, recipients=[office]),
        options=["--diff"],
    )
    assert played.code == 0
    assert [played[name]["changed"] for name in ("made", "again", "changed", "opened", "removed")] == [
        *(True, False, True, False, True)
    ]
    assert played["made"]["recovery_files"] == ["FORMAT.md", "continuity.pyz"]
    assert (location / "recovery" / "continuity.pyz").stat().st_size > 100_000
    before, after = (played["changed"]["diff"][side] for side in ("before", "after"))
    assert [entry["name"] for entry in before["recipients"]] == ["safe"]
    assert [entry["name"] for entry in after["recipients"]] == ["safe", "office"]
    assert '+            "name": "office"' in played.output
    assert [entry["name"] for entry in played["removed"]["recipients"]] == ["office"]
    errors = {name: played[name]["error"] for name in ("nobody reads", "nothing to open", "not a signer", "mistrusted")}
    assert errors == {
        "nobody reads": "InputError",
        "nothing to open": "ObjectMissingError",
        "not a signer": "WrongKeyError",
        "mistrusted": "TrustError",
    }
    assert played["opened and changed"]["error"] == "InputError"
    for name in ("made", "again", "changed", "opened", "removed"):
        check_documented("repository", played[name])


def test_the_command_is_installed_once_and_removed(ansible, tmp_path):
    path = tmp_path / "continuity"
    program = {"dfr.continuity.command_program": {"path": str(path)}}
    played = ansible.play(
        {"name": "installed", **program},
        {"name": "again", **program},
        {"name": "runs", "ansible.builtin.command": f"{ansible.python} {path} --help"},
        {"name": "nowhere", "ignore_errors": True, "dfr.continuity.command_program": {"path": f"{tmp_path}/no/such"}},
    )
    assert played.code == 0
    assert (played["installed"]["changed"], played["again"]["changed"]) == (True, False)
    assert path.stat().st_mode & 0o777 == 0o755
    assert "restore" in played["runs"]["stdout"]
    assert played["nowhere"]["error"] == "TargetError"
    check_documented("command_program", played["installed"])
    absent = {"name": "absent", "dfr.continuity.command_program": {"path": str(path), "state": "absent"}}
    assert ansible.play(absent, options=["--check"])["absent"]["changed"]
    assert path.exists()
    assert ansible.play(absent)["absent"]["changed"]
    assert not path.exists()
