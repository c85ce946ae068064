# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed S3 request means: for the person who reads it, and for the decision to try again.

Servers other than AWS use AWS's error codes, but not all of them, and none at all in answers without a body (HEAD);
so the HTTP status decides where the code says nothing. Codes:
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import email.utils
import enum
import socket
import ssl
import time
import typing as t
from dataclasses import dataclass

from ..errors import ObjectMissingError, StoreDeniedError, StoreError, StoreUnreachableError


class Action(enum.Enum):
    """What was asked of the server: the verb for messages, and the permission that AWS wants for it."""

    WRITE = ("write", "s3:PutObject")
    READ = ("read", "s3:GetObject")
    LIST = ("list", "s3:ListBucket")
    DELETE = ("delete", "s3:DeleteObject")

    def __init__(self, verb: str, permission: str) -> None:
        self.verb = verb
        self.permission = permission


class Retry(enum.Enum):
    """How long to try again."""

    NEVER = enum.auto()
    #: A few times, whatever happened before.
    BRIEFLY = enum.auto()
    #: A few times, because a wrong setting looks the same; until the deadline when this store has answered before.
    ONCE_KNOWN = enum.auto()
    #: Until the deadline: the server itself said that it is busy.
    PATIENTLY = enum.auto()


class NoS3ServiceError(Exception):
    """An answer lacks what every S3 service puts into it."""


@dataclass(frozen=True)
class Failure:
    """A failed request. ``reason`` is a clause, ``next_step`` a sentence; neither holds credentials."""

    kind: type[StoreError]
    reason: str
    next_step: str
    retry: Retry = Retry.NEVER


@dataclass(frozen=True)
class Bucket:
    """What messages say about the place, and what they must not."""

    name: str
    prefix: str
    endpoint: str | None
    secrets: t.Sequence[str]

    @property
    def location(self) -> str:
        return f"s3://{self.name}/{self.prefix}".rstrip("/")

    @property
    def server(self) -> str:
        return self.endpoint or "AWS"

    def resource(self, action: Action) -> str:
        """The resource a policy must name for this action."""
        if action is Action.LIST:
            return f"arn:aws:s3:::{self.name}"
        return f"arn:aws:s3:::{self.name}/{self.prefix}{'/' if self.prefix else ''}*"

    def without_secrets(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


#: Longest part of a server's own message that is repeated.
_MESSAGE_LIMIT = 300
#: Seconds by which clocks may differ: servers refuse requests signed earlier or later.
SKEW_LIMIT = 900.0

_BAD_CREDENTIALS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "ExpiredToken",
    "TokenRefreshRequired",
    "InvalidSecurity",
    "AuthFailure",
}
_SKEWED = {"RequestTimeTooSkewed", "RequestExpired"}
_OTHER_REGION = {
    "PermanentRedirect",
    "TemporaryRedirect",
    "Redirect",
    "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError",
    "IllegalLocationConstraintException",
}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage"}
_DAMAGED = {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "ContentSHA256Mismatch"}
_BUSY = {"SlowDown", "RequestTimeout", "OperationAborted", "Throttling", "ThrottlingException", "TooManyRequests"}
_UNKNOWN_HEADER = {"NotImplemented", "XNotImplemented", "MissingContentLength"}


def is_missing(error: BaseException) -> bool:
    """Tell whether the server said in words that it has no such object."""
    return _code(error) == "NoSuchKey"


def is_bare_404(error: BaseException) -> bool:
    """Tell whether the server said 404 without saying what is missing: the object, the bucket, or S3 itself."""
    return _status(error) == 404 and _code(error) in ("404", "NotFound", "")


def is_denied(error: BaseException) -> bool:
    """Tell whether the server refused without saying that anything is missing."""
    return _status(error) == 403


def is_past_the_end(error: BaseException) -> bool:
    """Tell whether a range was asked for that starts at or after the object's end."""
    return _status(error) == 416


def is_gone_upload(error: BaseException) -> bool:
    """Tell whether a multipart upload is not, or no longer, known."""
    return _code(error) == "NoSuchUpload"


def has_answered(error: BaseException) -> bool:
    """Tell whether the error is an answer of the server, as against none."""
    return _status(error) > 0


def missing(name: str, bucket: Bucket) -> ObjectMissingError:
    """Make the error for an object that is not there."""
    return ObjectMissingError(
        f"There is no object {name} in {bucket.location} ({bucket.server}).",
        "Check the location; restore the object from an older version or a copy, or choose another backup.",
    )


def classify(error: BaseException, action: Action, bucket: Bucket) -> Failure:
    """Say what an exception of botocore, urllib3 or the socket below means."""
    response = getattr(error, "response", None)
    if isinstance(response, dict) and _status(error):
        return _classify_answer(error, action, bucket)
    return _classify_silence(error, bucket)


