"""Vectors → a plane: the same as singular values say, whatever the blocks and the signs."""

from __future__ import annotations

import numpy as np
import pytest

from localsel.stages.project import BLOCK, project


def cloud(rows: int, width: int) -> np.ndarray:
    generator = np.random.default_rng(5)
    points = generator.standard_normal((rows, width)) * np.linspace(4, 1, width)
    return (points + 3).astype(np.float32)


@pytest.mark.parametrize("rows", [60, BLOCK, 2 * BLOCK + 7])
def test_it_is_the_plane_of_the_two_largest_singular_values(rows: int) -> None:
    vectors = cloud(rows, 6)
    left, values, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    points, explained = project(vectors)
    assert np.allclose(np.abs(points), np.abs(left[:, :2] * values[:2]), atol=1e-4)
    assert np.allclose(explained, (values**2 / (values**2).sum())[:2], atol=1e-5)


def test_a_mirrored_pool_is_not_mirrored_on_the_plane() -> None:
    """The sign of a direction is its own, not that of the rows."""
    vectors = cloud(60, 6)
    assert np.allclose(project(-vectors)[0], -project(vectors)[0], atol=1e-4)


@pytest.mark.parametrize("shape", [(0, 4), (1, 4), (5, 4), (5, 1), (0, 0)])
def test_vectors_that_do_not_differ_lie_on_one_point(shape: tuple[int, int]) -> None:
    points, explained = project(np.ones(shape, dtype=np.float32))
    assert points.shape == (shape[0], 2)
    assert np.allclose(points, 0)
    assert explained == (0.0, 0.0)
