"""A prompt that is edited → opened from its file, saved to one of one's own, and run with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from localsel.errors import LocalselError
from localsel.printable import visible
from localsel.tui import templates
from localsel.tui.desk import Desk
from localsel.tui.messages import Start
from localsel.tui.page import Page
from localsel.tui.widgets.dialog import Dialog
from localsel.tui.widgets.table import Column, Line

DEFAULT = "published"
ANOTHER = "another file"


class Filing(Page):
    """A page that edits one prompt.

    Attributes:
        reference: its name if it comes with localsel, else the path of its file.
        kept: its parts as they are in the file; `parts`: as they are now.
        run: the run that is looked at, if a model was asked in it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "save"),
        Binding("o", "open", "another prompt"),
        Binding("s", "save_as", "save under a name", show=False),
        Binding("n", "start", "start a run with it", show=False),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.reference = ""
        self.kept: dict[str, str] = {}
        self.parts: dict[str, str] = {}
        self.run: Mapping[str, Any] | None = None

    def take(self, reference: str, parts: Mapping[str, str]) -> None:
        """Turns to another prompt: what was edited is gone."""
        raise NotImplementedError

    def changed(self) -> None:
        """The prompt has another name, or is no longer unsaved."""
        raise NotImplementedError

    @property
    def unsaved(self) -> str:
        return f"the changes of prompt {self.called}" if self.parts != self.kept else ""

    @property
    def called(self) -> str:
        return Path(self.reference).stem if self.reference else DEFAULT

    def action_open(self) -> None:
        from localsel.tui.widgets.choosing import Choosing

        def answered(reference: str | None) -> None:
            if reference == ANOTHER:
                self._pick_file()
            elif reference:
                self._replace_by(reference)

        known = templates.references(self.desk.home)
        lines = [*map(_template_line, known), Line(ANOTHER, (ANOTHER, "choose a .toml file"))]
        columns = (Column("prompt", 24), Column("asks"))
        self.app.push_screen(Choosing("Open a prompt", columns, lines), answered)

    def _pick_file(self) -> None:
        from localsel.tui.widgets.picking import Picker

        def answered(path: Path | None) -> None:
            if path:
                self._replace_by(str(path))

        start = templates.own_folder(self.desk.home)
        wanted = Picker("A prompt, a .toml file", start, lambda path: path.suffix == ".toml")
        self.app.push_screen(wanted, answered)

    def _replace_by(self, reference: str) -> None:
        """Asks first if something would be lost by it."""

        def answered(key: str | None) -> None:
            if key == "d":
                self._turn_to(reference)

        if self.unsaved:
            says = f"The changes of prompt {self.called} would be lost."
            self.app.push_screen(Dialog(says, {"d": "drop them"}), answered)
        else:
            self._turn_to(reference)

    def _turn_to(self, reference: str) -> None:
        try:
            self.take(reference, templates.parts_of(reference))
        except LocalselError as error:
            self.notify(visible(str(error)), severity="error", markup=False)

    def action_save(self) -> None:
        if self.reference.endswith(".toml"):
            self._keep(Path(self.reference))
        else:
            self.action_save_as()

    def action_save_as(self) -> None:
        from localsel.tui.widgets.asking import Asking

        def answered(typed: str | None) -> None:
            if typed:
                self._keep_as(typed.strip())

        own = self.called if self.reference.endswith(".toml") else f"my-{self.called}"
        says = f"A name, kept in {templates.own_folder(self.desk.home)}; or a path ending in .toml."
        self.app.push_screen(Asking("Save this prompt", says, own), answered)

    def _keep_as(self, typed: str) -> None:
        def answered(key: str | None) -> None:
            if key == "r":
                self._keep(path)

        try:
            path = templates.place_of(typed, self.desk.home)
        except (LocalselError, OSError, RuntimeError) as error:
            self.notify(visible(str(error)), severity="error", markup=False)
            return
        if path.exists() and str(path) != self.reference:
            says = f"There is a file {path} already."
            self.app.push_screen(Dialog(says, {"r": "replace it"}), answered)
        else:
            self._keep(path)

    def _keep(self, path: Path) -> None:
        try:
            templates.keep(self.parts, path, self.desk.home)
        except (LocalselError, OSError) as error:
            self.notify(visible(str(error)), severity="error", markup=False)
            return
        self.reference, self.kept = str(path), dict(self.parts)
        self.changed()
        says = f"Saved: {path}. Press n to start a run with it."
        self.notify(visible(says), markup=False, timeout=8)

    def action_start(self) -> None:
        """Begins the run that is looked at anew, with this prompt."""
        if self.run is None:
            self.notify("There is no run to start again: open one on screen 1.")
            return
        if self.unsaved:
            self.notify("Save it first, with ctrl+s: a run reads the file.")
            return
        line = _with_prompt(self.run, self.reference)

        def answered(key: str | None) -> None:
            if key == "s":
                self.post_message(Start(line))

        from localsel.tui.commands import shown

        says = f"Start this with prompt {self.called}?\n{shown(line)}"
        self.app.push_screen(Dialog(says, {"s": "start it"}), answered)


def _template_line(reference: str) -> Line:
    try:
        about = templates.parts_of(reference)["about"]
    except LocalselError as error:
        about = str(error)
    return Line(reference, (Path(reference).stem, about))


def _with_prompt(run: Mapping[str, Any], reference: str) -> tuple[str, ...]:
    """The command of a run, with another prompt and without its file of picks."""
    from localsel.tui.commands import resumed

    verb, *flags, end, data = resumed(run)
    kept = [flag for flag in flags if not flag.startswith(("--prompt=", "--out="))]
    return (verb, *kept, f"--prompt={reference}", end, data)
