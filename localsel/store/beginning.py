"""A column of texts → how they begin, without reading the rest of a long one into Python."""

from __future__ import annotations


def first_bytes(column: str, letters: str) -> str:
    """An expression. As bytes, since SQLite takes a NUL for the end of a text."""
    return f"substr(CAST({column} AS BLOB), 1, 4 * {letters})"


def first_letters(found: bytes | None, letters: int) -> str | None:
    """What the expression found; the last letter may be there in part."""
    return None if found is None else found.decode("utf-8", "ignore")[:letters]
