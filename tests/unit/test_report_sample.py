"""Any number of made-up selectors → the dict of a comparison, for the tests of the report."""

from __future__ import annotations

from itertools import combinations
from random import Random
from typing import Any

NAMES = ("gemma-2-9b", "llama-3.1-8b", "qwen2.5-7b", "mistral-7b-v0.3", "phi-4-mini")
MEASURES = ("radius", "mean_distance", "clusters_hit", "pairwise_distance", "near_duplicates")
TEXTS = (
    "Explain to a child of six why the sea is salty, without the word mineral.",
    "Write a regular expression that matches dates such as 2024-02-29, and only valid ones.",
    "味噌汁の味噌を入れてから沸騰させてはいけないのはなぜですか。",
    "اشرح الفرق بين القرض والمنحة بمثال من الحياة اليومية.",
    "My prompt has become `bash-5.1$` and nothing | works.\nWhat do I type?\nPlease be brief.",
    "Fasse den folgenden Text in zwei Sätzen zusammen. " + "Es war einmal ein Müller. " * 20,
)


def comparison(
    selectors: int = 2,
    orders: int = 2,
    seed: int = 7,
    baselines: bool = True,
    vectors: bool = True,
    mapped: tuple[int, int] = (60, 12),
    clusters: int = 2,
) -> dict[str, Any]:
    draw = Random(seed)
    names = list(NAMES[:selectors])
    people = [_selector(name, names, orders, vectors, baselines, draw) for name in names]
    pairs = [_pair(a, b, orders, draw) for a, b in combinations(names, 2)]
    return {
        "data": "/home/ada/pools/instructions.jsonl",
        "layout": "alpaca",
        "pool_rows": 4812,
        "budget": 240,
        "picks": 231,
        "clusters": 240,
        "questions": 397,
        "orders": orders,
        "simulations": 10_000,
        "chance": {"method": "simulated", **_forms(orders, {"expected": 0.1213, "spread": 0.0187})},
        "selectors": people,
        "baselines": [_baseline(n, vectors, draw) for n in ("random", "coreset")] * baselines,
        "pool": {"rows": 4812, "profile": _profile(draw)},
        "pairs": pairs,
        "fleiss": {"kappa": 0.2718, "raters": selectors} if selectors > 1 else None,
        "disagreements": [_cluster(at, names, draw) for at in range(clusters)] * (selectors > 1),
        "map": _map(names, mapped, draw) if vectors else None,
        "summary": [f"{name} did something worth a sentence." for name in names],
        "settings": {"seed": 20251, "orders": orders, "server": {"port": 8765}, "prompt": None},
        "versions": {"localsel": "0.1.0", "python": "3.11.9", "llama-cpp-python": "0.3.36"},
        "plan": {"fingerprint": "c0ffee5eed", "heats": 61},
        "connections_attempted": 0,
        "created": 1_763_665_920,
        "failed": [],
    }


def _forms(orders: int, value: Any) -> dict[str, Any]:
    return {"same_order": value, "cross_order": value if orders > 1 else None}


def _between(low: float, high: float, draw: Random) -> float:
    return draw.uniform(low, high)


def _pair(a: str, b: str, orders: int, draw: Random) -> dict[str, Any]:
    same, cross = _agreement(draw), _agreement(draw)
    pair: dict[str, Any] = {"a": a, "b": b}
    for name, value in same.items():
        pair[name] = {"same_order": value, "cross_order": cross[name] if orders > 1 else None}
    voted = {"overlap": _between(0.2, 0.5, draw), "cohen": _between(0.1, 0.4, draw)}
    kappas = {"jaccard": _between(0.1, 0.3, draw), "kappa": _between(0.1, 0.4, draw)}
    return pair | {"selection": {"shared": draw.randrange(40, 99), **voted, **kappas}}


def _agreement(draw: Random) -> dict[str, Any]:
    overlap = _between(0.15, 0.6, draw)
    return {
        "overlap": overlap,
        "shared": 231 * overlap,
        "jaccard": overlap / (2 - overlap),
        "kappa": (overlap - 0.1213) / (1 - 0.1213),
        "expected": 0.1213,
        "p_value": 10 ** -_between(1, 9, draw),
        "interval": [overlap - 0.061, overlap + 0.058],
    }


