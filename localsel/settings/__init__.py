"""Flags, environment and TOML files → one `Settings`, built once and handed down.

sources ─values→ checked values ─options→ Settings
"""

from __future__ import annotations

from localsel.settings.options import (
    FILES,
    OUTSIDE_FINGERPRINT,
    Display,
    Settings,
    describe,
    fields,
    hints,
)
from localsel.settings.places import default_workspace, model_folders, resource, user_file
from localsel.settings.shapes import schema
from localsel.settings.sources import gather, known, read_environment, read_file
from localsel.settings.values import Sourced, build, check, expected

__all__ = [
    "FILES",
    "OUTSIDE_FINGERPRINT",
    "Display",
    "Settings",
    "Sourced",
    "build",
    "check",
    "default_workspace",
    "describe",
    "expected",
    "fields",
    "gather",
    "hints",
    "known",
    "model_folders",
    "read_environment",
    "read_file",
    "resource",
    "schema",
    "user_file",
]
