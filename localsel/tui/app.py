"""The workspace → the app: owns the screens, follows what runs, and starts and stops it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.dom import DOMNode, NoScreen
from textual.filter import LineFilter
from textual.screen import Screen
from textual.worker import WorkerFailed, get_current_worker

from localsel.printable import visible
from localsel.tui.children import Children
from localsel.tui.desk import Desk
from localsel.tui.later import was_left
from localsel.tui.messages import Failure, Look, News, Start, Stop
from localsel.tui.output import Ascii, Harmless, speaks_unicode
from localsel.tui.page import Page
from localsel.tui.screens import SCREENS
from localsel.tui.subject import Subject
from localsel.tui.themes import ANSI, NAMES, THEMES
from localsel.tui.widgets.dialog import Dialog
from localsel.tui.widgets.keys import held_keys
from localsel.tui.widgets.tabs import Tabs

if TYPE_CHECKING:
    from localsel.tui.following import Job

EVERY = 0.3
"""Seconds between two looks at the workspace."""


class Localsel(App[None]):
    """Eight screens on keys 1–8 over one workspace."""

    TITLE = "localsel"
    DEFAULT_MODE = "workspace"
    CSS = """
    Screen { background: $background; }
    Input, Input:focus { height: 1; border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"go({name!r})", f"screen {name}", show=False)
            for number, name in enumerate(SCREENS, start=1)
        ),
        Binding("question_mark", "help", "help", key_display="?", show=False),
        Binding("ctrl+c", "interrupt", "stop or leave", show=False, priority=True),
        Binding("ctrl+q,q", "leave", "quit", show=False),
        Binding("ctrl+t", "next_theme", "next theme", show=False),
    ]

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.desk = Desk(home)
        self._pages: dict[str, Page] = {}
        for name in SCREENS:
            self.add_mode(name, partial(self.page, name))
        self._guards: list[LineFilter] = [Harmless()]
        if not speaks_unicode():
            self._guards.append(Ascii())
        self._leaving = threading.Event()
        self._children = Children(home)
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = ANSI if os.environ.get("TERM") in ("xterm", "linux", "vt100") else "dark"

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *self._guards]

    # The screens

    def page(self, name: str) -> Page:
        """The screen of this name; it is imported when it is first wanted."""
        if name not in self._pages:
            module, _, cls = SCREENS[name].partition(":")
            self._pages[name] = getattr(import_module(module), cls)(self.desk)
        return self._pages[name]

    @property
    def up(self) -> Page | None:
        """The page that is on show, under whatever dialog."""
        return next((each for each in reversed(self.screen_stack) if isinstance(each, Page)), None)

    def action_go(self, name: str) -> None:
        # Not at once: a screen that asks for it cannot be waited for while it does.
        self.call_later(self._go, name)

    async def _go(self, name: str) -> None:
        while not isinstance(self.screen, Page):
            await self.pop_screen()
        if self.current_mode != name:
            await self.switch_mode(name)

    async def on_look(self, message: Look) -> None:
        self.desk.subject = message.subject
        if message.page and self.up is not self.page(message.page):
            await self._go(message.page)
        else:
            self._show_up()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every action of the screen, its focused widget and the app, and every theme."""
        for name in SCREENS:
            yield SystemCommand(f"Go to {name}", f"Screen {name}", partial(self.action_go, name))
        for held in held_keys(screen):
            press = partial(self.simulate_key, held.key)
            yield SystemCommand(held.says.capitalize(), f"Key {' '.join(held.keys)}", press)
        for says, name in NAMES.items():
            yield SystemCommand(f"Theme {says}", "Change the colours", partial(self._wear, name))

    def _wear(self, theme: str) -> None:
        self.theme = theme

    def action_next_theme(self) -> None:
        names = list(NAMES.values())
        place = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(place + 1) % len(names)]
        self.notify(f"Theme {next(says for says, name in NAMES.items() if name == self.theme)}.")

    def action_help(self) -> None:
        from localsel.tui.widgets.help import Help

        self.push_screen(Help(self.up.ABOUT if self.up else "", held_keys(self.screen)))

    # What runs

    def _handle_exception(self, error: Exception) -> None:
        """What still works where the user left may miss a widget that has gone before it."""
        cause: BaseException = error
        node: DOMNode = self
        if isinstance(error, WorkerFailed):
            cause, node = error.error, get_current_worker().node
        is_gone = self._leaving.is_set() or was_left(node)
        if not (isinstance(cause, NoMatches | NoScreen) and is_gone):
            super()._handle_exception(error)

    def on_ready(self) -> None:
        if not self.is_headless:
            # The terminal is to be left as it was found.
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.leave)
        self.run_worker(self._follow, thread=True, group="follow")

    def _follow(self) -> None:
        """Looks at logs and database until the app ends; in a thread of its own."""
        from localsel.tui.watching import Watcher

        with Watcher(self.desk.home, self._children.code) as watcher:
            while not self._leaving.is_set():
                if watcher.is_news():
                    # Not a call: nobody answers one while the app is being taken down.
                    self.post_message(News(dict(watcher.jobs)))
                self._leaving.wait(EVERY)

    def on_news(self, message: News) -> None:
        jobs = message.jobs
        if self._leaving.is_set():
            return
        before, self.desk.jobs = self.desk.jobs, jobs
        for log, job in jobs.items():
            if log in before and before[log].alive and not job.alive:
                self._tell_end(job)
        for tabs in self.query_up(Tabs):
            tabs.at_work = sum(job.alive for job in jobs.values())
        self._show_up()

    def _show_up(self) -> None:
        """A page that is not there yet shows itself once it is."""
        if self.up and self.up.is_mounted:
            self.up.look_again()

    def query_up(self, kind: type[Tabs]) -> Iterable[Tabs]:
        return self.up.query(kind) if self.up else ()

    def _tell_end(self, job: Job) -> None:
        from localsel.tui.ending import kept, sentence

        says = visible(sentence(job, kept(self.desk.store, job.now.run)))
        if job.broken and not job.stopped:
            self.notify(says, severity="error", markup=False, timeout=10)
        else:
            self.notify(says, markup=False)

    async def on_start(self, message: Start) -> None:
        """Starts a command that goes on without this terminal, and turns to it."""
        from localsel.errors import LocalselError

        try:
            log = self._children.start(message.line)
        except LocalselError as error:
            self.on_failure(Failure(str(error)))
            return
        await self.on_look(Look(Subject(log=log), "run"))

    def on_stop(self, message: Stop) -> None:
        job = self.desk.jobs.get(message.log) if message.log else None
        if job:
            self._stop_job(job)
        else:
            self.run_worker(self._stop(message.run), group="stop")

    def _stop_job(self, job: Job) -> None:
        """A comparison ends as a whole."""
        from localsel.detached import tell_to_end

        if tell_to_end(job.log, job.signed):
            self.notify("Stopping: the query that is being answered is finished first.")
        elif job.now.run:
            self.run_worker(self._stop(job.now.run), group="stop")
        else:
            self.notify("It cannot be stopped from here: it runs on another machine.")

    async def _stop(self, run: str) -> None:
        from localsel.tui.child import talk

        self.notify(visible(await talk(["stop", run], self.desk.home)), markup=False)

    def on_failure(self, message: Failure) -> None:
        def answered(key: str | None) -> None:
            if key == "y":
                self.copy_to_clipboard(f"{message.text}\n{message.log}")
                self.notify("Copied the message and its log.")

        self.push_screen(Dialog(message.text, {"y": "copy"}, message.log), answered)

    # Leaving

    def action_leave(self) -> None:
        lost = [page.unsaved for page in self._pages.values() if page.unsaved]
        if not lost:
            self.leave()
            return

        def answered(key: str | None) -> None:
            if key == "q":
                self.leave()

        says = f"{' and '.join(lost).capitalize()} would be lost."
        self.push_screen(Dialog(says, {"q": "quit all the same"}), answered)

    def leave(self) -> None:
        """Ends the program; what was started goes on."""
        self._leaving.set()
        self.exit()

    def action_interrupt(self) -> None:
        """Asks once what is to become of the work that goes on; pressed again it stops it."""
        working = [job for job in self.desk.jobs.values() if job.alive]
        if isinstance(self.screen, Interrupted):
            self.screen.dismiss("s")
        elif working:
            self.push_screen(Interrupted(len(working)), self._interrupted)
        else:
            self.action_leave()

    def _interrupted(self, key: str | None) -> None:
        if key == "k":
            self.leave()
        elif key == "s":
            for job in self.desk.jobs.values():
                if job.alive:
                    self._stop_job(job)

    def on_unmount(self) -> None:
        self._leaving.set()
        self._children.close()
        self.desk.close()


class Interrupted(Dialog):
    """ctrl+c while something runs."""

    def __init__(self, count: int) -> None:
        says = "A command is at work." if count == 1 else f"{count} commands are at work."
        answers = {"k": "keep running, and leave", "s": "stop, and keep what is done"}
        super().__init__(f"{says} Pressing ctrl+c again stops.", answers)
