"""Picks → a JSON list of instruction, input and output, which is the response if there is one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TextIO

from localsel.stages.export.chosen import Chosen


def write(chosen: Sequence[Chosen], file: TextIO) -> None:
    rows = [
        {
            "instruction": each.instruction.instruction,
            "input": each.instruction.input,
            "output": each.instruction.response,
        }
        for each in chosen
    ]
    json.dump(rows, file, ensure_ascii=False, indent=1)
    file.write("\n")
