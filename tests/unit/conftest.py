"""What unit tests share: one nano model, open for a file of tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from localsel.backends.base import Backend, Opening
from tests.conftest import CHECKOUT


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    """The bundled folder, read by transformers."""
    # Not above: most unit tests do without the seconds that it takes to import.
    from localsel.backends.transformers import TransformersBackend

    folder = CHECKOUT / "models" / "nano-llama"
    with closing(TransformersBackend.open(Opening(str(folder), threads=1))) as opened:
        yield opened
