"""The three lists of the Workspace: their columns, and what they say while they are empty."""

from __future__ import annotations

from localsel.tui.widgets.table import Column, Table

RUNS = (
    Column("runs", 10),
    Column("state", 14),
    Column("started", 11),
    Column("chosen by"),
    Column("picks", 9, right=True),
    Column("data"),
)
POOLS = (
    Column("pools"),
    Column("rows", 11, right=True),
    Column("broken", 8, right=True),
    Column("runs", 6, right=True),
    Column("file"),
)
EMPTY = {
    "runs": "No runs yet. Press n to start one, d for the demo, i to import one.",
    "pools": "No data yet: a run reads it.",
    "models": "No models here. Press 7 to add one; a new run takes any model.",
}
MODELS = (Column("models"), Column("MiB", 11, right=True), Column("file"))


class Listed(Table):
    """A list of the Workspace: `n` is for a new run here, not for the next match."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return False if action == "match" else super().check_action(action, parameters)

    def narrow(self, text: str) -> None:
        """The row under the cursor may be another one, in the same place."""
        key = self.key
        super().narrow(text)
        if self.key not in (None, key):
            self.post_message(self.Highlighted(self, self.key))
