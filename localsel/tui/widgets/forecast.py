"""A command line → the plan that its dry run finds, or why it cannot be started."""

from __future__ import annotations

import time
from contextlib import aclosing
from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Button, Static
from textual.worker import get_current_worker

from localsel.errors import LocalselError
from localsel.events import Event
from localsel.printable import visible
from localsel.tui.commands import shown
from localsel.tui.later import later
from localsel.tui.rehearsing import Plans, costs, doing, plans_in, rehearse, shape

STILL = 0.8
"""Seconds without a change before a plan is made."""


class Forecast(Vertical):
    """The foot of the form: help, the plan, the button, and the command line.

    Attributes:
        line: the command as the form stands; empty where there can be none.
        problem: what is missing in the form.
        refusal: what the dry run said instead of a plan.
    """

    DEFAULT_CSS = """
    Forecast { height: auto; max-height: 10; background: $surface; padding: 0 1; }
    Forecast #help { height: auto; max-height: 2; color: $text-muted; }
    Forecast #plan { height: auto; max-height: 6; }
    Forecast #plan.-wrong { color: $text-error; }
    Forecast #ready { height: 1; }
    Forecast #begin { margin-right: 1; min-width: 9; height: 1; border: none; }
    Forecast #hint { height: 1; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    Forecast #line { height: auto; max-height: 2; color: $text-muted; }
    """

    def __init__(self, home: Path) -> None:
        super().__init__(id="forecast")
        self.home = home
        self.line: tuple[str, ...] = ()
        self.problem, self.refusal = "", ""
        self._timer: Timer | None = None
        self._plans: Plans = {}

    def compose(self) -> ComposeResult:
        yield Static(id="help")
        yield Static(id="plan")
        with Horizontal(id="ready"):
            yield Button("Start", id="begin", compact=True, variant="primary")
            yield Static(id="hint")
        yield Static(id="line")

    @property
    def is_ready(self) -> bool:
        """Whether it may be started; the plan need not be there yet."""
        return bool(self.line) and not (self.problem or self.refusal)

    def advise(self, text: str) -> None:
        """What the focused field means."""
        self.query_one("#help", Static).update(Text(text))

    def consider(self, line: tuple[str, ...], problem: str) -> None:
        """Turns to another command line; the dry run of the one before ends."""
        if (line, problem) == (self.line, self.problem):
            return
        self.line, self.problem, self.refusal = line, problem, ""
        self.workers.cancel_group(self, "plan")
        if self._timer:
            self._timer.stop()
        says = Text(visible(f"$ {shown(line)}")) if line else Text()
        self.query_one("#line", Static).update(says)
        self._say("")
        if self.is_ready:
            self._timer = self.set_timer(STILL, self._plan)
        self._tell()

    def stop(self) -> None:
        """No plan is wanted any more."""
        self.workers.cancel_group(self, "plan")

    def _plan(self) -> None:
        if self.is_ready:
            later(self, self._rehearse, self.line, group="plan")

    async def _rehearse(self, line: tuple[str, ...]) -> None:
        since = time.monotonic()
        last: Event | None = None
        worker = get_current_worker()

        def tick() -> None:
            # A child takes its time to end when its plan is not wanted any more.
            if not worker.is_cancelled:
                self._say(f"{doing(last)} … {time.monotonic() - since:.0f} s")

        ticking = self.set_interval(0.5, tick)
        try:
            async with aclosing(rehearse(line, self.home)) as events:
                async for event in events:
                    last = event
        except LocalselError as error:
            self.refusal = visible(error)
            self._say(f"✗ {self.refusal}")
            self._tell()
            return
        finally:
            ticking.stop()
        self._plans = plans_in(last) if last else {}
        self.on_resize()

    def on_resize(self) -> None:
        """A plan is laid out for the room that there is."""
        if self._plans:
            text = laid_out(self._plans, self.size.width > 60)
            self.query_one("#plan", Static).update(text)

    def _say(self, text: str) -> None:
        plan = self.query_one("#plan", Static)
        plan.set_class(bool(self.refusal), "-wrong")
        plan.update(Text(text))
        self._plans = {}

    def _tell(self) -> None:
        self.query_one("#begin", Button).disabled = not self.is_ready
        says = "It cannot be started like this." if self.refusal else visible(self.problem)
        self.query_one("#hint", Static).update(Text(says or "ctrl+s starts it."))
        self.screen.refresh_bindings()


def laid_out(plans: Plans, is_broad: bool) -> Text:
    """What all are asked, and what each costs: on a line with its name, or below it."""
    text = Text(shape(plans))
    widest = max(len(visible(name, 24)) for name in plans)
    for name, plan in plans.items():
        if name:
            called = visible(name, 24).ljust(widest)
            text.append(f"\n{called}", "bold")
        text.append(f" {costs(plan)}" if name and is_broad else f"\n{costs(plan)}")
    return text
