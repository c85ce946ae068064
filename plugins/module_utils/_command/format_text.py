# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of docs/repository-format.md, which every repository carries as recovery/FORMAT.md.

Written by tests/unit/command/test_format_text.py, which also compares the two; change the document, not this.
"""

from __future__ import annotations

FORMAT_TEXT = """\
# Repository format, version 1

This page is enough to write a program that reads a repository, or writes one. `tests/unit/repository/vectors.json`
holds test vectors for every construction below; a test reads them.

Conventions: `‖` joins bytes; numbers in binary structures are unsigned and big endian; `HKDF(key, info)` is
HKDF-SHA-256 (RFC 5869) with an empty salt and 32 bytes of output; hexadecimal is lower case; base64 is the standard
alphabet with padding; JSON is UTF-8. *Canonical JSON* has its keys sorted by code point, no white space outside
strings, and every character beyond ASCII written as `\\uXXXX`; numbers are integers.

## 1. Objects

A repository is a set of named objects in a directory or under a prefix of an S3 bucket. An object is written once and
never changed, except `repository.json`, the key slots, and what lies under `recovery/`.

| name | content | encrypted under | signed by |
| --- | --- | --- | --- |
| `repository.json` | settings (section 3) | – | administrator |
| `keys/<backup>/<part>` | the part's data key, wrapped (section 4) | metadata key, and HPKE inside | the writing\
 host, or the administrator |
| `packs/<xx>/<pack id>` | chunks (section 6); `xx` is the first two digits of the id | data key of one part | – |
| `index/<32 hex digits>` | which chunk is in which pack (section 7) | metadata key | the writing host |
| `backups/<backup>/<part>/manifest` | what the part is made of (section 8) | data key of the part | by its hash in\
 the record |
| `backups/<backup>/<part>/packs` | the packs the part needs | metadata key | by its hash in the record |
| `backups/<backup>/<part>/record` | facts about the part | metadata key | the writing host |
| `backups/<backup>/summary` | outcome of the backup (section 9) | metadata key | whoever closed it |
| `recovery/…` | this page and the recovery program | – | by their hashes in the settings |

A backup id is the UTC time of its start and 32 random bits: `20261122T050301Z-1f2e3d4c`. A part's name consists of 1
to 128 characters out of `A-Z a-z 0-9 . _ @ + -` and starts with a letter or digit. A part's *scope* is\
 `<backup>/<part>`.

A part exists when its record exists; the record is written last. Everything it refers to was durable before.

## 2. Keys and encryption

**Streams.** Every encrypted object is one Tink `AES256_GCM_HKDF_1MB` stream:

    header   = 0x28 ‖ salt (32) ‖ nonce prefix (7)
    key      = HKDF-SHA-256(ikm = data key, salt = salt, info = associated data, 32 bytes)
    segment i of the ciphertext, i = 0, 1, …:
        AES-256-GCM(key, nonce = nonce prefix ‖ i (4 bytes) ‖ (1 if last segment else 0), no associated data)
        its tag (16 bytes) follows it; a segment has 2^20 bytes with its tag, the first one with the header too,
        the last one may be shorter

A reader must refuse a stream in which the last segment does not open as the last.

**Associated data** of a stream binds it to its place:

    "dfr.continuity/1" ‖ 0x00 ‖ repository id ‖ 0x00 ‖ scope ‖ 0x00 ‖ object name

The repository id is 32 hex digits; the scope is empty for objects under the metadata key.

**Key info**, used as `info` of HPKE and HKDF:

    info(purpose) = "dfr.continuity/1" ‖ 0x00 ‖ "key" ‖ 0x00 ‖ repository id ‖ 0x00 ‖ purpose

**Keys.** The *repository key* is 32 random bytes, made once. From it come

    chunk key    = HKDF(repository key, info("chunk ids"))
    metadata key = HKDF(repository key, info("metadata"))

