# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository: where to find it, how to open it, and the objects that belong to no part."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import os
import secrets
import socket
import time
import typing as t
from dataclasses import dataclass, field, replace

from . import stream
from .encoding import check_backup_id, check_part_name
from .errors import InputError, IntegrityError, ObjectMissingError, StoreUnreachableError, TrustError
from .index import IndexObject, decode_index, encode_index
from .index_cache import IndexCache
from .key_slots import rewrap
from .keys import Fingerprint, Identity, Recipient, RecoveryKey, Signer, parse_pin, read_key_file
from .known_settings import KnownSettings
from .local_state import LocalState
from .naming import INDEX, RECOVERY, SETTINGS, associated_data, key_info
from .needed_packs import complete_index
from .part_reader import PartReader
from .part_writer import PartWriter
from .progress import Progress
from .settings import ADMINISTRATOR, RepositorySettings, TrustedSigner, decode_settings, encode_settings
from .signing import seal, unseal
from .stores import Store
from .stores.directory import DirectoryStore
from .stores.location import open_store
from .stores.spool import SpoolingStore
from .stores.spool_options import SpoolOptions
from .third_party import HKDF, hashes, require

DEFAULT_CACHE = "/var/cache/dfr-continuity"


@dataclass(frozen=True)
class RepositoryAccess:
    """The ``repository`` dictionary of modules and configuration file, checked."""

    store: Store
    trust: tuple[Signer | Fingerprint, ...]
    identity: Identity | None
    cache_dir: str
    host: str
    #: The dictionary itself, with which another process opens the same repository.
    given: t.Mapping[str, t.Any] = field(repr=False)

    @classmethod
    def parse(cls, given: t.Mapping[str, t.Any], *, create: bool = False) -> RepositoryAccess:
        """Read the dictionary; raise :class:`~.errors.InputError` naming the entry that cannot be used.

        :arg create: make the directory that is to hold the repository when only that is missing.
        """
        require()
        trust = tuple(parse_pin(text, ADMINISTRATOR) for text in given.get("trust") or ())
        path = given.get("identity_file")
        identity = Identity.from_pem(read_key_file(path, "The identity"), f"The identity {path}") if path else None
        cache = given.get("cache_dir") or DEFAULT_CACHE
        if not os.path.isabs(cache):
            raise InputError(f"cache_dir {cache!r} is not an absolute path.", "Give a path that starts with /.")
        host = given.get("host") or socket.gethostname()
        return cls(open_store(given, create=create), trust, identity, cache, host, given)


