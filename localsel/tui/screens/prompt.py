"""The question as parts to edit → what a model reads in a query of a run, and what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import ContentSwitcher, Static, TextArea

from localsel.errors import LocalselError
from localsel.printable import visible
from localsel.tui import templates, trial
from localsel.tui.desk import Desk
from localsel.tui.inquiry import read_queries
from localsel.tui.messages import Look
from localsel.tui.screens.filing import DEFAULT, Filing
from localsel.tui.widgets.editor import Editor
from localsel.tui.widgets.rendered import Rendered
from localsel.tui.widgets.table import Column, Line, Lines, Table

PAUSE = 0.6
"""Seconds without a key before the prompt is rendered again."""
NO_RUN = (
    "No run is looked at. What a model reads is shown for a query of a run: press 1 and open one,"
    " or start one there with n. The parts on the left can be edited and saved without."
)


class Parts(Table, inherit_bindings=False):
    """The six parts."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "edit"),
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("home,g", "first", "first", show=False),
        Binding("end,G", "last", "last", show=False),
    ]


class PromptPage(Filing):
    """What is edited stays as it is while other runs and queries are looked at."""

    NAME = "prompt"
    ABOUT = "The question, part by part, and the exact text that a model reads of it."
    CSS_PATH = "prompt.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "query(1)", "next query", key_display="]"),
        Binding("left_square_bracket", "query(-1)", "previous query", key_display="[", show=False),
        Binding("ctrl+r,t", "try", "try it"),
        Binding("v", "turn", "text or answer", show=False),
        Binding("escape", "text", "the text again", show=False),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.part = "criteria"
        self.queries: dict[int, int] = {}
        self._is_read = False
        self._is_asking = False
        self._query: int | None = None
        self._pause: Timer | None = None

    def body(self) -> ComposeResult:
        with Horizontal():
            with Vertical(id="left"):
                yield Static(id="name")
                yield Parts([Column("part", 9), Column("begins")], id="parts")
                yield Static(id="hint")
                yield Editor()
            with Vertical(id="right"):
                yield Static(id="head")
                with ContentSwitcher(initial="read"):
                    yield Rendered(id="read")
                    yield Table(trial.COLUMNS, id="trial", empty="Press ctrl+r to ask the model.")
        yield Static(id="fault")

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= 120, "-wide")

    # What is shown

    def show(self) -> None:
        """Turns to another run or query if another is looked at; what is edited stays."""
        run = self._run_wanted()
        is_other = (run or {}).get("run") != (self.run or {}).get("run") or not self.parts
        self.run = run
        if is_other and not self.unsaved:
            self._take_that_of_the_run()
        if is_other:
            self.queries, self._query, self._is_read = {}, None, False
        if is_other or (self._is_read and run and not self.queries):
            self.later(self._find_queries, "queries")
        elif self._query_wanted() != self._query:
            self._render_soon(0)

    def _run_wanted(self) -> Mapping[str, Any] | None:
        """The first of the runs looked at in which a model was asked."""
        runs = {run["run"]: run for run in self.desk.store.runs()}
        known = (runs[name] for name in self.desk.subject.runs if name in runs)
        return next((run for run in known if run["facts"].get("selector")), None)

    def _query_wanted(self) -> int | None:
        wanted = self.desk.subject.query
        return wanted if wanted in self.queries else next(iter(self.queries), None)

    async def _find_queries(self) -> None:
        run = self.run
        if run:
            try:
                self.queries = await asyncio.to_thread(read_queries, self.desk.home, run["run"])
            except LocalselError as error:
                self.refuse(error)
        self._is_read = True
        self._render_soon(0)

    def take(self, reference: str, parts: Mapping[str, str]) -> None:
        self.reference, self.kept, self.parts = reference, dict(parts), dict(parts)
        self._open_part(self.part)
        self.changed()
        self._render_soon(0)

    def _take_that_of_the_run(self) -> None:
        """The run's prompt, or the usual one where there is no run, or its file is gone."""
        reference = self.run["settings"]["prompt"] if self.run else DEFAULT
        try:
            self.take(reference, templates.parts_of(reference))
        except LocalselError as error:
            self.notify(visible(str(error)), severity="error", markup=False)
            self.take(DEFAULT, templates.parts_of(DEFAULT))

    def changed(self) -> None:
        own = "" if self.reference.endswith(".toml") else " (comes with localsel)"
        says = f"{self.called}{' · edited' if self.unsaved else own}"
        self.query_one("#name", Static).update(Text(visible(says)))
        lines = [Line(part, (part, text.strip()[:200])) for part, text in self.parts.items()]
        parts = self.query_one(Parts)
        parts.show(Lines(lines))
        parts.go_to(self.part)

    def on_table_highlighted(self, message: Table.Highlighted) -> None:
        if isinstance(message.table, Parts) and str(message.key) != self.part:
            self._open_part(str(message.key))

    def _open_part(self, part: str) -> None:
        self.part = part
        editor = self.query_one(Editor)
        with editor.prevent(TextArea.Changed):
            editor.load_text(self.parts[part])
        hint = templates.PARTS[part]
        criteria = (self.run or {}).get("settings", {}).get("criteria")
        if part == "criteria" and criteria:
            hint = f"The run gave --criteria itself, and reads: {visible(criteria, 200)}"
        self.query_one("#hint", Static).update(Text(hint))

    def on_table_chosen(self, message: Table.Chosen) -> None:
        if isinstance(message.table, Parts):
            self.query_one(Editor).focus()
        elif isinstance(message.key, int):
            self.post_message(Look(replace(self.desk.subject, row=message.key), "clusters"))

    def on_editor_left(self) -> None:
        self.query_one(Parts).focus()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        if self.parts.get(self.part) != event.text_area.text:
            self.parts[self.part] = event.text_area.text
            self.changed()
            self.action_text()
            self._render_soon(PAUSE)

    # What a model reads

    def _render_soon(self, seconds: float) -> None:
        """Once nothing was typed for so long."""
        if self._pause:
            self._pause.stop()
        self._pause = self.set_timer(max(seconds, 0.01), self._render_now)

    def _render_now(self) -> None:
        self._query, fault = self._query_wanted(), templates.fault(self.parts)
        self._say_fault(fault)
        if self.run is None or (self._query is None and self._is_read):
            says = "This run has asked nothing yet." if self.run else NO_RUN
            self.query_one("#head", Static).update(Text(""))
            self.query_one(Rendered).tell(None, says)
        elif self._query is not None and not fault:
            self._write_head("counting tokens …")
            self.later(partial(self._show_query, self.run["run"], self._query), "render")

    async def _show_query(self, run: str, query: int) -> None:
        document = await self._ask("show", run, query)
        if document is None or not self._is_up(run, query):
            return
        self.query_one(Rendered).tell((run, query), document["text"])
        shortened = len(document["shortened"])
        says = f"{document['tokens']:,} tokens" + (f", {shortened} shortened" if shortened else "")
        self._write_head(says)

    def _is_up(self, run: str, query: int) -> bool:
        """Whether the screen has not turned away meanwhile."""
        return (run, query) == ((self.run or {}).get("run"), self._query)

    async def _ask(self, command: str, run: str, query: int) -> Any:
        """What a command says of this query with the prompt as it is edited; else its fault."""
        with TemporaryDirectory(prefix="localsel-") as folder:
            path = templates.draft(self.parts, Path(folder))
            line = ("prompts", command, f"--run={run}", f"--query={query}", f"--prompt={path}")
            try:
                return await self.desk.ask(*line)
            except LocalselError as error:
                if self._is_up(run, query):
                    self._say_fault(templates.without(path, str(error)))
                    self._write_head("no model can read this")
                return None

    def _write_head(self, says: str) -> None:
        if self.run is None:
            return
        place = list(self.queries).index(self._query) + 1 if self._query in self.queries else 0
        selector = self.run["facts"]["selector"]["name"]
        says = "asking …" if self._is_asking else says
        words = f"query {self._query} ({place} of {len(self.queries)}) · {says} · {selector}"
        self.query_one("#head", Static).update(Text(visible(words)))

    def _say_fault(self, says: str) -> None:
        fault = self.query_one("#fault", Static)
        fault.set_class(bool(says), "-so")
        fault.update(Text(f"! {says}" if says else ""))

    # What can be done

    def action_query(self, by: int) -> None:
        if not self.queries:
            self.notify("There is no query: open a run on screen 1.")
            return
        known = list(self.queries)
        at = known.index(self._query) if self._query in self.queries else -1
        query = known[(at + by) % len(known)]
        subject = replace(self.desk.subject, query=query, cluster=self.queries[query], row=None)
        self.post_message(Look(subject))
        self.action_text()

    def action_turn(self) -> None:
        switcher = self.query_one(ContentSwitcher)
        switcher.current = "read" if switcher.current == "trial" else "trial"

    def action_text(self) -> None:
        self.query_one(ContentSwitcher).current = "read"

    def action_try(self) -> None:
        """Asks the run's model this query, with the prompt as it is edited."""
        if self.run is None or self._query is None:
            self.notify("Nothing to try it on: open a run on screen 1.")
        elif fault := templates.fault(self.parts):
            self._say_fault(fault)
        else:
            self._is_asking = True
            self._write_head("")
            self.later(partial(self._try, self.run, self._query), "try")

    async def _try(self, run: Mapping[str, Any], query: int) -> None:
        document = await self._ask("try", run["run"], query)
        self._is_asking = False
        if document is None or not self._is_up(run["run"], query):
            self._render_soon(0)
            return
        self.safely(partial(self._show_trial, document, run["pool"]))

    def _show_trial(self, document: Mapping[str, Any], pool: str) -> None:
        store = self.desk.store
        lines = trial.lines(document, lambda row: store.instruction(pool, row).text[:400])
        self.query_one("#trial", Table).show(Lines(lines))
        self.query_one(ContentSwitcher).current = "trial"
        self._write_head(f"{document['tokens']:,} tokens, {document['seconds']:.1f} s")
        self.notify(trial.summary(document), timeout=8)
