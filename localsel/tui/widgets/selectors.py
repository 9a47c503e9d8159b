"""The models of this machine → a table in which the selectors of a run are marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localsel.tui.widgets.table import Column, Line, Lines, Table

COLUMNS = (Column("model", 22), Column("MiB", 8, right=True), Column("file"))
OTHER = object()
"""The row that takes any other file."""


@dataclass(frozen=True, slots=True)
class Model:
    """A selector that can be marked.

    Attributes:
        name: as `--model` takes it.
        size: in bytes; 0 of one that is not there.
    """

    name: str
    size: int
    path: Path

    @property
    def label(self) -> str:
        return Path(self.name).stem if self.name.endswith(".gguf") else self.name


class Selectors(Table):
    """space or enter marks; the last row takes any other file."""

    def __init__(self) -> None:
        super().__init__(COLUMNS, id="models", marks=True)
        self.models: list[Model] = []

    @property
    def chosen(self) -> tuple[str, ...]:
        """The marked ones, in the order of the table."""
        return tuple(each.name for each in self.models if each.name in self.marked)

    @property
    def begins_with_folder(self) -> bool:
        """Whether the first of the marked ones is a Hugging Face folder."""
        first = next((each.path for each in self.models if each.name in self.marked), None)
        return first is not None and first.is_dir()

    def fill(self, models: Sequence[Model]) -> None:
        """What is here; those added before stay."""
        own = {each.name for each in models}
        added = [each for each in self.models if each.name not in own]
        self.models = [*models, *added]
        self._show()

    def add(self, name: str) -> None:
        """Marks a model, and lists it if it is not."""
        if name not in {each.name for each in self.models}:
            self.models.append(_model(Path(name), name))
        self.marked.add(name)
        self._show()
        self.post_message(self.Marked(self))

    def toggle(self, name: object) -> None:
        self.marked ^= {name}
        self.refresh()
        self.post_message(self.Marked(self))

    def action_mark(self) -> None:
        if self.key == OTHER:
            self.action_choose()
        else:
            super().action_mark()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """`y` is for the command line here."""
        return action != "copy" and super().check_action(action, parameters)

    def _show(self) -> None:
        lines = [
            Line(each.name, (each.label, f"{each.size / 2**20:,.1f}", str(each.path)))
            for each in self.models
        ]
        self.styles.height = len(lines) + 2
        self.show(Lines([*lines, Line(OTHER, ("+ another model…", "", ""), "dim")]))


def known(home: Path) -> list[Model]:
    """The models that can be named without a path."""
    from localsel.selectors import weights

    return [_model(path, named(path)) for path in weights(home)]


def named(path: Path) -> str:
    """A short name, unless something else lies under it here."""
    from localsel.selectors import model_name

    return str(path) if Path(model_name(path)).exists() else model_name(path)


def _model(path: Path, name: str) -> Model:
    from localsel.selectors import model_size

    try:
        return Model(name, model_size(path), path)
    except OSError:
        return Model(name, 0, path)
