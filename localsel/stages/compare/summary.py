"""A comparison → sentences that claim only what its intervals allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from localsel.stages.compare.ceiling import Gap
from localsel.wording import counted

Comparison = Mapping[str, Any]
Gaps = Mapping[tuple[str, str], tuple[Gap | None, Gap | None]]

AGREE = 0.05
FOLLOW = 0.01
FEWEST_SEEDS = 3


def sentences(
    comparison: Comparison,
    abstained: Mapping[str, tuple[int, int]],
    gaps: Gaps,
    heats: bool,
    is_sample: bool = False,
) -> list[str]:
    """`abstained`: for each selector how many answers were filled at random, and of how many.

    `heats`: whether winners met again; `is_sample`: whether only some clusters were asked about,
    so that selectors chose from a part of the pool, and baselines from all of it.
    """
    followers = following(comparison["selectors"])
    return [
        *one_order(comparison),
        *(line for each in comparison["selectors"] for line in positions(each, followers)),
        *(line for each in comparison["selectors"] for line in itself(each)),
        *agreements(comparison, gaps, followers if heats else set()),
        *(
            line
            for each in ([] if is_sample else covering(comparison))
            for line in coverage(each, comparison)
        ),
        *fallbacks(abstained),
        *(sampled(comparison["questions"]) if is_sample else ()),
    ]


def one_order(comparison: Comparison) -> Iterator[str]:
    if comparison["orders"] == 1 and comparison["questions"]:
        yield (
            "Every query was asked in one order, the same for all selectors, so a shared leaning"
            " to positions cannot be told apart from a shared choice; --orders 2 can tell."
        )


def holm(values: Sequence[float | None]) -> list[float | None]:
    """P-values that hold for all of them together: the smallest times n, the next times n − 1, …"""
    known = sorted((value, at) for at, value in enumerate(values) if value is not None)
    adjusted: list[float | None] = [None] * len(values)
    highest = 0.0
    for step, (value, at) in enumerate(known):
        highest = max(highest, min(1.0, value * (len(known) - step)))
        adjusted[at] = highest
    return adjusted


def following(selectors: Sequence[Comparison]) -> set[str]:
    """Who follows positions."""
    tested = [each["position"]["p_value"] if each["position"] else None for each in selectors]
    pairs = zip(selectors, holm(tested), strict=True)
    return {each["name"] for each, value in pairs if value is not None and value < FOLLOW}


def positions(selector: Comparison, followers: set[str]) -> Iterator[str]:
    if selector["name"] not in followers:
        return
    curve = selector["position"]["curve"]
    most = max(
        curve, key=lambda point: (point["chosen"] - point["expected"]) / point["expected"] ** 0.5
    )
    yield (
        f"{selector['name']} follows positions: it chose position {most['position']},"
        f" {counted(most['chosen'], 'time')} where {most['expected']:,.1f} were expected"
        f" ({small(selector['position']['p_value'])})."
    )


def itself(selector: Comparison) -> Iterator[str]:
    """Who answers otherwise when the candidates are shuffled has little to say."""
    own = selector["self_pair"]
    if own and own["p_value"] is not None and own["p_value"] >= AGREE:
        yield (
            f"{selector['name']} agrees with itself in {percent(own['overlap'])} of its picks when"
            f" the candidates are shuffled; chance alone gives {percent(own['expected'])}."
        )


def agreements(comparison: Comparison, gaps: Gaps, followers: set[str]) -> Iterator[str]:
    pairs = comparison["pairs"]
    form = "same_order" if comparison["orders"] == 1 else "cross_order"
    adjusted = holm([pair["p_value"][form] for pair in pairs])
    of_pairs = f", corrected for {len(pairs)} pairs" if len(pairs) > 1 else ""
    for pair, value in zip(pairs, adjusted, strict=True):
        told = f"{small(value)}{of_pairs}" if value is not None else ""
        yield from agreement(pair, form, value, told, gaps, followers)


def agreement(
    pair: Comparison,
    form: str,
    value: float | None,
    told: str,
    gaps: Gaps,
    followers: set[str],
) -> Iterator[str]:
    both = f"{pair['a']} and {pair['b']}"
    if value is None:
        yield f"{both} had nothing to choose: chance alone would share the same picks."
        return
    if same := identical(pair):
        yield f"{both} chose the same rows in every order: here they are one selector."
    figures = f"{percent(pair['overlap'][form])} of their picks"
    figures += " in different orders" if form == "cross_order" else " in the same order"
    chance = f"chance alone gives {percent(pair['expected'][form])}"
    interval = pair["interval"][form]
    if interval:
        figures += f" (95 % interval {percent(interval[0])} to {percent(interval[1])})"
    if value >= AGREE or interval is None or interval[0] <= pair["expected"][form]:
        yield f"{both} share {figures}; that cannot be told from chance: {chance}."
        return
    yield f"{both} share {figures}, more than chance: {chance} ({told})."
    if {pair["a"], pair["b"]} <= followers:
        yield (
            f"As {both} both follow positions, and heats are decided by all orders together,"
            " a part of that may come from positions."
        )
    if not same:
        yield from ceiling(both, gaps.get((pair["a"], pair["b"]), (None, None)))


def identical(pair: Comparison) -> bool:
    """Order by order, and in the end."""
    alike = (pair["overlap"]["same_order"], pair["selection"]["overlap"])
    return all(overlap is not None and overlap > 1 - 1e-9 for overlap in alike)


def ceiling(both: str, gaps: tuple[Gap | None, Gap | None]) -> Iterator[str]:
    """Chance-corrected: each with itself in different orders is the most that can be hoped for."""
    known = [gap for gap in gaps if gap]
    if len(known) < 2:
        return
    own = " and ".join(f"{gap.name} with itself {gap.itself:.2f}" for gap in known)
    figures = f"beyond chance they agree {known[0].both:.2f}, {own} (kappa)"
    if all(gap.interval[0] > 0 for gap in known):
        yield f"{both} differ by more than the order of candidates explains: {figures}."
    elif all(gap.interval[0] <= 0 for gap in known):
        yield (f"{both} may differ by no more than the order of candidates explains: {figures}.")


def covering(comparison: Comparison) -> Iterator[Comparison]:
    """Whose coverage is spoken of: the selectors', and of the baselines all but random."""
    yield from comparison["selectors"]
    yield from (each for each in comparison["baselines"] if each["name"] != "random")


