"""A nested dict in which anything may be absent → the part asked for, or None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localsel.stages.report.figures import sound


def found(within: object, *keys: str | int) -> Any:
    """`found(pair, "kappa", "cross_order")`; None where a step of the way is missing."""
    for key in keys:
        if isinstance(within, Mapping):
            within = within.get(key)
        elif isinstance(within, list | tuple) and isinstance(key, int) and key < len(within):
            within = within[key]
        else:
            return None
    return within


def figure(within: object, *keys: str | int) -> float | None:
    """A number, or None."""
    value = found(within, *keys)
    return value if sound(value) else None


def listed(within: object, *keys: str | int) -> Sequence[Any]:
    """A list, or an empty one."""
    value = found(within, *keys)
    return value if isinstance(value, list | tuple) else ()


def entries(within: object, *keys: str | int) -> list[Mapping[str, Any]]:
    """The dicts of a list."""
    return [each for each in listed(within, *keys) if isinstance(each, Mapping)]


def flat(within: object, before: str = "") -> list[tuple[str, Any]]:
    """Nested settings as one list: `server.port` → 8000."""
    if not isinstance(within, Mapping):
        return [(before, within)] if before else []
    return [
        pair
        for key, value in within.items()
        for pair in flat(value, f"{before}.{key}" if before else str(key))
    ]
