# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles say what they take: meta/argument_specs.yml equals defaults/main.yml, and every role has its papers."""

from __future__ import annotations

import typing as t
from pathlib import PurePath

import pytest
import yaml

from .checkout import CHECKOUT, source_files

_ROLES = sorted({PurePath(name).parts[1] for name in source_files("roles/*/**")})
Values = dict[str, t.Any]


def _load(role: str, name: str) -> Values:
    path = CHECKOUT / "roles" / role / name
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def differences(role: str, specification: Values, defaults: Values) -> list[str]:
    """How a role's argument specification (all entry points together) and its defaults disagree."""
    options: Values = {}
    found = []
    for entry_point in specification.get("argument_specs", {}).values():
        for name, option in entry_point.get("options", {}).items():
            if options.setdefault(name, option).get("default") != option.get("default"):
                found.append(f"{name} has different defaults at different entry points")
    for name in sorted(options.keys() | defaults.keys()):
        if not name.startswith(f"{role}_"):
            found.append(f"{name} does not begin with {role}_")
        if name not in options:
            found.append(f"{name} is in defaults/main.yml, and not in meta/argument_specs.yml")
        elif "default" in options[name] and name not in defaults:
            found.append(f"{name} has a default in meta/argument_specs.yml, and none in defaults/main.yml")
        elif name in defaults and "default" not in options[name]:
            found.append(f"{name} has a default in defaults/main.yml, and none in meta/argument_specs.yml")
        elif name in defaults and not _same(defaults[name], options[name]["default"]):
            found.append(f"{name} is {defaults[name]!r} in one and {options[name]['default']!r} in the other")
        if name in options and options[name].get("required") and "default" in options[name]:
            found.append(f"{name} is required, and yet has a default")
    return found


def _same(one: t.Any, other: t.Any) -> bool:
    """Equal in value and in type: 1, true and 1.0 are not the same default."""
    return repr(one) == repr(other)


@pytest.mark.parametrize(
    ("options", "defaults", "found"),
    [
        ({"web_port": {"default": 80}}, {"web_port": 80}, []),
        ({"web_name": {"required": True}, "web_note": {}}, {}, []),
        ({"web_port": {"default": 80}}, {"web_port": 81}, ["web_port is 81 in one and 80 in the other"]),
        ({"web_on": {"default": True}}, {"web_on": 1}, ["web_on is 1 in one and True in the other"]),
        ({}, {"web_port": 80}, ["web_port is in defaults/main.yml, and not in meta/argument_specs.yml"]),
        (
            {"web_port": {"default": 80}},
            {},
            ["web_port has a default in meta/argument_specs.yml, and none in defaults/main.yml"],
        ),
        (
            {"web_port": {}},
            {"web_port": 80},
            ["web_port has a default in defaults/main.yml, and none in meta/argument_specs.yml"],
        ),
        ({"port": {}}, {}, ["port does not begin with web_"]),
        (
            {"web_port": {"required": True, "default": 1}},
            {"web_port": 1},
            ["web_port is required, and yet has a default"],
        ),
    ],
)
def test_the_check_itself(options, defaults, found):
    assert differences("web", {"argument_specs": {"main": {"options": options}}}, defaults) == found


@pytest.mark.parametrize("role", _ROLES)
def test_arguments_equal_defaults(role):
    assert differences(role, _load(role, "meta/argument_specs.yml"), _load(role, "defaults/main.yml")) == []


@pytest.mark.parametrize("role", _ROLES)
def test_every_entry_point_is_specified(role):
    tasks = (CHECKOUT / "roles" / role / "tasks").glob("*.yml")
    entry_points = _load(role, "meta/argument_specs.yml").get("argument_specs", {})
    assert set(entry_points) <= {path.stem for path in tasks}
    assert "main" in entry_points or not (CHECKOUT / "roles" / role / "tasks/main.yml").exists()


@pytest.mark.parametrize("role", _ROLES)
def test_every_role_has_its_papers(role):
    wanted = {"README.md", "meta/main.yml", "meta/argument_specs.yml"}
    assert {name for name in wanted if not (CHECKOUT / "roles" / role / name).exists()} == set()
