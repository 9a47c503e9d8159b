"""A table of names and places → one class, imported only when it is asked for."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from localsel.errors import LocalselError, UsageError


@dataclass(frozen=True)
class Registry:
    """Names of one `kind` of thing, each with its place `"package.module:Name"`.

    Other packages add their own through the entry points `localsel.<kind>s`.
    """

    kind: str
    places: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def all_places(self) -> dict[str, str]:
        """The table and what plug-ins add to it; a plug-in cannot replace a row of the table."""
        added = {point.name: point.value for point in entry_points(group=f"localsel.{self.kind}s")}
        return added | dict(self.places)

    @property
    def names(self) -> list[str]:
        """Every name, in the order of the table, plug-ins last."""
        return [*self.places, *sorted(self.all_places.keys() - self.places.keys())]

    def load(self, name: str) -> Any:
        """The thing called `name`.

        Raises:
            UsageError: there is none of that name; the nearest one is suggested.
            LocalselError: its module cannot be imported, or does not have it.
        """
        if name not in self.all_places:
            near = difflib.get_close_matches(name, self.names, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(self.names)}."
            raise UsageError(f"There is no {self.kind} {name!r}.", hint)
        module, _, attribute = self.all_places[name].partition(":")
        try:
            return getattr(import_module(module), attribute)
        except Exception as error:  # a plug-in can be broken in any way
            raise LocalselError(f"The {self.kind} {name!r} cannot be loaded: {error}.") from error

    def load_all(self) -> dict[str, Any]:
        """Everything that loads; a broken plug-in is named on stderr and left out."""
        loaded = {}
        for name in self.names:
            try:
                loaded[name] = self.load(name)
            except LocalselError as error:
                print(f"localsel: {error}", file=sys.stderr)
        return loaded
