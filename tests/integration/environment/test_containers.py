# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test bed's containers are what they claim to be."""

from __future__ import annotations

import contextlib

import psycopg2
import pytest


def test_postgres_17_answers_over_tcp_with_its_password(postgres_17):
    assert postgres_17.sql("SHOW server_version_num")[0][0].startswith("17")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        postgres_17.connect(password="wrong")


def test_postgres_17_answers_at_the_container_address(postgres_17):
    with contextlib.closing(postgres_17.connect(host=postgres_17.container.address, port=5432)):
        pass


def test_postgres_17_trusts_who_is_inside(postgres_17):
    name = postgres_17.new_database()
    assert postgres_17.psql("SELECT current_database()", database=name) == name


def test_the_host_runs_systemd_and_its_services(host):
    assert host.run("ps", "-p", "1", "-o", "comm=").stdout == "systemd\n"
    assert host.run("systemctl", "--failed", "--plain", "--no-legend").stdout == ""
    assert host.run("systemctl", "is-active", "cron", "postgresql@15-main").stdout == "active\nactive\n"


def test_the_host_schedules_units(host):
    host.run("systemd-run", "--wait", "--unit", "proof", "touch", "/root/proof")
    host.run("test", "-e", "/root/proof")
