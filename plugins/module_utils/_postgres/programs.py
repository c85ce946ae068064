# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding PostgreSQL's client programs, and running them against one server, on this host or in its container."""

from __future__ import annotations

import functools
import glob
import os
import re
import secrets
import shutil
import typing as t
from dataclasses import dataclass

from .._repository.errors import DependencyError, InputError
from .connection import Connection
from .process import Child, run

#: Where distributions keep the programs of several versions side by side: Debian and Ubuntu; Red Hat and SUSE.
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/lib/postgresql*/bin")
#: Prints path and version of every program of one name in a container. ``/usr/bin/psql`` of Debian is a wrapper
#: that chooses a version by itself, so it comes last.
_SEARCH_IN_CONTAINER = """
for p in {patterns} "$(command -v {name})"; do
  [ -n "$p" ] && [ -x "$p" ] && v=$("$p" --version 2>/dev/null) && echo "$p|$v"
done; exit 0
"""

#: Reads a list of so many bytes from standard input, then runs pg_restore with that and the rest as descriptor 4.
_LIST_THEN_ARCHIVE = 'list=$(head -c "$1"); shift; exec 4<&0; printf "%s\\n" "$list" | "$@"'


@dataclass(frozen=True)
class Program:
    """A client program that was found. ``version`` is PostgreSQL's, for example "15.18"."""

    name: str
    path: str
    version: str

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor version as numbers; a beta's minor version is 0."""
        numbers = re.match(r"(\d+)(?:\.(\d+))?", self.version)
        if numbers is None:
            return 0, 0
        return int(numbers[1]), int(numbers[2] or 0)

    @property
    def major(self) -> int:
        """The major version, for example 15."""
        return self.release[0]


def _version_in(output: str) -> str | None:
    found = re.search(r"\(PostgreSQL\) (\S+)", output)
    return found[1] if found else None


