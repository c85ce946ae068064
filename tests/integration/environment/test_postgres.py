# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test bed's PostgreSQL is what it claims to be: other tests conclude from it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess

import psycopg2
import pytest

from ansible_collections.dfr.continuity.tests.environment.processes import accepts_connections, wait_until


def test_two_clusters_are_separate(postgres, other_postgres):
    name = postgres.new_database()
    assert name in postgres.databases()
    assert name not in other_postgres.databases()


def test_tcp_asks_for_the_password(postgres):
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        postgres.connect(password="wrong")


def test_the_socket_trusts_everyone(postgres):
    postgres.connect(host=str(postgres.socket_dir), password="").close()


def test_a_socket_with_peer_authentication_refuses_another_system_user(make_cluster):
    cluster = make_cluster(socket_authentication="peer")
    with pytest.raises(psycopg2.OperationalError, match="Peer authentication failed"):
        cluster.connect(host=str(cluster.socket_dir))
    psql = [cluster.bin / "psql", "-h", cluster.socket_dir, "-p", str(cluster.port), "-Atc", "SELECT 7"]
    assert cluster.run_as_server(psql).stdout == "7\n"


def test_a_stopped_cluster_is_gone_and_starts_again(make_cluster):
    cluster = make_cluster(settings={"work_mem": "5MB"})
    pid = cluster.pid
    assert stat.S_IMODE(cluster.data.stat().st_mode) == 0o700
    cluster.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    cluster.start()
    assert cluster.sql("SHOW work_mem") == [("5MB",)]


def test_the_server_ends_with_a_test_process_that_is_killed(tmp_path):
    script = (
        "from ansible_collections.dfr.continuity.tests.environment import postgres\n"
        "with postgres.cluster() as cluster:\n"
        "    print(cluster.port, cluster.directory, flush=True)\n"
        "    input()\n"
    )
    process = subprocess.Popen(["python", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port, directory = process.stdout.readline().split()
    assert accepts_connections(int(port))
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not accepts_connections(int(port)), "the end of the server")
    shutil.rmtree(directory)
