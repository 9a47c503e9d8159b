"""The keys that matter where the focus is → one line at the foot, `?` always first."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.binding import Binding
from textual.screen import Screen
from textual.widget import Widget

ALWAYS = (("?", "help", "app.help"), ("^p", "all actions", "app.command_palette"))


class Keys(Widget):
    """Shows as many of the shown bindings as there is room for."""

    DEFAULT_CSS = """
    Keys { dock: bottom; height: 1; background: $panel; color: $foreground; }
    """

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self._look())

    def _look(self) -> None:
        self.refresh()

    def render(self) -> Text:
        text = Text(no_wrap=True, end="")
        for key, says, action in [*ALWAYS[:1], *shown_keys(self.screen), *ALWAYS[1:]]:
            item = Text.assemble((f" {key}", "bold"), f" {says} ")
            if text.cell_len + item.cell_len <= self.size.width:
                item.stylize(Style(meta={"@click": action}))
                text.append_text(item)
        return text


def shown_keys(screen: Screen[object]) -> list[tuple[str, str, str]]:
    """Key, description and action of every binding that is to be shown, the nearest first."""
    return [
        (screen.app.get_key_display(active.binding), active.binding.description, _action(active))
        for active in screen.active_bindings.values()
        if active.binding.show and active.enabled
    ]


def _action(active: object) -> str:
    binding: Binding = active.binding  # type: ignore[attr-defined]
    return binding.action if "." in binding.action else f"app.simulate_key({binding.key!r})"