def _selector(
    name: str, names: list[str], orders: int, vectors: bool, baselines: bool, draw: Random
) -> dict[str, Any]:
    own = _agreement(draw) if orders > 1 else None
    curve = [
        {"position": at, "chosen": chosen, "expected": 59.25, "rate": chosen / 830}
        for at in range(1, 15)
        for chosen in [round(90 - 4 * at + draw.gauss(0, 6))]
    ]
    return {
        "name": name,
        "kind": "selector",
        "picked": 231,
        "path": f"/models/{name}-Q4_K_M.gguf",
        "sha256": f"{draw.getrandbits(256):064x}",
        "run": f"{draw.getrandbits(32):08x}",
        "state": "done",
        "error": None,
        "position": {"chi_square": 31.4159, "degrees": 13, "p_value": 2.5e-11, "curve": curve},
        "label_prior": [0.0714 + 0.05 / at for at in range(1, 15)],
        "entropy": _between(0.3, 0.9, draw),
        "self_agreement": own and own["overlap"],
        "self_pair": own,
        "only": draw.sample(range(4812), 37),
        "coverage": _coverage(draw) if vectors else None,
        "against_random": _against(draw) if vectors and baselines else None,
        "curve": _curve(draw) if vectors else [],
        "profile": _profile(draw),
        "cost": {
            "seconds": 5025.3,
            "prompt_tokens": 351_404,
            "tokens_per_second": 412.7,
            "peak_memory": 9_731_000_000,
            "fallbacks": 1,
            "abstained": 2,
        },
    }


def _coverage(draw: Random) -> dict[str, float]:
    return dict(zip(MEASURES, (1.21, _between(0.6, 0.7, draw), 0.998, 1.31, 3), strict=True))


def _against(draw: Random) -> dict[str, Any]:
    return {
        name: {"random": 0.655, "spread": 0.011, "difference": -0.023, "z": draw.gauss(0, 2)}
        for name in MEASURES
    }


def _curve(draw: Random) -> list[dict[str, float]]:
    far = _between(0.9, 1.2, draw)
    budgets = [20, 40, 60, 80, 100, 120, 140, 160, 180, 200, 220, 231]
    return [
        {"picks": b, "mean_distance": far * (20 / b) ** 0.2, "radius": far * 1.4 * (20 / b) ** 0.1}
        for b in budgets
    ]


def _profile(draw: Random) -> dict[str, Any]:
    mean = _between(120, 260, draw)
    lengths = {"mean": mean, "q1": mean / 2, "median": mean * 0.8, "q3": mean * 1.3}
    words = {name: value / 5.5 for name, value in lengths.items()}
    return {"characters": lengths, "words": words, "languages": {"en": 0.8125, "de": 0.1875}}


def _baseline(name: str, vectors: bool, draw: Random) -> dict[str, Any]:
    several = name == "random"
    return {
        "name": name,
        "seeds_used": [f"{name}-{at}" for at in range(5 if several else 1)],
        "runs": ["0badcafe"],
        "picked": 231,
        "coverage": _coverage(draw) if vectors else None,
        "spread": dict.fromkeys(MEASURES, 0.011) if several and vectors else None,
        "against_random": _against(draw) if vectors and not several else None,
        "curve": _curve(draw) if vectors else [],
        "profile": _profile(draw),
    }


def _cluster(at: int, names: list[str], draw: Random) -> dict[str, Any]:
    rows = draw.sample(range(4812), 14)
    candidates = [
        {
            "row": row,
            "text": TEXTS[(at + place) % len(TEXTS)][:300],
            "probabilities": {name: draw.random() ** 3 for name in names},
            "picked_by": [name for name in names if draw.random() < 0.15],
        }
        for place, row in enumerate(rows)
    ]
    return {
        "cluster": at,
        "queries": [2 * at, 2 * at + 1],
        "disagreement": 1 - at / 20,
        "candidates": candidates,
    }


def _map(names: list[str], mapped: tuple[int, int], draw: Random) -> dict[str, Any]:
    centres = [(draw.uniform(-0.6, 0.6), draw.uniform(-0.4, 0.4)) for _ in range(9)]

    def point() -> list[float]:
        x, y = draw.choice(centres)
        return [round(draw.gauss(x, 0.09), 4), round(draw.gauss(y, 0.07), 4)]

    picks = {
        name: [[*point(), row] for row in draw.sample(range(4812), mapped[1])] for name in names
    }
    return {
        "method": "PCA",
        "explained": [0.1234, 0.0789],
        "pool": [point() for _ in range(mapped[0])],
        "picks": picks,
    }
