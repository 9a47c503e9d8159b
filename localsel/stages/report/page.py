"""A report → one HTML page: templates, style and drawings in a single text."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from localsel.stages.report.blocks import Block, Report
from localsel.stages.report.plots.strip import bar

TEMPLATES = Path(__file__).parent / "templates"


def written(report: Report) -> str:
    return _environment().get_template("page.html").render(report=report)


@cache
def _environment() -> Environment:
    """Everything is escaped, and a name that does not exist is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(bar=bar, kind_of=_kind)
    return environment


def _kind(block: Block) -> str:
    return type(block).__name__
