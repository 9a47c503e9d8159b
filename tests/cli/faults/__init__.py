"""One fault → what is made for it, the command that meets it, and how that has to end.

Each module here has a table of one kind; `tests/cli/test_faults.py` runs them all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

FAILED, USAGE, MODEL = 1, 2, 3

Content = bytes | Callable[[Path], object]
"""What a file holds, or what puts it there."""

GOOD = "\n".join(
    json.dumps({"instruction": f"Describe the number {number}."}) for number in range(20)
).encode()


@dataclass(frozen=True)
class Fault:
    """A command line, run in a folder that holds `good.jsonl` and `files`; its exit code and words.

    Attributes:
        says: what has to stand in the one sentence.
        variables: the environment, beside what is always there.
        apart: in a process of its own, since a native library works on what is broken.
    """

    name: str
    line: str
    code: int
    says: str
    files: Mapping[str, Content] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    apart: bool = False

    def __str__(self) -> str:
        return self.name

    def prepare(self, folder: Path) -> None:
        """Makes everything that the command is to meet."""
        for name, content in {"good.jsonl": GOOD, **self.files}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if callable(content):
                content(path)
            else:
                path.write_bytes(content)


def leads_to(target: str | Path) -> Callable[[Path], None]:
    """A link instead of a file."""
    return lambda path: path.symlink_to(target)


def data(name: str, content: Content, says: str, options: str = "") -> Fault:
    """A fault of the data file alone."""
    line = f"run data --budget 2 --method random {options}"
    return Fault(name, line, USAGE, says, {"data": content})