class Repository:
    """An open repository.

    :arg opener: whatever opens the repository key: an identity, or a recovery key.
    """

    def __init__(self, access: RepositoryAccess, settings: RepositorySettings, opener: Identity | RecoveryKey) -> None:
        self.given = access.given
        self.store = access.store
        self.identity = access.identity
        self.host = access.host
        self.settings = settings
        self.repository_id = settings.repository_id
        self._is_offline = False
        key = settings.open_repository_key(opener)
        self.chunk_key = self._derive(key, "chunk ids")
        self._metadata_key = self._derive(key, "metadata")
        directory = os.path.join(access.cache_dir, self.repository_id)
        self.state = LocalState(directory)
        self.state.check_revision(settings.revision, self.store.location)
        self.index = IndexCache(os.path.join(directory, "index.sqlite3"))
        self.cache_directory = directory
        #: Why an index object was passed over, by its name.
        self.unusable_index: dict[str, str] = {}

    def _derive(self, key: bytes, purpose: str) -> bytes:
        info = key_info(self.repository_id, purpose)
        return HKDF(hashes.SHA256(), stream.KEY_SIZE, None, info).derive(key)

    def close(self) -> None:
        """Let go of the store and the cache."""
        self.index.close()
        self.store.close()

    # The spool

    @property
    def spool(self) -> SpoolingStore | None:
        """The store, when what it cannot be given waits in a spool; None without a spool."""
        return self.store if isinstance(self.store, SpoolingStore) else None

    def without_spool(self) -> Repository:
        """Return the same repository as it is in the store itself: nothing waits, nothing is spooled."""
        direct = copy.copy(self)
        direct.store = self.spool.store if self.spool else self.store
        return direct

    def begin_spooling(self, data: bytes, away: StoreUnreachableError | None, known: KnownSettings) -> None:
        """Prepare the spool for a run.

        :arg data: the ``repository.json`` that was opened; ``known`` keeps it when it came from the store.
        :arg away: why the store could not be reached, when ``data`` is the copy.
        """
        if self.spool is None:
            return
        self.spool.bind(self.repository_id)
        self._is_offline = away is not None
        if away is not None:
            if not self.spool.is_away:
                self.spool.note_away(away)
            return
        with self.state.locked() as state:
            # Of several runs that read the settings, the last one to be here may have read older ones.
            if state["revision"] == self.settings.revision:
                known.remember(data)

    def deliver_waiting(self, progress: Progress | None = None) -> int:
        """Send what waits in the spool, and return the number of objects; a store that is away is no error.

        Every run that writes begins with it. Raises what the store raises when it refuses.
        """
        if self.spool is None or self._is_offline:
            return 0
        counted = progress or Progress()
        if self.spool.spooled.objects:
            counted.begin("delivering the spool")
        with contextlib.suppress(StoreUnreachableError):
            return self.spool.deliver(lambda size: counted.add(stored=size))
        return 0

    def __enter__(self) -> Repository:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    # Objects under the metadata key

    def write_metadata(self, name: str, body: bytes) -> str:
        """Store an encrypted object and return the SHA-256 of its plaintext, in hexadecimal."""
        place = associated_data(self.repository_id, "", name)
        self.store.put(name, stream.encrypt(self._metadata_key, place, body))
        return hashlib.sha256(body).hexdigest()

    def read_metadata(self, name: str) -> bytes:
        """Return the content of an encrypted object."""
        place = associated_data(self.repository_id, "", name)
        return stream.decrypt(self._metadata_key, place, self.store.get(name), name)

    def signing_identity(self) -> Identity:
        """Return the identity; raise :class:`~.errors.InputError` when there is none or it is not a signer."""
        if self.identity is None:
            raise InputError("No identity was given, and backups must be signed.", "Give identity_file.")
        if self.settings.trusted(self.identity.signer.text, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())) is None:
            raise InputError(
                f"The identity {self.identity.signer.fingerprint} of {self.host} is not a signer of the repository "
                f"in {self.store.location}.",
                "Have the administrator add it with the repository module: " + self.identity.signer.text,
            )
        return self.identity

    def write_signed(self, name: str, payload: bytes) -> str:
        """Store a signed and encrypted object; return the SHA-256 of the envelope, in hexadecimal."""
        place = associated_data(self.repository_id, "", name)
        return self.write_metadata(name, seal(self.signing_identity(), place, payload))

    def read_signed(self, name: str, backup_id: str | None = None) -> tuple[Signer, bytes, str]:
        """Return signer, payload, and SHA-256 of the envelope of a signed object.

        Raises :class:`~.errors.TrustError` when its signer was not trusted when the backup ``backup_id`` was made.
        """
        envelope = self.read_metadata(name)
        place = associated_data(self.repository_id, "", name)
        signer, payload = unseal(envelope, place, lambda text: self.settings.trusted(text, backup_id), name)
        return signer, payload, hashlib.sha256(envelope).hexdigest()

    # The index

    def write_index(self, index: IndexObject) -> None:
        """Store an index object and take it into the cache."""
        name = INDEX + secrets.token_hex(16)
        self.write_signed(name, encode_index(index))
        if self.spool and self.spool.waits(name):
            with self.state.locked() as state:
                state["spooled"] = self.spool.last
        self.index.add(name, index)

    def update_index(self) -> None:
        """Bring the local cache up to date with the store, and with what waits in the spool, as far as index objects
        can be used.

        While the store is away and there is a spool, the cache is used as it is, since nothing is ever deleted from a
        repository. Raises :class:`~.errors.StoreUnreachableError` when the cache may name what was lost.
        """
        self.unusable_index = {}
        spool = self.spool
        try:
            if spool and spool.away and spool.is_away:
                raise spool.away.error
            self.index.update({info.name for info in self.store.list(INDEX)}, self._read_index)
        except StoreUnreachableError as error:
            if spool is None:
                raise
            self._check_spool_is_whole(spool, error)
        else:
            if spool:
                with self.state.locked() as state:
                    state["spooled"] = spool.last

    def _check_spool_is_whole(self, spool: SpoolingStore, error: StoreUnreachableError) -> None:
        with self.state.locked() as state:
            relied_on = int(state["spooled"])
        if not spool.is_whole_since(relied_on):
            raise StoreUnreachableError(
                f"{error.message} Nothing can be spooled: objects were removed from the spool {spool.path}, and "
                "without the store it cannot be told what else needs them.",
                "Bring the store back, and run this again.",
            ) from error

    def _read_index(self, name: str) -> IndexObject | None:
        """Return an index object; None for one that is damaged or of somebody who is not believed any more.

        One such object must not cost the backups that do not need it: writers store its chunks again, and readers
        look for them in the packs (:mod:`.needed_packs`).
        """
        try:
            _signer, payload, _digest = self.read_signed(name)
            return decode_index(payload, name)
        except (IntegrityError, ObjectMissingError, TrustError) as error:
            self.unusable_index[name] = error.message
            return None

    # Parts

    def write_part(self, backup_id: str, part: str, *, kind: str, progress: Progress | None = None) -> PartWriter:
        """Begin to write a part of the backup ``backup_id``; see :class:`~.part_writer.PartWriter`."""
        self.signing_identity()
        if not self.settings.recipients:
            raise InputError("The repository has no recipient.", "Add one with the repository module.")
        self.update_index()
        return PartWriter(self, check_backup_id(backup_id), check_part_name(part), kind, progress or Progress())

    def open_part(
        self, backup_id: str, part: str, recovery_key: RecoveryKey, *, progress: Progress | None = None
    ) -> PartReader:
        """Open a part to read it; see :class:`~.part_reader.PartReader`."""
        check_backup_id(backup_id)
        check_part_name(part)
        self.update_index()
        complete_index(self, backup_id, part, recovery_key)
        return PartReader(self, backup_id, part, recovery_key, progress or Progress())


