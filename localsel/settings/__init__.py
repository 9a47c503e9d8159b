"""Flags, environment and TOML files → one `Settings`, built once and handed down.

sources ─values→ checked values ─options→ Settings

A part is imported when it is first asked for: the TUI draws its first frame without them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localsel.settings.options import (
        FILES,
        OUTSIDE_FINGERPRINT,
        YOUNGER,
        Display,
        Settings,
        describe,
        fields,
        flag_of,
        hints,
    )
    from localsel.settings.places import (
        api_key,
        default_workspace,
        home,
        model_folders,
        resource,
        user_file,
    )
    from localsel.settings.shapes import schema
    from localsel.settings.sources import gather, known, read_environment, read_file
    from localsel.settings.values import Sourced, as_read, build, check, expected

__all__ = [
    "FILES",
    "METHODS_OWN",
    "OUTSIDE_FINGERPRINT",
    "YOUNGER",
    "Display",
    "Settings",
    "Sourced",
    "api_key",
    "as_read",
    "build",
    "check",
    "default_workspace",
    "describe",
    "expected",
    "fields",
    "flag_of",
    "gather",
    "hints",
    "home",
    "known",
    "model_folders",
    "read_environment",
    "read_file",
    "resource",
    "schema",
    "user_file",
]

_PLACES = {
    "options": "FILES METHODS_OWN OUTSIDE_FINGERPRINT YOUNGER"
    " Display Settings describe fields flag_of hints",
    "places": "api_key default_workspace home model_folders resource user_file",
    "shapes": "schema",
    "sources": "gather known read_environment read_file",
    "values": "Sourced as_read build check expected",
}
_MODULES = {name: module for module, names in _PLACES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'localsel.settings' has no attribute {name!r}")
    return getattr(import_module(f"localsel.settings.{_MODULES[name]}"), name)
