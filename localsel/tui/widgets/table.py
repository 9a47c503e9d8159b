"""Rows from a source, a page at a time → a table that scrolls through a million of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import ClassVar, Protocol

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from localsel.printable import visible

PAGE = 128
"""Rows that are asked of a source at once."""


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, its width in cells (0: a share of what is left), and where its text stands."""

    name: str
    width: int = 0
    right: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table: its cells, any text, and the name of a colour (`good`, `bad`, `dim`)."""

    key: object
    cells: Sequence[str]
    tone: str = ""


class Source(Protocol):
    """What a table shows. Reads are quick: they happen while it is drawn."""

    def __len__(self) -> int: ...

    def lines(self, start: int, stop: int) -> Sequence[Line]: ...

    def narrowed(self, text: str) -> Source: ...

    """Only the rows in which `text` occurs, in whatever case; all of them for nothing."""


class Lines:
    """A source of rows that are all there."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    def lines(self, start: int, stop: int) -> Sequence[Line]:
        return self._lines[start:stop]

    def narrowed(self, text: str) -> Lines:
        low = text.lower()
        return Lines([each for each in self._lines if low in " ".join(each.cells).lower()])


@dataclass
class OfTable(Message):
    """What a table tells; `on` finds handlers by the table that it came from."""

    table: Table

    @property
    def control(self) -> Table:
        return self.table


