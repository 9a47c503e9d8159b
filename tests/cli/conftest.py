"""What tests of the command line share: a run on the example pool, in which nothing is embedded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.conftest import Command, Done

Choose: TypeAlias = Callable[..., Done]


@pytest.fixture
def choose(localsel: Command, example_pool: Path, workspace: Path) -> Choose:
    """`localsel run` on the example pool, in which nothing needs to be embedded."""

    def run(*options: object, model: object = "first", budget: int = 5) -> Done:
        where = ("--workspace", workspace)
        return localsel("run", example_pool, "--budget", budget, "--model", model, *where, *options)

    return run


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
