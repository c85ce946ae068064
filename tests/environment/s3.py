# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3 servers: moto (full semantics, in memory, takes any credentials), rclone (plain storage in a directory), Ceph RGW
(a real one: permissions, versions, object lock).

A test that any server should pass takes the fixture ``s3_server`` and runs once on each of them.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import secrets
import shutil
import subprocess
import typing as t
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path

import boto3
import botocore.config
import pytest

from .processes import Program, accepts_connections, free_port, working_directory
from .tls import Certificate

REGION = "us-east-1"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class S3Server:
    """Where a server is and who may use it. ``program`` may be stopped and started by a test that has its own."""

    name: str
    endpoint: str
    program: Program = field(repr=False)
    access_key: str
    secret_key: str
    ca_file: Path | None = None
    region: str = REGION

    def client(self, **options: t.Any) -> t.Any:
        """A boto3 client; ``options`` go into its botocore Config."""
        defaults = {
            "s3": {"addressing_style": "path"},
            "signature_version": "s3v4",
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        }
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            verify=str(self.ca_file) if self.ca_file else None,
            config=botocore.config.Config(**{**defaults, **options}),
        )

    def new_bucket(self, **options: t.Any) -> str:
        """Create a bucket of a fresh name, for example with ``ObjectLockEnabledForBucket=True``."""
        name = f"bucket-{os.getpid()}-{next(_numbers)}"
        self.client().create_bucket(Bucket=name, **options)
        return name

    def settings(self) -> dict[str, str]:
        """The ``s3`` part of the collection's ``repository`` argument."""
        settings = {
            "endpoint": self.endpoint,
            "region": self.region,
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "addressing": "path",
        }
        return settings if self.ca_file is None else {**settings, "ca_file": str(self.ca_file)}


@dataclass(frozen=True)
class CephServer(S3Server):
    """Ceph RGW. It also answers to bucket names under ``s3.test``, for virtual addressing."""

    environment: t.Mapping[str, str] = field(default_factory=dict, repr=False)  # in which Ceph's commands run

    def new_user(self) -> CephServer:
        """The same server as seen by a fresh user, who may use nothing of others (see :meth:`allow`)."""
        access_key, secret_key = _new_keys()
        user = replace(self, access_key=access_key, secret_key=secret_key)
        _create_ceph_user(user.access_key, user.secret_key, self.environment)
        return user

    def allow(self, user: CephServer, bucket: str, *actions: str) -> None:
        """Let ``user`` do only these actions, such as ``s3:GetObject``, in a bucket of ours."""
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam:::user/{user.access_key}"]},
            "Action": list(actions),
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        }
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self.client().put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def _new_keys() -> tuple[str, str]:
    """An access key and a secret key, as long as Amazon's."""
    return secrets.token_hex(10).upper(), secrets.token_hex(20)


@contextlib.contextmanager
def moto_server() -> t.Iterator[S3Server]:
    """A running moto."""
    with working_directory("moto") as directory:
        port = free_port()
        program = Program(
            ["moto_server", "--host", "127.0.0.1", "--port", str(port)],
            directory / "moto.log",
            lambda: accepts_connections(port),
        )
        yield from _running(program, S3Server("moto", f"http://127.0.0.1:{port}", program, *_new_keys()))


@contextlib.contextmanager
def rclone_server(certificate: Certificate | None = None) -> t.Iterator[S3Server]:
    """A running ``rclone serve s3``, over https where a certificate is given. Buckets are directories."""
    with working_directory("rclone") as directory:
        (directory / "buckets").mkdir()
        port = free_port()
        options = [] if certificate is None else ["--cert", certificate.certificate, "--key", certificate.key]
        access_key, secret_key = _new_keys()
        program = Program(
            ["rclone", "serve", "s3", "--config", "/dev/null", "--addr", f"127.0.0.1:{port}", *options]
            + [directory / "buckets"],
            directory / "rclone.log",
            lambda: accepts_connections(port),
            # A list, written as a line of CSV: quoted, or it would be two keys without a secret.
            env={**os.environ, "RCLONE_AUTH_KEY": f'"{access_key},{secret_key}"'},
        )
        endpoint = f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
        authority = certificate.authority if certificate else None
        yield from _running(program, S3Server("rclone", endpoint, program, access_key, secret_key, authority))


def _running(program: Program, server: S3Server) -> t.Iterator[S3Server]:
    program.start()
    try:
        yield server
    finally:
        program.stop()


