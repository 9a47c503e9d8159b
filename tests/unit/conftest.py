"""What unit tests share: one nano model, open for a file of tests, and one that has learnt."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from localsel.backends.base import Backend, Opening
from tests.conftest import CHECKOUT
from tests.once import once


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    """The bundled folder, read by transformers."""
    # Not above: most unit tests do without the seconds that it takes to import.
    from localsel.backends.transformers import TransformersBackend

    folder = CHECKOUT / "models" / "nano-llama"
    with closing(TransformersBackend.open(Opening(str(folder), threads=1))) as opened:
        yield opened


@pytest.fixture(scope="session")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nothing disturbed, its losses beside it. Whoever writes takes a copy."""
    from tests.learning import trained

    def fill(folder: Path) -> None:
        said = trained(folder / "tuned")
        (folder / "said.json").write_text(json.dumps([each.loss for each in said]))

    return once(tmp_path_factory, "tuned", fill) / "tuned"


@pytest.fixture
def nano_copy(tmp_path: Path) -> Path:
    """The selector's folder, for a change."""
    skip = shutil.ignore_patterns("*.gguf", "README.md")
    nano = CHECKOUT / "models" / "nano-llama"
    return Path(shutil.copytree(nano, tmp_path / "model", ignore=skip))
