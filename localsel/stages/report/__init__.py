"""A comparison's dict → one HTML page that needs nothing else, or the same in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localsel.stages.report.content import report
from localsel.stages.report.page import written as page
from localsel.stages.report.sheet import written as sheet


def html(comparison: Mapping[str, Any]) -> str:
    """One file: styles and drawings within, no script, no reference to anything outside."""
    return page(report(comparison))


def markdown(comparison: Mapping[str, Any]) -> str:
    """The same words and figures; tables in place of the drawings."""
    return sheet(report(comparison))
