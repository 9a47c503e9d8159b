"""A cluster as several runs chose from it → its candidates with their bars, and the row in hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from localsel.tui import clustered, verdicts
from localsel.tui.clustered import HEADING, Candidates
from localsel.tui.inquiry import Inside
from localsel.tui.sides import Side, widths
from localsel.tui.widgets.sheet import Sheet
from localsel.tui.widgets.sided import SidedTable
from localsel.tui.widgets.table import Lines, Table


class ClusterPane(Vertical):
    """`fill` shows a cluster. Enter on a candidate reads it in the whole room there is."""

    DEFAULT_CSS = """
    ClusterPane #about { height: 1; padding: 0 1; background: $surface; text-style: bold;
        text-wrap: nowrap; text-overflow: ellipsis; }
    ClusterPane #sheet { height: 36%; min-height: 6; border-top: solid $panel; }
    ClusterPane #sheet:focus { border-top: solid $primary; }
    ClusterPane.-reading #candidates { display: none; }
    ClusterPane.-reading #sheet { height: 1fr; }
    """

    def __init__(self, text_of: Callable[[int], Text], id: str | None = None) -> None:
        super().__init__(id=id)
        self._text_of = text_of
        self.candidates: Candidates | None = None
        self.sides: Sequence[Side] = ()
        self.order, self.unfolded = "", False

    def compose(self) -> ComposeResult:
        yield Static(id="about")
        yield SidedTable([], empty="", id="candidates")
        yield Sheet(id="sheet")

    @property
    def table(self) -> SidedTable:
        return self.query_one("#candidates", SidedTable)

    @property
    def sheet(self) -> Sheet:
        return self.query_one("#sheet", Sheet)

    @property
    def styles_of_sides(self) -> list[Style]:
        return self.table.styles_of_sides

    @property
    def cluster(self) -> int | None:
        """The number of the cluster that is shown."""
        return self.candidates.detail.cluster.id if self.candidates else None

    @property
    def place(self) -> tuple[int | None, int | None]:
        """The query and the row under the cursor."""
        key = self.table.key
        if not isinstance(key, tuple):
            return None, None
        query, row = key
        return (query if query >= 0 else None), (row if row != HEADING else None)

    def clear(self) -> None:
        self.candidates, self.order = None, ""
        self.remove_class("-reading")
        self.table.show(Lines(()))
        self.sheet.tell(None, Text())
        self.query_one("#about", Static).update()

    def fill(self, found: Inside, sides: Sequence[Side], row: int | None) -> None:
        """Shows a cluster; the cursor stays where it was, or goes to this row."""
        is_other = self.cluster != found.detail.cluster.id
        self.sides = sides
        self.candidates = Candidates(found.detail, sides, found.heads)
        if is_other:
            self.table.narrow("")
        self.draw()
        if is_other:
            # What comes first may be a heading.
            self.table.cursor = int(self.table.is_rule(0))
        if row is not None and (key := self.candidates.where(row)):
            self.table.go_to(key)
        self._read()

    def draw(self) -> None:
        if self.candidates is None:
            return
        each = widths(self.sides, self.table.size.width or self.screen.size.width)
        order = self.order or clustered.orders(self.sides)[0]
        lines = Lines(self.candidates.lines(order, each, self.unfolded))
        columns = clustered.candidate_columns(self.sides, each, order)
        self.table.show_sides(lines, columns, 2, len(self.sides))
        about = verdicts.cluster_about(self.candidates.detail.cluster)
        self.query_one("#about", Static).update(about)

    def on_resize(self) -> None:
        self.draw()

    def on_table_highlighted(self, event: Table.Highlighted) -> None:
        event.stop()
        self._read()

    @on(Table.Chosen)
    def _read_whole(self, event: Table.Chosen) -> None:
        event.stop()
        self.add_class("-reading")
        self.sheet.focus()

    def back(self) -> bool:
        """From the text to the candidates; whether there was a way back here."""
        if not self.has_class("-reading") and not self.sheet.has_focus:
            return False
        self.remove_class("-reading")
        self.table.focus()
        return True

    def _read(self) -> None:
        query, row = self.place
        if self.candidates is None or row is None:
            self.sheet.tell((query, row), Text())
            return
        member = self.candidates.members[row]
        text = verdicts.row_about(row, member, self.sides, self.styles_of_sides)
        text.append_text(self._text_of(row))
        alike = verdicts.alike(member, row, self.candidates.heads)
        self.sheet.tell((self.cluster, query, row), text, alike)

    def sort(self) -> None:
        """By the next column: how likely a side found them, label, distance."""
        names = clustered.orders(self.sides)
        here = names.index(self.order) if self.order in names else 0
        self.order = names[(here + 1) % len(names)]
        self.draw()

    def unfold(self) -> None:
        """Near-duplicates below their row, or hidden again."""
        self.unfolded = not self.unfolded
        self.draw()