_CEPH_SETTINGS = """\
[global]
fsid = {fsid}
mon initial members = a
mon host = [v2:127.0.0.1:{monitor_port}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr1 = false
auth cluster required = none
auth service required = none
auth client required = none
# radosgw insists on cephx unless its connection may be unencrypted *or* encrypted.
ms mon client mode = crc secure
run dir = {directory}
admin socket = {directory}/$name.$pid.asok
log file = {directory}/$name.log
crash dir = {directory}
mon data = {directory}/mon
osd data = {directory}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd class load list = *
osd class default list = *
mon allow pool size one = true
mon data avail crit = 0
rgw dns name = s3.test
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw run sync thread = false
"""


@contextlib.contextmanager
def ceph_server() -> t.Iterator[CephServer]:
    """A running Ceph: a monitor, an object store in memory, and the S3 gateway. Ready after about 15 s."""
    with working_directory("ceph") as directory, contextlib.ExitStack() as running:
        fsid, port = str(uuid.uuid4()), free_port()
        settings = directory / "ceph.conf"
        monitor_port = free_port()
        settings.write_text(_CEPH_SETTINGS.format(fsid=fsid, monitor_port=monitor_port, directory=directory, port=port))
        environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "CEPH_CONF": str(settings)}

        def run(*argv: str) -> None:
            _run(argv, environment, cwd=directory)

        def start(name: str, *argv: str, ready: t.Callable[[], bool]) -> Program:
            program = Program(argv, directory / f"{name}.out", ready, env=environment, cwd=directory)
            program.start()
            running.callback(program.stop)
            return program

        (directory / "mon").mkdir()
        run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{monitor_port}]", "monmap")
        run("ceph-mon", "--mkfs", "-i", "a", "--monmap", "monmap")
        start("monitor", "ceph-mon", "-f", "-i", "a", ready=lambda: accepts_connections(monitor_port))

        osd = str(uuid.uuid4())
        (directory / "osd").mkdir()
        run("ceph", "--connect-timeout", "60", "osd", "new", osd)
        run("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", osd)
        start("osd", "ceph-osd", "-f", "-i", "0", ready=lambda: _osd_is_up(environment))

        gateway = start("gateway", "radosgw", "-f", "-n", "client.admin", ready=lambda: accepts_connections(port))
        endpoint = f"http://127.0.0.1:{port}"
        server = CephServer("ceph", endpoint, gateway, *_new_keys(), environment=environment)
        _create_ceph_user(server.access_key, server.secret_key, environment)
        yield server


def _osd_is_up(environment: t.Mapping[str, str]) -> bool:
    status = json.loads(_run(["ceph", "--connect-timeout", "60", "osd", "stat", "--format", "json"], environment))
    return bool(status["num_up_osds"] == 1)


def _create_ceph_user(access_key: str, secret_key: str, environment: t.Mapping[str, str]) -> None:
    create = ["radosgw-admin", "user", "create", f"--uid={access_key}", f"--display-name={access_key}"]
    _run([*create, f"--access-key={access_key}", f"--secret-key={secret_key}"], environment)


def _run(argv: t.Sequence[str], environment: t.Mapping[str, str], cwd: Path | None = None) -> str:
    if shutil.which(argv[0]) is None:
        raise RuntimeError(f"{argv[0]} is not installed: run `make setup`")
    result = subprocess.run(argv, env=environment, cwd=cwd, capture_output=True, text=True, timeout=120)
    if result.returncode:
        raise RuntimeError(f"{' '.join(argv)} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout


@pytest.fixture(scope="session")
def moto() -> t.Iterator[S3Server]:
    with moto_server() as server:
        yield server


@pytest.fixture(scope="session")
def rclone() -> t.Iterator[S3Server]:
    with rclone_server() as server:
        yield server


@pytest.fixture(scope="session")
def rclone_https(certificate: Certificate) -> t.Iterator[S3Server]:
    """rclone over https, with a certificate that only ``ca_file`` makes trusted."""
    with rclone_server(certificate) as server:
        yield server


@pytest.fixture(scope="session")
def ceph() -> t.Iterator[CephServer]:
    with ceph_server() as server:
        yield server


@pytest.fixture(params=["moto", "rclone", "ceph"])
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    """Each of the servers, one after the other."""
    server: S3Server = request.getfixturevalue(request.param)
    return server
