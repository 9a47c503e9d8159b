"""The beginning of a path → the rest of it, and an input that offers it."""

from __future__ import annotations

import asyncio
import os
import shlex
from pathlib import Path

from textual.suggester import Suggester


class Completing(Suggester):
    """Offers the first file or folder that goes on as was typed; `→` takes it.

    With `several`, it completes the last word of a line that a shell would take.
    """

    def __init__(self, several: bool = False) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.several = several

    async def get_suggestion(self, value: str) -> str | None:
        if self.several:
            return await self._of_last_word(value)
        return await asyncio.to_thread(completed, value)

    async def _of_last_word(self, value: str) -> str | None:
        before, space, last = value.rpartition(" ")
        found = await asyncio.to_thread(completed, last)
        is_plain = found is not None and shlex.quote(found) == found
        return f"{before}{space}{found}" if is_plain else None


def expanded(typed: str) -> Path:
    """With the home folder for `~`; `~nobody` stays as it was typed."""
    return Path(os.path.expanduser(typed))


def completed(text: str) -> str | None:
    """`da` → `data.jsonl`; a folder ends with a slash."""
    head, slash, start = text.rpartition("/")
    if not text or text == "~":
        return None
    try:
        folder = expanded(f"{head}{slash}" or ".")
        with os.scandir(folder) as found:
            fitting = [each for each in found if _fits(each, start)]
        first = min(fitting, key=lambda each: each.name, default=None)
        if first is None:
            return None
        return f"{head}{slash}{first.name}{'/' if first.is_dir() else ''}"
    except (OSError, ValueError):
        return None


def _fits(entry: os.DirEntry[str], start: str) -> bool:
    """Hidden files only for whoever asks for them; names that cannot be printed never."""
    is_asked = bool(start) or not entry.name.startswith(".")
    return entry.name.startswith(start) and is_asked and entry.name.isprintable()
