"""Picks → one JSON object a line, best first: all input columns and `_localsel`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TextIO

from localsel.stages.export.chosen import Chosen


def write(chosen: Sequence[Chosen], file: TextIO) -> None:
    for each in chosen:
        file.write(json.dumps(each.as_json(), ensure_ascii=False) + "\n")
