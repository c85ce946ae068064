# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings that an n8n runs with: from its process, a file of environment variables, or given.

All of n8n's settings are environment variables; the encryption key may also be in the file ``config`` of its folder.
Files of environment variables are read and written as systemd does (systemd.exec(5), ``EnvironmentFile=``).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import typing as t
from dataclasses import dataclass, field

from .._files.container import find_container
from .._files.place import open_source_file
from .._postgres.process import run
from .._repository.errors import ContinuityError, InputError, SourceError

KEY = "N8N_ENCRYPTION_KEY"
#: What systems, shells and images put into every environment: nothing of n8n's.
_NOT_SETTINGS = frozenset(
    (
        *("PATH", "PWD", "OLDPWD", "HOME", "USER", "LOGNAME", "SHELL", "SHLVL", "TERM", "HOSTNAME", "LANG", "LANGUAGE"),
        *("MAIL", "_", "container", "NODE_VERSION", "YARN_VERSION", "NODE_ICU_DATA", "INVOCATION_ID", "JOURNAL_STREAM"),
        *("MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"),
        *("SYSTEMD_EXEC_PID", "MANAGERPID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "CREDENTIALS_DIRECTORY"),
        *("RUNTIME_DIRECTORY", "STATE_DIRECTORY", "CACHE_DIRECTORY", "LOGS_DIRECTORY"),
    )
)
#: What a setting can be called.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: What every reader of such files (systemd, Docker, Podman) takes for itself.
_PLAIN = re.compile(r"[^\s\"'\\#;$`](?:[^\n\r\"'\\$`]*[^\s\"'\\$`])?")
_SECRET = re.compile(r"(?:PASSWORD|PASS|SECRET|TOKEN|_KEY)$")
_LARGEST = 1 << 20

Environment = dict[str, str]


@dataclass(frozen=True)
class FoundKey:
    """An encryption key, and where it was found, in words."""

    value: str = field(repr=False)
    place: str = ""


@dataclass
class N8nSettings:
    """Settings by name, where they came from, the encryption keys among them, and the folder of n8n's user."""

    environment: Environment = field(repr=False)
    source: str
    keys: list[FoundKey] = field(repr=False)
    user_folder: str
    warnings: list[str] = field(default_factory=list)


class SettingsSource:
    """Where the settings of an n8n are to be found.

    :arg given: settings given by the user; they go before all others.
    :arg env_file: file of environment variables.
    :arg unit: systemd unit that n8n runs as.
    :arg container: container that n8n runs in, where the files named by settings are too. ``engine``: its engine.
    :arg user_folder: directory that holds ``.n8n``; by default as the settings say.
    :arg encryption_key: the key, when it is given.
    """

    def __init__(
        self,
        given: t.Mapping[str, t.Any] | None = None,
        env_file: str | None = None,
        unit: str | None = None,
        container: str | None = None,
        engine: str | None = None,
        user_folder: str | None = None,
        encryption_key: str | None = None,
    ) -> None:
        self._given = {name: str(value) for name, value in (given or {}).items()}
        self._env_file = env_file
        self._unit = unit
        self._container = container
        self._engine = engine
        self._user_folder = user_folder
        self._encryption_key = encryption_key

    def read(self) -> N8nSettings:
        """Read them; raise :class:`~.._repository.errors.InputError` or ``SourceError`` where that cannot be done."""
        everything, source = self._everything()
        home = everything.get("HOME")
        environment = {name: value for name, value in everything.items() if name not in _NOT_SETTINGS}
        warnings = self._resolve_files(environment)
        folder = self._user_folder or environment.get("N8N_USER_FOLDER") or home
        if folder is None:
            raise InputError(
                "Nothing says where the user folder of n8n is, which holds .n8n.",
                "Set user_folder, or N8N_USER_FOLDER.",
            )
        found = N8nSettings(environment, source, self._keys(environment, source, folder), folder, warnings)
        if len({key.value for key in found.keys}) > 1:
            found.warnings.append(
                f"There are different encryption keys: {', '.join(key.place for key in found.keys)}."
                " n8n does not start where its environment and its folder disagree."
            )
        return found

    def _everything(self) -> tuple[Environment, str]:
        if self._env_file is not None:
            # Named by the user, so it is on this host even when n8n is in a container.
            read, source = read_environment_file(self._env_file), self._env_file
        elif self._unit is not None:
            read, source = _unit_environment(self._unit), f"the unit {self._unit}"
        elif self._container is not None:
            pid = find_container(self._container, self._engine).pid
            read, source = _process_environment(pid), f"the container {self._container}"
        elif self._given:
            read, source = {}, "the settings given"
        else:
            raise InputError(
                "Nothing says which settings n8n runs with.", "Set env_file, unit, container or environment."
            )
        return {**read, **self._given}, source

    def _resolve_files(self, environment: Environment) -> list[str]:
        """Put the content of files in the place of ``…_FILE`` settings that name them, as n8n does."""
        warnings = []
        for name in sorted(environment):
            plain = name.removesuffix("_FILE")
            if plain == name or plain in environment or not os.path.isabs(environment[name]):
                continue
            try:
                content = _read_file(environment[name], self._container, self._engine).strip()
            except ContinuityError as error:
                warnings.append(f"The file that the setting {name} names is not in the backup: {error.message}")
                continue
            del environment[name]
            environment[plain] = content
        return warnings

    def _keys(self, environment: Environment, source: str, folder: str) -> list[FoundKey]:
        keys = [FoundKey(self._encryption_key, "encryption_key")] if self._encryption_key else []
        if environment.get(KEY):
            keys.append(FoundKey(environment[KEY], f"{KEY} of {source}"))
        path = os.path.join(folder, ".n8n", "config")
        try:
            config = json.loads(_read_file(path, self._container, self._engine))
        except ContinuityError:
            return keys  # there is none where n8n has never written one, as with a key from the environment
        except ValueError as error:
            raise SourceError(f"{path} is not the JSON that n8n writes.", "Look what it holds.") from error
        if isinstance(config, dict) and config.get("encryptionKey"):
            keys.append(FoundKey(str(config["encryptionKey"]), path))
        return keys


def _read_file(path: str, container: str | None = None, engine: str | None = None) -> str:
    place, name = open_source_file(path, container, engine)
    descriptor = place.directory.open_file(name)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SourceError(f"{path} is not a regular file.", "Name a file.")
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise SourceError(f"{path} has more than {_LARGEST} bytes: that are no settings.", "Name another file.")
    return content.decode("utf-8", "surrogateescape")


def _process_environment(pid: int) -> Environment:
    """Return what a process was started with (proc(5)): the settings that its n8n really has."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            entries = file.read().decode("utf-8", "surrogateescape").split("\0")
    except OSError as error:
        raise SourceError(
            f"The environment of n8n's process {pid} cannot be read: {error.strerror}.",
            "Run this as root (become: true).",
        ) from error
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def _unit_environment(unit: str) -> Environment:
    """Return the environment of a unit's process; of its files and lines where it does not run."""
    wanted = "LoadState,MainPID,Environment,EnvironmentFiles"
    try:
        outcome, output = run(["systemctl", "show", f"--property={wanted}", "--", unit])
    except OSError as error:
        raise SourceError(f"systemctl could not be asked for {unit}: {error.strerror}.", "Set env_file.") from error
    lines = [line.partition("=") for line in output.decode("utf-8", "surrogateescape").splitlines()]
    properties = {name: value for name, _sign, value in lines if name != "EnvironmentFiles"}
    if not outcome.succeeded or properties.get("LoadState") != "loaded":
        raise InputError(f"There is no systemd unit {unit!r} on this host.", "Correct its name, or set env_file.")
    if (pid := int(properties.get("MainPID") or 0)) > 0:
        return _process_environment(pid)
    environment = dict(word.split("=", 1) for word in shlex.split(properties.get("Environment", "")) if "=" in word)
    for name, _sign, value in lines:
        if name == "EnvironmentFiles" and value:
            path, _space, options = value.rpartition(" (")
            if "ignore_errors=yes" not in options or os.path.exists(path):
                environment.update(read_environment_file(path))
    return environment


def refuse_secrets(given: t.Iterable[str], option: str, instead: str) -> None:
    """Raise :class:`~.._repository.errors.InputError` for settings that are secrets by their name.

    :arg option: where they were given. ``instead``: where they belong.
    """
    if secret := sorted(name for name in given if _SECRET.search(name)):
        raise InputError(
            f"{', '.join(secret)}: given in {option}, which is shown and logged, but a secret by its name.",
            f"Give it in {instead}, and change it if the log is not to be trusted.",
        )


# -- files of environment variables


def read_environment_file(path: str) -> Environment:
    """Read a file of this host; raise :class:`~.._repository.errors.SourceError` where that cannot be done."""
    return parse_environment_file(_read_file(path), path)


def parse_environment_file(text: str, path: str) -> Environment:
    """Read a file as systemd does; raise :class:`~.._repository.errors.SourceError` for what is no such file."""
    environment: Environment = {}
    text = re.sub(r"(?m)^[ \t]*[#;].*$", "", text)  # before quotes are looked at: comments may hold apostrophes
    position = 0
    while (found := re.compile(r"\s*(?:export\s+)?([^\s=]+)[ \t]*=[ \t]*").match(text, position)) is not None:
        if not NAME.fullmatch(found[1]):
            raise _no_environment_file(path, text, found.start(1))
        environment[found[1]], position = _value(text, found.end())
    if text[position:].strip():
        raise _no_environment_file(path, text, position + len(text[position:]) - len(text[position:].lstrip()))
    return environment


def _no_environment_file(path: str, text: str, position: int) -> SourceError:
    line = text.count("\n", 0, position) + 1
    return SourceError(
        f"{path} is no file of environment variables: line {line} has no NAME=value.",  # its content may be a secret
        "Name the file that systemd (EnvironmentFile=) or the container engine reads.",
    )


def _value(text: str, position: int) -> tuple[str, int]:
    """Read a value to the end of its line; return it and where it ends."""
    value, kept = "", 0  # so many characters are no white space at the end, or are quoted
    quote = ""
    while position < len(text):
        character = text[position]
        position += 1
        if not quote and character == "\n":
            break
        if character == quote:
            quote = ""
            kept = len(value)
        elif not quote and character in "\"'" and not value.strip():
            quote, value = character, ""
        elif character == "\\" and quote != "'" and position < len(text):
            following = text[position]
            position += 1
            if following != "\n":
                value += following if not quote or following in '"\\`$' else character + following
            kept = len(value)
        else:
            value += character
            kept = len(value) if quote or not character.isspace() else kept
    return value[:kept], position


def write_environment(environment: t.Mapping[str, str]) -> str:
    """Return the text of a file that holds these settings."""
    return "".join(f"{name}={_quoted(value)}\n" for name, value in sorted(environment.items()))


def needs_quotes(environment: t.Mapping[str, str]) -> list[str]:
    """Return the names of settings that stand in quotes in such a file, which Docker and Podman do not take off."""
    return [name for name, value in sorted(environment.items()) if _quoted(value) != value]


def _quoted(value: str) -> str:
    if not value or _PLAIN.fullmatch(value):
        return value
    return '"' + re.sub(r'(["\\`$])', r"\\\1", value) + '"'
