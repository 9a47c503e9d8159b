"""What load hands on: the layout of a file, its records, its good rows and its bad rows."""

from __future__ import annotations

from dataclasses import dataclass

TITLES = {
    "alpaca": "Alpaca columns",
    "sharegpt": "ShareGPT turns",
    "messages": "OpenAI messages",
    "prompt-completion": "prompt and completion",
    "strings": "bare strings",
    "mapped": "columns as mapped",
}


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it stands in the file; `value` holds only what JSON and UTF-8 can hold."""

    row: int
    line: int | None
    value: object


@dataclass(frozen=True, slots=True)
class Row:
    """One good record; `columns` is all of it, `{"instruction": text}` for a bare string."""

    row: int
    instruction: str
    input: str
    response: str
    columns: dict[str, object]


@dataclass(frozen=True, slots=True)
class BadRow:
    """One record that cannot be used; `line` is its first line in the file, from 1, where known."""

    row: int
    line: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is read. `columns`: role to column, or to a dotted path into nested values.

    In a conversation `instruction` and `response` name the same column.
    """

    format: str
    encoding: str
    kind: str
    columns: dict[str, str]

    def describe(self) -> str:
        """One line for a person."""
        roles: dict[str, list[str]] = {}
        for role, path in self.columns.items():
            roles.setdefault(path, []).append(role)
        parts = [
            path if names == [path] else f"{path} as {' and '.join(names)}"
            for path, names in roles.items()
        ]
        what = "" if self.kind == "strings" else f": {', '.join(parts)}"
        return f"{self.format}, {self.encoding}, {TITLES[self.kind]}{what}"
