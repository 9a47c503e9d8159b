"""The pool of a run as a map: every row a dot, every pick a sign."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from localsel.errors import LocalselError
from localsel.printable import visible, visible_lines
from localsel.tui.atlas import Atlas, Party, places, read_atlas, read_parties
from localsel.tui.desk import Desk
from localsel.tui.legend import WAYS, entries, paint, picked_by, title
from localsel.tui.messages import Look
from localsel.tui.page import Page
from localsel.tui.widgets.canvas import Canvas

EMPTY = "No run to show. Press 1 and choose one; or n there, to start one."
LONGEST = 2000
"""Letters of a row that are shown."""


class MapPage(Page):
    """Which run is shown: the first of those looked at that has clusters, else the first."""

    NAME = "map"
    ABOUT = (
        "Every row of the pool is a dot; rows that read alike lie close together. Signs are picks."
    )
    AUTO_FOCUS = "Canvas"
    CSS_PATH = "map.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "way", "colours"),
        Binding("n", "jump(1)", "next pick"),
        Binding("N", "jump(-1)", "previous pick", show=False),
        Binding("tab", "pick(1)", "next pick", show=False),
        Binding("shift+tab", "pick(-1)", "previous pick", show=False),
        Binding("slash", "find", "find", key_display="/"),
        Binding("y", "copy", "copy the row", show=False),
        Binding("escape", "forget", "forget what was looked for", show=False),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.atlas: Atlas | None = None
        self.parties: tuple[Party, ...] = ()
        self.way = WAYS[0]
        self.found: list[int] = []
        self._pattern = ""
        self._wanted: tuple[str, str] = ("", "")
        self._gone = (0, 0)
        self._here: int | None = None

    def body(self) -> ComposeResult:
        with Horizontal():
            yield Canvas(EMPTY)
            with Vertical(id="side"):
                yield Static(id="legend")
                yield Static(id="text")
        yield Static(id="status")

    @property
    def canvas(self) -> Canvas:
        return self.query_one(Canvas)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= 120, "-wide")
        self.set_class(event.size.width < 66, "-narrow")

    # What is shown

    def show(self) -> None:
        """Asks for the map when another run is looked at; brings the picks up to date."""
        wanted = self._map_wanted()
        if wanted != self._wanted:
            self._wanted, self.atlas, self.found = wanted, None, []
            self._say(f"Making the map of run {wanted[0]} …" if wanted[0] else EMPTY)
            if wanted[0]:
                self.later(partial(self._load, wanted[0]), "map")
        elif self.atlas:
            self.later(self._refresh, "picks")
            self._stand(self.desk.subject.row)

    def _map_wanted(self) -> tuple[str, str]:
        """The run whose map is to be shown, and its plan: a map is made once there is one."""
        runs = {run["run"]: run for run in self.desk.store.runs()}
        known = [runs[name] for name in self.desk.subject.runs if name in runs]
        run = next((run for run in known if run["plan"]), known[0] if known else None)
        return (run["run"], run["plan"] or run["state"]) if run else ("", "")

    def _say(self, text: str) -> None:
        from localsel.tui.dots import Paint

        self.canvas.show(None, Paint(), text)
        self.query_one("#legend", Static).update(Text())
        self.query_one("#text", Static).update(Text())
        self.query_one("#status", Static).update(Text())

    async def _load(self, run: str) -> None:
        try:
            document = await self.desk.ask("map", run)
            atlas = await asyncio.to_thread(read_atlas, self.desk.home, document)
            parties = await self._selections(atlas)
        except (LocalselError, OSError, ValueError) as error:
            self._say(str(error))
            return
        self.atlas, self.parties = atlas, parties
        self.canvas.show(atlas.cloud, paint(atlas, parties, self.way))
        self._repaint()
        self._stand(self.desk.subject.row)

    async def _selections(self, atlas: Atlas) -> tuple[Party, ...]:
        runs = self.desk.subject.runs
        return await asyncio.to_thread(read_parties, self.desk.home, atlas.pool, runs)

    async def _refresh(self) -> None:
        if self.atlas is None:
            return
        try:
            parties = await self._selections(self.atlas)
        except LocalselError as error:
            self.refuse(error)
            return
        if parties != self.parties:
            self.parties = parties
            self._repaint()

    def _repaint(self) -> None:
        if self.atlas:
            here = self._here = self._cluster_here()
            self.canvas.paint(paint(self.atlas, self.parties, self.way, self.found, here))
            self._write_legend()
            self.safely(self._write_row)

    def _cluster_here(self) -> int | None:
        """The cluster under the cross-hair, where clusters are what is shown."""
        point = self.canvas.point
        if self.atlas is None or point is None or self.way != "cluster":
            return None
        return self.atlas.cluster(point)

    def _stand(self, row: int | None) -> None:
        """Puts the cross-hair on the row that is looked at, if it is another than before."""
        here = self.canvas.point
        if row is None or not self.atlas or (here is not None and self.atlas.rows[here] == row):
            return
        for point in places(self.atlas, [row]):
            if self._gone != (row, point):
                self._gone = row, point
                self.canvas.go_to(point)

    # What it says

    def _write_legend(self) -> None:
        atlas = self.atlas
        assert atlas is not None
        text = Text(f"{title(self.parties, self.way)}\n", style="bold")
        for sign, tone, says, count in entries(atlas, self.parties, self.way, self._here):
            style = self.canvas.get_component_rich_style(f"canvas--{tone}", partial=True)
            text.append(sign, style=style)
            text.append(f" {visible(says, 40)}" + (f"  {count:,}\n" if count else "\n"), "not bold")
        across, down = atlas.explained
        text.append(
            f"\n{len(atlas.rows):,} rows. Left to right shows {across:.0%} of what tells them"
            f" apart, top to bottom {down:.0%}; the rest is lost: what is close here may not be.",
            style="not bold dim",
        )
        self.query_one("#legend", Static).update(text)

    def on_canvas_moved(self) -> None:
        if self._cluster_here() != self._here:
            self._repaint()
        else:
            self.safely(self._write_row)

    def _write_row(self) -> None:
        point = self.canvas.point
        if self.atlas is None or point is None:
            return
        row = int(self.atlas.rows[point])
        instruction = self.desk.store.instruction(self.atlas.pool, row)
        text = instruction.text[:LONGEST]
        says = self._said_of(row, point)
        self.query_one("#text", Static).update(Text(visible_lines(text)))
        line = Text(f"{says} · {visible(text, 400)}", no_wrap=True, overflow="ellipsis")
        self.query_one("#status", Static).update(line)

    def _said_of(self, row: int, point: int) -> str:
        assert self.atlas is not None
        cluster, by = self.atlas.cluster(point), picked_by(self.parties).get(row, [])
        words = [f"row {row:,}"]
        if cluster is not None:
            words.append(f"cluster {cluster}")
        if by:
            words.append(f"picked by {' '.join(party.letter for party in by)}")
        others = len(set(self.canvas.marks_here()) - {point})
        if others and self.way != "cluster":
            words.append(f"{others} more here")
        return " · ".join(words)

    # What can be done

    def action_way(self) -> None:
        self.way = WAYS[(WAYS.index(self.way) + 1) % len(WAYS)]
        self._repaint()

    def action_jump(self, by: int) -> None:
        """To the next of what was looked for, or to the next pick."""
        if self.found:
            self._go_along(self.found, by, "match")
        else:
            self.action_pick(by)

    def action_pick(self, by: int) -> None:
        if self.atlas:
            ranked = (row for party in self.parties for row in party.picks)
            self._go_along(places(self.atlas, dict.fromkeys(ranked)), by, "pick")

    def _go_along(self, points: list[int], by: int, what: str) -> None:
        """From one point to the next, round and round; from elsewhere to the first."""
        here = self.canvas.point
        if not points:
            self.notify(f"There is no {what} to go to.")
        elif here in points:
            self.canvas.go_to(points[(points.index(here) + by) % len(points)])
        else:
            self.canvas.go_to(points[0 if by > 0 else -1])

    def action_find(self) -> None:
        from localsel.tui.widgets.asking import Asking

        if self.atlas:
            says = "Rows with this text are marked ?; n goes from one to the next."
            self.app.push_screen(Asking("Find rows", says, self._pattern), self._asked)

    def _asked(self, text: str | None) -> None:
        if text:
            self._pattern = text
            self.later(partial(self._find, text), "find")
        elif text == "":
            self.action_forget()

    async def _find(self, text: str) -> None:
        if self.atlas is None:
            return
        atlas = self.atlas
        try:
            rows = await asyncio.to_thread(_rows_with, self.desk.home, atlas.pool, text)
        except LocalselError as error:
            self.refuse(error)
            return
        if atlas is not self.atlas:
            return
        self.found = places(atlas, rows)
        self._repaint()
        if self.found:
            self.notify(f"{len(self.found):,} rows have it.")
            self._go_along(self.found, 1, "match")
        else:
            self.notify(visible(f"No row has {text!r}."), markup=False)

    def action_forget(self) -> None:
        self.found = []
        self._repaint()

    def action_copy(self) -> None:
        point = self.canvas.point
        if self.atlas and point is not None:
            row = int(self.atlas.rows[point])
            self.app.copy_to_clipboard(self.desk.store.instruction(self.atlas.pool, row).text)
            self.notify(f"Copied the text of row {row:,}.")

    def on_canvas_chosen(self, message: Canvas.Chosen) -> None:
        if self.atlas:
            row, cluster = int(self.atlas.rows[message.point]), self.atlas.cluster(message.point)
            subject = replace(self.desk.subject, row=row, cluster=cluster, query=None)
            self.post_message(Look(subject, "clusters"))


def _rows_with(home: Path, pool: str, text: str) -> list[int]:
    from contextlib import closing

    from localsel.store import Store

    with closing(Store(home)) as store:
        return [row for _, rows in store.search(pool, text) for row in rows]
