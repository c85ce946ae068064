# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes that a plan is made of: each reads one value, notes what is wrong with it, and fills in defaults.

A shape is called with a value, the path of its place and the faults found so far. It returns the value as the rest of
the program wants it, or None after it has noted a fault, so that one fault hides no other.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import typing as t
from dataclasses import dataclass

from .._repository.errors import InputError
from .._status.text import moment, utc
from .fault import Faults
from .secrecy import holds_secret, names_secret

Shape = t.Callable[[t.Any, str, Faults], t.Any]

#: What a generated plan holds where people must decide.
DECIDE = "DECIDE"
REQUIRED: t.Any = object()

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+", re.ASCII)
_LABELS = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}\.)*[A-Za-z0-9_-]{1,63}\.?", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)


@dataclass(frozen=True)
class Field:
    """One key of a record: what its value is, and what it is when it is left out."""

    shape: Shape
    default: t.Any = REQUIRED


def duration_seconds(text: t.Any) -> int:
    """Read a length of time such as ``4h``, ``15m``, ``90s`` or ``1h30m``; a bare number counts seconds.

    Raises :class:`ValueError` for anything else. Returns whole seconds.
    """
    if isinstance(text, bool) or not isinstance(text, (int, float, str)):
        raise ValueError("not a length of time")
    if not isinstance(text, str) or text.strip().isdecimal():
        return int(text)
    compact = text.replace(" ", "")
    if not _DURATION.fullmatch(compact):
        raise ValueError("not a length of time")
    return int(sum(float(part[:-1]) * _UNITS[part[-1]] for part in re.findall(r"[\d.]+[smhd]", compact)))


def nearest(name: str, known: t.Iterable[str]) -> str:
    """Return a sentence that names the nearest known name, or all of them when none is near."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 1, 0.5)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Known are {', '.join(names)}." if names else "There is none at all."


def text(what: str, example: str, pattern: str = r"[^\x00-\x1f\x7f]+") -> Shape:
    """Read a text that matches a pattern; ``what`` and ``example`` are for people."""
    compiled = re.compile(pattern)

    def read(value: t.Any, path: str, faults: Faults) -> str | None:
        if not isinstance(value, str):
            faults.add(path, value, f"It is not a text: {what} is wanted.", f"Write for example {example}.")
        elif value.startswith(DECIDE):
            faults.add(path, value, "It is not decided yet.", f"Write {what}, for example {example}.")
        elif holds_secret(value):
            _refuse_secret(path, value, faults)
        elif not compiled.fullmatch(value):
            faults.add(path, value, f"It cannot be {what}.", f"Write for example {example}.")
        else:
            return value
        return None

    return read


def _refuse_secret(path: str, value: t.Any, faults: Faults) -> None:
    faults.add_secret(
        path,
        value,
        "It looks like a secret, and the plan is stored and printed.",
        "Put it into a variable, such as one of Ansible Vault, and write that variable's name under secrets.",
    )


name = text("a name", "shop", r"[a-z0-9][a-z0-9_-]{0,39}")


def choice(*options: str) -> Shape:
    """Read one of some words."""

    def read(value: t.Any, path: str, faults: Faults) -> str | None:
        if isinstance(value, str) and value in options:
            return value
        if isinstance(value, str) and value.startswith(DECIDE):
            faults.add(path, value, "It is not decided yet.", f"Write {_either(options)}.")
        else:
            faults.add(path, value, "It is none of the possible values.", f"Write {_either(options)}.")
        return None

    return read


def _either(options: t.Sequence[str]) -> str:
    return options[0] if len(options) == 1 else f"{', '.join(options[:-1])} or {options[-1]}"


def whole(lowest: int, highest: int) -> Shape:
    """Read a whole number within limits; digits in quotes count as one."""

    def read(value: t.Any, path: str, faults: Faults) -> int | None:
        number = int(value) if isinstance(value, str) and value.isdecimal() else value
        if isinstance(number, int) and not isinstance(number, bool) and lowest <= number <= highest:
            return number
        faults.add(path, value, "It is no number that can stand here.", f"Write a number from {lowest} to {highest}.")
        return None

    return read


def flag(value: t.Any, path: str, faults: Faults) -> bool | None:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    faults.add(path, value, "It is neither true nor false.", "Write true or false, without quotes.")
    return None


def duration(value: t.Any, path: str, faults: Faults) -> int | None:
    """Read a length of time; returns seconds."""
    try:
        seconds = duration_seconds(value)
    except ValueError:
        seconds = 0
    if seconds > 0:
        return seconds
    faults.add(path, value, "It is no length of time.", "Write for example 4h, 15m, 90s or 1h30m.")
    return None


def point_in_time(value: t.Any, path: str, faults: Faults) -> str | None:
    """Read a moment; returns it in UTC."""
    try:
        return utc(moment(str(value)))
    except InputError as error:
        faults.add(path, value, "It is no moment with a time zone.", error.next_step)
        return None


def address(value: t.Any, path: str, faults: Faults) -> str | None:
    """Read an IP address or a name in the DNS."""
    if isinstance(value, str) and value.startswith(DECIDE):
        faults.add(path, value, "It is not decided yet.", "Write an address, for example 192.0.2.10.")
        return None
    if isinstance(value, str) and (is_ip(value) or (_LABELS.fullmatch(value) and not _looks_numeric(value))):
        return value
    faults.add(
        path, value, "It is neither an IP address nor a name.", "Write for example 192.0.2.10 or db.example.com."
    )
    return None


def is_ip(value: str, version: int | None = None) -> bool:
    """Tell whether a text is an IP address (of a version)."""
    try:
        return version in (None, ipaddress.ip_address(value).version)
    except ValueError:
        return False


def _looks_numeric(value: str) -> bool:
    """Tell whether a text is digits and dots only: a mistyped IP address, and no name."""
    return not value.strip("0123456789.")


def secret_name(value: t.Any, path: str, faults: Faults) -> str | None:
    """Read the name of the variable that holds a secret; a secret itself is refused and not repeated."""
    if isinstance(value, str) and value.startswith(DECIDE):
        faults.add(
            path, value, "It is not decided yet.", "Write the name of a variable, for example vault_shop_password."
        )
    elif isinstance(value, str) and _VARIABLE.fullmatch(value):
        return value
    else:
        faults.add_secret(
            path,
            value,
            "It is no name of a variable, so it may be the secret itself.",
            "Write the name of the variable that holds the secret, for example vault_shop_password.",
        )
    return None


def setting(value: t.Any, path: str, faults: Faults) -> t.Any:
    """Read any JSON value that holds no secret; what it means is for the role that it is handed to."""
    if isinstance(value, dict):
        return {str(key): _kept(str(key), entry, f"{path}.{key}", faults) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [setting(entry, f"{path}[{number}]", faults) for number, entry in enumerate(value)]
    if isinstance(value, str) and value.startswith(DECIDE):
        faults.add(path, value, "It is not decided yet.", "Write the value, or leave the line out.")
        return None
    if holds_secret(value):
        _refuse_secret(path, value, faults)
        return None
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    faults.add(path, value, "It is no plain value.", "Write a text, a number, true or false, a list or a dictionary.")
    return None


def _kept(key: str, value: t.Any, path: str, faults: Faults) -> t.Any:
    if names_secret(key) and isinstance(value, str) and value and not value.startswith(DECIDE):
        _refuse_secret(path, value, faults)
        return None
    return setting(value, path, faults)


def settings(value: t.Any, path: str, faults: Faults) -> dict[str, t.Any]:
    """Read a dictionary of :func:`setting`."""
    if isinstance(value, dict):
        return t.cast("dict[str, t.Any]", setting(value, path, faults))
    faults.add(path, value, "It is not a dictionary.", "Write lines of the form name: value.")
    return {}


def variable_value(value: t.Any, path: str, faults: Faults) -> str | None:
    """Read the value of an environment variable: a text without secrets; numbers and booleans become one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if not isinstance(value, str):
        faults.add(path, value, "It is no value of an environment variable.", "Write a text, a number, true or false.")
        return None
    kept = _kept(path.rpartition(".")[2], value, path, faults)
    return kept if isinstance(kept, str) else None


