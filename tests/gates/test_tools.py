# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools that judge the sources. Each is one test, and shows what the tool printed when it fails."""

from __future__ import annotations

import tarfile

from .checkout import cache_dir, collection_dir, passes, published_files, source_files


def test_ruff_check():
    passes("ruff", "check", "--quiet", ".")


def test_ruff_format():
    passes("ruff", "format", "--check", "--quiet", "--diff", ".")


def test_mypy():
    passes("mypy")


def test_yamllint():
    passes(
        "yamllint",
        "--strict",
        *source_files("*.yml", "*.yaml", ".yamllint", ".ansible-lint", ":!changelogs/changelog.yaml"),
    )


def test_ansible_lint():
    """Run where the checkout is the installed collection: its own roles and modules are found by their full names."""
    passes(
        "ansible-lint",
        "--offline",
        "--profile=production",
        "--strict",
        "--nocolor",
        cwd=collection_dir(),
        env={"ANSIBLE_HOME": str(cache_dir() / "ansible-lint")},
    )


def test_changelog():
    passes("antsibull-changelog", "lint")


def test_the_built_collection_holds_what_users_need_and_nothing_else(tmp_path):
    passes("ansible-galaxy", "collection", "build", "--output-path", tmp_path)
    (archive,) = tmp_path.glob("dfr-continuity-*.tar.gz")
    with tarfile.open(archive) as tar:
        built = {member.name for member in tar if member.isfile()}
    generated = {"MANIFEST.json", "FILES.json"}
    assert built - generated == set(published_files()) - {"galaxy.yml"}
    assert {"README.md", "LICENSE", "CHANGELOG.md", "meta/runtime.yml"} <= built
