"""A file, selectors and a budget → the command that starts a run or a comparison."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.dom import DOMNode
from textual.widgets import Button, Collapsible, Input, Static

from localsel.errors import LocalselError
from localsel.printable import visible
from localsel.settings import Sourced, gather
from localsel.tui.commands import SEVERAL, Form, line_of, shown
from localsel.tui.described import PLANNED, beside, needs_model, sentence, unfit
from localsel.tui.desk import Desk
from localsel.tui.later import later
from localsel.tui.leaving import Above
from localsel.tui.messages import Start
from localsel.tui.screens import SCREENS
from localsel.tui.widgets.baselines import Baselines
from localsel.tui.widgets.box import Box
from localsel.tui.widgets.datafile import DataFile
from localsel.tui.widgets.dialog import Dialog
from localsel.tui.widgets.fields import PATHS, Field
from localsel.tui.widgets.forecast import Forecast
from localsel.tui.widgets.keys import Keys
from localsel.tui.widgets.methodfields import MethodFields
from localsel.tui.widgets.picking import Picker, is_weights, model_of, short, wanted_for
from localsel.tui.widgets.selectors import OTHER, Selectors, known, named
from localsel.tui.widgets.table import Table

Kind = TypeVar("Kind", bound=DOMNode)

MORE = (
    *("orders", "criteria", "prompt", "temperature", "seed"),
    *("grouping", "clusters", "query_size", "near_duplicates", "trim"),
    *("given", "include", "ban", "where"),
)
HELP = {
    "models": "space marks a selector; several are compared on the same queries.",
    "rows": "The first rows, as they will be read.",
    "columns": "Which column is the instruction; its input and a response, where there are any.",
    "baselines": "Compared beside the selectors; those that need a model take the first one"
    " marked. Random always is.",
    "begin": "Starts it in the background; closing this terminal does not end it.",
}


class StartScreen(Above[None]):
    """One sheet: data, selectors, budget, and more; at its foot the plan and the command line."""

    ABOUT = "A new run of one selector, or a comparison of several."
    CSS_PATH = "start.tcss"
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (112, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-roomy")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "begin", "start"),
        Binding("ctrl+o", "pick", "files"),
        Binding("y,ctrl+y", "copy", "copy the command"),
        Binding("escape", "back", "back"),
        Binding("q,ctrl+q", "leave('app.leave')", "quit", show=False),
        *(
            Binding(str(number), f'leave("app.go({name!r})")', f"screen {name}", show=False)
            for number, name in enumerate(SCREENS, start=1)
        ),
    ]

    def __init__(
        self, desk: Desk, data: Path | None = None, models: Sequence[str | Path] = ()
    ) -> None:
        super().__init__()
        self.desk, self.data, self.marked = desk, data, models
        self._elsewhere: Mapping[str, Sourced] = {}

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        with Container(id="sheet"):
            with VerticalScroll(id="form", can_focus=False):
                yield DataFile(self.desk)
                with Horizontal(id="selectors"):
                    yield Static("Selectors")
                    yield Selectors()
                yield Field("budget")
                yield MethodFields()
                with Collapsible(title="More settings", id="more"):
                    yield Baselines()
                    yield from map(Field, MORE)
            yield Forecast(self.desk.home)
        yield Keys()

    def on_mount(self) -> None:
        if self.data:
            self.query_one(DataFile).path = str(self.data)
        self.query_one("#models" if self.data else "#field-data Input").focus()
        self._hear_settings()
        later(self, self._hear_models)
        later(self, self._hear_methods)

    # What there is to choose from

    async def _hear_models(self) -> None:
        selectors = self.query_one(Selectors)
        selectors.fill(await asyncio.to_thread(known, self.desk.home))
        for each in self.marked:
            selectors.add(named(each) if isinstance(each, Path) else each)
        self._hear_settings()

    async def _hear_methods(self) -> None:
        try:
            found = await self.desk.ask("methods")
        except LocalselError as error:
            self.notify(visible(error), severity="error", markup=False)
            return
        methods = {each["name"]: each for each in found}
        self.query_one(MethodFields).offer(methods)
        await self.query_one(Baselines).offer(beside(methods))
        self._tell()

    def _hear_settings(self) -> None:
        """What the environment, the user's file and the one beside the data say already."""
        path = self.query_one(DataFile).path
        try:
            self._elsewhere = gather({}, Path(path) if path else None)
        except (LocalselError, OSError, ValueError):  # the dry run says what is wrong there
            self._elsewhere = {}
        self.query_one(MethodFields).elsewhere = self._elsewhere
        for field in self.query(Field):
            field.set_elsewhere(self._elsewhere.get(field.setting))
        usual, selectors = self._elsewhere.get("model"), self.query_one(Selectors)
        if usual and selectors.models and not selectors.marked:
            selectors.add(str(usual.value))
        self._tell()

    # What was filled in

    @property
    def form(self) -> Form:
        values = {field.setting: field.value for field in self._fields}
        data, method = self.query_one(DataFile), self.query_one(MethodFields).method
        values |= {"data": "", "map": data.mapping}
        return Form(
            data=data.path,
            models=self.query_one(Selectors).chosen,
            baselines=self.query_one(Baselines).ticked if method["asks_queries"] else (),
            values={name: value for name, value in values.items() if value.strip()},
            needs_model=needs_model(method),
            asks_queries=method["asks_queries"],
        )

    @property
    def _fields(self) -> list[Field]:
        """What is asked; the others may still hold what was typed for another method."""
        return [field for field in self.query(Field) if field.display]

    @property
    def is_touched(self) -> bool:
        """Whether anything was filled in by hand; what came with the form does not count."""
        form = self.form
        return form.data != str(self.data or "") or bool(form.values or form.baselines)

    def _missing(self, form: Form) -> str:
        """What keeps this form from being started, in a sentence."""
        if not form.data:
            return "Type the path of the data, or press ctrl+o to look for it."
        if not self.query_one(DataFile).is_there:
            return "The data is not there."
        if wrong := next((field for field in self._fields if field.problem), None):
            return f"{wrong.label}: {wrong.problem}"
        own = self.query_one(MethodFields)
        methods = [own.method, *(own.methods[name] for name in form.baselines)]
        is_folder = self.query_one(Selectors).begins_with_folder
        if why := unfit(methods, form.models, is_folder, self.query_one(DataFile).is_unanswered):
            return why
        if "budget" not in form.values and "budget" not in self._elsewhere:
            return "Say how many instructions to choose."
        return ""

    @on(DataFile.Changed)
    def _other_data(self) -> None:
        self._hear_settings()

    @on(Field.Changed)
    @on(Table.Marked)
    @on(Box.Changed)
    def _tell(self) -> None:
        own = self.query_one(MethodFields)
        own.tell()
        asks_queries = own.method["asks_queries"]
        self.query_one(Baselines).display = asks_queries
        for field in self.query(Field):
            if field.setting in PLANNED:
                field.display = asks_queries
        form = self.form
        is_wrong = any(field.problem for field in self._fields)
        line = line_of(form) if form.data and not is_wrong else ()
        self.query_one(Forecast).consider(line, self._missing(form))
        title = "New comparison" if form.compares else "New run"
        self.query_one("#title", Static).update(f"▌{title}▐")

    # Keys

    def _around(self, kind: type[Kind]) -> Kind | None:
        """What has the focus, or holds it, if it is of this kind."""
        around = self.focused.ancestors_with_self if self.focused else []
        return next((each for each in around if isinstance(each, kind)), None)

    def on_descendant_focus(self) -> None:
        field, box, focused = self._around(Field), self._around(Box), self.focused
        ids = [each.id for each in focused.ancestors_with_self] if focused else []
        says = next((HELP[name] for name in ids if name in HELP), "")
        if box:
            says = f"{sentence(self.query_one(MethodFields).methods[str(box.name)])} {says}"
        self.query_one(Forecast).advise(field.help() if field else says)

    @on(Input.Submitted)
    def _go_on(self) -> None:
        self.focus_next()

    @on(Table.Chosen, "#models")
    def _choose_model(self, message: Table.Chosen) -> None:
        if message.key == OTHER:
            self.action_pick()
        else:
            self.query_one(Selectors).toggle(message.key)

    def action_copy(self) -> None:
        line = self.query_one(Forecast).line
        if line:
            self.app.copy_to_clipboard(shown(line))
        self.notify("Copied the command line." if line else "There is no command line yet.")

    def action_pick(self) -> None:
        """Looks for a file for what has the focus: a model, rows to ban, or else the data."""
        if self._around(Selectors):
            self.app.push_screen(Picker("A selector", Path.cwd(), is_weights), self._picked_model)
            return
        field = self._around(Field)
        if field is None or field.setting not in PATHS:
            field = self.query_one("#field-data", Field)
        start = Path(self.query_one(DataFile).path or ".")
        picker = Picker(field.label, start, wanted_for(field.setting))
        self.app.push_screen(picker, partial(self._picked, field))

    def _picked_model(self, path: Path | None) -> None:
        if path:
            self.query_one(Selectors).add(str(model_of(path)))

    def _picked(self, field: Field, path: Path | None) -> None:
        """Puts a file into a field; where there may be several it joins them."""
        if path and field.setting in SEVERAL:
            field.value = f"{field.value} {shlex.quote(short(path))}".strip()
        elif path:
            field.value = short(path)
            field.query_one(Input).focus()
            self.focus_next()

    @on(Button.Pressed, "#begin")
    def action_begin(self) -> None:
        forecast = self.query_one(Forecast)
        forecast.stop()
        self.app.post_message(Start(forecast.line))
        self.dismiss()

    def action_back(self) -> None:
        self._sure(self.dismiss)

    def action_leave(self, action: str) -> None:
        self._sure(lambda: self.call_later(self.app.run_action, action))

    def _sure(self, then: Callable[[], object]) -> None:
        """Does it, and asks before if something was filled in."""
        if not self.is_touched:
            then()
            return

        def answered(key: str | None) -> None:
            if key == "l":
                then()

        says = "What was filled in here would be lost."
        self.app.push_screen(Dialog(says, {"l": "leave all the same"}), answered)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what can be started is offered."""
        return self.query_one(Forecast).is_ready if action == "begin" and self.is_mounted else True
