# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``repository``."""

from __future__ import annotations


class ModuleDocFragment:
    """See :data:`plugins.module_utils._ansible.argument_spec.REPOSITORY`."""

    DOCUMENTATION = r"""
options:
  repository:
    description:
      - Which repository, and how this host reaches it.
    type: dict
    required: true
    suboptions:
      location:
        description:
          - Where the repository is, a directory such as V(/backup/continuity) or a bucket such as V(s3://bucket/prefix).
        type: str
        required: true
      trust:
        description:
          - Public identities (V(signer:...)), or their fingerprints, of the administrators whose settings of the
            repository are believed. This pin decides whom a host encrypts to and which signers a restore believes.
          - Only M(dfr.continuity.repository) can do without, since the administrator's own identity is then trusted.
        type: list
        elements: str
      identity_file:
        description:
          - File with the private identity of this host, as M(dfr.continuity.repository_key) writes it. It signs what
            this host writes. Others than its owner must not be able to read it.
          - Needed for everything that writes. What reads can be given a recovery key instead.
        type: path
      host:
        description:
          - The name under which this host stands on the repository's list of signers.
          - The host's own name by default.
        type: str
      cache_dir:
        description:
          - Directory for a local copy of the repository's index. It can be deleted at any time, except while a backup
            waits in a spool.
        type: path
        default: /var/cache/dfr-continuity
      s3:
        description:
          - How to reach the bucket, when O(repository.location) is one.
        type: dict
        suboptions:
          endpoint:
            description:
              - URL of the service, such as V(https://s3.example.org).
              - AWS by default.
            type: str
          region:
            description:
              - Region, for the signature of requests. V(us-east-1) by default.
            type: str
          access_key:
            description:
              - Access key id.
              - Without it and O(repository.s3.secret_key), AWS's usual places are searched for credentials, such as the
                role of the machine.
            type: str
          secret_key:
            description:
              - Secret access key.
            type: str
          session_token:
            description:
              - Session token of temporary credentials.
            type: str
          addressing:
            description:
              - Whether the bucket's name stands in the path or in the host name of requests.
              - V(auto) means the host name on AWS and the path elsewhere.
            type: str
            choices: [auto, path, virtual]
            default: auto
          ca_file:
            description:
              - PEM file of the certificate authorities to trust instead of the system's.
            type: path
          checksums:
            description:
              - Whether a CRC-32 is sent with every object. V(when_required) is for servers that refuse it.
            type: str
            choices: [when_supported, when_required]
            default: when_supported
          deadline:
            description:
              - Seconds within which an object, or one 32 MiB part of a larger one, must have been transferred, repeated
                tries included.
            type: float
            default: 600.0
      spool:
        description:
          - Where encrypted objects wait on this host while the store cannot be reached, instead of ending the backup.
            The next backup delivers them. Off by default.
          - A part that waits is a partial one, and the backup is not closed until it has been delivered.
        type: dict
        suboptions:
          path:
            description:
              - A directory on a local disk, of this user's own. It is made when only it is missing.
            type: path
            required: true
          limit:
            description:
              - How much may wait there at most, as a number of bytes or with a unit such as V(20GiB) or V(500GB).
            type: str
            required: true
requirements:
  - cryptography >= 47 on the target
  - zstandard on the target
  - boto3 on the target, when the repository is in a bucket
"""

    # For modules that can do without a repository. Written out, because ansible-test reads constants only.
    OPTIONAL = r"""
options:
  repository:
    description:
      - Which repository, and how this host reaches it.
    type: dict
    suboptions:
      location:
        description:
          - Where the repository is, a directory such as V(/backup/continuity) or a bucket such as V(s3://bucket/prefix).
        type: str
        required: true
      trust:
        description:
          - Public identities (V(signer:...)), or their fingerprints, of the administrators whose settings of the
            repository are believed. This pin decides whom a host encrypts to and which signers a restore believes.
          - Only M(dfr.continuity.repository) can do without, since the administrator's own identity is then trusted.
        type: list
        elements: str
      identity_file:
        description:
          - File with the private identity of this host, as M(dfr.continuity.repository_key) writes it. It signs what
            this host writes. Others than its owner must not be able to read it.
          - Needed for everything that writes. What reads can be given a recovery key instead.
        type: path
      host:
        description:
          - The name under which this host stands on the repository's list of signers.
          - The host's own name by default.
        type: str
      cache_dir:
        description:
          - Directory for a local copy of the repository's index. It can be deleted at any time, except while a backup
            waits in a spool.
        type: path
        default: /var/cache/dfr-continuity
      s3:
        description:
          - How to reach the bucket, when O(repository.location) is one.
        type: dict
        suboptions:
          endpoint:
            description:
              - URL of the service, such as V(https://s3.example.org).
              - AWS by default.
            type: str
          region:
            description:
              - Region, for the signature of requests. V(us-east-1) by default.
            type: str
          access_key:
            description:
              - Access key id.
              - Without it and O(repository.s3.secret_key), AWS's usual places are searched for credentials, such as the
                role of the machine.
            type: str
          secret_key:
            description:
              - Secret access key.
            type: str
          session_token:
            description:
              - Session token of temporary credentials.
            type: str
          addressing:
            description:
              - Whether the bucket's name stands in the path or in the host name of requests.
              - V(auto) means the host name on AWS and the path elsewhere.
            type: str
            choices: [auto, path, virtual]
            default: auto
          ca_file:
            description:
              - PEM file of the certificate authorities to trust instead of the system's.
            type: path
          checksums:
            description:
              - Whether a CRC-32 is sent with every object. V(when_required) is for servers that refuse it.
            type: str
            choices: [when_supported, when_required]
            default: when_supported
          deadline:
            description:
              - Seconds within which an object, or one 32 MiB part of a larger one, must have been transferred, repeated
                tries included.
            type: float
            default: 600.0
      spool:
        description:
          - Where encrypted objects wait on this host while the store cannot be reached, instead of ending the backup.
            The next backup delivers them. Off by default.
          - A part that waits is a partial one, and the backup is not closed until it has been delivered.
        type: dict
        suboptions:
          path:
            description:
              - A directory on a local disk, of this user's own. It is made when only it is missing.
            type: path
            required: true
          limit:
            description:
              - How much may wait there at most, as a number of bytes or with a unit such as V(20GiB) or V(500GB).
            type: str
            required: true
requirements:
  - cryptography >= 47 on the target
  - zstandard on the target
  - boto3 on the target, when the repository is in a bucket
"""
