# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process works on a run, and whether it still lives.

The modules come and go with every task; what stands for the run is the ``ansible-playbook`` above them.
"""

from __future__ import annotations

import os
import socket
import typing as t

_PLAYBOOK = "ansible-playbook"
_BOOT = "/proc/sys/kernel/random/boot_id"
_NAMESPACE = "/proc/self/ns/pid"
#: Position of the start time among what follows the program's name in /proc/<pid>/stat; see proc(5).
_PARENT, _STARTED = 1, 19


def this_worker(pid: int | None = None) -> dict[str, t.Any]:
    """Describe the process that works on a run: ``pid``, or the ansible-playbook above this process if there is one."""
    chosen = pid or _playbook()
    return {
        "host": socket.gethostname(),
        "boot": _read(_BOOT).strip(),
        "namespace": _namespace(),
        "pid": chosen,
        "started": _status(chosen)[_STARTED] if chosen and _status(chosen) else None,
    }


def lives(worker: t.Mapping[str, t.Any]) -> bool | None:
    """Tell whether a process that was described before still runs; None when that cannot be told from here.

    A pid that another process has by now is not mistaken for it: the start times differ.
    """
    if not worker.get("pid") or worker.get("host") != socket.gethostname():
        return None
    if worker.get("boot") != _read(_BOOT).strip():
        return False
    if worker.get("namespace") != _namespace():
        return None
    status = _status(worker["pid"])
    # A zombie has ended: only its parent has not looked yet.
    return bool(status) and status[_STARTED] == worker.get("started") and status[0] not in "ZX"


def is_same(one: t.Mapping[str, t.Any], other: t.Mapping[str, t.Any]) -> bool:
    """Tell whether two descriptions are of one process."""
    keys = ("host", "boot", "namespace", "pid", "started")
    return bool(one.get("pid")) and all(one.get(key) == other.get(key) for key in keys)


def _playbook() -> int | None:
    """Return the outermost ansible-playbook above this process: the inner ones are its workers, and end with a task."""
    found = None
    pid = os.getppid()
    while pid > 1:
        words = _read(f"/proc/{pid}/cmdline").split("\0")
        if any(os.path.basename(word) == _PLAYBOOK for word in words[:3]):
            found = pid
        status = _status(pid)
        pid = int(status[_PARENT]) if status else 0
    return found


def _status(pid: int) -> list[str]:
    """Return what follows the name in /proc/<pid>/stat (the name may hold anything), or nothing."""
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def _namespace() -> str:
    try:
        return os.readlink(_NAMESPACE)
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
