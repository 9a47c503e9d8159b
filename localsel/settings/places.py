"""The environment → the folders in which localsel keeps and looks for things."""

from __future__ import annotations

import os
from pathlib import Path

from localsel.errors import UsageError

PACKAGE = Path(__file__).resolve().parent.parent


def default_workspace() -> Path:
    """`$XDG_DATA_HOME/localsel`, or its usual place."""
    data_home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data_home).expanduser() / "localsel"


def home(workspace: Path | None = None) -> Path:
    """The workspace folder: the one that was named, environment, user file, default.

    Raises:
        UsageError: what a source says cannot be one.
    """
    said = any(name.startswith("LOCALSEL_") for name in os.environ)
    if not (workspace or said or user_file().exists()):
        return default_workspace()
    from localsel.settings.options import hints
    from localsel.settings.sources import gather
    from localsel.settings.values import check

    given = gather({"workspace": workspace}, None).get("workspace")
    found: Path | None = check("workspace", given, hints()["workspace"]) if given else None
    return found or default_workspace()


def user_file() -> Path:
    """The settings file that holds for every project of this user."""
    config_home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(config_home).expanduser() / "localsel" / "localsel.toml"


def api_key() -> str:
    """What a server wants to hear before it answers: LOCALSEL_API_KEY. It is never recorded.

    Raises:
        UsageError: no header of HTTP could hold it.
    """
    key = os.environ.get("LOCALSEL_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageError(
            "The key in LOCALSEL_API_KEY holds a character that no key has.",
            "Was it copied whole, and nothing else?",
        )
    return key


def resource(kind: str) -> Path:
    """A folder that travels with localsel (`prompts`, `models`, `examples`, `benchmarks`).

    In an installed package it lies inside the package, in a checkout beside it.
    """
    inside = PACKAGE / kind
    return inside if inside.is_dir() else PACKAGE.parent / kind


def model_folders(workspace: Path) -> list[Path]:
    """Where a selector is looked for by name: the first folder that has it counts.

    `./models`, the workspace's own, those of `LOCALSEL_MODELS` (parted as in PATH), localsel's.
    """
    named = os.environ.get("LOCALSEL_MODELS", "").split(os.pathsep)
    own = [Path(folder).expanduser() for folder in named if folder]
    return [Path("models"), workspace / "models", *own, resource("models")]
