# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the settings of an n8n are found, and the files of environment variables they are read from and written to."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._apps.n8n_cipher import NotOpenedError, open_salted
from ansible_collections.dfr.continuity.plugins.module_utils._apps.n8n_installation import n8n_from_settings
from ansible_collections.dfr.continuity.plugins.module_utils._apps.n8n_restore import changed_settings
from ansible_collections.dfr.continuity.plugins.module_utils._apps.n8n_settings import (
    SettingsSource,
    _process_environment,
    needs_quotes,
    parse_environment_file,
    write_environment,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    DependencyError,
    InputError,
    SourceError,
)

#: The examples of systemd.exec(5), "EnvironmentFile=", and what people write besides.
FILE = """\
# A comment, with an apostrophe: don't
  ; another one
PLAIN=value
SPACES =  two words \t
EMPTY=
export EXPORTED=yes
DOUBLE="a \\"quoted\\" \\$word # no comment \\n"
SINGLE='kept \\ as it is'
LINES="one
two"
CONTINUED=one \\
two
ESCAPED=a\\ b
EQUALS=a=b==
LAST=end"""


def test_a_file_is_read_as_systemd_reads_it():
    assert parse_environment_file(FILE, "file") == {
        "PLAIN": "value",
        "SPACES": "two words",
        "EMPTY": "",
        "EXPORTED": "yes",
        "DOUBLE": 'a "quoted" $word # no comment \\n',
        "SINGLE": "kept \\ as it is",
        "LINES": "one\ntwo",
        "CONTINUED": "one two",
        "ESCAPED": "a b",
        "EQUALS": "a=b==",
        "LAST": "end",
    }


@pytest.mark.parametrize("text", ["PLAIN=x\nwithout a sign\n", "A B=c\n", "1A=b", "-----BEGIN KEY-----\nYWJj\n"])
def test_what_is_no_such_file_is_refused_without_showing_it(text):
    with pytest.raises(SourceError) as refused:
        parse_environment_file(text, "/etc/n8n.env")
    assert "/etc/n8n.env is no file of environment variables: line" in refused.value.message
    assert "YWJj" not in str(refused.value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "plain",
        "a=b",
        "two words",
        " around ",
        "#hash",
        "a # b",
        '"',
        "'",
        "it's",
        "\\",
        "\\n",
        "$HOME",
        "`x`",
        "a\nb",
    ],
)
def test_what_is_written_is_read_again(value):
    written = write_environment({"NAME": value, "NEXT": "next"})
    assert parse_environment_file(written, "file") == {"NAME": value, "NEXT": "next"}


def test_settings_that_docker_would_read_otherwise_are_named():
    assert needs_quotes({"A": "plain value", "B": 'a "b"', "C": "https://example.com/?a=b&c=%20"}) == ["B"]


def test_given_settings_go_first_and_files_that_settings_name_are_read(tmp_path):
    (tmp_path / "key").write_text("the key\n")
    (tmp_path / "home/.n8n").mkdir(parents=True)
    (tmp_path / "home/.n8n/config").write_text(json.dumps({"encryptionKey": "the key"}))
    (tmp_path / "n8n.env").write_text(
        f"N8N_ENCRYPTION_KEY_FILE={tmp_path}/key\nA=1\nB=2\nPATH=/bin\nDB_POSTGRESDB_PASSWORD_FILE=/nowhere\n"
    )
    found = SettingsSource(
        {"A": 3}, env_file=str(tmp_path / "n8n.env"), user_folder=str(tmp_path / "home"), encryption_key="another"
    ).read()
    assert found.environment == {
        "A": "3",
        "B": "2",
        "N8N_ENCRYPTION_KEY": "the key",
        "DB_POSTGRESDB_PASSWORD_FILE": "/nowhere",
    }
    assert [key.value for key in found.keys] == ["another", "the key", "the key"]
    assert ["/nowhere does not exist" in warning for warning in found.warnings] == [True, False]
    assert "There are different encryption keys: encryption_key, N8N_ENCRYPTION_KEY of" in found.warnings[1]
    assert "the key" not in repr(found)


