# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints SQL for a database that looks like a small Odoo's, and writes the filestore that belongs to it.

The layout is Odoo's: what the backup reads (modules, parameters, attachments), and one table with rows to compare.

    small_odoo.py FILESTORE
"""

from __future__ import annotations

import hashlib
import pathlib
import random
import sys

filestore = pathlib.Path(sys.argv[1])
generator = random.Random(19)

print("""
CREATE TABLE ir_module_module (id serial PRIMARY KEY, name text, state text, latest_version text);
INSERT INTO ir_module_module (name, state, latest_version)
    VALUES ('base', 'installed', '19.0.1.3'), ('web', 'installed', '19.0.1.0'), ('stock', 'uninstalled', NULL);
CREATE TABLE ir_config_parameter (id serial PRIMARY KEY, key text UNIQUE, value text);
INSERT INTO ir_config_parameter (key, value)
    VALUES ('database.uuid', '7f1e3c0a-0000-4000-8000-000000000019'), ('web.base.url', 'http://localhost:8069');
CREATE TABLE ir_attachment (id serial PRIMARY KEY, name text NOT NULL, type text NOT NULL DEFAULT 'binary',
    res_model text, res_field text, res_id integer, store_fname text, checksum text, file_size integer, mimetype text,
    url text, db_datas bytea, create_date timestamp DEFAULT now());
CREATE TABLE sale_order (id serial PRIMARY KEY, name text NOT NULL, amount numeric NOT NULL, note text);
INSERT INTO sale_order (name, amount, note)
    SELECT 'S' || n, n * 1.01, repeat(md5(n::text), 3) FROM generate_series(1, 20000) AS n;
""")
for number in range(400):
    content = generator.randbytes(generator.randrange(1, 60000))
    name = hashlib.sha1(content).hexdigest()
    path = filestore / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    print(
        "INSERT INTO ir_attachment (name, store_fname, checksum, file_size, mimetype)"
        f" VALUES ('file {number}', '{name[:2]}/{name}', '{name}', {len(content)}, 'application/octet-stream');"
    )
