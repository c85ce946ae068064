# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository in a bucket of any S3-compatible service.

boto3 signs requests, finds credentials and speaks HTTP; retries, deadlines, parts and checksums are ours, because
its own know no total deadline, and send what several servers refuse.
"""

from __future__ import annotations

import base64
import contextlib
import random
import re
import sys
import time
import typing as t
from functools import partial

from ..errors import DependencyError, InputError, ObjectMissingError, StoreError
from . import ObjectInfo, Store
from .names import check_name, check_prefix, is_name
from .s3_errors import (
    SKEW_LIMIT,
    Action,
    Bucket,
    Failure,
    NoS3ServiceError,
    Retry,
    classify,
    has_answered,
    is_bare_404,
    is_denied,
    is_gone_upload,
    is_missing,
    is_past_the_end,
    missing,
)
from .s3_options import S3Options
from .upload_body import Body, Cutter

#: Bytes of every part of a multipart upload but the last; some servers want them all equal.
PART_SIZE = 32 << 20
#: Up to here an object goes in one request, for an object just over a part would need four.
SINGLE_LIMIT = 34 << 20
#: The protocol's limit, by which an object ends at 312.5 GiB.
PART_COUNT_LIMIT = 10_000

#: Seconds; a try that gets no byte through for so long is given up, and another made within the deadline.
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 60.0
#: Requests under way at once, and so connections kept open.
CONNECTIONS = 32

_BLOCK = 64 << 10
_FIRST_PAUSE = 0.4
_LONGEST_PAUSE = 20.0
_FEW_TRIES = 5

T = t.TypeVar("T")
Answer = dict[str, t.Any]
#: Number, ETag and checksum of each part that was sent.
Parts = list[dict[str, t.Any]]


class S3Store(Store):
    """Objects are keys below a prefix of a bucket that exists.

    :arg bucket: name of the bucket.
    :arg prefix: what the keys begin with, without slashes at its ends; empty for the whole bucket.

    No request is made before the first call. Raises :class:`~..errors.DependencyError` when boto3 is missing.
    Conditional requests, which several servers ignore, are not relied upon.
    """

    read_ahead = 4 << 20

    def __init__(self, bucket: str, prefix: str, options: S3Options) -> None:
        self._bucket = Bucket(bucket, prefix, options.endpoint, options.secrets)
        self.location = self._bucket.location
        self.server = self._bucket.server
        self._prefix = f"{prefix}/" if prefix else ""
        self._deadline = options.deadline
        self._with_checksums = options.checksums == "when_supported"
        self._client, self._exceptions = _connect(options)
        #: Whether this store has ever answered; until then, an unreachable server is taken for a wrong setting.
        self._has_answered = False

    def put(self, name: str, content: t.Iterable[bytes | memoryview]) -> int:
        target = self._key(name)
        cutter = Cutter(content)
        if cutter.fits(SINGLE_LIMIT):
            body = cutter.take(SINGLE_LIMIT)
            self._send(name, body, partial(self._client.put_object, **target, **self._checksum(body)))
            return len(body)
        return self._put_parts(name, target, cutter)

    def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        target = self._key(name)
        if length == 0:
            self.stat(name)
            return b""
        clock = _Clock(self._deadline)
        download = _Download(self._client, target, offset, length, clock)
        return self._call(Action.READ, name, download.proceed, clock=clock)

    def stat(self, name: str) -> ObjectInfo:
        target = self._key(name)
        found = self._call(Action.READ, name, partial(self._client.head_object, **target), "ETag")
        return ObjectInfo(name, found["ContentLength"], found["LastModified"].timestamp())

    def list(self, prefix: str) -> t.Iterator[ObjectInfo]:
        wanted = {"Bucket": self._bucket.name, "Prefix": self._prefix + check_prefix(prefix)}
        position: dict[str, str] = {}
        while True:
            page = self._call(
                Action.LIST, f"{prefix}*", partial(self._client.list_objects_v2, **wanted, **position), "IsTruncated"
            )
            contents = page.get("Contents", [])
            for entry in contents:
                name = entry["Key"][len(self._prefix) :]
                if is_name(name):
                    yield ObjectInfo(name, entry["Size"], entry["LastModified"].timestamp())
            if not page["IsTruncated"] or not contents:
                return
            token = page.get("NextContinuationToken")
            position = {"ContinuationToken": token} if token else {"StartAfter": contents[-1]["Key"]}

    def delete(self, name: str) -> None:
        target = self._key(name)
        with contextlib.suppress(ObjectMissingError):
            self._call(Action.DELETE, name, partial(self._client.delete_object, **target))

    def close(self) -> None:
        self._client.close()

    def _key(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket.name, "Key": self._prefix + check_name(name)}

    def _checksum(self, body: Body) -> dict[str, str]:
        # Given explicitly it goes into a header; botocore's own would be a trailer, which several servers refuse.
        return {"ChecksumCRC32": base64.b64encode(body.crc32()).decode()} if self._with_checksums else {}

    def _put_parts(self, name: str, target: dict[str, str], cutter: Cutter) -> int:
        algorithm = {"ChecksumAlgorithm": "CRC32"} if self._with_checksums else {}
        start = partial(self._client.create_multipart_upload, **target, **algorithm)
        started = self._call(Action.WRITE, name, start, "UploadId")
        upload = {**target, "UploadId": started["UploadId"]}
        try:
            parts, size = self._send_parts(name, upload, cutter)
            self._complete(name, upload, parts, size)
        except BaseException:
            # Should this fail as well, the bucket's rule for incomplete uploads has to remove the parts.
            with contextlib.suppress(*self._exceptions):
                self._client.abort_multipart_upload(**upload)
            raise
        return size

    def _send_parts(self, name: str, upload: dict[str, str], cutter: Cutter) -> tuple[Parts, int]:
        parts: Parts = []
        size = 0
        last = False
        while not last:
            if len(parts) == PART_COUNT_LIMIT:
                raise StoreError(
                    f"Cannot write {name}: it is larger than {PART_COUNT_LIMIT} parts of {PART_SIZE} bytes.",
                    "Split what is backed up into several parts.",
                )
            last = cutter.fits(PART_SIZE)
            body = cutter.take(PART_SIZE)
            part = {"PartNumber": len(parts) + 1, **self._checksum(body)}
            answer = self._send(name, body, partial(self._client.upload_part, **upload, **part))
            parts.append({**part, "ETag": answer["ETag"]})
            size += len(body)
        return parts, size

    def _complete(self, name: str, upload: dict[str, str], parts: Parts, size: int) -> None:
        clock = _Clock(self._deadline)

        def complete() -> None:
            try:
                answer = self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
            except self._exceptions as error:
                # The answer to an earlier try was lost: the upload is gone because it has become the object.
                if clock.tries > 1 and is_gone_upload(error) and self._has_arrived(upload, size, clock):
                    return
                raise
            _check_answer(answer, "ETag")

        self._call(Action.WRITE, name, complete, clock=clock)

    def _has_arrived(self, upload: dict[str, str], size: int, clock: _Clock) -> bool:
        try:
            found = self._client.head_object(Bucket=upload["Bucket"], Key=upload["Key"])
        except self._exceptions as error:
            if is_bare_404(error):
                return False
            raise
        age = time.time() - found["LastModified"].timestamp()
        return bool(found["ContentLength"] == size and age < clock.elapsed() + SKEW_LIMIT)

    def _send(self, name: str, body: Body, request: t.Callable[..., Answer]) -> Answer:
        clock = _Clock(self._deadline)
        body.deadline = clock.end

        def send() -> Answer:
            body.seek(0)
            return request(Body=body)

        return self._call(Action.WRITE, name, send, "ETag", clock)

    def _call(
        self,
        action: Action,
        name: str,
        request: t.Callable[[], T],
        expected: str | None = None,
        clock: _Clock | None = None,
    ) -> T:
        """Make a request until it succeeds, fails for good, or the deadline has passed.

        :arg expected: what only the answer of an S3 service holds.
        """
        clock = clock or _Clock(self._deadline)
        while True:
            try:
                result = request()
                if expected is not None:
                    _check_answer(result, expected)
            except self._exceptions as error:
                failure = self._judge(error, action, name)
                self._has_answered = self._has_answered or has_answered(error)
                if not self._may_repeat(failure, clock):
                    raise self._error(failure, action, name, clock) from error
            else:
                self._has_answered = True
                return result

    def _judge(self, error: Exception, action: Action, name: str) -> Failure:
        if is_missing(error):
            raise missing(name, self._bucket) from error
        if is_bare_404(error):
            about_bucket = self._ask_for_bucket()
            if about_bucket is None:
                raise missing(name, self._bucket) from error
            error = about_bucket
        return classify(error, action, self._bucket)

    def _ask_for_bucket(self) -> Exception | None:
        """Return None when the bucket exists: an object must not be called missing because its bucket is."""
        try:
            self._client.head_bucket(Bucket=self._bucket.name)
        except self._exceptions as error:
            # Who may not look at a bucket is told so only when there is one.
            return None if is_denied(error) else error
        return None

    def _may_repeat(self, failure: Failure, clock: _Clock) -> bool:
        if failure.retry is Retry.NEVER:
            return False
        few = failure.retry is Retry.BRIEFLY or (failure.retry is Retry.ONCE_KNOWN and not self._has_answered)
        return not (few and clock.tries >= _FEW_TRIES) and clock.pause()

    def _error(self, failure: Failure, action: Action, name: str, clock: _Clock) -> StoreError:
        effort = f", after {clock.tries} tries in {clock.elapsed():.0f} seconds" if clock.tries > 1 else ""
        place = f"{self.location} ({self._bucket.server})"
        return failure.kind(f"Cannot {action.verb} {name} in {place}: {failure.reason}{effort}.", failure.next_step)


class _Clock:
    """Counts tries, and the time that is left for them."""

    def __init__(self, seconds: float) -> None:
        self._start = time.monotonic()
        self.end = self._start + seconds
        self.tries = 1

    def elapsed(self) -> float:
        return time.monotonic() - self._start

    def check(self) -> None:
        if time.monotonic() > self.end:
            raise TimeoutError("the transfer took longer than the deadline")

    def pause(self) -> bool:
        """Wait before another try, longer each time, at random so that clients spread; False past the deadline."""
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (self.tries - 1)) * random.uniform(0.5, 1.0)
        if time.monotonic() + pause >= self.end:
            return False
        time.sleep(pause)
        self.tries += 1
        return True


class _Download:
    """One object, or a range of it, read in as many requests as its connections make necessary."""

    def __init__(self, client: t.Any, target: dict[str, str], offset: int, length: int | None, clock: _Clock) -> None:
        self._client = client
        self._target = target
        self._offset = offset
        self._length = length
        self._clock = clock
        self._pieces: list[bytes] = []
        self._received = 0
        self._version: str | None = None

    def proceed(self) -> bytes:
        """Ask for what has not been received yet; to be called again when it fails."""
        try:
            answer = self._client.get_object(**self._target, **self._range())
        except Exception as error:
            if not is_past_the_end(error):
                raise
            if self._received:
                raise self._replaced() from error
            return b""
        with contextlib.closing(answer["Body"]) as body:
            _check_answer(answer, "ETag")
            self._check_version(answer["ETag"])
            self._check_start(answer.get("ContentRange"))
            self._read(body, answer["ContentLength"])
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def _range(self) -> dict[str, str]:
        start = self._offset + self._received
        if start == 0 and self._length is None:
            return {}
        return {"Range": f"bytes={start}-" + ("" if self._length is None else str(self._offset + self._length - 1))}

    def _check_version(self, version: str) -> None:
        if self._received and version != self._version:
            raise self._replaced()
        self._version = version

    def _replaced(self) -> ConnectionError:
        """Forget what was received, so that the next try begins anew."""
        self._pieces, self._received = [], 0
        return ConnectionError("the object was replaced while it was being read")

    def _check_start(self, content_range: str | None) -> None:
        found = re.match(r"bytes (\d+)-", content_range or "")
        start = int(found[1]) if found else 0
        if start != self._offset + self._received:
            raise StoreError(
                f"The server returned bytes from {start} of {self._target['Key']}, not from "
                f"{self._offset + self._received} as asked.",
                "This service or a proxy before it does not support ranged reads, which a restore needs.",
            )

    def _read(self, body: t.Any, expected: int) -> None:
        left = expected if self._length is None else min(expected, self._length - self._received)
        while left > 0:
            self._clock.check()
            piece = body.read(min(_BLOCK, left))
            if not piece:
                raise ConnectionError(f"the connection ended {left} bytes before the object")
            self._pieces.append(piece)
            self._received += len(piece)
            left -= len(piece)


def _check_answer(answer: t.Any, expected: str) -> None:
    if expected not in answer:
        raise NoS3ServiceError(expected)


def _connect(options: S3Options) -> tuple[t.Any, tuple[type[Exception], ...]]:
    """Return a client, and the exceptions by which a request can fail.

    Guarded and late, because ``ansible-test sanity`` loads this file without boto3, and because a local repository
    needs none.
    """
    try:
        import boto3.session
        import botocore.config
        import botocore.exceptions
        import botocore.parsers
        import urllib3.exceptions
    except ImportError as error:
        raise DependencyError(
            f"The Python interpreter {sys.executable} cannot use S3: {error}.",
            f"Install it, for example with: {sys.executable} -m pip install boto3",
        ) from error
    exceptions = (
        botocore.exceptions.BotoCoreError,
        botocore.exceptions.ClientError,
        botocore.parsers.ResponseParserError,
        urllib3.exceptions.HTTPError,
        NoS3ServiceError,
        OSError,
    )
    try:
        session = boto3.session.Session(
            aws_access_key_id=options.access_key,
            aws_secret_access_key=options.secret_key,
            aws_session_token=options.session_token,
        )
        client = session.client(
            "s3",
            endpoint_url=options.endpoint,
            region_name=options.region or session.region_name or "us-east-1",
            verify=options.ca_file,
            config=botocore.config.Config(**_settings(options)),
        )
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        raise InputError(
            f"The S3 client cannot be set up: {error}.", "Correct the s3 options, or this machine's AWS configuration."
        ) from error
    return client, exceptions


def _settings(options: S3Options) -> dict[str, t.Any]:
    return {
        "signature_version": "s3v4",
        # An endpoint from the environment might be another one than the user means.
        "ignore_configured_endpoint_urls": True,
        "s3": {
            "addressing_style": options.addressing,
            # Over https too: some servers check the SHA-256 in the signature, and ignore checksum headers.
            "payload_signing_enabled": True,
        },
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "connect_timeout": min(CONNECT_TIMEOUT, options.deadline / 2),
        "read_timeout": min(READ_TIMEOUT, options.deadline / 2),
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        "max_pool_connections": CONNECTIONS,
        "tcp_keepalive": True,
    }
