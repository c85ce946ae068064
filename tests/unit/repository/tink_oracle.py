# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Google's own implementation of the same constructions, with keys of our making."""

from __future__ import annotations

import io
import typing as t

from tink import hybrid, proto_keyset_format, secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, hpke_pb2, tink_pb2

streaming_aead.register()
hybrid.register()

KEMS = {
    "x25519": hpke_pb2.DHKEM_X25519_HKDF_SHA256,
    "p256": hpke_pb2.DHKEM_P256_HKDF_SHA256,
    "mlkem768-x25519": hpke_pb2.X_WING,
}


def _handle(key_type: str, key: t.Any, material: t.Any) -> t.Any:
    keyset = tink_pb2.Keyset(primary_key_id=1)
    entry = keyset.key.add(key_id=1, status=tink_pb2.ENABLED, output_prefix_type=tink_pb2.RAW)
    entry.key_data.type_url = f"type.googleapis.com/google.crypto.tink.{key_type}"
    entry.key_data.value = key.SerializeToString()
    entry.key_data.key_material_type = material
    return proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN)


def _streaming(key: bytes) -> t.Any:
    parameters = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=1 << 20, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
    )
    message = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(key_value=key, params=parameters)
    handle = _handle("AesGcmHkdfStreamingKey", message, tink_pb2.KeyData.SYMMETRIC)
    return handle.primitive(streaming_aead.StreamingAead)


class _KeptOpen(io.BytesIO):
    def close(self) -> None:
        """Tink closes what it wrote to; the content is still wanted."""


def encrypt_stream(key: bytes, associated_data: bytes, plaintext: bytes) -> bytes:
    target = _KeptOpen()
    with _streaming(key).new_encrypting_stream(target, associated_data) as stream:
        stream.write(plaintext)
    return target.getvalue()


def decrypt_stream(key: bytes, associated_data: bytes, ciphertext: bytes) -> bytes:
    return _streaming(key).new_decrypting_stream(io.BytesIO(ciphertext), associated_data).read()


def _public(kem: str, public: bytes) -> t.Any:
    parameters = hpke_pb2.HpkeParams(kem=KEMS[kem], kdf=hpke_pb2.HKDF_SHA256, aead=hpke_pb2.AES_256_GCM)
    return hpke_pb2.HpkePublicKey(params=parameters, public_key=public)


def hpke_wrap(kem: str, public: bytes, key: bytes, info: bytes) -> bytes:
    handle = _handle("HpkePublicKey", _public(kem, public), tink_pb2.KeyData.ASYMMETRIC_PUBLIC)
    return handle.primitive(hybrid.HybridEncrypt).encrypt(key, info)


def hpke_unwrap(kem: str, public: bytes, private: bytes, wrapped: bytes, info: bytes) -> bytes:
    message = hpke_pb2.HpkePrivateKey(public_key=_public(kem, public), private_key=private)
    handle = _handle("HpkePrivateKey", message, tink_pb2.KeyData.ASYMMETRIC_PRIVATE)
    return handle.primitive(hybrid.HybridDecrypt).decrypt(wrapped, info)