class Client:
    """Runs client programs against the server that a :class:`~.connection.Connection` describes.

    Programs on this host get a clean environment: no ``PG*`` variable of the caller's points them elsewhere.
    """

    def __init__(self, connection: Connection) -> None:
        connection.check()
        self.connection = connection
        self._user = connection.os_user()
        self._found: dict[str, list[Program]] = {}
        #: What our connections call themselves in ``pg_stat_activity``; no other client's do.
        self.application = f"dfr.continuity {secrets.token_hex(4)}"

    # -- where the programs are -------------------------------------------------------------------------------

    @functools.cached_property
    def engine(self) -> str:
        """Path of the container engine; raises :class:`~.._repository.errors.InputError` when none has it."""
        container = t.cast("str", self.connection.container)
        wanted = [self.connection.engine] if self.connection.engine else ["podman", "docker"]
        found = {name: path for name in wanted if (path := shutil.which(name))}
        if not found:
            raise DependencyError(
                f"There is no {' and no '.join(wanted)} on this host, and {self.connection.place} needs one.",
                "Install it, or correct the setting container.",
            )
        said = []
        for name, path in found.items():
            outcome, output = run([path, "container", "inspect", "--format", "{{.State.Running}}", container])
            if outcome.succeeded and output.strip() == b"true":
                return path
            said.append(f"{name}: {'it is not running' if outcome.succeeded else outcome.stderr}")
        raise InputError(
            f"The container {container!r} is not running here ({'; '.join(said)}).",
            "Start it, or correct the setting container; containers of another user's engine are not seen.",
        )

    def _programs(self, name: str) -> list[Program]:
        """Return all programs of this name, newest first; what was found is remembered."""
        if name not in self._found:
            found = self._in_container(name) if self.connection.container is not None else self._on_host(name)
            programs = [Program(name, path, version) for path, version in found]
            self._found[name] = sorted(programs, key=lambda program: program.release, reverse=True)
        return self._found[name]

    def _on_host(self, name: str) -> t.Iterator[tuple[str, str]]:
        if self.connection.programs is not None:
            paths = [os.path.join(self.connection.programs, name)]
        else:
            paths = [path for place in _PLACES for path in glob.glob(os.path.join(place, name))]
            if not paths and (path := shutil.which(name)):
                paths = [path]
        for path in paths:
            if os.access(path, os.X_OK):
                _outcome, output = run(
                    [path, "--version"], environment={"LC_ALL": "C", "PATH": os.environ.get("PATH", "")}
                )
                if version := _version_in(output.decode("utf-8", "replace")):
                    yield path, version

    def _in_container(self, name: str) -> t.Iterator[tuple[str, str]]:
        if self.connection.programs is not None:
            patterns = "'" + os.path.join(self.connection.programs, name).replace("'", "'\\''") + "'"
        else:
            patterns = " ".join(f"{place}/{name}" for place in _PLACES)
        script = _SEARCH_IN_CONTAINER.format(patterns=patterns, name=name)
        outcome, output = run([*self._exec(), "sh", "-c", script], name=os.path.basename(self.engine))
        if not outcome.succeeded:
            raise InputError(
                f"No command can be run in container {self.connection.container}: {outcome.stderr}.",
                "Look whether it is the container that PostgreSQL runs in; its image needs a shell.",
            )
        for line in output.decode("utf-8", "replace").splitlines():
            path, _bar, said = line.partition("|")
            if version := _version_in(said):
                yield path, version

    def newest(self, name: str) -> Program:
        """Return the newest program of this name."""
        programs = self._programs(name)
        if not programs:
            raise self._missing(name, "no such program was found", None)
        return programs[0]

    def suitable(self, name: str, server: int, also: int = 0) -> Program:
        """Return the program of the lowest major version that is not below ``server`` nor ``also``.

        Lowest, because a dump made by a newer ``pg_dump`` than the server's version cannot be read by the
        ``pg_restore`` of that version, so that it could not go back where it came from.

        :arg server: the server's major version.
        :arg also: another version not to be older than, such as the one that wrote the dump.
        """
        wanted = max(server, also)
        fitting = [program for program in self._programs(name) if program.major >= wanted]
        if not fitting:
            reason = f"the server has version {server}" + (f", the dump was made by {also}" if also > server else "")
            raise self._missing(name, reason, wanted)
        lowest = min(program.major for program in fitting)
        return next(program for program in fitting if program.major == lowest)

    def _missing(self, name: str, reason: str, wanted: int | None) -> DependencyError:
        present = ", ".join(f"{program.version} ({program.path})" for program in self._programs(name)) or "none"
        where = f"in container {self.connection.container}" if self.connection.container else "on this host"
        package = "postgresql-client" if wanted is None else f"postgresql-client-{wanted}"
        return DependencyError(
            f"There is no suitable {name} {where}: {reason}; found: {present}.",
            f"Install {package} (Debian, Ubuntu) or name the directory with the setting programs."
            if self.connection.container is None
            else "Use an image that has its own client programs, or name their directory with the setting programs.",
        )

    # -- running them -----------------------------------------------------------------------------------------

    @property
    def asks_for_password(self) -> bool:
        """Tell whether a program must read its password from standard input, before anything else.

        So it is in a container, where we can open no descriptor for it, and no environment or file may hold it.
        """
        return self.connection.container is not None and self.connection.password is not None

    def conninfo(self, database: str, **extra: str) -> str:
        """Return the connection string for one database, without the password."""
        return self.connection.conninfo(database, application_name=self.application, **extra)

    def _exec(self) -> list[str]:
        user = ["--user", self.connection.run_as] if self.connection.run_as else []
        return [self.engine, "exec", "-i", "--env", "LC_ALL=C", *user, t.cast("str", self.connection.container)]

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        if self._user is not None:
            kept.update(HOME=self._user.home, USER=self._user.name, LOGNAME=self._user.name)
        return {**kept, "LC_ALL": "C"}

    def offline(
        self, program: Program, arguments: t.Sequence[str], *, stdin: bool = False, listing: bytes | None = None
    ) -> Child:
        """Start a program that connects to no server."""
        return self._spawn(program, arguments, stdin=stdin, listing=listing)

    def start(
        self,
        program: Program,
        arguments: t.Sequence[str],
        conninfo: str,
        *,
        stdin: bool = False,
        stdout: bool = True,
        open_files: t.Sequence[int] = (),
        listing: bytes | None = None,
        archive: str | None = None,
    ) -> Child:
        """Start a program that connects to the server with this connection string.

        :arg listing: for ``pg_restore``: the table of contents of what is to be restored.
        :arg archive: for ``pg_restore``: the file to read instead of standard input.
        """
        login = [f"--dbname={conninfo}", "--password" if self.asks_for_password else "--no-password"]
        child = self._spawn(
            program,
            [*login, *arguments, *([archive] if archive else [])],
            stdin=stdin or self.asks_for_password,
            stdout=stdout,
            open_files=open_files,
            listing=listing,
            password=self._password_file(),
        )
        if self.asks_for_password:
            child.write(f"{self.connection.password}\n".encode())
            if not stdin:
                child.end_input()
        return child

    def _spawn(
        self,
        program: Program,
        words: t.Sequence[str],
        *,
        stdin: bool,
        stdout: bool = True,
        open_files: t.Sequence[int] = (),
        listing: bytes | None = None,
        password: int | None = None,
    ) -> Child:
        if self.connection.container is not None:
            return self._spawn_in_container(program, words, stdin=stdin, stdout=stdout, listing=listing)
        environment, passed = self._environment(), [*open_files]
        own = [] if password is None else [password]
        if password is not None:
            environment["PGPASSFILE"] = f"/proc/self/fd/{password}"
        if listing is not None:
            own.append(self.memory_file(listing))
            words = [f"--use-list=/proc/self/fd/{own[-1]}", *words]
        try:
            return Child(
                [program.path, *words],
                name=program.name,
                stdin=stdin,
                stdout=stdout,
                environment=environment,
                user=self._user,
                open_files=[*passed, *own],
            )
        finally:
            for descriptor in own:
                os.close(descriptor)

    def _spawn_in_container(
        self, program: Program, words: t.Sequence[str], *, stdin: bool, stdout: bool, listing: bytes | None
    ) -> Child:
        command = [program.path, *words]
        if listing is not None:
            # No descriptor of ours reaches a container: the list comes first on standard input, then the dump.
            command = [program.path, "--use-list=/dev/stdin", *words, "/dev/fd/4"]
            command = ["sh", "-c", _LIST_THEN_ARCHIVE, "sh", str(len(listing)), *command]
        child = Child([*self._exec(), *command], name=program.name, stdin=stdin, stdout=stdout)
        if listing is not None:
            child.write(listing)
        return child

    def free_space_in_container(self, directory: str) -> int | None:
        """Return the free bytes of the file system that holds a directory of the container; None when it won't say."""
        outcome, output = run([*self._exec(), "df", "-P", "-k", directory], name="df")
        fields = output.decode("utf-8", "replace").splitlines()[-1:]
        words = fields[0].split() if outcome.succeeded and fields else []
        return int(words[3]) * 1024 if len(words) > 4 and words[3].isdigit() else None

    def _password_file(self) -> int | None:
        """Return a descriptor of a password file that exists in memory alone; None where none is of use."""
        if self.connection.password is None or self.connection.container is not None:
            return None
        return self.memory_file(self.connection.password_line())

    def memory_file(self, content: bytes) -> int:
        """Return a descriptor of an unnamed file in memory that only the programs' user can read."""
        descriptor = os.memfd_create("continuity")
        self.hand_over(descriptor)
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        return descriptor

    def hand_over(self, descriptor: int) -> None:
        """Let the user that programs run as, and nobody else, open this file anew by its ``/proc/self/fd`` name."""
        os.fchmod(descriptor, 0o600)
        if self._user is not None:
            os.fchown(descriptor, self._user.uid, -1)
