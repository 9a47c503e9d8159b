"""The methods, and what was filled in → the method as it will be; its own options, no others."""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import ComposeResult
from textual.containers import Vertical

from localsel.settings import METHODS_OWN, Sourced
from localsel.tui.ways import UNKNOWN, Way, chosen, needed, sentence
from localsel.tui.widgets.fields import Field


class Manner(Vertical):
    """The method, and below it what it knows.

    Attributes:
        methods: as `localsel methods --json` tells them, by name; empty until it has.
        elsewhere: what files and the environment set.
    """

    DEFAULT_CSS = """
    Manner { height: auto; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.methods: Mapping[str, Way] = {}
        self.elsewhere: Mapping[str, Sourced] = {}

    def compose(self) -> ComposeResult:
        yield Field("method")
        for name in METHODS_OWN:
            field = Field(name)
            field.display = False
            yield field

    def offer(self, methods: Mapping[str, Way]) -> None:
        """What there is to choose from."""
        self.methods = methods
        self._field("method").offer(list(methods))

    @property
    def way(self) -> Way:
        """The method that is chosen, as the settings of its own make it."""
        values = {field.setting: field.value for field in self.query(Field)}
        usual = self.elsewhere.get("method")
        name = values["method"] or (str(usual.value) if usual else "selectllm")
        return chosen(self.methods.get(name, UNKNOWN), values, self.elsewhere)

    def tell(self) -> None:
        """Shows what the chosen method needs, and what it knows."""
        way = self.way
        if not way["name"]:
            return
        helps = f"{sentence(way)} Needs {needed(way)}. Model calls: {way['model_calls']}."
        self._field("method").explain(f"needs {needed(way)}", helps=helps)
        variant = self._field("variant")
        if list(variant.choices) != way["variants"]:
            variant.offer(way["variants"])
        options = {each["name"]: each for each in way["options"]}
        for name in METHODS_OWN:
            field = self._field(name)
            field.display = name in options
            if field.display:
                field.explain(options[name]["about"], options[name]["default"] or "")

    def _field(self, setting: str) -> Field:
        return self.query_one(f"#field-{setting}", Field)