def list_of(shape: Shape) -> Shape:
    """Read a list; faulty entries become None, so that the others keep their places."""

    def read(value: t.Any, path: str, faults: Faults) -> list[t.Any]:
        if not isinstance(value, (list, tuple)):
            faults.add(path, value, "It is not a list.", "Write a list, one entry a line, each after a dash.")
            return []
        return [shape(entry, f"{path}[{number}]", faults) for number, entry in enumerate(value)]

    return read


def map_of(shape: Shape, key: str = r".+") -> Shape:
    """Read a dictionary the keys of which are names that the plan chooses."""
    compiled = re.compile(key)

    def read(value: t.Any, path: str, faults: Faults) -> dict[str, t.Any]:
        if not isinstance(value, dict):
            faults.add(path, value, "It is not a dictionary.", "Write lines of the form name: value.")
            return {}
        found = {}
        for entry, content in value.items():
            if compiled.fullmatch(str(entry)):
                found[str(entry)] = shape(content, f"{path}.{entry}", faults)
            else:
                faults.add(f"{path}.{entry}", None, "That name cannot stand here.", f"It must match {key}.")
        return found

    return read


def record(fields: t.Mapping[str, Field], short: str = "") -> Shape:
    """Read a dictionary with known keys, and fill in defaults.

    :arg short: the key that a bare value, which is no dictionary, is taken for.
    """

    def read(value: t.Any, path: str, faults: Faults) -> dict[str, t.Any] | None:
        if short and isinstance(value, (str, int)) and not isinstance(value, bool):
            value = {short: value}
        if not isinstance(value, dict):
            faults.add(path, value, "It is not a dictionary.", f"Write it with the keys {', '.join(fields)}.")
            return None
        return _read_fields(fields, value, path, faults)

    return read


def _read_fields(
    fields: t.Mapping[str, Field], value: t.Mapping[t.Any, t.Any], path: str, faults: Faults
) -> dict[str, t.Any]:
    def place(key: t.Any) -> str:
        return f"{path}.{key}" if path else str(key)

    for key in value:
        if key not in fields:
            faults.add(place(key), None, "There is no such key.", nearest(str(key), fields))
    found: dict[str, t.Any] = {}
    for key, entry in fields.items():
        given = value.get(key)
        if given is None and entry.default is REQUIRED:
            faults.add(place(key), None, "It is missing.", f"Add {key}; docs/disaster-recovery.md says what it is.")
            found[key] = None
        elif given is None and entry.default is None:
            found[key] = None
        else:
            found[key] = entry.shape(entry.default if given is None else given, place(key), faults)
    return found
