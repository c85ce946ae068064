# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extended attributes, POSIX ACLs and capabilities among them (xattr(7), acl(5))."""

from __future__ import annotations

import errno
import functools
import os
import typing as t

DEFAULT_ACL = b"system.posix_acl_default"
ACCESS_ACL = b"system.posix_acl_access"
#: What a restore can bring back elsewhere. Labels of security modules belong to the machine (restorecon(8) sets them),
#: and ``trusted.overlay.*`` to the layers of one container.
_OURS = (b"user.", b"trusted.", b"security.capability", ACCESS_ACL, DEFAULT_ACL)
_NOT_OURS = (b"trusted.overlay.", b"user.overlay.")
_UNSUPPORTED = (errno.ENOTSUP, errno.ENOSYS, errno.EPERM, errno.ENODATA)

Attributes = tuple[tuple[bytes, bytes], ...]


def read_xattrs(place: int | bytes, *, follow: bool = False) -> Attributes:
    """Return the attributes of an open file, or of what a path names, sorted by name.

    :arg follow: follow a path that is a symbolic link.

    Raises :class:`OSError` when they exist and cannot be read.
    """
    follow = follow or isinstance(place, int)
    try:
        names = os.listxattr(place, follow_symlinks=follow)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return ()
        raise
    found = []
    for name in sorted(map(os.fsencode, names)):
        if not name.startswith(_OURS) or name.startswith(_NOT_OURS):
            continue
        try:
            found.append((name, os.getxattr(place, name, follow_symlinks=follow)))
        except OSError as error:
            # Removed since they were listed: the time of change tells the caller.
            if error.errno not in _UNSUPPORTED:
                raise
    return tuple(found)


def write_xattrs(place: int | bytes, wanted: Attributes, *, follow: bool) -> list[str]:
    """Give a file exactly these attributes; return a reason for each one that it could not be given or rid of."""
    follow = follow or isinstance(place, int)
    present = dict(read_xattrs(place, follow=follow))
    reasons = []
    for name in sorted(present.keys() - {name for name, _value in wanted}):
        reasons += _try(name, functools.partial(os.removexattr, place, name, follow_symlinks=follow))
    for name, value in wanted:
        if present.get(name) != value:
            reasons += _try(name, functools.partial(os.setxattr, place, name, value, follow_symlinks=follow))
    return reasons


def _try(name: bytes, action: t.Callable[[], None]) -> list[str]:
    try:
        action()
    except OSError as error:
        return [f"{name.decode('utf-8', 'backslashreplace')}: {error.strerror}"]
    return []