def _classify_answer(error: BaseException, action: Action, bucket: Bucket) -> Failure:
    code, status = _code(error), _status(error)
    said = bucket.without_secrets(_said(error))
    if code == "NoSuchBucket" or is_bare_404(error):
        return Failure(
            StoreError,
            f"the bucket {bucket.name} does not exist there ({said})",
            "Check bucket and endpoint for typing errors, or create the bucket; it is never created by a backup.",
        )
    if code in _SKEWED or (status == 403 and abs(_skew(error)) > SKEW_LIMIT):
        return Failure(
            StoreDeniedError,
            f"this machine's clock and the server's are {abs(_skew(error)):.0f} seconds apart ({said})",
            "Set the clock of this machine, by NTP for example: signed requests are valid for 15 minutes.",
        )
    if code in _BAD_CREDENTIALS:
        return Failure(
            StoreDeniedError,
            f"the credentials were refused ({said})",
            "Check s3.access_key, s3.secret_key and s3.session_token, and that the key is enabled and not expired.",
        )
    if code in _FULL or status == 507:
        return Failure(
            StoreError, f"the store is full, or its quota is used up ({said})", "Make room, or raise the quota."
        )
    if code in _DAMAGED:
        return Failure(
            StoreError,
            f"what arrived there is not what was sent ({said})",
            "Look for a proxy that changes requests; if it stays, try s3.checksums: when_required.",
            Retry.BRIEFLY,
        )
    if code in _OTHER_REGION or 300 <= status < 400:
        return Failure(
            StoreError,
            f"the bucket belongs to another region or endpoint{_region_hint(error)} ({said})",
            "Set s3.region and s3.endpoint to those of the bucket.",
        )
    if code in _UNKNOWN_HEADER or status in (411, 501):
        return Failure(
            StoreError,
            f"the server does not support this request ({said})",
            "Try s3.checksums: when_required, and s3.addressing: path.",
        )
    if status in (401, 403):
        return Failure(StoreDeniedError, f"permission was denied ({said})", _grant(action, bucket))
    if code in _BUSY or status in (408, 429) or status >= 500:
        return Failure(
            StoreUnreachableError,
            f"the server is in trouble or overloaded ({said})",
            "Look at the state and the log of the object store, and run again later.",
            Retry.PATIENTLY,
        )
    return Failure(StoreError, f"the server refused the request ({said})", "Look up this code in the server's manual.")


def _grant(action: Action, bucket: Bucket) -> str:
    step = f"Grant this access key {action.permission} on {bucket.resource(action)}, or use another key."
    if action is Action.READ:
        return step + " Without s3:ListBucket, AWS denies what does not exist as well."
    return step


def _classify_silence(error: BaseException, bucket: Bucket) -> Failure:
    causes = list(_chain(error))
    name = type(error).__name__
    distrust = next((cause for cause in causes if _is_distrust(cause)), None)
    if distrust is not None:
        return Failure(
            StoreError,
            f"the certificate of {bucket.server} is not trusted ({_shortened(distrust, bucket)})",
            "Set s3.ca_file to the certificate authority of this server, and use the host name in its certificate.",
        )
    if any(isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER" for cause in causes):
        return Failure(
            StoreError, f"{bucket.server} does not speak TLS", "Use http:// in s3.endpoint, or the port for https."
        )
    if name == "ResponseParserError" or isinstance(error, NoS3ServiceError):
        return Failure(
            StoreError,
            "the answer is not that of an S3 service",
            "Check s3.endpoint: is it the address of the S3 API, and not of its web console or a proxy?",
        )
    if name in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError"):
        return Failure(
            StoreDeniedError,
            f"there are no credentials for it ({_shortened(error, bucket)})",
            "Give s3.access_key and s3.secret_key, or the machine a role that may use the bucket.",
        )
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return _unreachable(
            "its host name cannot be resolved", "Check the host in s3.endpoint, and this machine's DNS."
        )
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return _unreachable("the connection was refused", "Check host and port in s3.endpoint, and that it is running.")
    if any(isinstance(cause, TimeoutError) for cause in causes) or "Timeout" in name:
        return _unreachable("it did not answer in time", "Check the network, firewall and load of the server.")
    hint = " If it speaks TLS, write https:// in s3.endpoint." if bucket.server.startswith("http:") else ""
    return _unreachable(
        f"the connection failed ({_shortened(causes[-1], bucket)})",
        f"Check the network, and the log of the server.{hint}",
    )


def _unreachable(reason: str, next_step: str) -> Failure:
    return Failure(StoreUnreachableError, reason, next_step, Retry.ONCE_KNOWN)


def _is_distrust(error: BaseException) -> bool:
    # urllib3 compares host names itself, and has an exception of its own for them.
    return isinstance(error, ssl.SSLCertVerificationError) or type(error).__name__ == "CertificateError"


def _shortened(error: BaseException, bucket: Bucket) -> str:
    text = getattr(error, "verify_message", "") or str(error) or type(error).__name__
    return bucket.without_secrets(text)[:_MESSAGE_LIMIT]


def _chain(error: BaseException) -> t.Iterator[BaseException]:
    """Yield an exception and what caused it, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        inner = getattr(current, "reason", None)  # urllib3 keeps some causes there
        current = current.__cause__ or current.__context__ or (inner if isinstance(inner, BaseException) else None)


def _answer(error: BaseException) -> dict[str, t.Any]:
    response = getattr(error, "response", None)
    return response if isinstance(response, dict) else {}


def _code(error: BaseException) -> str:
    return str(_answer(error).get("Error", {}).get("Code", ""))


def _status(error: BaseException) -> int:
    return int(_answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _headers(error: BaseException) -> dict[str, str]:
    return dict(_answer(error).get("ResponseMetadata", {}).get("HTTPHeaders", {}))


def _said(error: BaseException) -> str:
    """What the server said, shortened: HTTP status, code and message."""
    code, message = _code(error), " ".join(str(_answer(error).get("Error", {}).get("Message") or "").split())
    words = f"HTTP {_status(error)}"
    if code and code != str(_status(error)):
        words += f" {code}"
    return f"{words}: {message[:_MESSAGE_LIMIT]}" if message else words


def _skew(error: BaseException) -> float:
    """Seconds by which the server's clock is ahead of ours; 0 when it does not say."""
    try:
        return email.utils.parsedate_to_datetime(_headers(error)["date"]).timestamp() - time.time()
    except (KeyError, ValueError, TypeError):
        return 0.0


def _region_hint(error: BaseException) -> str:
    region = _headers(error).get("x-amz-bucket-region") or _answer(error).get("Error", {}).get("Region")
    return f" ({region})" if region else ""