def open_repository(
    given: t.Mapping[str, t.Any],
    opener: Identity | RecoveryKey | None = None,
    *,
    spooling: bool = False,
    joining: bool = False,
) -> Repository:
    """Open the repository that a ``repository`` dictionary describes.

    :arg opener: a recovery key (restores need no identity); by default the identity.
    :arg spooling: the ``spool`` of the dictionary, if it has one, takes what cannot be delivered. A store that is away
        is then no error, as long as a copy of the settings is on this machine. Without it, what waits there can be
        read.
    :arg joining: for a process of a run that has begun: it does not try a store that another one has just found to be
        away.

    Raises :class:`~.errors.ObjectMissingError` when there is no repository, and what
    :func:`~.settings.decode_settings` and :meth:`~.settings.RepositorySettings.open_repository_key` raise.
    """
    access = RepositoryAccess.parse(given if spooling else _without_unused_spool(given))
    try:
        if joining:
            _raise_known_trouble(access.store)
        data, away = _settings_data(access), None
    except StoreUnreachableError as error:
        data, away = _known_settings(access, error, spooling), error
    settings = decode_settings(data, access.trust)
    chosen = opener or access.identity
    if chosen is None:
        raise InputError("No key opens the repository.", "Give identity_file, or the recovery key.")
    repository = Repository(access, settings, chosen)
    if spooling and repository.spool:
        repository.begin_spooling(data, away, KnownSettings(access.cache_dir, access.store))
    return repository


