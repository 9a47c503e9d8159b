"""The workspace → its runs, pools and models, and what was said of the one under the cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.console import Group
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import DescendantFocus
from textual.widgets import Static

from localsel.errors import LocalselError
from localsel.printable import visible
from localsel.tui.keeping import Keeping
from localsel.tui.messages import Failure, Look, Start
from localsel.tui.subject import Subject
from localsel.tui.widgets.listed import EMPTY, MODELS, POOLS, RUNS, Listed
from localsel.tui.widgets.table import Lines, Table

if TYPE_CHECKING:
    from localsel.tui.listing import Entry, Listing

DEMO_BUDGET = 40
PAINTED = 0.05
"""Seconds within which the frame is on the terminal."""
SETTLED = 0.08
"""Seconds that the cursor has to stay before its line is read up on."""


class WorkspacePage(Keeping):
    """Runs, pools and models."""

    NAME = "workspace"
    ABOUT = (
        "What was run here, newest first. The run under the cursor is what keys 2 to 8 show. "
        "A comparison is one line with its runs below it: open it as a whole, or one of them."
    )
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    CSS = """
    WorkspacePage #lists { width: 1fr; }
    WorkspacePage #details { display: none; padding: 0 1; background: $background; }
    WorkspacePage.-wide #details { display: block; width: 36%; border-left: solid $panel; }
    WorkspacePage.-narrow Horizontal { layout: vertical; }
    WorkspacePage.-narrow #details { width: 1fr; }
    WorkspacePage.-narrow.-reading #details { display: block; height: 2fr;
        border-top: solid $panel; }
    WorkspacePage.-narrow.-reading #pools, WorkspacePage.-narrow.-reading #models {
        display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "new run"),
        Binding("d", "demo", "demo"),
        Binding("c", "compare", "compare"),
        Binding("v", "details", "details", show=False),
    ]

    listing: Listing | None = None
    _painted = False
    _pools: Sequence[dict[str, Any]] = ()
    _runs: Mapping[str, Mapping[str, Any]] = {}
    _states: Mapping[str, str] = {}
    _models: Mapping[Path, int] = {}
    _list: Table | None = None
    _read: object = None
    _stood = ""
    _came = False

    def body(self) -> ComposeResult:
        with Horizontal():
            with Vertical(id="lists"):
                yield Listed(RUNS, empty="", id="runs", marks=True)
                yield Listed(POOLS, empty="", id="pools")
                yield Listed(MODELS, empty="", id="models")
            with VerticalScroll(id="details"):
                yield Static()

    # What is shown

    def show(self) -> None:
        if self._painted:
            self._fill()
            return
        # Opening the database takes longer than all else at the start: the frame comes first.
        self._painted = True
        self.set_timer(PAINTED, partial(self.safely, self._fill))

    def _fill(self) -> None:
        self._show_runs()
        self._show_pools()
        self._show_models()
        for each in self.query(Listed):
            each.empty = EMPTY[str(each.id)]
        room = max(3, self.size.height // 6)
        for name in ("pools", "models"):
            table = self.query_one(f"#{name}", Table)
            table.styles.height = 1 + min(max(len(table.source), 1), room)
        self._go_to_subject()
        known, entry = self.desk.subject.runs, self.entry
        # A comparison that goes on has ever more runs.
        grows = known and entry and entry.is_comparison and entry.runs[: len(known)] == known
        # What was just started is looked at, though it has no run yet.
        if (not known and not self.desk.subject.log) or grows:
            self._turn()
        self._describe()

    def _show_runs(self) -> None:
        from localsel.tui.listing import Listing

        store = self.desk.store
        runs, picked = store.runs(), store.picked()
        self._states = {run["run"]: store.state(run) for run in runs}
        self._runs = {run["run"]: run for run in runs}
        self.listing = Listing(runs, self._states, picked, self.desk.jobs.values())
        self.query_one("#runs", Table).show(Lines(self.listing.lines))

    def _show_pools(self) -> None:
        from localsel.tui.listing import pool_lines

        self._pools = self.desk.store.pools()
        self.query_one("#pools", Table).show(Lines(pool_lines(self._pools)))

    def _show_models(self) -> None:
        from localsel.selectors import weights
        from localsel.tui.listing import model_lines, model_sizes

        self._models = model_sizes(weights(self.desk.home))
        self.query_one("#models", Table).show(Lines(model_lines(self._models)))

    # What the cursor is on

    @property
    def table(self) -> Table:
        """The list that has the focus, or had it last."""
        return self._list or self.query_one("#runs", Table)

    @property
    def entry(self) -> Entry | None:
        """What the cursor is on among the runs."""
        key = self.query_one("#runs", Table).key
        return self.listing.entries.get(str(key)) if self.listing else None

    @property
    def marked(self) -> list[Entry]:
        """What is marked, in the order of the list; without marks what the cursor is on."""
        entries = self.listing.entries if self.listing else {}
        marked = self.query_one("#runs", Table).marked
        here = [entry for key, entry in entries.items() if key in marked]
        return here or [entry for entry in [self.entry] if entry]

    def handed(self) -> tuple[str, ...]:
        """The runs that are exported and reported: those marked, or under the cursor."""
        return tuple(dict.fromkeys(run for entry in self.marked for run in entry.runs))

    def reported(self) -> tuple[str, ...]:
        """Of one run of a comparison the whole of it, unless that run is marked."""
        runs = self.handed()
        if len(runs) != 1 or self.query_one("#runs", Table).marked:
            return runs
        entries = self.listing.entries.values() if self.listing else ()
        around = (each for each in entries if each.is_comparison and runs[0] in each.members)
        return next((each.runs for each in around), runs)

    @on(Table.Highlighted, "#runs")
    def _moved(self) -> None:
        # New lines above it move the cursor too.
        if self.entry and self.entry.key != self._stood:
            self._stood = self.entry.key
            self._turn()

    def on_table_highlighted(self) -> None:
        self.safely(self._describe)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        if isinstance(event.widget, Table):
            self._list = event.widget
        self.safely(self._describe)

    def on_screen_resume(self) -> None:
        self._came = True
        super().on_screen_resume()

    def _go_to_subject(self) -> None:
        """Puts the cursor on what the other screens show, when this one comes up, and on what was
        started once it has a run.
        """
        subject, listing = self.desk.subject, self.listing
        job = self.desk.jobs.get(subject.log) if subject.log else None
        runs = subject.runs or (job.runs if job else ())
        if listing and (self._came or (job and runs and not subject.runs)):
            self._came = False
            found = listing.of(runs, subject.log)
            self.query_one("#runs", Table).go_to(found.key if found else None)

    def _turn(self) -> None:
        """Has the other screens show what the cursor is on."""
        entry = self.entry
        if not self.is_current:
            return  # the cursor may come to its place when another screen is up already
        if entry and entry.runs and entry.runs != self.desk.subject.runs:
            self.post_message(Look(Subject(pool=entry.pool, runs=entry.runs)))

    # Details

    def _describe(self) -> None:
        """Reads up on what the cursor is on, unless that was done."""
        if not self.is_mounted or not (self.has_class("-wide") or self.has_class("-reading")):
            return
        where, key = self.table.id, self.table.key
        run = self._runs.get(str(key).partition(":")[2]) if where == "runs" else None
        changes = len(self.desk.store.changes(run["run"])) if run else 0
        state = [run["updated"], self._states[run["run"]], changes] if run else []
        wanted = (where, key, *state, len(self._pools), self.entry if where == "runs" else None)
        if wanted != self._read:
            self._read = wanted
            self.later(partial(self._tell, str(where), key), "details")

    async def _tell(self, where: str, key: object) -> None:
        await asyncio.sleep(SETTLED)
        text = await asyncio.to_thread(self._text, where, key)
        self.query_one("#details Static", Static).update(text)
        self.query_one("#details", VerticalScroll).scroll_home(animate=False)

    def _text(self, where: str, key: object) -> Text | Group:
        """In a thread: a run of a large pool takes its time."""
        from localsel.store import Store
        from localsel.tui import details

        if key is None:
            return Text()
        if where == "pools":
            pool = next((each for each in self._pools if each["pool"] == key), None)
            return details.pool_text(pool) if pool else Text()
        if where == "models":
            size = self._models.get(Path(str(key)), 0)
            return details.model_text(Path(str(key)), size)
        entry = self.listing.entries.get(str(key)) if self.listing else None
        if entry is None or not entry.runs:
            return Text("It reads the data and makes its plan. Press enter to watch it.")
        if entry.is_comparison:
            runs = [run for name in entry.members if (run := self._runs.get(name))]
            return details.comparison_text(runs, self._states) if runs else Text()
        try:
            with closing(Store(self.desk.home)) as store:
                return details.run_text(store, entry.runs[0])
        except LocalselError as error:
            return Text(visible(error))

    def action_details(self) -> None:
        self.toggle_class("-reading")
        self._read = None
        self.call_after_refresh(self.safely, self._describe)

    def on_resize(self) -> None:
        self.call_after_refresh(self.safely, self._describe)

    # Opening

    @on(Table.Chosen, "#runs")
    def _open_run(self) -> None:
        if entry := self.entry:
            subject = Subject(pool=entry.pool, runs=entry.runs, log=entry.log)
            done = "clusters" if entry.asks else "review"
            self.post_message(Look(subject, "run" if entry.state == "running" else done))

    @on(Table.Chosen, "#pools")
    def _open_pool(self, event: Table.Chosen) -> None:
        from localsel.tui.screens.pool import PoolScreen

        self.app.push_screen(PoolScreen(self.desk, str(event.key)))

    @on(Table.Chosen, "#models")
    def _open_model(self) -> None:
        self.post_message(Look(self.desk.subject, "models"))

    def action_compare(self) -> None:
        runs = self.handed()
        if len(runs) < 2:
            self.notify("Mark the runs to compare with space, then press c.")
            return
        self.post_message(Look(Subject(pool=self.marked[0].pool, runs=runs), "compare"))

    # Starting

    def action_new(self) -> None:
        from localsel.tui.screens.start import StartScreen

        self.app.push_screen(StartScreen(self.desk, self._data()))

    def _data(self) -> Path | None:
        """The file of what the cursor is on, if it is still there."""
        pool = next((each for each in self._pools if each["pool"] == self.table.key), None)
        path = Path(pool["path"]) if pool and self.table.id == "pools" else None
        return path if path and path.is_file() else None

    def action_demo(self) -> None:
        from localsel.settings import resource

        models = sorted(resource("models").glob("nano-*/*.gguf"))
        data = resource("examples") / "pool.jsonl"
        if not models or not data.is_file():
            self.post_message(Failure("The demo's data or models are not installed."))
            return
        named = [f"--model={path}" for path in models]
        self.post_message(Start(("compare", f"--budget={DEMO_BUDGET}", *named, "--", str(data))))
        self.notify("The demo is on its way: both small selectors choose 40 of 485 instructions.")
