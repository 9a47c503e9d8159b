"""Hand-made vectors → groups that can be checked on paper, and partitions of any vectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localsel.coreset import kcenter
from localsel.records import Clusters, Vectors
from localsel.stages.cluster import (
    at_random,
    coreset,
    diverse,
    join_small,
    random_coverage,
    similar,
)
from localsel.stages.plan import deal

Group = Callable[[Vectors, int, int], Clusters]

GROUPINGS: dict[str, Group] = {
    "coreset": lambda vectors, count, seed: coreset(vectors, count, seed, 3),
    "diverse": lambda vectors, count, seed: diverse(vectors, count, seed, 5),
    "similar": similar,
    "random": lambda vectors, count, seed: at_random(len(vectors), count, seed),
}


def line(*places: float) -> Vectors:
    """Points on a line: distances can be read off."""
    return np.array([[place, 0.0] for place in places], dtype=np.float32)


def random_vectors(size: int, seed: int, width: int = 4) -> Vectors:
    return np.random.default_rng(seed).normal(size=(size, width)).astype(np.float32)


def as_lists(clusters: Clusters) -> list[list[int]]:
    return [members.tolist() for members in clusters.members]


# --- what all groupings promise ------------------------------------------------------------------


@pytest.mark.parametrize("grouping", GROUPINGS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_every_grouping_is_a_partition(grouping: str, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 50))
    count = data.draw(st.integers(1, size))
    vectors = random_vectors(size, data.draw(st.integers(0, 99)))
    clusters = GROUPINGS[grouping](vectors, count, data.draw(st.integers(0, 9)))
    everyone = sorted(row for members in as_lists(clusters) for row in members)
    assert everyone == list(range(size))
    assert 1 <= len(clusters.members) <= count
    assert all(len(members) for members in clusters.members)


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_every_grouping_is_seeded_and_repeatable(grouping: str) -> None:
    vectors, group = random_vectors(60, 0), GROUPINGS[grouping]
    first = as_lists(group(vectors, 6, 4))
    assert as_lists(group(vectors, 6, 4)) == first
    assert any(as_lists(group(vectors, 6, seed)) != first for seed in range(3))


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_every_grouping_takes_vectors_that_are_all_alike(grouping: str) -> None:
    clusters = GROUPINGS[grouping](np.ones((12, 3), dtype=np.float32), 4, 0)
    assert sorted(row for members in as_lists(clusters) for row in members) == list(range(12))


# --- coreset -------------------------------------------------------------------------------------


def test_small_clusters_go_all_at_once_and_their_members_to_the_nearest_kept_centre() -> None:
    vectors = line(0, 1, 2, 10, 11, 12, 5, 6)
    centres, labels = np.array([0, 3, 6, 7]), np.array([0, 0, 0, 1, 1, 1, 2, 3])
    kept, joined = join_small(vectors, centres, labels, smallest=2)
    assert kept.tolist() == [0, 3]
    # Joined one by one, 5 would have gone to its neighbour 6 and stayed.
    assert joined.tolist() == [0, 0, 0, 1, 1, 1, 0, 1]


def test_joining_keeps_the_members_of_large_clusters_where_they_are() -> None:
    vectors = line(0, 1, 6, 10, 11)
    centres, labels = np.array([0, 3, 4]), np.array([0, 0, 0, 1, 2])
    kept, joined = join_small(vectors, centres, labels, smallest=2)
    assert (kept.tolist(), joined.tolist()) == ([0], [0, 0, 0, 0, 0])


@pytest.mark.parametrize("smallest", [1, 3])
def test_nothing_is_dropped_where_no_cluster_or_every_cluster_is_small(smallest: int) -> None:
    centres, labels = np.array([0, 2]), np.array([0, 0, 1, 1])
    kept, joined = join_small(line(0, 1, 8, 9), centres, labels, smallest)
    assert (kept.tolist(), joined.tolist()) == ([0, 2], [0, 0, 1, 1])


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(0, 99), st.integers(1, 6), st.data())
def test_the_homeless_go_to_the_nearest_kept_centre(
    size: int, seed: int, smallest: int, data: st.DataObject
) -> None:
    vectors = random_vectors(size, seed)
    found = kcenter(vectors, data.draw(st.integers(1, size)), seed)
    kept, joined = join_small(vectors, found.centres, found.labels, smallest)
    sizes = np.bincount(found.labels, minlength=len(found.centres))
    large = found.centres[sizes >= smallest]
    assert kept.tolist() == (large if len(large) else found.centres).tolist()
    distances = np.linalg.norm(vectors[:, None] - vectors[kept], axis=2)
    for row, label in enumerate(found.labels):
        if found.centres[label] in kept:
            assert kept[joined[row]] == found.centres[label]
        else:
            assert distances[row, joined[row]] == pytest.approx(distances[row].min(), abs=1e-5)


def test_members_stand_nearest_first_and_earlier_rows_first_among_equals() -> None:
    vectors = line(3, 0, 1, 2, 1, 4)
    first = next(seed for seed in range(99) if np.random.default_rng(seed).integers(6) == 1)
    clusters = coreset(vectors, 1, first, 1)
    assert as_lists(clusters) == [[1, 2, 4, 3, 0, 5]]
    assert clusters.centres.tolist() == [1]
    assert clusters.distances.tolist() == [3, 0, 1, 2, 1, 4]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(0, 99), st.data())
def test_distances_are_those_to_the_own_centre(size: int, seed: int, data: st.DataObject) -> None:
    vectors = random_vectors(size, seed)
    clusters = coreset(vectors, data.draw(st.integers(1, size)), seed, 3)
    for centre, members in zip(clusters.centres, clusters.members, strict=True):
        assert centre == members[0]
        own = np.linalg.norm(vectors[members] - vectors[centre], axis=1)
        assert clusters.distances[members] == pytest.approx(own, abs=1e-6)
        assert (np.diff(clusters.distances[members]) >= 0).all()


def test_the_facts_say_what_joining_cost() -> None:
    vectors = line(0, 1, 2, 20, 21, 22, 40)
    clusters = coreset(vectors, 3, 0, smallest=2)
    kept = vectors[clusters.centres]
    nearest = np.linalg.norm(vectors[:, None] - kept, axis=2).min(axis=1)
    assert clusters.facts == {
        "radius": nearest.max(),
        "mean_distance": pytest.approx(nearest.mean()),
        "radius_before_joining": kcenter(vectors, 3, 0).radius,
        "centres_joined": 1,
    }
    assert clusters.facts["radius"] > clusters.facts["radius_before_joining"]  # type: ignore[operator]


def test_without_small_clusters_joining_changes_nothing() -> None:
    vectors = random_vectors(40, 1)
    found = kcenter(vectors, 8, 5)
    clusters = coreset(vectors, 8, 5, smallest=1)
    assert clusters.centres.tolist() == found.centres.tolist()
    assert clusters.facts["centres_joined"] == 0
    assert clusters.facts["radius"] == clusters.facts["radius_before_joining"]
    assert clusters.facts["radius"] == pytest.approx(found.radius)


def test_random_coverage_is_that_of_as_many_distinct_random_centres() -> None:
    vectors = line(0, 1, 2, 3)
    assert random_coverage(vectors, 4, 0) == {"random_radius": 0, "random_mean_distance": 0}
    one = {tuple(random_coverage(vectors, 1, seed).values()) for seed in range(40)}
    assert one == {(3.0, 1.5), (2.0, 1.0)}
    assert random_coverage(vectors, 2, 3) == random_coverage(vectors, 2, 3)


# --- the other groupings -------------------------------------------------------------------------


def topics(count: int, each: int, seed: int = 0) -> tuple[Vectors, list[int]]:
    """Tight bunches far from each other, in scattered order, and the bunch of every row."""
    generator = np.random.default_rng(seed)
    bunch = generator.permutation(np.repeat(np.arange(count), each))
    noise = generator.normal(scale=0.01, size=(len(bunch), count))
    return (np.eye(count)[bunch] + noise).astype(np.float32), bunch.tolist()


@pytest.mark.parametrize(("count", "each", "groups"), [(5, 6, 2), (5, 7, 3), (4, 9, 1), (3, 4, 4)])
def test_diverse_puts_one_instruction_of_each_topic_into_each_heat(
    count: int, each: int, groups: int
) -> None:
    vectors, bunch = topics(count, each)
    clusters = diverse(vectors, groups, 0, query_size=count)
    assert len(clusters.members) == groups
    for members in as_lists(clusters):
        for heat in deal(members, -(-len(members) // count)):
            assert sorted(bunch[row] for row in heat) == list(range(count))


def test_similar_groups_are_even_and_each_centre_takes_its_nearest_free_rows() -> None:
    vectors = line(0, 1, 2, 3, 10, 11, 12)
    clusters = similar(vectors, 2, seed=0)
    first = kcenter(vectors, 2, 0).centres[0]
    near = sorted(range(7), key=lambda row: (abs(vectors[row, 0] - vectors[first, 0]), row))[:4]
    assert as_lists(clusters) == [sorted(near), sorted(set(range(7)) - set(near))]


@pytest.mark.parametrize("grouping", ["similar", "random"])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_similar_and_random_groups_are_of_even_size(grouping: str, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 50))
    count = data.draw(st.integers(1, size))
    clusters = GROUPINGS[grouping](random_vectors(size, 3), count, data.draw(st.integers(0, 9)))
    sizes = [len(members) for members in clusters.members]
    assert len(sizes) == count
    assert max(sizes) - min(sizes) <= 1


def test_random_groups_do_not_follow_the_order_of_the_file() -> None:
    pairs = [members for seed in range(60) for members in as_lists(at_random(4, 2, seed))]
    assert {frozenset(pair) for pair in pairs if 0 in pair} == {
        frozenset({0, 1}),
        frozenset({0, 2}),
        frozenset({0, 3}),
    }


@pytest.mark.parametrize("grouping", ["diverse", "similar", "random"])
def test_groups_without_centres_say_so(grouping: str) -> None:
    clusters = GROUPINGS[grouping](random_vectors(20, 0), 4, 0)
    assert len(clusters.centres) == 0
    assert np.isnan(clusters.distances).all()
    assert len(clusters.distances) == 20
    assert clusters.facts == {}


# --- annotated instructions as centres -----------------------------------------------------------


def test_given_centres_come_first_in_covering_and_last_in_order() -> None:
    vectors = line(0, 1, 2, 10, 11, 20, 21)
    clusters = coreset(vectors, 2, 0, 1, given=line(1, 500))
    # Away from 1 the farthest is 21, then 10 or 11; nothing lies near 500.
    assert vectors[clusters.centres, 0].tolist() == [21, 11]
    assert as_lists(clusters) == [[6, 5], [4, 3], [1, 0, 2]]
    assert clusters.given == 1
    assert clusters.facts["radius"] == 1.0


def test_a_cluster_around_an_annotated_row_never_joins_another() -> None:
    clusters = coreset(line(0, 10, 11, 12), 1, 0, 3, given=line(0.5))
    assert as_lists(clusters) == [[3, 2, 1], [0]]
    assert clusters.given == 1


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_with_given_centres_it_is_a_partition_all_the_same(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 50))
    vectors = random_vectors(size, data.draw(st.integers(0, 99)))
    extra = random_vectors(data.draw(st.integers(0, 20)), data.draw(st.integers(0, 99)))
    count, smallest = data.draw(st.integers(1, size)), data.draw(st.integers(1, 4))
    clusters = coreset(vectors, count, 0, smallest, given=np.concatenate([extra, vectors[:3]]))
    assert sorted(row for members in as_lists(clusters) for row in members) == list(range(size))
    assert all(len(members) for members in clusters.members)
    assert len(clusters.members) == len(clusters.centres) + clusters.given
    everything = np.concatenate([vectors[clusters.centres], extra, vectors[:3]])
    nearest = np.linalg.norm(vectors[:, None] - everything[None], axis=2).min(axis=1)
    np.testing.assert_allclose(clusters.distances, nearest, rtol=1e-5, atol=1e-6)