def without_spool(given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a ``repository`` dictionary without its spool, for what must be in the store at once."""
    SpoolOptions.from_settings(given.get("spool"), str(given.get("location")))
    return {**given, "spool": None}


def _without_unused_spool(given: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """Leave out a spool that cannot be read, for somebody who only reads: it may be another machine's."""
    spool = SpoolOptions.from_settings(given.get("spool"), str(given.get("location")))
    return given if spool and os.access(spool.path, os.R_OK | os.X_OK) else {**given, "spool": None}


def _raise_known_trouble(store: Store) -> None:
    away = store.away if isinstance(store, SpoolingStore) and store.is_away else None
    if away is not None:
        raise away.error


def _known_settings(access: RepositoryAccess, error: StoreUnreachableError, spooling: bool) -> bytes:
    if not spooling or not isinstance(access.store, SpoolingStore):
        raise error
    data = KnownSettings(access.cache_dir, access.store).recall()
    if data is None:
        raise StoreUnreachableError(
            f"{error.message} Nothing can be spooled either: this host has never opened the repository, and does not "
            "know its recipients.",
            error.next_step,
        ) from error
    return data


def read_settings(access: RepositoryAccess) -> RepositorySettings:
    """Return the settings of an existing repository, checked against the pinned administrators."""
    return decode_settings(_settings_data(access), access.trust)


def _settings_data(access: RepositoryAccess) -> bytes:
    if _is_missing_directory(access.store):
        raise ObjectMissingError(
            f"There is no repository in {access.store.location}: the directory does not exist.",
            "Mount the file system it is on, correct the location, or make a repository there.",
        )
    try:
        return access.store.get(SETTINGS)
    except ObjectMissingError as error:
        raise ObjectMissingError(
            f"There is no repository in {access.store.location}: it has no {SETTINGS}.",
            "Check the location; make a repository with the repository module, state: present.",
        ) from error


@dataclass(frozen=True)
class WantedSettings:
    """What an administrator wants ``repository.json`` to say. None leaves an entry as it is."""

    recipients: tuple[Recipient, ...] | None = None
    signers: tuple[TrustedSigner, ...] | None = None
    compression_level: int | None = None
    recovery_files: t.Mapping[str, bytes] | None = None

    def problems(self) -> None:
        """Raise :class:`~.errors.InputError` for what could only be a mistake."""
        for what, keys in (
            ("recipients", [recipient.text for recipient in self.recipients or ()]),
            ("signers", [entry.signer.text for entry in self.signers or ()]),
        ):
            if len(set(keys)) != len(keys):
                raise InputError(f"The same key stands twice in {what}.", "Remove one of them.")
        if self.recipients is not None and not self.recipients:
            raise InputError("No recipient is given: nobody could open a backup.", "Give at least one public key.")
        if self.compression_level is not None and not -7 <= self.compression_level <= 19:
            raise InputError(
                f"compression_level {self.compression_level} is out of range.",
                "Give a number from -7 to 19; 1 is usual.",
            )


@dataclass(frozen=True)
class SettingsChange:
    """What :func:`configure_repository` did, or would do: settings before (None: no repository yet) and after."""

    before: RepositorySettings | None
    after: RepositorySettings
    rewrapped: int = 0

    @property
    def changed(self) -> bool:
        """Tell whether anything differs."""
        return self.before != self.after or self.rewrapped > 0


def configure_repository(
    given: t.Mapping[str, t.Any],
    wanted: WantedSettings,
    *,
    recovery_key: RecoveryKey | None = None,
    dry_run: bool = False,
) -> SettingsChange:
    """Create a repository, or bring its settings to what is wanted. Run with the administrator's identity.

    :arg recovery_key: lets new recipients open old backups too; without it they open only what is written from now on.
    :arg dry_run: change nothing, only tell.

    Raises :class:`~.errors.InputError` for settings that make no sense, before anything is changed.
    """
    wanted.problems()
    # What an administrator decides must be seen at once, or not at all.
    access = RepositoryAccess.parse(without_spool(given), create=not dry_run)
    if access.identity is None:
        raise InputError("No administrator identity was given.", "Give identity_file.")
    administrator = access.identity
    trusting = replace(access, trust=access.trust or (administrator.signer,))
    before = _existing_settings(trusting)
    if before is None:
        return _create(trusting, wanted, administrator, dry_run)
    return _change(trusting, before, wanted, administrator, recovery_key, dry_run)


def _is_missing_directory(store: Store) -> bool:
    return isinstance(store, DirectoryStore) and not os.path.lexists(store.location)


def _existing_settings(access: RepositoryAccess) -> RepositorySettings | None:
    """Return the settings, or None for an empty place; anything else in that place is an error."""
    if _is_missing_directory(access.store):
        return None
    try:
        return read_settings(access)
    except ObjectMissingError as error:
        leftover = next(iter(access.store.list("")), None)
        if leftover is None:
            return None
        raise InputError(
            f"{access.store.location} has no {SETTINGS} but is not empty: it holds {leftover.name}.",
            f"Choose an empty place; if this was a repository, bring {SETTINGS} back from a copy.",
        ) from error


def _create(access: RepositoryAccess, wanted: WantedSettings, administrator: Identity, dry_run: bool) -> SettingsChange:
    if not wanted.recipients:
        raise InputError("A new repository needs at least one recipient.", "Make a recovery key with repository_key.")
    settings = RepositorySettings(
        repository_id=secrets.token_hex(16),
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        recipients=wanted.recipients,
        signers=_with_administrator(wanted.signers or (), administrator),
        compression_level=1 if wanted.compression_level is None else wanted.compression_level,
        recovery_files=_digests(wanted.recovery_files or {}),
    ).wrap_repository_key(secrets.token_bytes(stream.KEY_SIZE))
    if not dry_run:
        _write_recovery_files(access.store, wanted.recovery_files or {})
        access.store.put(SETTINGS, [encode_settings(settings, administrator)])
    return SettingsChange(None, settings)


def _with_administrator(signers: tuple[TrustedSigner, ...], administrator: Identity) -> tuple[TrustedSigner, ...]:
    """The administrator signs too (summaries, imports), so it must be on the list."""
    if any(entry.signer.text == administrator.signer.text for entry in signers):
        return signers
    return (TrustedSigner(replace(administrator.signer, name=ADMINISTRATOR)), *signers)


def _digests(files: t.Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def _write_recovery_files(store: Store, files: t.Mapping[str, bytes]) -> None:
    for name, content in files.items():
        store.put(RECOVERY + name, [content])


def _change(
    access: RepositoryAccess,
    before: RepositorySettings,
    wanted: WantedSettings,
    administrator: Identity,
    recovery_key: RecoveryKey | None,
    dry_run: bool,
) -> SettingsChange:
    after = replace(
        before,
        recipients=before.recipients if wanted.recipients is None else wanted.recipients,
        signers=before.signers if wanted.signers is None else _with_administrator(wanted.signers, administrator),
        compression_level=before.compression_level if wanted.compression_level is None else wanted.compression_level,
        recovery_files=before.recovery_files if wanted.recovery_files is None else _digests(wanted.recovery_files),
    )
    added = {recipient.text for recipient in after.recipients} - {recipient.text for recipient in before.recipients}
    if after == before and recovery_key is None:
        return SettingsChange(before, before)
    if after != before:
        if added and recovery_key is None:
            after = replace(after, epoch=before.epoch + 1)
        key = before.open_repository_key(recovery_key or administrator)
        after = replace(after, revision=before.revision + 1).wrap_repository_key(key)
    if dry_run:
        return SettingsChange(before, after)
    if after != before:
        changed_files = {
            name: content
            for name, content in (wanted.recovery_files or {}).items()
            if before.recovery_files.get(name) != after.recovery_files[name]
        }
        _write_recovery_files(access.store, changed_files)
        access.store.put(SETTINGS, [encode_settings(after, administrator)])
    rewrapped = _rewrap(access, after, administrator, recovery_key) if recovery_key else 0
    return SettingsChange(before, after, rewrapped)


def _rewrap(
    access: RepositoryAccess, settings: RepositorySettings, administrator: Identity, recovery_key: RecoveryKey
) -> int:
    repository = Repository(access, settings, administrator)
    try:
        return rewrap(repository, recovery_key)
    finally:
        repository.index.close()