Every part has a *data key* of 32 random bytes of its own. Its commitment is
`HKDF(data key, "dfr.continuity/1 commitment")`.

**Recipients** are written `<kem>:<base64 of the public key>`:

| kem | public key | HPKE KEM (RFC 9180 and draft-ietf-hpke-pq) |
| --- | --- | --- |
| `x25519` | 32 bytes | DHKEM(X25519, HKDF-SHA256), 0x0020 |
| `p256` | uncompressed point, 65 bytes | DHKEM(P-256, HKDF-SHA256), 0x0010 |
| `mlkem768-x25519` | ML-KEM-768 encapsulation key (1184), X25519 key (32) | MLKEM768-X25519 (X-Wing), 0x647a |

always with HKDF-SHA256 and AES-256-GCM, in base mode, with empty associated data. A wrapped key is `enc ‖\
 ciphertext`. A
*fingerprint* is the first 16 bytes of SHA-256 over the text, in hexadecimal. The private key, the *recovery key*, is\
 a PEM file
(PKCS #8; optionally PBES2 with scrypt and AES-256-CBC); for the hybrid, one block for ML-KEM-768 and one for X25519.

**Identities** are Ed25519 keys (PKCS #8 PEM). From the 32-byte seed comes an X25519 private key,
`HKDF(seed, "dfr.continuity/1 identity x25519")`. The public half, a *signer*, is written
`signer:<base64 of Ed25519 public key (32) ‖ X25519 public key (32)>`; its fingerprint is made like a recipient's.

**Key slots** are a list of `{"recipient": fingerprint, "name": text, "kem": kem, "wrapped": base64}`. A reader looks\
 for its
own fingerprint and refuses lists of more than 64 slots.

## 3. `repository.json`

    {"document": {…}, "administrator": "signer:…", "signature": base64}

The signature is Ed25519 by the administrator over `"dfr.continuity/1 settings" ‖ 0x00 ‖ canonical JSON of document`. A
reader pins administrators beforehand (by signer text or fingerprint) and believes no other. The document:

| key | meaning |
| --- | --- |
| `format` | 1. A reader refuses any other value. |
| `repository` | the repository id |
| `created` | RFC 3339 time, UTC |
| `revision` | grows by one with every change; a reader remembers it and refuses a lower one |
| `epoch` | grows when a recipient is added that cannot open older packs; a writer refers to chunks of this epoch or\
 later only |
| `compression_level` | zstd level that writers use |
| `recipients` | list of `{"name", "key"}` to which data keys are wrapped |
| `signers` | list of `{"name", "key", "retired"}`; `retired` is empty, or a time `20261122T050301Z`: backups whose id\
 is greater are not believed |
| `repository_key` | key slots of the repository key with `info("repository")`: for every recipient, and for the\
 X25519 key of every signer that is not retired |
| `recovery_files` | name to SHA-256 of each object under `recovery/` |

## 4. Key slots of a part

A signed envelope (section 10) of canonical JSON `{"slots": [key slots], "commitment": hex}`; the slots are wrapped with
`info(scope)`. Written before anything is encrypted
under the data key. Adding or removing a recipient rewrites these objects and no other.

## 5. Chunks and streams of data

Data is cut in chunks of 1 to 1,048,576 bytes. Where to cut is the writer's affair. A chunk's id is
`HMAC-SHA-256(chunk key, chunk)`, 32 bytes. A reader must check it.

A *stream reference* names a sequence of chunks:

    {"size": bytes, "chunks": [ids in hex], "depth": n}

With depth 0 (may be left out) the ids are those of the chunks. With depth n they are ids of chunks each of which holds
32-byte ids, one after the other, of the chunks of depth n − 1. Depth is at most 4. A reader checks the size.

## 6. Packs

A pack id is 16 random bytes. The plaintext of a pack:

    stored chunk 1 ‖ stored chunk 2 ‖ …
    directory: for each chunk  id (32) ‖ stored size (4) ‖ true size (4)
    number of chunks (4) ‖ "DFCPACK1"

A stored chunk is a zstd frame (RFC 8878), or the chunk itself where stored and true size are equal. A frame must
decompress to exactly the true size. Writers close a pack when it has reached 32 MiB.

## 7. Index

Signed envelope (section 10) of

    "DFCINDX1" ‖ epoch (4) ‖ length of scope (2) ‖ scope
    for each pack:   pack id (16) ‖ size of the object (8) ‖ number of chunks (4)
      for each chunk: id (32) ‖ offset (4) ‖ stored size (4) ‖ true size (4)

The scope says whose data key opens the packs. A chunk may be listed more than once; any place will do. Readers and
writers pass over an index object that is damaged, or that nobody signed whom they believe. Since packs have\
 directories,
a backup is readable without the index too, with a recovery key: its pack lists (section 8) name the packs, and the data
key that opens such a pack is of its own scope or of one with an object in `keys/`.

## 8. Parts

The **manifest** is canonical JSON: `{"streams": {name: stream reference}, …}`. Which streams there are depends on the\
 kind:

| kind | streams |
| --- | --- |
| `database` | `dump` (pg_dump custom format, or plain SQL), `globals` (SQL of roles), and for Odoo `attachments`,\
 `neutralise` |
| `tree`, `odoo_filestore` | `entries` (see [files](files.md)) |
| `file` | `entries` with a single entry |

The **pack list** is `pack id (16) ‖ size of the object (8)` for each pack that a chunk of the part lies in, in order\
 of id, packs
of earlier backups included.

The **record** is a signed envelope of canonical JSON:

| key | meaning |
| --- | --- |
| `type` | `part` |
| `backup`, `part`, `kind`, `host` | what it is; a reader checks backup and part, and that the signer has the host's\
 name or is the administrator |
| `started`, `finished` | RFC 3339 times, UTC |
| `bytes` | `source`: sum of the sizes of the streams, and of the files that entries describe; `new`: of chunks not in\
 the repository before; `stored`: size of the new packs |
| `facts`, `warnings` | what the kind has to say |
| `manifest` | `size` and `sha256` of the manifest object |
| `packs` | `count`, `size` (sum) of the packs, and `sha256` of the pack list's plaintext |
| `commitment` | that of the data key |

## 9. Summary

A signed envelope of canonical JSON: `type` (`summary`), `backup`, `status` (`success`, `partial`, `failure`),\
 `started`,
`finished`, `sequence`, `previous`, and `parts`: a list of `part`, `host`, `kind`, `status`, `reason`, `next_step`,\
 and for those that exist
`started`, `finished`, `bytes`, `warnings` and `sha256`, the hash of the record's envelope.

`previous` names the summary before it by the same signer: `{"backup", "sha256"}` with the SHA-256 of its envelope, or\
 null for
the first; `sequence` counts from 1. A reader reports a gap, and a summary that it saw before and that is no longer\
 there.

## 10. Signed envelopes

    "DFCSIG1" ‖ 0x00 ‖ signer's two public keys (64) ‖ Ed25519 signature (64) ‖ payload

The signature is over `"DFCSIG1" ‖ 0x00 ‖ length of place (4) ‖ place ‖ payload`; *place* is the associated data that\
 the object's
stream has. The envelope is then encrypted. A reader believes signers in `repository.json` only.

## 11. What an attacker can do

| who | can | cannot |
| --- | --- | --- |
| writes to the store | delete, put back older objects | read anything but names and sizes; make an object that is\
 believed; add a recipient or a signer |
| has taken over a backed-up host | read the index and the records of the repository, write backups in that host's\
 name, spoil chunks that other hosts would refer to (found by `verify --bytes` and at restore) | read one byte of any\
 backup's data |
| has the administrator's identity | change recipients and signers from then on | read what is stored |
| has a recovery key | read everything wrapped to it | sign anything |
"""