def test_the_environment_of_a_process_is_what_it_was_started_with():
    program = [sys.executable, "-c", "print('started', flush=True); input()"]
    environment = {"N8N_PORT": "1", "A": "x=y"}
    child = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    try:
        # Until then the kernel may not have set it up.
        assert child.stdout.readline() == b"started\n"
        found = _process_environment(child.pid)
    finally:
        child.communicate(b"\n")
    assert found == environment


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Nothing says which settings n8n runs with"),
        ({"environment": {"DB_TYPE": "sqlite"}, "user_folder": "/x"}, "keeps its data in sqlite"),
        ({"environment": {"N8N_PORT": "1"}, "user_folder": "/x"}, "keeps its data in sqlite"),
        ({"environment": {"DB_TYPE": "postgresdb"}}, "Nothing says where the user folder"),
        (
            {"environment": {"DB_TYPE": "postgresdb", "DB_POSTGRESDB_PORT": "x"}, "user_folder": "/x"},
            "DB_POSTGRESDB_PORT is 'x'",
        ),
    ],
)
def test_what_is_missing_is_said(given, said):
    with pytest.raises((InputError, DependencyError)) as refused:
        n8n_from_settings(given)
    assert said in refused.value.message


def test_an_installation_follows_its_settings():
    environment = {
        "DB_TYPE": "postgresdb",
        "DB_POSTGRESDB_HOST": "db",
        "DB_POSTGRESDB_SCHEMA": "flows",
        "DB_TABLE_PREFIX": "n_",
        "N8N_USER_FOLDER": "/srv/n8n",
        "N8N_CUSTOM_EXTENSIONS": "/opt/nodes;/srv/n8n/.n8n/custom",
        "N8N_BINARY_DATA_STORAGE_PATH": "/data/binary/",
    }
    n8n = n8n_from_settings({"environment": environment})
    assert (n8n.database, n8n.folder, n8n.connection.place) == ("n8n", "/srv/n8n/.n8n", "the PostgreSQL at db:5432")
    assert n8n.more_folders == ("/data/binary", "/opt/nodes")
    assert n8n.tables("workflow_entity") == '"flows"."n_workflow_entity"'


def test_settings_are_changed_for_another_place():
    settings = {"A": "1", "B": "2", "C": "3"}
    assert changed_settings(settings, {"A": True, "D": 4}, ["B", "X"]) == {"A": "true", "C": "3", "D": "4"}
    with pytest.raises(InputError, match="A: both set and left out"):
        changed_settings(settings, {"A": 1}, ["A"])
    with pytest.raises(InputError, match="cannot be the name of a setting"):
        changed_settings(settings, {"A B": 1}, [])


@pytest.mark.parametrize("key", ["a key", "schlüssel", "snow \N{SNOWMAN} man", "long" * 50])
def test_what_openssl_encrypts_is_opened(key):
    # n8n takes the low byte of each character.
    secret = key.encode("utf-16-le")[::2]
    done = subprocess.run(
        ["openssl", "enc", "-aes-256-cbc", "-md", "md5", "-salt", "-base64", "-A", "-pass", "stdin"],
        input=secret + b"\n" + b'{"user": "x"}',
        capture_output=True,
        check=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    # The content comes after the key's line on the same input.
    assert open_salted(done.stdout.decode(), key) == b'{"user": "x"}'
    with pytest.raises(NotOpenedError):
        open_salted(done.stdout.decode()[:-8], key)


@pytest.mark.parametrize("data", ["", "no base64!", "YWJj", "U2FsdGVkX18=", "U2FsdGVkX1" + "A" * 30])
def test_what_is_not_in_a_known_format_is_said_so(data):
    with pytest.raises(NotOpenedError, match=r"format|base64"):
        open_salted(data, "a key")
