"""Choose which instructions are worth annotating, offline, with a local language model.

    import localsel

    selection = localsel.run("data.jsonl", budget=300, model="gemma.gguf")
    for chosen in selection.picks:
        print(chosen["instruction"], chosen["_localsel"]["probability"])

Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localsel.api import Selection, compare, run
    from localsel.coreset import KCenter, kcenter
    from localsel.errors import LocalselError
    from localsel.settings import Settings

__all__ = ["KCenter", "LocalselError", "Selection", "Settings", "compare", "kcenter", "run"]

_PLACES = {
    "KCenter": "localsel.coreset",
    "LocalselError": "localsel.errors",
    "Selection": "localsel.api",
    "Settings": "localsel.settings",
    "compare": "localsel.api",
    "kcenter": "localsel.coreset",
    "run": "localsel.api",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'localsel' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
