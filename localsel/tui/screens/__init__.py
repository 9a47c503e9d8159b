"""What can be looked at, by number: name → "module:Class", imported when it is opened."""

from __future__ import annotations

SCREENS = {
    "workspace": "localsel.tui.screens.workspace:WorkspacePage",
    "run": "localsel.tui.screens.run:RunPage",
    "clusters": "localsel.tui.screens.clusters:ClustersPage",
    "compare": "localsel.tui.screens.compare:ComparePage",
    "map": "localsel.tui.screens.map:MapPage",
    "review": "localsel.tui.screens.review:ReviewPage",
    "models": "localsel.tui.screens.models:ModelsPage",
    "prompt": "localsel.tui.screens.prompt:PromptPage",
}
