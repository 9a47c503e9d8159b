"""Screen 8: a prompt in parts, what a model reads of it, and what it would answer."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import ContentSwitcher, Input, Static

from localsel.store import Store
from localsel.tui.app import Localsel
from localsel.tui.messages import Look
from localsel.tui.screens.prompt import Parts, PromptPage
from localsel.tui.subject import Subject
from localsel.tui.templates import parts_of
from localsel.tui.trial import lines, summary
from localsel.tui.widgets.asking import Asking
from localsel.tui.widgets.choosing import Choosing
from localsel.tui.widgets.dialog import Dialog
from localsel.tui.widgets.editor import Editor
from localsel.tui.widgets.picking import Picker
from localsel.tui.widgets.rendered import Rendered
from localsel.tui.widgets.table import Table
from tests.conftest import Finished
from tests.tui.conftest import drive, screen_text, told, until


def a_run(home: Path) -> dict[str, Any]:
    with closing(Store(home)) as store:
        return next(run for run in reversed(store.runs()) if run["facts"].get("selector"))


async def up(app: Localsel, pilot: Pilot[None], *runs: str) -> PromptPage:
    """The screen, turned to these runs."""
    page = app.page("prompt")
    assert isinstance(page, PromptPage)
    await pilot.press("8")
    await until(pilot, lambda: app.up is page and page.is_mounted)
    app.post_message(Look(Subject(runs=runs)))
    return page


async def opened(app: Localsel, pilot: Pilot[None]) -> PromptPage:
    """The screen on a run, once a model's prompt is there."""
    page = await up(app, pilot, a_run(app.desk.home)["run"])
    await until(pilot, lambda: "tokens ·" in head(page))
    return page


async def alone(app: Localsel, pilot: Pilot[None]) -> PromptPage:
    """The screen without any run."""
    page = await up(app, pilot)
    await until(pilot, lambda: page.parts)
    return page


def text_of(page: PromptPage, name: str) -> str:
    return str(page.query_one(f"#{name}", Static).content)


def head(page: PromptPage) -> str:
    return text_of(page, "head") if page.is_mounted else ""


def read(page: PromptPage) -> str:
    return str(page.query_one(Rendered).query_one(Static).content)


def test_it_shows_what_the_model_reads_of_the_query(workspace: Path) -> None:
    run = a_run(workspace)

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        with closing(Store(workspace)) as store:
            first = min(query for query, order in store.answers(run["run"]) if order == 0)
            answer = store.answers(run["run"])[(first, 0)]
            texts = [store.instruction(run["pool"], row).text for row in answer.shown]
        assert all(text.split("\n")[0] in read(page) for text in texts)
        assert f"query {first} (1 of {len(page.queries)})" in head(page)
        assert f"{answer.prompt_tokens:,} tokens" in head(page)
        assert run["facts"]["selector"]["name"] in head(page)
        assert isinstance(app.focused, Parts)
        assert not page.unsaved

    drive(scenario, workspace, (120, 40))


def test_brackets_go_from_query_to_query_on_all_screens(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        queries, text = list(page.queries), read(page)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "(2 of" in head(page) and "tokens ·" in head(page))
        assert app.desk.subject.query == queries[1]
        assert app.desk.subject.cluster == page.queries[queries[1]]
        assert read(page) != text
        await pilot.press("left_square_bracket", "left_square_bracket")
        await until(pilot, lambda: f"({len(queries)} of" in head(page))
        assert app.desk.subject.query == queries[-1]

    drive(scenario, workspace)


