"""The workspace: one SQLite file with everything that was run, and the arrays beside it.

Whatever a run has finished is committed before anybody is told of it, so a killed run loses
nothing that it reported.
"""

from __future__ import annotations

from localsel.store.caches import Caches
from localsel.store.database import LARGEST, VERSION
from localsel.store.plans import Plans
from localsel.store.pools import Pools
from localsel.store.progress import Progress
from localsel.store.reviews import Reviews
from localsel.store.runs import ENDED, Runs, new_name
from localsel.store.transfer import Transfer

__all__ = ["ENDED", "LARGEST", "VERSION", "Store", "new_name"]


class Store(Pools, Plans, Runs, Progress, Reviews, Transfer, Caches):
    """One open workspace: pools, plans, runs, reviews, locks and caches over the same database."""
