"""The pool's vectors and the selections → points on a plane for people to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from localsel.stages.compare.coverage import Ground

SHOWN = 2_000
FITTED = 10_000


def landscape(
    ground: Ground, picks: Mapping[str, Sequence[int]], seed: int
) -> dict[str, Any] | None:
    """The two directions in which a sample of the pool varies most, and everybody on them."""
    from sklearn.decomposition import PCA

    if min(ground.vectors.shape) < 3:
        return None
    draw = np.random.default_rng([seed, 4])
    order = draw.permutation(len(ground.vectors))
    plane = PCA(2, svd_solver="covariance_eigh")
    plane.fit(ground.vectors[np.sort(order[:FITTED])])
    if not np.isfinite(plane.explained_variance_ratio_).all():
        return None

    def points(places: Sequence[int]) -> list[list[float]]:
        found = plane.transform(ground.vectors[list(places)]) if len(places) else np.empty((0, 2))
        return [[round(float(x), 4), round(float(y), 4)] for x, y in found]

    known = {name: [row for row in rows if row in ground.place] for name, rows in picks.items()}
    return {
        "method": "PCA",
        "explained": [float(share) for share in plane.explained_variance_ratio_],
        "pool": points(np.sort(order[:SHOWN]).tolist()),
        "picks": {
            name: [
                [*point, row]
                for point, row in zip(points([ground.place[r] for r in rows]), rows, strict=True)
            ]
            for name, rows in known.items()
        },
    }
