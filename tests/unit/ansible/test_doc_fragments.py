# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that is written out twice says the same twice."""

from __future__ import annotations

import yaml

from ansible_collections.dfr.continuity.plugins.doc_fragments.repository import ModuleDocFragment


def test_the_optional_repository_is_the_repository_but_for_being_required():
    needed, optional = (yaml.safe_load(text) for text in (ModuleDocFragment.DOCUMENTATION, ModuleDocFragment.OPTIONAL))
    assert needed["options"]["repository"].pop("required") is True
    assert optional == needed
