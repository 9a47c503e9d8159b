"""A function of numbers and arrays → the same as machine code, from its first call on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as machine code, kept on disk from process to process where there is room.

    Sums may be split over vector registers, alike in every run; NaN and infinity keep their sense.
    """
    import numba

    fastmath = {"reassoc", "contract"}
    found: Callable[..., Any]
    try:
        found = numba.njit(function, nogil=True, fastmath=fastmath, cache=True)
    except RuntimeError:  # neither the package's folder nor the user's can be written
        found = numba.njit(function, nogil=True, fastmath=fastmath)
    return found
