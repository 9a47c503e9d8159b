"""A folder → its files as a table to walk through, and the file that was taken."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from localsel.printable import visible
from localsel.tui.later import later
from localsel.tui.leaving import Modal
from localsel.tui.widgets.table import Column, Line, Lines, Table

DATA = (".json", ".jsonl", ".csv", ".tsv", ".parquet")
COLUMNS = (Column("name"), Column("size", 10, right=True), Column("changed", 10, right=True))
UNITS = ("B", "kB", "MB", "GB", "TB")


def is_data(path: Path) -> bool:
    """Whether a file's name says that it holds instructions."""
    return path.name.lower().removesuffix(".gz").endswith(DATA)


def is_weights(path: Path) -> bool:
    """Whether a file's name says that it is a model, or the weights of the folder it is in."""
    return path.name.lower().endswith((".gguf", ".safetensors"))


def model_of(path: Path) -> Path:
    """What is named by a file that was taken: safetensors are part of their folder."""
    return path.parent if path.name.lower().endswith(".safetensors") else path


def wanted_for(setting: str) -> Callable[[Path], bool]:
    """What stands out where a file for a setting is looked for."""
    if setting == "prompt":
        return lambda path: path.suffix == ".toml"
    return is_data if setting == "data" else lambda path: is_data(path) or path.suffix == ".txt"


def short(path: Path) -> str:
    """Relative to the current folder if it lies in it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a folder; `size` is None for a folder."""

    path: Path
    size: int | None
    changed: float


class Picker(Modal[Path | None]):
    """Hands back the file that was taken, or None. What is `wanted` stands out."""

    DEFAULT_CSS = """
    Picker { align: center middle; }
    Picker > Vertical { width: 96; max-width: 98%; height: 92%; padding: 0 1;
        border: round $primary; background: $background; }
    Picker Static { height: 1; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,left,backspace", "up", "folder above"),
        Binding("l,right", "enter", "into the folder", show=False),
        Binding("tilde", "home", "home folder", key_display="~"),
        Binding("full_stop", "hidden", "hidden files", key_display="."),
        Binding("escape", "dismiss", "back"),
    ]

    def __init__(self, title: str, start: Path, wanted: Callable[[Path], bool] = is_data) -> None:
        super().__init__()
        self.says, self.wanted, self.shows_hidden = title, wanted, False
        self.folder, self._came_from = nearest_folder(start), start

    def compose(self) -> ComposeResult:
        with Vertical() as frame:
            frame.border_title = Text(visible(self.says))
            frame.border_subtitle = "enter take · / filter · h up · . hidden · esc back"
            yield Static(id="folder")
            yield Table(COLUMNS, empty="There is nothing here. Press h to go up.")

    def on_mount(self) -> None:
        self.walk(self.folder, self._came_from)

    def walk(self, folder: Path, came_from: Path | None = None) -> None:
        """Turns to another folder; the cursor goes to where one came from."""
        later(self, self._walk, folder, came_from, group="walk")

    async def _walk(self, folder: Path, came_from: Path | None) -> None:
        try:
            entries = await asyncio.to_thread(listed, folder, self.shows_hidden)
        except OSError as error:
            says = f"{visible(folder)} cannot be opened: {error.strerror}."
            self.notify(says, severity="error", markup=False)
            return
        self.folder = folder
        shown = visible(folder)
        room = max(self.size.width - 8, 20)
        self.query_one("#folder", Static).update(
            Text(shown if len(shown) <= room else f"…{shown[-room:]}", no_wrap=True)
        )
        table = self.query_one(Table)
        table.narrow("")
        table.show(Lines([self._line(each) for each in entries]))
        table.action_first()
        table.go_to(came_from)

    def _line(self, entry: Entry) -> Line:
        day = time.strftime("%Y-%m-%d", time.localtime(entry.changed))
        if entry.size is None:
            return Line(entry.path, (f"▸ {entry.path.name}/", "", day))
        wanted = self.wanted(entry.path)
        cells = (f"{'•' if wanted else ' '} {entry.path.name}", in_units(entry.size), day)
        return Line(entry.path, cells, "good" if wanted else "dim")

    # Walking

    def action_up(self) -> None:
        if self.folder.parent != self.folder:
            self.walk(self.folder.parent, self.folder)

    def action_home(self) -> None:
        self.walk(Path.home())

    def action_hidden(self) -> None:
        self.shows_hidden = not self.shows_hidden
        key = self.query_one(Table).key
        self.walk(self.folder, key if isinstance(key, Path) else None)

    def action_enter(self) -> None:
        key = self.query_one(Table).key
        if isinstance(key, Path) and key.is_dir():
            self.walk(key)

    def on_table_chosen(self, message: Table.Chosen) -> None:
        path = message.key
        if not isinstance(path, Path):
            return
        if path.is_dir():
            self.walk(path)
        elif os.access(path, os.R_OK):
            self.dismiss(path)
        else:
            self.notify(f"{visible(path)} may not be read.", severity="error", markup=False)


def nearest_folder(start: Path) -> Path:
    """The folder of a path that may not be there."""
    try:
        path = start.expanduser().absolute()
        return next((each for each in (path, *path.parents) if each.is_dir()), Path.cwd())
    except (OSError, RuntimeError, ValueError):
        return Path.cwd()


def listed(folder: Path, hidden: bool = False) -> Sequence[Entry]:
    """What is in a folder: folders first, by name. What cannot be looked at is left out."""
    with os.scandir(folder) as found:
        entries = [each for each in map(_entry, found) if each]
    shown = [each for each in entries if hidden or not each.path.name.startswith(".")]
    return sorted(shown, key=lambda each: (each.size is not None, each.path.name.lower()))


def _entry(found: os.DirEntry[str]) -> Entry | None:
    try:
        about = found.stat()
        return Entry(Path(found.path), None if found.is_dir() else about.st_size, about.st_mtime)
    except OSError:  # a link that leads nowhere
        return None


def in_units(size: float) -> str:
    """`812 B`, `4.1 GB`."""
    unit = 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {UNITS[unit]}" if unit == 0 or size >= 100 else f"{size:.1f} {UNITS[unit]}"
