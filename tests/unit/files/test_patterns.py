# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns: what a backup leaves out and a restore picks. The exclusions are also compared with git's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._files.patterns import Exclusion, Selection
from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import InputError

PATHS = [
    "a.log",
    "sub/a.log",
    "sub/deep/a.log",
    "sub/deep/b.txt",
    "build/x",
    "sub/build/x",
    "sub/build.txt",
    "foo/bar",
    "foo/x/bar",
    "foo/x/y/bar",
    "a[1].txt",
    "a1.txt",
    "b2.txt",
    "!odd",
    "star*name",
    "with space/inside",
    "ümlaut/ä.log",
]
PATTERNS = [
    "*.log",
    "/a.log",
    "sub/*.log",
    "sub/**",
    "**/deep",
    "build/",
    "/build/",
    "foo/**/bar",
    "foo/*/bar",
    "a?.txt",
    "[ab][0-9].txt",
    "[!a][0-9].txt",
    "[^a][0-9].txt",
    "a\\[1\\].txt",
    "\\!odd",
    "star\\*name",
    "with space",
    "*umlaut",
    "ä.log",
    "de*",
    "foo/x",
    "**",
]


@pytest.fixture(scope="module")
def work_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git work tree with all the paths."""
    root = tmp_path_factory.mktemp("tree")
    subprocess.run(["git", "init", "--quiet", root], check=True)
    for path in PATHS:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    return root


def ignored_by_git(root: Path, pattern: str) -> set[str]:
    """Return the paths that git leaves out with this one pattern."""
    (root / ".git/info/exclude").write_text(pattern + "\n")
    listing = subprocess.run(
        ["git", "-C", root, "ls-files", "--others", "--exclude-standard", "-z"], check=True, capture_output=True
    )
    return set(PATHS) - set(listing.stdout.decode().split("\0"))


def ignored_by_us(pattern: str) -> set[str]:
    exclusion = Exclusion([pattern])
    found = set()
    for path in PATHS:
        names = path.split("/")
        above = ["/".join(names[:count]) for count in range(1, len(names))]
        if any(exclusion.matches(one.encode(), True) for one in above) or exclusion.matches(path.encode(), False):
            found.add(path)
    return found


@pytest.mark.parametrize("pattern", PATTERNS)
def test_exclusion_leaves_out_what_git_leaves_out(work_tree: Path, pattern: str) -> None:
    assert ignored_by_us(pattern) == ignored_by_git(work_tree, pattern)


def test_several_patterns_add_up() -> None:
    exclusion = Exclusion(["*.log", "build/"])
    assert exclusion.matches(b"x/y.log", False)
    assert exclusion.matches(b"x/build", True)
    assert not exclusion.matches(b"x/build", False)
    assert not Exclusion([])


def test_names_that_are_no_text_are_matched_bytewise() -> None:
    assert Exclusion(["*.log"]).matches(b"bro\xffken\n.log", False)
    assert Exclusion(["a?c"]).matches(b"a\xffc", False)


@pytest.mark.parametrize("pattern", ["", "/", "!*.log", "[a", "a\0b", "[z-a]"])
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str) -> None:
    with pytest.raises(InputError) as raised:
        Exclusion([pattern])
    assert repr(pattern) in raised.value.message


def test_selection_starts_at_the_root_and_takes_all_below() -> None:
    selection = Selection(["ab", "c/*.txt", "**/deep"])
    chosen = [b"ab", b"ab/x/y", b"c/1.txt", b"q/w/deep", b"deep/z"]
    others = [b"", b"x/ab", b"abc", b"c/d/1.txt", b"c", b"q/deeper"]
    assert [path for path in chosen + others if selection.matches(path)] == chosen


def test_selection_takes_a_path_for_what_it_is() -> None:
    selection = Selection(["a[1].txt", "/lead/ing/"])
    assert selection.matches(b"a[1].txt")
    assert selection.matches(b"a1.txt")
    assert selection.matches(b"lead/ing/x")


def test_selection_tells_which_patterns_found_nothing() -> None:
    selection = Selection(["a", "b*", "c"])
    for path in (b"a/1", b"c"):
        selection.matches(path)
    assert selection.unmatched() == ["b*"]
    assert Selection([]).everything
    assert Selection([]).matches(b"anything")