def coverage(selector: Comparison, comparison: Comparison) -> Iterator[str]:
    """Mean distance from the pool to the picks, beside random selections of several seeds."""
    against = selector["against_random"]
    seeds = max(
        (len(b["seeds_used"]) for b in comparison["baselines"] if b["name"] == "random"), default=0
    )
    if not against or seeds < FEWEST_SEEDS or not against["mean_distance"]["spread"]:
        return
    found = against["mean_distance"]
    distance = found["random"] + found["difference"]
    random = f"{found['random']:.3f} ± {found['spread']:.3f} over {seeds} seeds"
    verdict = "not told from random by its coverage"
    if beyond(found["z"], seeds):
        verdict = (
            "nearer to the pool than random"
            if found["z"] < 0
            else "farther from the pool than random"
        )
    yield (
        f"{selector['name']} is {verdict}: the mean distance to the nearest pick is"
        f" {distance:.3f}, of random selections {random}."
    )


def beyond(z: float, seeds: int) -> bool:
    """Outside of what another random selection would do in 95 of 100 cases.

    A spread from few seeds is uncertain itself: three seeds need |z| > 5.
    """
    from scipy.special import stdtrit

    limit = float(stdtrit(seeds - 1, 0.975)) * (1 + 1 / seeds) ** 0.5
    return bool(abs(z) > max(2.0, limit))


def sampled(questions: int) -> Iterator[str]:
    yield (
        f"Asked were {questions:,} queries, a sample of the plan: selectors chose from a part of"
        " the pool, baselines from all of it, so that their coverage is not compared."
    )


def fallbacks(abstained: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    for name, (missing, asked) in abstained.items():
        if missing:
            yield (
                f"{name} gave no valid answer {missing:,} of {asked:,} times; its choices"
                " there were drawn at random, which lowers its agreement."
            )


def percent(share: float) -> str:
    """One digit below 10 %, so that small chances stay apart."""
    return f"{100 * share:.1f} %" if 0 < share < 0.0995 else f"{100 * share:.0f} %"


def small(value: float) -> str:
    if value < 1e-6:
        return "p < 0.000001"
    return f"p = {value:.2g}" if value < 0.001 else f"p = {value:.3f}"