class Table(ScrollView, can_focus=True, inherit_bindings=False):
    """A cursor over rows. `/` narrows them, space marks them, enter opens one."""

    DEFAULT_CSS = """
    Table { height: 1fr; background: $background; scrollbar-size-vertical: 1; overflow-x: hidden; }
    Table > .table--head { color: $text-muted; text-style: bold; background: $surface; }
    Table > .table--cursor { background: $block-cursor-blurred-background; }
    Table:focus > .table--cursor { background: $primary; color: $background; text-style: bold; }
    Table > .table--good { color: $text-success; }
    Table > .table--bad { color: $text-error; }
    Table > .table--dim { color: $text-muted; }
    Table > .table--empty { color: $text-muted; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"table--{name}" for name in ("head", "cursor", "good", "bad", "dim", "empty")
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "open"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("space", "mark", "mark", show=False),
        Binding("y", "copy", "copy", show=False),
        Binding("n", "match(1)", "next match", show=False),
        Binding("N", "match(-1)", "previous match", show=False),
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "page up", show=False),
        Binding("pagedown,ctrl+d", "page(1)", "page down", show=False),
        Binding("home,g", "first", "first row", show=False),
        Binding("end,G", "last", "last row", show=False),
        Binding("escape", "widen", "all rows again", show=False),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)

    @dataclass
    class Highlighted(OfTable):
        """The cursor came to a row."""

        key: object

    @dataclass
    class Chosen(OfTable):
        """Enter on a row, or a second click."""

        key: object

    @dataclass
    class Marked(OfTable):
        """Rows were marked, or are no longer."""

    def __init__(
        self,
        columns: Sequence[Column],
        empty: str = "Nothing here.",
        id: str | None = None,
        marks: bool = False,
    ) -> None:
        super().__init__(id=id)
        self.columns, self.empty, self.takes_marks = columns, empty, marks
        self.marked: set[object] = set()
        self.pattern = ""
        self._all: Source = Lines(())
        self._source: Source = self._all
        self._pages: dict[int, Sequence[Line]] = {}

    # What is shown

    @property
    def source(self) -> Source:
        """What is shown now: everything, or what the filter leaves of it."""
        return self._source

    def show(self, source: Source, columns: Sequence[Column] | None = None) -> None:
        """Shows other rows, and stays on the same one if it is still there."""
        key, narrowed = self.key, self.is_narrowed
        self.columns = columns or self.columns
        self._all = source
        self._set(source.narrowed(self.pattern) if narrowed else source)
        self.go_to(key)

    @property
    def is_narrowed(self) -> bool:
        return self._source is not self._all

    def narrow(self, text: str) -> None:
        """Shows only the rows in which `text` occurs; all of them for nothing."""
        key, self.pattern = self.key, text or self.pattern
        self._set(self._all.narrowed(text) if text else self._all)
        self.go_to(key)

    def _set(self, source: Source) -> None:
        self._source, self._pages = source, {}
        self.virtual_size = Size(self.size.width, len(source) + 1)
        self.cursor = max(0, min(self.cursor, len(source) - 1))
        self.refresh()
        # How far it can scroll is known once it is laid out.
        self.call_after_refresh(self._bring_up)

    def line(self, index: int) -> Line | None:
        page = self._pages.get(index // PAGE)
        if page is None:
            if len(self._pages) > 16:
                self._pages.clear()
            start = index // PAGE * PAGE
            page = self._pages[index // PAGE] = self._source.lines(start, start + PAGE)
        place = index % PAGE
        return page[place] if index >= 0 and place < len(page) else None

    @property
    def key(self) -> object:
        """Of the row under the cursor; None if there is no row."""
        line = self.line(self.cursor) if len(self._source) else None
        return line.key if line else None

    def go_to(self, key: object) -> None:
        """Puts the cursor on a row, if it is among the first some thousands."""
        if key is None or self.key == key:
            return
        for index in range(min(len(self._source), 5000)):
            line = self.line(index)
            if line and line.key == key:
                self.cursor = index
                return

    # Drawing

    def render(self) -> str:
        return ""

    def _widths(self) -> list[int]:
        gaps = len(self.columns) - 1 + 2 * self.takes_marks
        free = self.scrollable_size.width - gaps - sum(column.width for column in self.columns)
        shares = sum(not column.width for column in self.columns) or 1
        return [column.width or max(free // shares, 4) for column in self.columns]

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_size.width
        if y == 0:
            return self._head().adjust_cell_length(width, self._style("head"))
        index = self.scroll_offset.y + y - 1
        line = self.line(index) if index < len(self._source) else None
        if line is None:
            says = "" if len(self._source) else visible(self._says_empty())
            lines = ["", "", *wrap(says, max(width - 2, 20))]
            text = set_cell_size(f" {lines[y]}" if y < len(lines) else "", width)
            return Strip([Segment(text, self._style("empty"))], width)
        style = self._style("cursor" if index == self.cursor else line.tone)
        mark = ("* " if line.key in self.marked else "  ") * self.takes_marks
        return Strip([Segment(mark + self._cells(line.cells), style)]).adjust_cell_length(
            width, style
        )

    def _says_empty(self) -> str:
        if self.is_narrowed and len(self._all):
            return "No row has that. Press esc for all rows."
        return self.empty

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"table--{name}") if name else self.rich_style

    def _head(self) -> Strip:
        names = [column.name for column in self.columns]
        return Strip([Segment("  " * self.takes_marks + self._cells(names), self._style("head"))])

    def _cells(self, cells: Sequence[str]) -> str:
        return " ".join(
            _fitted(text, width, column.right)
            for text, width, column in zip(cells, self._widths(), self.columns, strict=True)
        )

    # Moving

    def watch_cursor(self) -> None:
        self._bring_up()
        self.refresh()
        if (key := self.key) is not None:
            self.post_message(self.Highlighted(self, key))

    def _bring_up(self) -> None:
        top, room = self.scroll_offset.y, max(self.size.height - 1, 1)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + room:
            self.scroll_to(y=self.cursor - room + 1, animate=False)

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._source) + 1)
        self._bring_up()

    def _go(self, index: int) -> None:
        self.cursor = max(0, min(index, len(self._source) - 1))

    def action_move(self, by: int) -> None:
        self._go(self.cursor + by)

    def action_page(self, by: int) -> None:
        self._go(self.cursor + by * max(self.size.height - 2, 1))

    def action_first(self) -> None:
        self._go(0)

    def action_last(self) -> None:
        self._go(len(self._source) - 1)

    def action_match(self, by: int) -> None:
        """To the next row in which the last filter's text occurs."""
        if not self.pattern:
            self.notify("Nothing was looked for yet: press / first.")
            return
        for index in range(self.cursor + by, len(self._source) if by > 0 else -1, by):
            line = self.line(index)
            if line and self.pattern.lower() in " ".join(line.cells).lower():
                self.cursor = index
                return
        self.say_no_other()

    def say_no_other(self) -> None:
        self.notify(f"No other row has {visible(self.pattern)!r}.", markup=False)

    # Choosing

    def action_choose(self) -> None:
        if (key := self.key) is not None:
            self.post_message(self.Chosen(self, key))

    def action_mark(self) -> None:
        if self.takes_marks and (key := self.key) is not None:
            self.marked ^= {key}
            self.post_message(self.Marked(self))
            self.action_move(1)
            self.refresh()

    def action_copy(self) -> None:
        if len(self._source) and (line := self.line(self.cursor)):
            self.app.copy_to_clipboard("\t".join(line.cells))
            self.notify("Copied the row.")

    def action_filter(self) -> None:
        from localsel.tui.widgets.filtering import Filtering

        self.screen.mount(Filtering(self))

    def action_widen(self) -> None:
        self.narrow("")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Esc is for the screen where nothing is narrowed; space where marks are taken."""
        if action == "widen":
            return self.is_narrowed
        return self.takes_marks if action == "mark" else True

    def on_click(self, event: events.Click) -> None:
        index = self.scroll_offset.y + event.y - 1
        if event.y < 1 or index >= len(self._source):
            return
        again = index == self.cursor and event.chain > 1
        self.cursor = index
        if again:
            self.action_choose()


def _fitted(text: str, width: int, right: bool) -> str:
    """One line of exactly so many cells."""
    shown = visible(text[: 4 * width + 16])
    if cell_len(shown) > width:
        return set_cell_size(shown, max(width - 1, 0)) + "…"
    space = " " * (width - cell_len(shown))
    return space + shown if right else shown + space
