"""Pairs of a comparison → how far selectors agree: with each other, themselves, beyond chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localsel.stages.report.blocks import Block, Cell, Column, Row, Section
from localsel.stages.report.figures import count, interval, number, p_value, share, sound
from localsel.stages.report.finding import entries, figure, found, listed
from localsel.stages.report.plots.series import Lineup
from localsel.stages.report.plots.strip import scale, strip, top
from localsel.stages.report.sections.matrices import overlaps
from localsel.stages.report.sections.parts import FORMS, cells, numbers, row, say, table
from localsel.stages.report.texts import visible

Pair = Mapping[str, Any]

PAIRS = (
    "Overlap is the share of picks that two selectors have in common; its 95 % interval comes from"
    " drawing the clusters again. Chance is what two selectors choosing at random would share on"
    " this plan. κ puts that chance at 0 and identical choices at 1, below 0 is less than"
    " chance; p is the probability of at least this overlap by chance alone. In the same order a"
    " shared leaning to early positions counts as agreement; in different orders it does not, so"
    " the latter is the one to believe."
)
SEEN = "The dot is the overlap in percent, the bar its interval, the tick chance."
SELF = (
    "Each selector against itself, its answers in one order with those in another. This is the"
    " ceiling: nobody can be expected to agree with a selector more than it does with itself."
)
VOTED = (
    "The selections that are exported, in which all orders vote. A person has no orders: this is"
    " the table for them; above they have the same picks in every order. Cohen's κ takes every"
    " row shown as chosen or not and knows nothing of the queries; it is there as a check and"
    " lies near κ."
)
ALONE = "Rows that no other selector picked; baselines do not count."
ONE_ORDER = (
    "Every query was asked in one order, so a shared leaning to positions cannot be told from a"
    " shared opinion, and there is no agreement with oneself. --orders 2 answers both."
)


def agreement(comparison: Mapping[str, Any], who: Lineup) -> Section:
    pairs = entries(comparison, "pairs")
    blocks: list[Block] = []
    if not pairs:
        blocks += say("There is no pair to compare: an agreement needs two selectors.")
    blocks += say(_chance(comparison), "" if comparison.get("orders") != 1 else ONE_ORDER)
    blocks += overlaps(comparison, who)
    blocks += _pairs(pairs)
    blocks += _selves(comparison, who)
    blocks += _voted(pairs)
    blocks += say(_fleiss(comparison))
    blocks += table(
        "Picked by nobody else",
        "Selector",
        [Column("Rows alone"), Column("Which", "text")],
        _alone(comparison, who),
        ALONE,
    )
    return Section("agreement", "Agreement", tuple(blocks))


def _chance(comparison: Mapping[str, Any]) -> str:
    """What two selectors share that choose at random, and how that is known."""
    said = [text for form in FORMS if (text := _expected(comparison, form))]
    if not said:
        return ""
    how = "This is exact."
    if found(comparison, "chance", "method") != "exact":
        how = f"This was simulated {count(figure(comparison, 'simulations')) or 'many'} times."
    return f"Two selectors that choose at random share {' and '.join(said)}. {how}"


def _expected(comparison: Mapping[str, Any], form: str) -> str:
    expected = share(figure(comparison, "chance", form, "expected"))
    spread = share(figure(comparison, "chance", form, "spread"))
    if not expected:
        return ""
    where = "of their picks in the same order" if form == "same_order" else "in different orders"
    return f"{expected} {where}" + (f" (spread {spread})" if spread else "")


def _columns(end: float) -> list[Column]:
    drawn = Column("", "text", drawn=True, heading=scale(end))
    first = [Column("Orders", "word"), *numbers("Shared", "Overlap", "95 % interval"), drawn]
    return [*first, *numbers("Chance", "Jaccard", "κ", "p")]


def _pairs(pairs: list[Pair]) -> list[Block]:
    forms = [form for form in FORMS if any(_has(pair, form) for pair in pairs)]
    each = [found(pair, *way) for pair in pairs for form in forms for way in _ends(form)]
    end = top([value for value in each if sound(value)])
    rows = [line for pair in pairs for line in _pair(pair, end)]
    return table("Agreement of two selectors", "Pair", _columns(end), rows, PAIRS, SEEN)


def _ends(form: str) -> list[tuple[str | int, ...]]:
    return [("overlap", form), ("expected", form), ("interval", form, 1)]


def _has(pair: Pair, form: str) -> bool:
    return figure(pair, "overlap", form) is not None


def _pair(pair: Pair, end: float) -> list[Row]:
    forms = [form for form in FORMS if _has(pair, form)]
    return [
        Row(_names(pair), _figures(pair, form, end), 0 if place else len(forms))
        for place, form in enumerate(forms)
    ]


def _names(pair: Pair) -> str:
    return f"{visible(pair.get('a'), 60)} · {visible(pair.get('b'), 60)}"


def _figures(pair: Pair, form: str, end: float) -> tuple[Cell, ...]:
    """One line of the table, for one form of the pair."""
    overlap, expected = figure(pair, "overlap", form), figure(pair, "expected", form)
    drawn = strip(overlap, listed(pair, "interval", form), expected, end)
    first = [FORMS.get(form, ""), count(figure(pair, "shared", form)), share(overlap)]
    last = [share(expected), number(figure(pair, "jaccard", form))]
    last += [number(figure(pair, "kappa", form)), p_value(figure(pair, "p_value", form))]
    between = (Cell(interval(found(pair, "interval", form))), Cell(drawing=drawn))
    return (*cells(first), *between, *cells(last))


def _selves(comparison: Mapping[str, Any], who: Lineup) -> list[Block]:
    """The pair of a selector with itself, told like any other pair."""
    own = [(who.of(each), _self(each)) for each in entries(comparison, "selectors")]
    end = top([found(pair, *way) for _, pair in own for way in _ends("self")])
    rows = [row(series, _figures(pair, "self", end)[1:]) for series, pair in own]
    title = "Agreement with itself in another order"
    return table(title, "Selector", _columns(end)[1:], rows, SELF, SEEN)


def _self(selector: Mapping[str, Any]) -> Pair:
    pair = found(selector, "self_pair") or {"overlap": selector.get("self_agreement")}
    return {name: {"self": value} for name, value in pair.items()}


def _voted(pairs: list[Pair]) -> list[Block]:
    rows = [Row(_names(pair), _selection(pair)) for pair in pairs]
    columns = numbers("Shared", "Overlap", "Jaccard", "κ", "Cohen's κ")
    return table("Agreement of the final selections", "Pair", columns, rows, VOTED)


def _selection(pair: Pair) -> tuple[Cell, ...]:
    voted = found(pair, "selection")
    kappas = [number(figure(voted, name)) for name in ("jaccard", "kappa", "cohen")]
    return cells([count(figure(voted, "shared")), share(figure(voted, "overlap")), *kappas])


def _fleiss(comparison: Mapping[str, Any]) -> str:
    kappa = number(figure(comparison, "fleiss", "kappa"))
    raters = count(figure(comparison, "fleiss", "raters"))
    if not kappa:
        return ""
    over = f"all {raters}" if raters else "all"
    return f"Fleiss' κ over {over} selections, on rows chosen or not: {kappa}."


def _alone(comparison: Mapping[str, Any], who: Lineup) -> list[Row]:
    if len(who.selectors) < 2:
        return []
    return [
        row(who.of(each), [number(len(rows)), _first(rows)])
        for each in entries(comparison, "selectors")
        if (rows := listed(each, "only")) or "only" in each
    ]


def _first(rows: Any, most: int = 24) -> str:
    said = ", ".join(f"{each}" for each in rows[:most] if sound(each))
    return f"{said} and {len(rows) - most:,} more" if len(rows) > most else said
