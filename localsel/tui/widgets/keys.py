"""The keys that matter where the focus is → one line at the foot, `?` always first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from rich.style import Style
from rich.text import Text
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget

OWN_AFFAIRS = ("screen.copy_text",)
"""What Textual binds for itself."""

ALWAYS = (("?", "help", "app.help"), ("^p", "all actions", "app.command_palette"))


class Keys(Widget):
    """Shows as many of the shown bindings as there is room for."""

    DEFAULT_CSS = """
    Keys { dock: bottom; height: 1; background: $panel; color: $foreground;
        link-style: none; link-style-hover: reverse; link-background-hover: $panel;
        link-color: $foreground; link-color-hover: $foreground; }
    """

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self._look())

    def _look(self) -> None:
        self.refresh()

    def render(self) -> Text:
        text = Text(no_wrap=True, end="")
        own = [
            (held.keys[0], held.says, _action(held))
            for held in held_keys(self.screen)
            if held.shown
        ]
        for key, says, action in [*ALWAYS[:1], *own, *ALWAYS[1:]]:
            item = Text.assemble((f" {key}", "bold"), f" {says} ")
            if text.cell_len + item.cell_len <= self.size.width:
                item.stylize(Style(meta={"@click": action}))
                text.append_text(item)
        return text


@dataclass(frozen=True, slots=True)
class Held:
    """What can be pressed now: where it holds, its keys, what it does, and one of its keys."""

    node: DOMNode
    keys: tuple[str, ...]
    says: str
    key: str
    action: str
    shown: bool


def held_keys(screen: Screen[Any]) -> list[Held]:
    """Every action that has a key where the focus is, the nearest first, with all its keys."""
    found: dict[tuple[int, str], Held] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if not binding.description or binding.system or binding.action in OWN_AFFAIRS:
            continue
        if not active.enabled:
            continue
        key = screen.app.get_key_display(binding)
        place = (id(active.node), binding.action)
        if known := found.get(place):
            found[place] = replace(known, keys=(*known.keys, key))
        else:
            own = (key,), binding.description, binding.key, binding.action, binding.show
            found[place] = Held(active.node, *own)
    return list(found.values())


def _action(held: Held) -> str:
    return held.action if "." in held.action else f"app.simulate_key({held.key!r})"
