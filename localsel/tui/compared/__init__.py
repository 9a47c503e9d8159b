"""The views of a comparison, in the order of the Compare screen."""

from __future__ import annotations

from localsel.tui.compared.agreement import agreement
from localsel.tui.compared.position import position
from localsel.tui.compared.reading import Reading
from localsel.tui.compared.totals import coverage, summary

__all__ = ["VIEWS", "Reading"]

VIEWS = {
    "Agreement": agreement,
    "Position": position,
    "Coverage & cost": coverage,
    "Summary": summary,
}
