"""A comparison's dict → the report: sections in their order, tables and figures numbered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from localsel.stages.report.blocks import Block, Figure, Report, Section, Table
from localsel.stages.report.plots.series import lineup
from localsel.stages.report.sections.agreement import agreement
from localsel.stages.report.sections.behaviour import behaviour
from localsel.stages.report.sections.cost import cost
from localsel.stages.report.sections.coverage import coverage
from localsel.stages.report.sections.examples import examples
from localsel.stages.report.sections.maps import pool_map
from localsel.stages.report.sections.overview import compared, facts, summary, title, under
from localsel.stages.report.sections.profiles import profiles
from localsel.stages.report.sections.record import record

SECTIONS = (compared, agreement, behaviour, coverage, pool_map, profiles, examples, cost, record)


def report(comparison: Mapping[str, Any]) -> Report:
    who = lineup(comparison)
    sections = [summary(comparison), *(section(comparison, who) for section in SECTIONS)]
    return Report(title(comparison), under(comparison), facts(comparison), _numbered(sections))


def _numbered(sections: list[Section]) -> tuple[Section, ...]:
    """Table 1, Figure 1 and so on, through the whole report."""
    tables, figures = count(1), count(1)

    def one(block: Block) -> Block:
        if isinstance(block, Table):
            return replace(block, number=next(tables))
        return replace(block, number=next(figures)) if isinstance(block, Figure) else block

    return tuple(
        replace(section, blocks=tuple(one(block) for block in section.blocks))
        for section in sections
    )
