"""The runs being looked at, and what their command tells → how far they are, answer by answer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from localsel.errors import LocalselError
from localsel.printable import visible
from localsel.tui.messages import Look, Start, Stop
from localsel.tui.page import Page
from localsel.tui.subject import Subject
from localsel.tui.telling import RUNS, note_lines, run_line, warns, whole_log
from localsel.tui.widgets.dialog import Dialog
from localsel.tui.widgets.gauge import Gauge
from localsel.tui.widgets.question import Question
from localsel.tui.widgets.table import Column, Lines, Table

if TYPE_CHECKING:
    from localsel.tui.sight import Sight
    from localsel.tui.standing import Standing

WIDTHS = [(0, "-narrow"), (110, "-wide")]
HEIGHTS = [(0, "-short"), (30, "-tall")]
NOTHING = "Nothing has run here yet. Press 1 for the workspace: n starts a run there, d the demo."
EVERY = 1.0
"""Seconds between two looks at the clock and the memory while something runs."""


class RunPage(Page):
    """How far the runs are that are being looked at, and what was answered last."""

    NAME = "run"
    ABOUT = (
        "How far the runs are, how fast, and what was answered last. The first answer is the"
        " newest; enter opens its cluster. What runs goes on when you leave."
    )
    CSS_PATH = "run.tcss"
    AUTO_FOCUS = "#answers"
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop", "stop"),
        Binding("r", "resume", "resume"),
        Binding("f", "faults", "faults only"),
        Binding("l", "log", "log"),
    ]

    def body(self) -> ComposeResult:
        from localsel.tui.answers import COLUMNS

        yield Static(Text(NOTHING), id="nothing")
        yield Gauge()
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield Table(RUNS, id="runs")
                yield Table(COLUMNS, "No answer yet.", id="answers")
            with Vertical(id="right"):
                yield Question()
                yield Table([Column("notes")], id="notes")

    def on_mount(self) -> None:
        self._sight: Sight | None = None
        self._shown = ""
        self._follows = True
        self._faulty = False
        self._adopted: tuple[str, ...] = ()
        self._summaries: dict[tuple[str, float], list[str]] = {}
        self.set_interval(EVERY, self._tick)

    # What is shown

    @property
    def standing(self) -> Standing | None:
        """Of the run whose answers are shown: the one under the cursor."""
        if self._sight is None or not self._sight.runs:
            return None
        place = self.query_one("#runs", Table).cursor
        return self._sight.runs[min(place, len(self._sight.runs) - 1)]

    def show(self) -> None:
        from localsel.tui.sight import sight

        before, self._sight = self._sight, sight(self.desk)
        self._adopt(self._sight)
        runs = self._sight.runs
        self.set_class(not runs, "-nothing")
        self.set_class(len(runs) > 1, "-several")
        self._show_runs(before)
        self._show_one()
        self._show_notes()
        self.refresh_bindings()
        if self.focused is None and self.has_class("-asks"):
            self.query_one("#answers", Table).focus()

    def _adopt(self, seen: Sight) -> None:
        """What is made here is what the other screens look at, as far as it is there."""
        from localsel.tui.sight import subject_runs

        subject = self.desk.subject
        if subject.runs and subject.runs != self._adopted:
            return
        runs = subject_runs(self.desk.store, seen.runs)
        if runs and runs != subject.runs and (not subject.runs or set(subject.runs) < set(runs)):
            row = self.desk.store.known(runs[0])
            self._adopted = runs
            self.post_message(Look(Subject(pool=row["pool"] if row else "", runs=runs)))

    def _show_runs(self, before: Sight | None) -> None:
        """The cursor is on the run that is at work, until somebody moves it to another."""
        assert self._sight is not None
        table = self.query_one("#runs", Table)
        if before is not None and before.runs:
            self._follows = table.cursor == before.active
        lines = [run_line(place, each) for place, each in enumerate(self._sight.runs)]
        table.show(Lines(lines))
        if self._follows or before is None:
            table.cursor = self._sight.active

    def _show_one(self) -> None:
        """The run under the cursor."""
        shown = self.standing
        if shown is None or self._sight is None:
            return
        from localsel.tui.sight import explained

        says = explained(self.desk.store, shown, self._sight.job)
        self.query_one(Gauge).show(shown, says, self._summary(shown))
        self.set_class(shown.asks and bool(shown.run), "-asks")
        self._show_answers(shown.run if shown.asks else "")

    def _show_answers(self, run: str) -> None:
        from localsel.tui.answers import Answers

        table = self.query_one("#answers", Table)
        newest = table.cursor == 0 or run != self._shown
        self._shown = run
        table.empty = "No faults." if self._faulty else "No answer yet."
        table.show(Answers(self.desk.store, run, self._faulty))
        if newest:
            table.cursor = 0
        self._show_question()

    @on(Table.Highlighted, "#answers")
    def _moved(self) -> None:
        self.safely(self._show_question)

    def _show_question(self) -> None:
        key = self.query_one("#answers", Table).key
        answer = self.desk.store.answer(self._shown, *key) if isinstance(key, tuple) else None
        question = self.query_one(Question)
        if answer is None:
            question.show(None, {}, None)
            return
        asked = self.desk.store.query_of(self._shown, answer.query)
        texts = self.desk.store.heads(self._shown, answer.shown)
        question.show(answer, texts, asked[0] if asked else None)

    def _show_notes(self) -> None:
        job = self._sight.job if self._sight else None
        texts = [each for each in (job.texts if job else ()) if not self._faulty or warns(each)]
        self.set_class(bool(texts), "-told")
        lines = note_lines(texts)
        table = self.query_one("#notes", Table)
        newest = table.cursor >= len(table.source) - 1
        table.show(Lines(lines))
        if newest:
            table.cursor = max(len(lines) - 1, 0)

    def _tick(self) -> None:
        """The clock and the memory, of what says nothing for a while."""
        if self.is_current and self._sight and self._sight.is_alive:
            self.look_again()

    # The summary of a run that has ended

    def _summary(self, shown: Standing) -> Sequence[str]:
        if not shown.ended:
            return ()
        row = self.desk.store.known(shown.run)
        key = shown.run, float(row["updated"]) if row else 0.0
        if key not in self._summaries:
            self._summaries[key] = []
            self.run_worker(lambda: self._summarise(key), thread=True, exit_on_error=False)
        return self._summaries[key]

    def _summarise(self, key: tuple[str, float]) -> None:
        """In a thread: the record of a run of a large pool takes its time."""
        from localsel.runs import run_record
        from localsel.store import Store
        from localsel.summary import outcome

        try:
            with closing(Store(self.desk.home)) as store:
                lines = outcome(run_record(store, key[0]))
        except LocalselError:
            del self._summaries[key]  # the next look tries again
            return
        self._summaries[key] = lines
        self.app.call_from_thread(self.safely, self._show_one)

    # What can be done

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what goes on is stopped, only what was cut off goes on."""
        if action == "stop":
            return bool(self._sight and self._sight.is_alive)
        return self._is_cut_off if action == "resume" else True

    @property
    def _is_cut_off(self) -> bool:
        shown, seen = self.standing, self._sight
        if shown is None or seen is None or seen.is_alive:
            return False
        return not shown.ended or any(each.error for each in seen.runs)

    def action_stop(self) -> None:
        shown, seen = self.standing, self._sight
        if shown is None or seen is None:
            return
        log = seen.job.log if seen.job and seen.job.alive else None
        what = "the comparison" if len(seen.runs) > 1 and log else f"run {shown.run}".strip()

        def answered(key: str | None) -> None:
            if key == "s":
                self.post_message(Stop(shown.run, log))

        says = f"Stop {what}? What is done is kept, and r goes on from there."
        self.app.push_screen(Dialog(says, {"s": "stop"}), answered)

    def action_resume(self) -> None:
        from localsel.tui.sight import line_again

        if self.standing and self._sight:
            line = line_again(self.desk.store, self._sight.job, self.standing)
            if line:
                self.post_message(Start(line))

    def action_faults(self) -> None:
        self._faulty = not self._faulty
        self.look_again()
        self.notify("Only faults are shown." if self._faulty else "Everything is shown again.")

    def action_log(self) -> None:
        job = self._sight.job if self._sight else None
        if job is None:
            self.notify("There is no log: it was not started from here, nor with --detach.")
            return
        text = whole_log(job)

        def answered(key: str | None) -> None:
            if key == "y":
                self.app.copy_to_clipboard(text)
                self.notify("Copied the log.")

        says = visible(f"The log of {' '.join(job.command)}", 300)
        self.app.push_screen(Dialog(says, {"y": "copy"}, text), answered)

    @on(Table.Highlighted, "#runs")
    def _turn(self) -> None:
        self.safely(self._show_one)
        self.refresh_bindings()

    @on(Table.Chosen, "#answers")
    def _open(self, event: Table.Chosen) -> None:
        """The cluster of an answer, with its run in front of the others."""
        if isinstance(event.key, tuple):
            query, subject = event.key[0], self.desk.subject
            asked = self.desk.store.query_of(self._shown, query)
            runs = tuple(dict.fromkeys((self._shown, *subject.runs)))
            found = replace(subject, runs=runs, cluster=asked[0] if asked else None, query=query)
            self.post_message(Look(found, "clusters"))