def test_the_text_follows_what_is_typed_and_esc_goes_back(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("g", "j", "enter")
        assert isinstance(app.focused, Editor)
        await pilot.press(*"ZEBRA ")
        assert page.unsaved == "the changes of prompt published"
        assert "published · edited" in text_of(page, "name")
        await until(pilot, lambda: "ZEBRA clear and relevant" in read(page))
        await pilot.press("escape")
        assert isinstance(app.focused, Parts)
        page.show()
        assert page.parts["criteria"].startswith("ZEBRA")

    drive(scenario, workspace)


def test_every_part_can_be_gone_to(tmp_path: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await alone(app, pilot)
        seen = []
        await pilot.press("g")
        for key in ("down", "j", "j", "j", "j"):
            seen.append(page.part)
            await pilot.press(key)
        assert [*seen, page.part] == list(parts_of("published"))
        assert page.query_one(Editor).text == page.parts["answer"]
        await pilot.press("up", "k")
        assert page.part == "candidate"
        await pilot.press("G")
        assert page.part == "answer"
        await pilot.press("home", "end")
        assert page.part == "answer"

    drive(scenario, tmp_path / "empty")


def test_a_fault_is_a_sentence_at_the_foot_and_goes_away(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        page.query_one(Parts).go_to("candidate")
        await pilot.press("enter", "end", *["backspace"] * 30)
        await until(pilot, lambda: "lacks {label}" in text_of(page, "fault"))
        assert "! The prompt as edited lacks {label}" in screen_text(app)
        await pilot.press("escape", "t")
        assert "lacks" in screen_text(app)
        await pilot.press("enter", *"[{label}] {text}")
        await until(pilot, lambda: "lacks" not in screen_text(app))

    drive(scenario, workspace)


def test_what_is_saved_is_ones_own_and_a_run_can_use_it(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("enter", *"Z", "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        assert app.screen.query_one(Input).value == "my-published"
        await pilot.press("enter")
        path = workspace / "prompts" / "my-published.toml"
        await until(pilot, path.exists)
        assert parts_of(str(path)) == page.parts
        assert page.unsaved == "" and page.called == "my-published"
        await pilot.press("X", "ctrl+s")
        await until(pilot, lambda: parts_of(str(path)) == page.parts)
        assert "X" in parts_of(str(path))[page.part]

    drive(scenario, workspace)


def test_saving_over_another_file_asks_first(workspace: Path) -> None:
    folder = workspace / "prompts"
    folder.mkdir()
    (folder / "mine.toml").write_text("kept")

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await alone(app, pilot)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        app.screen.query_one(Input).value = "mine"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        assert (folder / "mine.toml").read_text() == "kept"
        await pilot.press("r")
        await until(pilot, lambda: page.called == "mine")
        assert parts_of(str(folder / "mine.toml")) == page.parts

    drive(scenario, workspace)


def test_a_bundled_name_or_no_name_is_refused(tmp_path: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await alone(app, pilot)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        app.screen.query_one(Input).value = "a/b"
        await pilot.press("enter")
        await until(pilot, lambda: "is no name" in screen_text(app))
        assert page.reference == "published"

    drive(scenario, tmp_path / "empty")


def test_o_opens_another_and_asks_if_something_would_be_lost(tmp_path: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await alone(app, pilot)
        await pilot.press("enter", *"Z", "escape", "o")
        await until(pilot, lambda: isinstance(app.screen, Choosing))
        app.screen.query_one(Table).go_to("reason")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        await pilot.press("escape")
        assert page.unsaved
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, Choosing))
        app.screen.query_one(Table).go_to("reason")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        await pilot.press("d")
        await until(pilot, lambda: page.called == "reason")
        assert page.parts == parts_of("reason") and not page.unsaved

    drive(scenario, tmp_path / "empty")


def test_another_file_can_be_picked_and_a_broken_one_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "empty" / "prompts"
    folder.mkdir(parents=True)
    (folder / "broken.toml").write_text("head = 1")

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await alone(app, pilot)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, Choosing))
        assert "broken" in screen_text(app)
        await pilot.press("G", "enter")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await until(pilot, lambda: "broken.toml" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "has to define" in told(app))
        assert page.reference == "published"

    drive(scenario, tmp_path / "empty")


def test_leaving_says_what_would_be_lost(tmp_path: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await alone(app, pilot)
        await pilot.press("enter", *"Z", "escape", "q")
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        assert "The changes of prompt published would be lost." in screen_text(app)

    drive(scenario, tmp_path / "empty")


def test_without_a_run_it_edits_and_says_how_to_get_one(tmp_path: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await alone(app, pilot)
        await until(pilot, lambda: "No run is looked at." in screen_text(app))
        await pilot.press("t")
        await until(pilot, lambda: "Nothing to try it on" in screen_text(app))
        await pilot.press("right_square_bracket", "n")
        await until(pilot, lambda: "There is no run to start again" in screen_text(app))
        assert page.parts == parts_of("published")

    drive(scenario, tmp_path / "empty")


def test_t_asks_the_model_and_shows_before_and_now(workspace: Path) -> None:
    run = a_run(workspace)

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("enter", *"Z", "escape", "t")
        switcher = page.query_one(ContentSwitcher)
        await until(pilot, lambda: switcher.current == "trial")
        with closing(Store(workspace)) as store:
            answer = store.answers(run["run"])[(next(iter(page.queries)), 0)]
        table = page.query_one("#trial", Table)
        shown = [table.line(index) for index in range(len(table.source))]
        assert [line.key for line in shown if line] == list(answer.shown)
        before = [line.key for line in shown if line and line.cells[1].startswith("●")]
        assert sorted(before, key=str) == sorted(answer.chosen, key=str)
        assert sum(line.cells[2].startswith("●") for line in shown if line) == len(answer.chosen)
        await until(pilot, lambda: "It chooses" in screen_text(app))
        await pilot.press("v")
        assert switcher.current == "read"
        await pilot.press("v", "escape")
        assert switcher.current == "read"
        await pilot.press("ctrl+r")
        await until(pilot, lambda: switcher.current == "trial")
        table.focus()
        await pilot.press("enter")
        await until(pilot, lambda: app.up is app.page("clusters"))
        assert app.desk.subject.row == answer.shown[0]

    drive(scenario, workspace)


def test_the_same_prompt_answers_the_same(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("t")
        await until(pilot, lambda: page.query_one(ContentSwitcher).current == "trial")
        await until(pilot, lambda: "as before" in screen_text(app))
        table = page.query_one("#trial", Table)
        for index in range(len(table.source)):
            line = table.line(index)
            assert line is not None and line.cells[1] == line.cells[2]

    drive(scenario, workspace)


def test_n_starts_the_run_again_with_this_prompt(finished: Finished, tmp_path: Path) -> None:
    workspace = Path(shutil.copytree(finished.workspace, tmp_path / "workspace"))
    own = f"{workspace}/prompts/my-published.toml"

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("enter", *"Z", "escape", "n")
        await until(pilot, lambda: "Save it first" in screen_text(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        await pilot.press("enter")
        await until(pilot, lambda: not page.unsaved)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        await pilot.press("s")
        await until(pilot, lambda: any(job.finished for job in app.desk.jobs.values()), 300)
        (job,) = app.desk.jobs.values()
        assert app.up is app.page("run") and job.line[0] == "run"
        assert sum(word.startswith("--prompt=") for word in job.line) == 1
        first, again = reversed(app.desk.store.runs())
        assert (first["run"], first["settings"]["prompt"]) == (finished.id, "published")
        elsewhere = {"workspace": str(workspace), "display": "json", "out": None}
        assert again["settings"] == first["settings"] | elsewhere | {"prompt": own}
        assert again["state"] == "finished" and len(app.desk.store.picks(again["run"])) == 20

    drive(scenario, workspace)


def test_the_prompt_of_a_run_whose_file_is_gone_is_said(workspace: Path) -> None:
    run = a_run(workspace)
    settings = json.dumps(run["settings"] | {"prompt": "/none/gone.toml"})
    with closing(Store(workspace)) as store, store._transaction() as database:
        database.execute("UPDATE runs SET settings = ? WHERE run = ?", (settings, run["run"]))

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await up(app, pilot, run["run"])
        await until(pilot, lambda: "There is no prompt '/none/gone.toml'." in screen_text(app))
        assert page.reference == "published"

    drive(scenario, workspace, (160, 50))


def test_another_query_from_another_screen_comes_up(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        query = list(page.queries)[5]
        app.post_message(Look(replace(app.desk.subject, query=query)))
        await until(pilot, lambda: "(6 of" in head(page) and "tokens ·" in head(page))

    drive(scenario, workspace)


def test_a_text_that_comes_late_is_left_out(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "counting" in head(page))
        app.post_message(Look(Subject()))
        await until(pilot, lambda: page.run is None)
        await until(
            pilot, lambda: all(each.is_finished for each in app.workers if each.node is page)
        )
        await until(pilot, lambda: "No run is looked at" in read(page))
        assert head(page) == ""

    drive(scenario, workspace)


DOCUMENT = {
    "shown": [7, 3, 9],
    "scores": [0.1, 0.2, 0.7],
    "chosen": [9],
    "before": {"chosen": [7], "scores": [0.8, 0.1, 0.1]},
}


def test_a_trial_in_words() -> None:
    assert summary(DOCUMENT) == "It chooses 3; before it chose 1."
    assert summary(DOCUMENT | {"chosen": [7]}) == "It chooses 1, as before."
    assert summary(DOCUMENT | {"before": None}).endswith("The run was not answered here.")


def test_a_trial_in_bars() -> None:
    first, _, last = lines(DOCUMENT, str)
    assert first.cells[1].startswith("●  80% ████▊")
    assert last.cells[2].startswith("●  70% ████▎") and last.tone == "good"
    alone = lines(DOCUMENT | {"before": None}, str)
    assert alone[0].cells[1].strip() == "–"
