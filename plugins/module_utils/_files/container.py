# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in a running container, with nothing installed inside it.

Root on the host sees a container's whole file system, volumes included, below ``/proc/<pid>/root`` of the container's
first process (proc(5)). What a symbolic link in it says is meant inside the container, so paths are resolved here,
component by component, and never by the host's kernel on its own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass

from .._repository.errors import DependencyError, InputError, SourceError
from .directory import Directory
from .owners import IdMap, OwnerDomain, parse_accounts

ENGINES = ("podman", "docker")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_MOST_LINKS = 40
_MOST_ACCOUNTS = 16 << 20
_PATIENCE = 60.0


@dataclass(frozen=True)
class Container:
    """A running container, and the number its first process has on the host."""

    name: str
    engine: str
    pid: int


def find_container(name: str, engine: str | None = None) -> Container:
    """Find a running container by name or id.

    :arg engine: ``podman`` or ``docker``; by default whichever of the two has it.

    Raises :class:`~.._repository.errors.InputError` when there is none of that name or when both engines have one,
    :class:`~.._repository.errors.SourceError` when it does not run, and
    :class:`~.._repository.errors.DependencyError` when no engine is installed.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is not the name of a container.", "Give a name as `podman ps` shows it.")
    engines = [one for one in ([engine] if engine else ENGINES) if shutil.which(one)]
    if not engines:
        raise DependencyError(
            f"There is no {engine or ' and no '.join(ENGINES)} on this host.",
            "Name the host that the container runs on, or install the program there.",
        )
    found = {one: state for one in engines if (state := _inspect(one, name, len(engines) == 1)) is not None}
    if not found:
        raise InputError(
            f"There is no container {name!r} ({' or '.join(engines)}).",
            "Look at `podman ps --all` or `docker ps --all` as the user that runs this.",
        )
    if len(found) > 1:
        raise InputError(f"Both podman and docker have a container {name!r}.", "Say which engine is meant.")
    ((chosen, pid),) = found.items()
    if pid <= 0:
        raise SourceError(
            f"The container {name!r} does not run.",
            "Start it, or name its volume's directory on the host instead of the container.",
        )
    return Container(name, chosen, pid)


def _inspect(engine: str, name: str, only: bool) -> int | None:
    """Return the process id of a container's first process, 0 when it does not run, None when there is none.

    :arg only: there is no other engine, so this one has to answer.
    """
    command = [engine, "container", "inspect", "--format", "{{.State.Pid}}", "--", name]
    try:
        # The only process this package starts, and one that says one line: no streaming, no Ansible here.
        answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceError(f"{engine} could not be asked for the container {name!r}: {error}.", "See to it.") from error
    if answer.returncode == 0:
        return int(answer.stdout.strip() or 0)
    said = answer.stderr.decode("utf-8", "replace").strip()
    if "no such container" in said.lower() or "no container with name" in said.lower():
        return None
    if "Cannot connect to the Docker daemon" in said and not only:
        return None  # its client is installed, but nobody uses it
    raise SourceError(f"{engine} could not be asked for the container {name!r}: {said[-500:]}", "See to it.")


def open_root(container: Container) -> Directory:
    """Open the root directory of a container; raise :class:`~.._repository.errors.SourceError` without the right to."""
    try:
        root = Directory(os.open(f"/proc/{container.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
    except PermissionError as error:
        raise SourceError(
            f"The files of the container {container.name!r} cannot be reached: {error.strerror}.",
            "Run this as root on the host (become: true).",
        ) from error
    except OSError as error:
        raise SourceError(f"The container {container.name!r} has just stopped.", "Start it again.") from error
    # Process numbers are used again: look whether this one still was the container's when its root was opened.
    if find_container(container.name, container.engine).pid != container.pid:
        raise SourceError(f"The container {container.name!r} was restarted meanwhile.", "Try again.")
    return root


def owner_domain(container: Container, root: Directory) -> OwnerDomain:
    """Return whom numbers stand for in a container: its own accounts, and its user namespace's mapping."""
    users, groups = (_read_accounts(root, path) for path in ("/etc/passwd", "/etc/group"))
    maps = []
    for kind in ("uid_map", "gid_map"):
        with open(f"/proc/{container.pid}/{kind}", encoding="ascii") as file:
            maps.append(IdMap.parse(file.read()))
    return OwnerDomain(parse_accounts(users), parse_accounts(groups), *maps)


def _read_accounts(root: Directory, path: str) -> str:
    """Return a container's account file; nothing where it has none, as in images built from scratch."""
    with contextlib.suppress(OSError):
        directory, name = resolve_inside(root, path)
        fd = directory.open_file(name)
        with open(fd, "rb") as file:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                return file.read(_MOST_ACCOUNTS).decode("utf-8", "replace")
    return ""


def resolve_inside(root: Directory, path: str) -> tuple[Directory, bytes]:
    """Follow a path inside ``root`` as if that were the root directory; return where it ends: directory and name.

    The last component is followed too, and the name returned is no symbolic link. For a directory it is ``.``,
    and the directory returned is that one, open for going on only. Raises :class:`OSError` when the path leads nowhere.
    """
    left = os.fsencode(path).split(b"/")[::-1]
    walked = [root]
    links = 0
    while left:
        name = left.pop()
        if name in (b"", b"."):
            continue
        if name == b"..":
            walked = walked[:-1] or [root]  # the root is its own parent
            continue
        status = os.stat(name, dir_fd=walked[-1].fd, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = os.readlink(name, dir_fd=walked[-1].fd)
            walked = [root] if target.startswith(b"/") else walked
            left += target.split(b"/")[::-1]
        elif stat.S_ISDIR(status.st_mode) or any(left):
            walked.append(walked[-1].enter(name))
        else:
            return walked[-1], name
    return walked[-1], b"."
