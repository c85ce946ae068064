# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""SQL scripts run with psql's commands refused, whatever they hold."""

from __future__ import annotations

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._postgres.programs import Program
from ansible_collections.dfr.continuity.plugins.module_utils._postgres.script import require_restrict, restricted
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import DependencyError

HEAD = b"--\n-- PostgreSQL database dump\n--\n\n"
END = b"\n--\n-- PostgreSQL database dump complete\n--\n\n"


def run(script, sizes=None, server=17, role=None):
    """Feed a script in pieces of a size; return what comes out between our own lines."""
    pieces = [script] if sizes is None else [script[i : i + sizes] for i in range(0, len(script), sizes)]
    out = b"".join(restricted(pieces, server, role))
    first, _, rest = out.partition(b"\n")
    body, _, last = rest.rpartition(b"\n\\unrestrict ")
    assert first.startswith(b"\\restrict ")
    assert last.rstrip(b"\n") == first.removeprefix(b"\\restrict ")
    return body


@pytest.mark.parametrize("size", [None, 1, 7, 5000])
@pytest.mark.parametrize("length", [0, 200000])
def test_its_own_lines_are_taken_out_and_nothing_else(size, length):
    if size == 1 and length:
        length = 40000
    data = b"COPY t FROM stdin;\n\\restrict abc\n\\unrestrict KEY1\n" + b"x" * length + b"\n\\.\n"
    script = HEAD + b"\\restrict KEY1\n\n" + b"-- filler\n" * 5000 + data + b"-- filler\n" * 5000
    out = run(script + b"\\unrestrict KEY1\n" + END, size)
    assert out == HEAD + b"\n" + b"-- filler\n" * 5000 + data + b"-- filler\n" * 5000 + END


def test_a_script_without_such_lines_is_left_alone():
    script = HEAD + b"SELECT 1;\n\\restrict LATE\nSELECT 2;\n" + END
    assert run(script) == script


def test_each_run_has_a_key_of_its_own():
    assert next(restricted([b""], 17)) != next(restricted([b""], 17))


def test_a_setting_that_an_older_server_does_not_know_is_left_out():
    script = HEAD + b"SET transaction_timeout = 0;\nSELECT 1;\n"
    assert b"transaction_timeout" not in run(script, server=16)
    assert b"transaction_timeout" in run(script, server=17)


def test_another_role():
    script = HEAD + b"CREATE EXTENSION x;\nCOMMENT ON EXTENSION x IS 'it''s; x';\nSELECT 1;\n"
    assert run(script, role='o"d') == b'SET ROLE "o""d";\n' + HEAD + b"CREATE EXTENSION x;\nSELECT 1;\n"


@pytest.mark.parametrize(("version", "accepted"), [("15.13", False), ("15.14", True), ("12.9", False), ("18.0", True)])
def test_a_psql_that_would_run_shell_commands_is_refused(version, accepted):
    program = Program("psql", "/usr/bin/psql", version)
    if accepted:
        require_restrict(program)
    else:
        with pytest.raises(DependencyError, match=version):
            require_restrict(program)
