"""This machine and a workspace → findings: what works here, what does not, what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from localsel import offline
from localsel.health import airgap, backends, machine, places
from localsel.health.finding import Finding

__all__ = ["Finding", "examine"]


def examine(workspace: Path) -> Iterator[Finding]:
    """Yields every finding as it is made."""
    # Before anything below imports the libraries that it looks at.
    offline.set_variables()
    looks: tuple[Callable[[], Finding], ...] = (
        machine.python,
        machine.cpu,
        machine.memory,
        machine.gpu,
        places.embedder,
    )
    looks += tuple(partial(backends.backend, name) for name in backends.names())
    looks += (
        backends.outlines,
        airgap.guard,
        airgap.namespaces,
        partial(places.models, workspace),
        partial(places.workspace, workspace),
        partial(places.disk, workspace),
    )
    for look in looks:
        yield look()
