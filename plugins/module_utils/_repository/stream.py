# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AES256_GCM_HKDF_1MB streams, the format every encrypted object has.

This is Tink's streaming AEAD of that name
(https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming): a 40-byte header (its length, a
32-byte salt, a 7-byte nonce prefix), then segments of 2^20 ciphertext bytes, the first of them shortened by the
header. The key is HKDF-SHA256(data key, salt, info = associated data); segment i uses the nonce
prefix ‖ i (4 bytes, big endian) ‖ 1 if it is the last one, else 0.
"""

from __future__ import annotations

import secrets
import typing as t

from .errors import IntegrityError
from .third_party import AESGCM, HKDF, InvalidTag, hashes

KEY_SIZE = 32
HEADER_SIZE = 40
TAG_SIZE = 16
SEGMENT_SIZE = 1 << 20
#: Plaintext bytes in every segment but the first and the last.
SEGMENT_PLAINTEXT = SEGMENT_SIZE - TAG_SIZE
#: Plaintext bytes in the first segment when it is not the last.
FIRST_PLAINTEXT = SEGMENT_PLAINTEXT - HEADER_SIZE
_PREFIX_SIZE = 7
_SALT_SIZE = 32

if t.TYPE_CHECKING:
    Buffer: t.TypeAlias = bytes | bytearray | memoryview


def _segment_cipher(key: bytes, salt: bytes, associated_data: bytes) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), KEY_SIZE, salt, associated_data).derive(key))


def _nonce(prefix: bytes, segment: int, last: bool) -> bytes:
    return prefix + segment.to_bytes(4, "big") + (b"\x01" if last else b"\x00")


def encrypt(key: bytes, associated_data: bytes, *plaintext: Buffer) -> t.Iterator[bytes]:
    """Yield the ciphertext of ``plaintext``, a segment at a time; the first one starts with the header.

    :arg key: 32 bytes.
    :arg associated_data: what the object is; decryption needs the same bytes.
    :arg plaintext: pieces of any sizes, which are encrypted as if they were one.
    """
    salt, prefix = secrets.token_bytes(_SALT_SIZE), secrets.token_bytes(_PREFIX_SIZE)
    cipher = _segment_cipher(key, salt, associated_data)
    header, room = bytes([HEADER_SIZE]) + salt + prefix, FIRST_PLAINTEXT
    segment, gathered = 0, list[memoryview]()
    for piece in plaintext:
        rest = memoryview(piece)
        # A full segment waits until there is more, since the last one is marked.
        while len(rest) > room:
            gathered.append(rest[:room])
            yield header + cipher.encrypt(_nonce(prefix, segment, False), _joined(gathered), None)
            rest = rest[room:]
            header, room = b"", SEGMENT_PLAINTEXT
            segment, gathered = segment + 1, []
        gathered.append(rest)
        room -= len(rest)
    yield header + cipher.encrypt(_nonce(prefix, segment, True), _joined(gathered), None)


def _joined(pieces: list[memoryview]) -> Buffer:
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def ciphertext_size(plaintext_size: int) -> int:
    """Return how many bytes :func:`encrypt` yields for so many bytes of plaintext."""
    beyond = max(0, plaintext_size - FIRST_PLAINTEXT)
    segments = 1 + -(-beyond // SEGMENT_PLAINTEXT)
    return HEADER_SIZE + plaintext_size + segments * TAG_SIZE


def plaintext_size(size: int) -> int:
    """Return how many bytes of plaintext a stream of ``size`` bytes holds, or -1 when no stream has that size."""
    segments = max(1, -(-size // SEGMENT_SIZE))
    plain = size - HEADER_SIZE - segments * TAG_SIZE
    return plain if plain >= 0 and ciphertext_size(plain) == size else -1


def segment_of(offset: int) -> int:
    """Return the number of the segment that holds the plaintext byte at ``offset``."""
    return 0 if offset < FIRST_PLAINTEXT else 1 + (offset - FIRST_PLAINTEXT) // SEGMENT_PLAINTEXT


def segment_start(segment: int) -> int:
    """Return the plaintext offset at which a segment begins."""
    return 0 if segment == 0 else FIRST_PLAINTEXT + (segment - 1) * SEGMENT_PLAINTEXT


class StreamDecryptor:
    """Opens single segments of one stream whose total size is known.

    :arg size: bytes of ciphertext the object has. Segments are tied to it: the last one must say that it is the
        last, and no other may, so a stream cut short at a segment boundary does not open.
    :arg what: the object's name, for messages.
    """

    def __init__(self, key: bytes, associated_data: bytes, header: bytes, size: int, what: str) -> None:
        self.what = what
        self.size = size
        if plaintext_size(size) < 0 or len(header) < HEADER_SIZE or header[0] != HEADER_SIZE:
            raise self._broken("has no valid header or an impossible length")
        self._prefix = header[1 + _SALT_SIZE : HEADER_SIZE]
        self._cipher = _segment_cipher(key, header[1 : 1 + _SALT_SIZE], associated_data)
        self.segments = max(1, -(-size // SEGMENT_SIZE))

    def _broken(self, reason: str) -> IntegrityError:
        return IntegrityError(
            f"The object {self.what} {reason}: it is not what was written there.",
            "Bring it back from a copy or an older version in the store, or choose another backup.",
        )

    def span(self, segment: int) -> tuple[int, int]:
        """Return the range [start, end) of the object's bytes that holds a segment's ciphertext and tag."""
        start = segment * SEGMENT_SIZE
        return (HEADER_SIZE if segment == 0 else start), min(self.size, start + SEGMENT_SIZE)

    def open(self, segment: int, ciphertext: Buffer) -> bytes:
        """Return the plaintext of one segment; raise :class:`~.errors.IntegrityError` when it does not open."""
        start, end = self.span(segment)
        if len(ciphertext) != end - start:
            raise self._broken(f"is cut short in segment {segment}")
        try:
            return self._cipher.decrypt(_nonce(self._prefix, segment, segment == self.segments - 1), ciphertext, None)
        except InvalidTag as error:
            raise self._broken(f"fails its check in segment {segment}") from error


def decrypt(key: bytes, associated_data: bytes, ciphertext: Buffer, what: str) -> bytes:
    """Return the whole plaintext of a stream held in memory; ``what`` names it in messages.

    Raises :class:`~.errors.IntegrityError` when one bit differs, when it is cut short, or when key or associated
    data are not those it was written with.
    """
    view = memoryview(ciphertext)
    decryptor = StreamDecryptor(key, associated_data, bytes(view[:HEADER_SIZE]), len(view), what)
    pieces = []
    for segment in range(decryptor.segments):
        start, end = decryptor.span(segment)
        pieces.append(decryptor.open(segment, view[start:end]))
    return b"".join(pieces)
