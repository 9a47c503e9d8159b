"""The methods, and what was filled in → the method as it will be; its own options, no others."""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import ComposeResult
from textual.containers import Vertical

from localsel.settings import METHODS_OWN, Sourced
from localsel.tui.described import UNKNOWN, Described, chosen, needed, sentence
from localsel.tui.widgets.fields import Field


class MethodFields(Vertical):
    """The method, and below it what it knows.

    Attributes:
        methods: as `localsel methods --json` tells them, by name; empty until it has.
        elsewhere: what files and the environment set.
    """

    DEFAULT_CSS = """
    MethodFields { height: auto; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.methods: Mapping[str, Described] = {}
        self.elsewhere: Mapping[str, Sourced] = {}

    def compose(self) -> ComposeResult:
        yield Field("method")
        for name in METHODS_OWN:
            field = Field(name)
            field.display = False
            yield field

    def offer(self, methods: Mapping[str, Described]) -> None:
        """What there is to choose from."""
        self.methods = methods
        self._field("method").offer(list(methods))

    @property
    def method(self) -> Described:
        """The method that is chosen, as the settings of its own make it."""
        values = {field.setting: field.value for field in self.query(Field)}
        usual = self.elsewhere.get("method")
        name = values["method"] or (str(usual.value) if usual else "selectllm")
        return chosen(self.methods.get(name, UNKNOWN), values, self.elsewhere)

    def tell(self) -> None:
        """Shows what the chosen method needs, and what it knows."""
        method = self.method
        if not method["name"]:
            return
        helps = f"{sentence(method)} Needs {needed(method)}. Model calls: {method['model_calls']}."
        self._field("method").explain(f"needs {needed(method)}", helps=helps)
        variant = self._field("variant")
        if list(variant.choices) != method["variants"]:
            variant.offer(method["variants"])
        options = {each["name"]: each for each in method["options"]}
        for name in METHODS_OWN:
            field = self._field(name)
            field.display = name in options
            if field.display:
                field.explain(options[name]["about"], options[name]["default"] or "")

    def _field(self, setting: str) -> Field:
        return self.query_one(f"#field-{setting}", Field)
