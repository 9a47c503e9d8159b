"""Vectors → points on a plane: the two directions in which they differ most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from localsel.records import Vectors

BLOCK = 4096

Floats = NDArray[np.float64]


def project(vectors: Vectors) -> tuple[Floats, tuple[float, float]]:
    """[n, 2] principal components of [n, d], and the share of the variance that each explains.

    The same vectors give the same points: of each direction the largest part is positive.
    """
    points = np.zeros((len(vectors), 2))
    if not vectors.size:
        return points, (0.0, 0.0)
    mean, covariance = _moments(vectors)
    values, directions = np.linalg.eigh(covariance)
    axes = np.zeros((vectors.shape[1], 2))
    axes[:, : min(2, len(values))] = _signed(directions[:, ::-1][:, :2])
    for start in range(0, len(vectors), BLOCK):
        part = slice(start, start + BLOCK)
        points[part] = (vectors[part] - mean) @ axes
    return points, _shares(values)


def _moments(vectors: Vectors) -> tuple[Floats, Floats]:
    """Mean [d] and covariance [d, d], block by block: the vectors are not copied as a whole."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    total = np.zeros((vectors.shape[1], vectors.shape[1]))
    for start in range(0, len(vectors), BLOCK):
        # Of one block single precision is enough, and takes half the time.
        centred = vectors[start : start + BLOCK] - mean.astype(np.float32)
        total += centred.T @ centred
    return mean, total / len(vectors)


def _signed(axes: Floats) -> Floats:
    """An eigenvector is one only up to its sign."""
    largest = np.abs(axes).argmax(axis=0)
    signed: Floats = axes * np.where(axes[largest, range(axes.shape[1])] < 0, -1, 1)
    return signed


def _shares(values: Floats) -> tuple[float, float]:
    """Of the two largest eigenvalues; where all vectors are alike nothing is explained."""
    held = np.clip(values, 0, None)
    if held.sum() < len(held) * np.finfo(np.float32).eps ** 2:
        return 0.0, 0.0
    shares = held[::-1] / held.sum()
    return float(shares[0]), float(shares[1]) if len(shares) > 1 else 0.0
