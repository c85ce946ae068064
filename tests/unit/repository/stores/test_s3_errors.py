# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of S3 services that the servers of the integration tests do not give, in the form botocore gives them."""

from __future__ import annotations

import botocore.exceptions
import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._repository.errors import (
    StoreDeniedError,
    StoreError,
    StoreUnreachableError,
)
from ansible_collections.dfr.continuity.plugins.module_utils._repository.stores.s3_errors import (
    Action,
    Bucket,
    Retry,
    classify,
    is_bare_404,
    is_missing,
)

BUCKET = Bucket("bucket", "prefix", "https://s3.example.org", ["AKIDEXAMPLE", "wJalrXUtnFEMI"])


def answer(status, code, message="", headers=None, **error):
    response = {
        "Error": {"Code": code, "Message": message, **error},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}},
    }
    return botocore.exceptions.ClientError(response, "PutObject")


@pytest.mark.parametrize(
    ("error", "kind", "retry", "reason"),
    [
        (answer(400, "ExpiredToken"), StoreDeniedError, Retry.NEVER, "credentials were refused"),
        (answer(403, "InvalidTokenId"), StoreDeniedError, Retry.NEVER, "permission was denied"),
        (answer(403, "AllAccessDisabled"), StoreDeniedError, Retry.NEVER, "permission was denied"),
        (answer(401, "Unauthorized"), StoreDeniedError, Retry.NEVER, "permission was denied"),
        (answer(403, "RequestTimeTooSkewed"), StoreDeniedError, Retry.NEVER, "clock"),
        (answer(507, "XMinioStorageFull"), StoreError, Retry.NEVER, "full"),
        (answer(507, "507"), StoreError, Retry.NEVER, "full"),
        (answer(301, "PermanentRedirect"), StoreError, Retry.NEVER, "another region or endpoint"),
        (answer(400, "AuthorizationHeaderMalformed", Region="eu-west-1"), StoreError, Retry.NEVER, r"\(eu-west-1\)"),
        (
            answer(301, "301", headers={"x-amz-bucket-region": "eu-west-2"}),
            StoreError,
            Retry.NEVER,
            r"\(eu-west-2\)",
        ),
        (answer(411, "MissingContentLength"), StoreError, Retry.NEVER, "does not support"),
        (answer(501, "NotImplemented"), StoreError, Retry.NEVER, "does not support"),
        (answer(400, "XAmzContentSHA256Mismatch"), StoreError, Retry.BRIEFLY, "not what was sent"),
        (answer(400, "InvalidArgument", "Bad thing"), StoreError, Retry.NEVER, "HTTP 400 InvalidArgument: Bad thing"),
        (answer(400, "RequestTimeout"), StoreUnreachableError, Retry.PATIENTLY, "in trouble or overloaded"),
        (answer(409, "OperationAborted"), StoreUnreachableError, Retry.PATIENTLY, "in trouble or overloaded"),
        (answer(429, "TooManyRequests"), StoreUnreachableError, Retry.PATIENTLY, "in trouble or overloaded"),
        (answer(500, "InternalError"), StoreUnreachableError, Retry.PATIENTLY, "in trouble or overloaded"),
        (answer(502, "502"), StoreUnreachableError, Retry.PATIENTLY, "in trouble or overloaded"),
        (answer(503, "SlowDown"), StoreUnreachableError, Retry.PATIENTLY, "in trouble or overloaded"),
    ],
)
def test_answers(error, kind, retry, reason):
    failure = classify(error, Action.WRITE, BUCKET)
    assert (failure.kind, failure.retry) == (kind, retry)
    with pytest.raises(kind, match=reason):
        raise failure.kind(failure.reason, failure.next_step)
    assert failure.next_step.endswith(".")


@pytest.mark.parametrize("action", Action)
def test_the_permission_to_grant_is_named(action):
    step = classify(answer(403, "AccessDenied"), action, BUCKET).next_step
    resource = "arn:aws:s3:::bucket" if action is Action.LIST else "arn:aws:s3:::bucket/prefix/*"
    assert f"{action.permission} on {resource}," in step


def test_what_the_server_says_is_repeated_short_and_without_credentials():
    error = answer(403, "AccessDenied", "key AKIDEXAMPLE with\nwJalrXUtnFEMI " + "x" * 1000)
    reason = classify(error, Action.READ, BUCKET).reason
    assert "key *** with *** xxx" in reason
    assert len(reason) < 500


@pytest.mark.parametrize(
    ("error", "missing", "bare"),
    [
        (answer(404, "NoSuchKey"), True, False),
        (answer(404, "404"), False, True),
        (answer(404, "NotFound"), False, True),
        (answer(404, "NoSuchBucket"), False, False),
        (answer(404, "NoSuchUpload"), False, False),
        (answer(403, "403"), False, False),
        (OSError("no answer"), False, False),
    ],
)
def test_only_the_server_says_that_an_object_is_missing(error, missing, bare):
    assert is_missing(error) is missing
    assert is_bare_404(error) is bare
