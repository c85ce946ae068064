# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounting for attachments: a merge of two sorted lists."""

from __future__ import annotations

import json
import random

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._apps.odoo_attachments import (
    Accounting,
    AttachmentList,
    Wanted,
)


def account(wanted, files):
    """Account for files, which are paths, with a ! where unsound."""
    made = Accounting([Wanted(path, 2, (1, 2)) for path in wanted])
    for path in files:
        made.see(path.rstrip("!").encode(), not path.endswith("!"))
    made.finish()
    return made


@pytest.mark.parametrize(
    ("wanted", "files", "missing", "corrupt"),
    [
        ([], [], [], []),
        ([], ["aa/aa1"], [], []),
        (["aa/aa1"], [], ["aa/aa1"], []),
        (["aa/aa1", "ab/ab1"], ["aa/aa1", "ab/ab1"], [], []),
        (
            ["aa/aa1", "ab/ab1", "ff/ff1"],
            ["00/001", "ab/ab1!", "ab/ab2!", "checklist/aa/aa1"],
            ["aa/aa1", "ff/ff1"],
            ["ab/ab1"],
        ),
        (["a/b", "a-b/c"], ["a/b", "a-b/c"], [], []),
    ],
)
def test_every_attachment_is_accounted_for(wanted, files, missing, corrupt):
    made = account(wanted, files)
    assert [item["path"] for item in made.missing.named] == missing
    assert [item["path"] for item in made.corrupt.named] == corrupt
    facts = made.facts()
    assert facts["attachment_files"] == len(wanted)
    assert facts["missing_attachments"] == 2 * len(missing)
    assert facts["corrupt_attachments"] == 2 * len(corrupt)
    assert len(made.sentences()) == bool(missing) + bool(corrupt)


def test_many_at_random():
    source = random.Random(5)
    names = sorted({f"{source.randrange(256):02x}/{source.randrange(1 << 40):040x}" for _ in range(5000)})
    files = [name for name in names if source.random() < 0.8]
    made = account([name for name in names if source.random() < 0.7], files)
    assert made.found + made.missing.files == made.facts()["attachment_files"]
    assert not {item["path"] for item in made.missing.named} & set(files)


def test_many_missing_ones_are_counted_and_the_first_named():
    made = account([f"{number:08x}" for number in range(3000)], [])
    assert (made.missing.files, made.missing.rows, len(made.missing.named)) == (3000, 6000, 1000)
    (sentence,) = made.sentences()
    assert sentence.startswith("3000 files of 6000 attachments are not in the filestore: 00000000 (attachment 1, 2); ")
    assert sentence.endswith("and 2990 more.")


def test_the_list_is_read_as_often_as_needed(tmp_path):
    attachments = AttachmentList(str(tmp_path))
    lines = [json.dumps({"path": f"é/{number}\n", "rows": 1, "ids": [number]}) for number in range(3)]
    assert attachments.add(lines[:2]) + attachments.add(lines[2:]) == "".join(f"{line}\n" for line in lines).encode()
    assert attachments.files == 3
    for _ in range(2):
        assert list(attachments) == [Wanted(f"é/{number}\n", 1, (number,)) for number in range(3)]
    assert list(tmp_path.iterdir()) == []
    attachments.close()
