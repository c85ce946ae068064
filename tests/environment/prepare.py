# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds what takes long and is kept: container images, Odoo, n8n. Run by ``make images``; quick when all is there.

It also removes what earlier tests left behind when they were killed.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from . import containers, n8n, odoo, odoo_14
from .processes import is_left_over


def main() -> None:
    containers.remove_left_over()
    for path in Path(tempfile.gettempdir()).iterdir():
        if is_left_over(path.name):
            shutil.rmtree(path)
    containers.POSTGRES_17.build()
    containers.HOST.build()
    odoo.prepare()
    n8n.prepare()
    odoo_14.prepare()


if __name__ == "__main__":
    main()
