# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
{
    "name": "Sample addon of the dfr.continuity tests",
    "version": "19.0.1.0.0",
    "author": "The dfr.continuity authors",
    "license": "GPL-3",
    "depends": ["base"],
    "data": ["data/parameters.xml"],
    "installable": True,
}
