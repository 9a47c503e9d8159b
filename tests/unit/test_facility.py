"""Facility location: the greedy choice of a plain double loop, and of equal gains the first."""

from __future__ import annotations

import numpy as np
import pytest

from localsel.methods.facility import facility_location
from localsel.records import Vectors


def vectors_of(size: int, seed: int) -> Vectors:
    found = np.random.default_rng(seed).normal(size=(size, 6)).astype(np.float32)
    unit: Vectors = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def plain(vectors: Vectors, count: int) -> list[int]:
    """Every gain computed again at every step."""
    away = np.linalg.norm(vectors[:, None].astype(np.float64) - vectors[None], axis=2)
    likeness = 2 - away
    reached, chosen = np.zeros(len(vectors)), list[int]()
    for _ in range(count):
        gains = np.maximum(likeness - reached[:, None], 0).sum(axis=0)
        gains[chosen] = -1
        chosen.append(int(np.argmax(gains)))
        reached = np.maximum(reached, likeness[:, chosen[-1]])
    return chosen


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_plain_greedy_choice(seed: int) -> None:
    vectors = vectors_of(70, seed)
    assert facility_location(vectors, 12).tolist() == plain(vectors, 12)


def test_the_first_is_the_most_typical() -> None:
    crowd = np.tile([1.0, 0.0], (6, 1))
    alone = np.array([[0.0, 1.0], [-1.0, 0.0]])
    chosen = facility_location(np.concatenate([alone, crowd]).astype(np.float32), 3)
    assert chosen[0] == 2 and set(chosen.tolist()) == {0, 1, 2}


def test_all_can_be_taken_though_nothing_is_gained_any_more() -> None:
    vectors = np.tile(vectors_of(1, 0), (5, 1))
    assert facility_location(vectors, 5).tolist() == [0, 1, 2, 3, 4]
