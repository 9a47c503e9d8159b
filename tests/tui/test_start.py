"""The form: a file, selectors and a budget → a plan, and a command that goes on alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Collapsible, Input, Select

from localsel.methods import METHODS
from localsel.settings import METHODS_OWN, Sourced
from localsel.tui.app import Localsel
from localsel.tui.later import was_left
from localsel.tui.page import Page
from localsel.tui.screens.start import StartScreen
from localsel.tui.widgets.baselines import Group
from localsel.tui.widgets.box import Box
from localsel.tui.widgets.datafile import DataFile
from localsel.tui.widgets.dialog import Dialog
from localsel.tui.widgets.fields import Field, default_of, wrong
from localsel.tui.widgets.forecast import Forecast
from localsel.tui.widgets.mapping import Roles
from localsel.tui.widgets.methodfields import MethodFields
from localsel.tui.widgets.paths import Completing, completed, expanded
from localsel.tui.widgets.picking import Picker, in_units
from localsel.tui.widgets.selectors import Selectors
from tests.tui.conftest import drive, screen_text, until

Filling: TypeAlias = Callable[[Localsel, "Pilot[None]", StartScreen], Awaitable[None]]
SIGNS = {"/": "slash", ".": "full_stop", "-": "minus", "_": "underscore", " ": "space"}


@pytest.fixture
def home(embedded: Path, tmp_path: Path) -> Path:
    """A workspace without runs, of the test's own."""
    return Path(shutil.copytree(embedded, tmp_path / "own"))


@pytest.fixture
def answered(tmp_path: Path) -> Path:
    """Instructions with responses."""
    rows = [{"instruction": f"Name {each}.", "output": f"It is {each}."} for each in range(30)]
    path = tmp_path / "answered.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def fill(filling: Filling, home: Path, data: Path | None, size: tuple[int, int] = (80, 24)) -> None:
    """Plays a scenario on the form, once it knows the models of this machine."""

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        form = StartScreen(app.desk, data)
        await app.push_screen(form)
        await until(
            pilot, lambda: form.query_one(Selectors).models and form.query_one(MethodFields).methods
        )
        await filling(app, pilot, form)

    drive(scenario, home, size)


async def write(pilot: Pilot[None], text: str) -> None:
    await pilot.press(*(SIGNS.get(letter, letter) for letter in text))


async def reach(pilot: Pilot[None], form: StartScreen, setting: str) -> None:
    """Tabs on to a field."""
    wanted = form.query_one(f"#field-{setting}", Field)
    for _ in range(60):
        if form.focused and wanted in form.focused.ancestors:
            return
        await pilot.press("tab")
    raise AssertionError(f"tab never comes to {setting}")


def forecast(form: StartScreen) -> Forecast:
    return form.query_one(Forecast)


def test_from_nothing_to_a_comparison_that_runs(home: Path, example_pool: Path) -> None:
    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        assert "Type the path of the data" in screen_text(app)
        await write(pilot, str(example_pool)[:-3])
        await until(pilot, lambda: form.query_one("#field-data Input", Input)._suggestion)
        await pilot.press("right", "enter")
        await until(pilot, lambda: "Alpaca columns: instruction, input" in screen_text(app))
        await until(pilot, lambda: "Compare how Athens" in screen_text(app))
        assert "Mark a selector with space" in screen_text(app)
        form.query_one(Selectors).focus()
        await pilot.press("space", "space")
        assert "▌New comparison▐" in screen_text(app)
        await reach(pilot, form, "budget")
        await write(pilot, "12")
        await until(pilot, lambda: "12 picks of 481 rows" in screen_text(app))
        shown = screen_text(app).split("picks of 481 rows")[-1]
        assert shown.count(" tokens ") == 2 and shown.count(" MiB") == 2
        assert "--model=nano-gemma2" in screen_text(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.desk.jobs)
        (job,) = app.desk.jobs.values()
        assert app.screen is app.page("run")
        assert job.line[0] == "compare" and "--budget=12" in job.line
        await until(pilot, lambda: next(iter(app.desk.jobs.values())).finished, seconds=300)
        assert len(app.desk.store.runs()) == 5

    fill(filling, home, None)


def test_one_model_is_a_run_and_the_button_starts_it(home: Path, example_pool: Path) -> None:
    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        await pilot.press("j", "enter")
        assert "▌New run▐" in screen_text(app)
        await reach(pilot, form, "budget")
        await write(pilot, "5")
        await until(pilot, lambda: "5 picks of 481 rows" in screen_text(app))
        await pilot.click("#begin")
        await until(pilot, lambda: any(job.finished for job in app.desk.jobs.values()), 300)
        (run,) = app.desk.store.runs()
        assert (run["settings"]["budget"], run["settings"]["model"]) == (5, "nano-llama")

    fill(filling, home, example_pool, (120, 40))


def test_what_the_run_would_refuse_is_said_and_cannot_be_started(
    home: Path, example_pool: Path
) -> None:
    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        await pilot.press("space")
        await reach(pilot, form, "budget")
        await write(pilot, "9999")
        await until(pilot, lambda: "It cannot be started like this." in screen_text(app))
        assert "✗ " in screen_text(app) and "9,999" in screen_text(app).replace("9999", "9,999")
        await pilot.press("ctrl+s")
        assert app.screen is form and not app.desk.jobs
        await pilot.press("backspace", "backspace")
        await until(pilot, lambda: forecast(form).is_ready)

    fill(filling, home, example_pool)


def test_a_value_out_of_bounds_is_said_at_its_field(home: Path, example_pool: Path) -> None:
    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        await pilot.press("space")
        form.query_one(Collapsible).collapsed = False
        await reach(pilot, form, "query_size")
        await until(pilot, lambda: "Takes a whole number," in screen_text(app))
        await write(pilot, "1")
        await until(pilot, lambda: "✗ 1: expected a whole" in screen_text(app))
        assert "Query size: 1: expected" in screen_text(app)
        assert not forecast(form).line
        await write(pilot, "2")
        assert "--query-size=12" in " ".join(forecast(form).line)

    fill(filling, home, example_pool, (120, 40))


def test_more_settings_open_by_key_and_reach_the_line(home: Path, example_pool: Path) -> None:
    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        await pilot.press("space")
        await reach(pilot, form, "budget")
        await pilot.press("4", "enter", "tab", "enter")
        await until(pilot, lambda: form.query(Box))
        await pilot.press("tab")
        assert isinstance(app.focused, Box)
        await pilot.press("space")
        assert "▐✓▌ length-short" in screen_text(app)
        assert forecast(form).line[-3] == "--baseline=length-short"
        await pilot.press("space")
        assert "▐✓▌" not in screen_text(app)
        await reach(pilot, form, "method")
        await pilot.press("enter", *"random", "enter")
        await until(pilot, lambda: form.query_one("#field-method", Field).value == "random")
        assert forecast(form).line[:3] == ("run", "--budget=4", "--method=random")
        await until(pilot, lambda: "4 picks of 481 rows." in screen_text(app))

    fill(filling, home, example_pool)


def test_columns_are_named_where_nothing_is_recognised(home: Path, tmp_path: Path) -> None:
    data = tmp_path / "faq.csv"
    data.write_text("ask,tell\nHow tall is a fir?,Up to 60 m\nWhat is rust?,Iron oxide\n")

    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        await until(pilot, lambda: "How tall is a fir?" in screen_text(app))
        assert "✗" in screen_text(app)
        form.query_one("#role-instruction").focus()
        await pilot.press("enter", *"instruction: ask", "enter")
        await until(pilot, lambda: "✗" not in screen_text(app))
        assert "instruction: ask" in screen_text(app)
        assert "--map=instruction=ask" in forecast(form).line

    fill(filling, home, data)


def test_settings_beside_the_data_are_what_holds_while_nothing_is_typed(
    home: Path, example_pool: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copy(example_pool, tmp_path))
    (tmp_path / "localsel.toml").write_text('budget = 7\nmodel = "nano-llama"\n')

    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        await until(pilot, lambda: "* nano-llama" in screen_text(app))
        await reach(pilot, form, "budget")
        assert "Set in" in screen_text(app)
        await until(pilot, lambda: "7 picks of 481 rows" in screen_text(app))
        assert "--budget" not in " ".join(forecast(form).line)
        await pilot.press("escape")
        assert isinstance(app.screen, Page)

    fill(filling, home, data)


def test_a_form_that_is_left_while_it_still_asks_ends_nothing(home: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        form = StartScreen(app.desk, None)
        await app.push_screen(form)
        asking = [each for each in app.workers if each.node is form]
        assert any(each.is_running for each in asking)
        form.action_back()
        await until(pilot, lambda: all(each.is_finished for each in asking))
        await until(pilot, lambda: was_left(form))
        assert app.is_running and isinstance(app.screen, Page)

    drive(scenario, home)


@pytest.mark.parametrize(("key", "up"), [("escape", "workspace"), ("3", "clusters"), ("q", "")])
def test_leaving_asks_only_if_something_was_filled_in(
    key: str, up: str, home: Path, example_pool: Path
) -> None:
    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        await reach(pilot, form, "budget")
        await pilot.press("4")
        form.query_one(Selectors).focus()
        await pilot.press(key)
        for harmless in ("escape", "enter"):
            assert isinstance(app.screen, Dialog)
            await pilot.press(harmless)
            assert app.screen is form
            await pilot.press(key)
        await pilot.press("l")
        await until(pilot, lambda: app.screen is app.page(up) if up else not app.is_running)

    fill(filling, home, example_pool)


@pytest.mark.parametrize("key", ["y", "ctrl+y"])
def test_the_command_is_copied(key: str, home: Path, example_pool: Path) -> None:
    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        await pilot.press("space", key)
        await pilot.pause()
        assert app.clipboard == f"localsel run {example_pool} --model=nano-gemma2"

    fill(filling, home, example_pool)


def test_the_picker_walks_and_takes(home: Path, tmp_path: Path) -> None:
    """Every key of the picker, from the form and back to it."""
    shelf = tmp_path / "shelf"
    (shelf / "sub").mkdir(parents=True)
    (shelf / "sub" / "a.jsonl").write_text('{"instruction": "one"}\n')
    (shelf / ".hidden.json").write_text("[]")
    (shelf / "notes.log").write_text("x")

    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        form.query_one("#field-data", Field).value = str(shelf / "none.json")
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "▸ sub/" in screen_text(app))
        assert ".hidden.json" not in screen_text(app)
        await pilot.press("full_stop")
        await until(pilot, lambda: "• .hidden.json" in screen_text(app))
        for there, back in (("l", "h"), ("right", "left"), ("enter", "backspace")):
            await pilot.press(there)
            await until(pilot, lambda: "• a.jsonl" in screen_text(app))
            await pilot.press(back)
            await until(pilot, lambda: "▸ sub/" in screen_text(app))
        await pilot.press("slash", *"notes", "enter")
        assert "notes.log" in screen_text(app) and "sub/" not in screen_text(app)
        await pilot.press("escape")
        assert "▸ sub/" in screen_text(app)
        await pilot.press("tilde")
        # A long name would be shown without its beginning.
        await until(pilot, lambda: app.screen.folder == Path.home())
        await pilot.press("escape")
        assert app.screen is form
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "▸ sub/" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "• a.jsonl" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: form.form.data == str(shelf / "sub" / "a.jsonl"))

    fill(filling, home, None)


def test_files_of_rows_join_and_models_are_added(
    home: Path, example_pool: Path, selector: Path, tmp_path: Path
) -> None:
    (tmp_path / "my rows.txt").write_text("1\n")

    async def take(app: Localsel, pilot: Pilot[None], folder: Path, name: str) -> None:
        await until(pilot, lambda: isinstance(app.screen, Picker))
        assert isinstance(app.screen, Picker)
        app.screen.walk(folder)
        await until(pilot, lambda: name in screen_text(app))
        await pilot.press("slash", *(SIGNS.get(each, each) for each in name), "enter", "enter")

    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        own = tmp_path / "weights"
        own.mkdir()
        shutil.copy(selector, own / "mine.gguf")
        await pilot.press("G", "space")
        await take(app, pilot, own, "mine.gguf")
        await until(pilot, lambda: form.form.models == (str(own / "mine.gguf"),))
        await until(pilot, lambda: "* mine" in screen_text(app))
        form.query_one(Collapsible).collapsed = False
        await reach(pilot, form, "ban")
        await write(pilot, "a.txt")
        await pilot.press("ctrl+o")
        await take(app, pilot, tmp_path, "my rows.txt")
        expected = ("--ban=a.txt", f"--ban={tmp_path / 'my rows.txt'}")
        await until(pilot, lambda: forecast(form).line[1:3] == expected)

    fill(filling, home, example_pool)


def test_hostile_names_and_rows_are_data(home: Path, tmp_path: Path) -> None:
    data = tmp_path / "[red]x[end] \u202e.jsonl"
    row = {"instruction": "[bold]\x1b]0;owned\x07" + "a" * 200_000, "[/]\x1b[31m": "\x00"}
    data.write_text(json.dumps(row) + "\n")

    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        await until(pilot, lambda: "[bold]" in screen_text(app))
        await pilot.press("space")
        await reach(pilot, form, "budget")
        await pilot.press("1", "ctrl+o")
        await until(
            pilot, lambda: isinstance(app.screen, Picker) and "[red]x[end]" in screen_text(app)
        )
        assert not set(screen_text(app)) & set("\x1b\x07\x00\u202e")

    fill(filling, home, data)


def test_what_is_wrong_with_a_value() -> None:
    assert wrong("budget", "") == "" == wrong("near_duplicates", "off") == wrong("trim", "5%")
    assert wrong("temperature", "hot") == "hot: expected a number, at least 0 and at most 10."
    assert "no partner" in wrong("given", "'a")
    assert wrong("where", "lang") == "lang: expected COLUMN=VALUE, each column once."


def test_the_default_is_shown_in_words() -> None:
    assert default_of("clusters") == "follows the budget"
    assert (default_of("orders"), default_of("temperature"), default_of("given")) == ("1", "0", "")
    assert (
        default_of("pre_experience") == "off" == default_of("reason", Sourced("perhaps", "there"))
    )


@pytest.mark.parametrize("value", [True, 1, "1", "true", "True"])
def test_what_is_on_elsewhere_is_shown_as_on(value: object) -> None:
    assert default_of("pre_experience", Sourced(value, "there")) == "on"


def test_paths_are_completed(tmp_path: Path) -> None:
    (tmp_path / "data folder").mkdir()
    (tmp_path / ".dark").write_text("")
    (tmp_path / "date.csv").write_text("")
    assert completed(f"{tmp_path}/dat") == f"{tmp_path}/data folder/"
    assert completed(f"{tmp_path}/date") == f"{tmp_path}/date.csv"
    assert completed(f"{tmp_path}/") == f"{tmp_path}/data folder/"
    assert completed(f"{tmp_path}/.") == f"{tmp_path}/.dark"
    assert completed("") is None and completed("~") is None
    assert completed(f"{tmp_path}/none/x") is None and completed("a\0b") is None
    assert completed("~nobody-of-this-name/x") is None


def test_the_home_of_nobody_stays_as_typed() -> None:
    assert expanded("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")
    assert expanded("~/x") == Path.home() / "x"


def test_the_last_of_several_paths_is_completed(tmp_path: Path) -> None:
    import asyncio

    (tmp_path / "b.txt").write_text("")
    (tmp_path / "c d.txt").write_text("")
    offer = Completing(several=True).get_suggestion
    assert asyncio.run(offer(f"'a x' {tmp_path}/b")) == f"'a x' {tmp_path}/b.txt"
    assert asyncio.run(offer(f"{tmp_path}/c")) is None


def test_sizes_are_short() -> None:
    assert [in_units(size) for size in (812, 4100, 127_752, 4.1e9)] == [
        *("812 B", "4.1 kB", "128 kB", "4.1 GB")
    ]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_every_baseline_is_offered_and_seen(home: Path, size: tuple[int, int]) -> None:
    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        form.query_one("#more", Collapsible).collapsed = False
        await until(pilot, lambda: form.query(Box))
        await pilot.pause()
        names = {name for name in METHODS.names if not METHODS.load(name).needs_plan}
        assert {box.name for box in form.query(Box)} == names - {"random"}
        right = form.query_one("#more").region.right
        for box in form.query(Box):
            assert box.region.right <= right
            assert box.region.width >= len(str(box.name)) + 3
        (scored,) = [group for group in form.query(Group) if group.needs == "a model, responses"]
        assert {"ifd", "alpagasus"} <= set(scored.names)

    fill(filling, home, None, size)


async def choose(pilot: Pilot[None], form: StartScreen, method: str) -> None:
    form.query_one("#field-method", Field).value = method
    await until(pilot, lambda: form.query_one(MethodFields).method["name"] == method)
    await pilot.pause()


def shown(form: StartScreen) -> set[str]:
    """The options of some methods that the form asks for."""
    return {each.setting for each in form.query(Field) if each.display} & set(METHODS_OWN)


def test_the_form_asks_for_what_the_method_knows_and_no_more(home: Path) -> None:
    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        for name in METHODS.places:
            await choose(pilot, form, name)
            assert shown(form) == set(METHODS.load(name).options), name
            grouping = form.query_one("#field-grouping", Field)
            assert grouping.display == METHODS.load(name).needs_plan

    fill(filling, home, None, (120, 40))


def test_options_of_a_method_reach_the_line_and_leave_with_it(home: Path, answered: Path) -> None:
    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        await pilot.press("space")
        await choose(pilot, form, "alpagasus")
        assert "needs a model, responses" in screen_text(app)
        assert "The least rating." in screen_text(app)
        await reach(pilot, form, "variant")
        await pilot.press("enter", *"helpful", "enter")
        await reach(pilot, form, "threshold")
        await pilot.press("3")
        flags = ("--method=alpagasus", "--variant=helpfulness", "--threshold=3")
        await until(pilot, lambda: forecast(form).line[1:4] == flags)
        await choose(pilot, form, "length-long")
        assert forecast(form).line[:3] == ("run", "--method=length-long", "--")
        await choose(pilot, form, "deita")
        assert "The largest cosine to a pick." in screen_text(app)

    fill(filling, home, answered, (120, 40))


def test_what_another_option_brings_along_is_asked_for(home: Path, answered: Path) -> None:
    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        await choose(pilot, form, "ifd")
        assert "tune_rows" not in shown(form)
        await reach(pilot, form, "pre_experience")
        await pilot.press("enter", *"on", "enter")
        await until(pilot, lambda: "tune_rows" in shown(form))
        assert "needs a Hugging Face folder" in screen_text(app)
        form.query_one(Selectors).focus()
        await pilot.press("space")
        says = "ifd fine-tunes its model: nano-gemma2 is no Hugging Face folder."
        await until(pilot, lambda: forecast(form).problem == says)
        assert forecast(form).line[1:3] == ("--method=ifd", "--pre-experience")
        form.query_one("#field-variant", Field).value = "superfiltering"
        await until(pilot, lambda: shown(form) == {"variant", "tune_length"})
        assert "--pre-experience" not in forecast(form).line

    fill(filling, home, answered, (120, 40))


def test_a_method_that_works_with_one_model_is_no_comparison(home: Path, answered: Path) -> None:
    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        await pilot.press("space", "space")
        form.query_one("#more", Collapsible).collapsed = False
        form.query_one(Box).value = True
        await until(pilot, lambda: forecast(form).line[:1] == ("compare",))
        await choose(pilot, form, "alpagasus")
        assert not forecast(form).line
        assert forecast(form).problem == "alpagasus works with one model: mark only one."
        assert not form.query_one("#baselines").display
        form.query_one(Selectors).toggle("nano-gemma2")
        await pilot.pause()
        wanted = ("run", "--method=alpagasus", "--model=nano-llama", "--", str(answered))
        assert forecast(form).line == wanted

    fill(filling, home, answered, (120, 40))


def test_what_needs_responses_says_that_there_are_none(home: Path, example_pool: Path) -> None:
    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        await pilot.press("space")
        await until(pilot, lambda: "Alpaca columns: instruction, input" in screen_text(app))
        await choose(pilot, form, "ifd")
        says = "ifd needs responses, of which the data has no column."
        assert says in screen_text(app)
        await choose(pilot, form, "selectllm")
        assert says not in screen_text(app)
        (box,) = [box for box in form.query(Box) if box.name == "ifd"]
        box.value = True
        await until(pilot, lambda: says in screen_text(app))

    fill(filling, home, example_pool)


def test_a_response_inside_a_column_is_one(home: Path, tmp_path: Path) -> None:
    data = tmp_path / "inside.jsonl"
    rows = [
        {"instruction": f"Name {each}.", "instances": [{"input": "", "output": f"It is {each}."}]}
        for each in range(30)
    ]
    data.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        await pilot.press("space")
        form.query_one("#field-budget", Field).value = "4"
        await choose(pilot, form, "ifd")
        await until(pilot, lambda: form.query_one(Roles).columns)
        await pilot.pause()
        assert not form.query_one(DataFile).is_unanswered and not forecast(form).problem
        await until(pilot, lambda: "4 picks of 30 rows" in screen_text(app))
        role = form.query_one("#role-input", Select)
        role.value = "instances"
        says = "ifd needs responses, of which the data has no column."
        await until(pilot, lambda: forecast(form).problem == says)
        role.clear()
        await until(pilot, lambda: forecast(form).is_ready)

    fill(filling, home, data)


@pytest.mark.parametrize("key", ["escape", "3"])
def test_an_answer_that_comes_twice_leaves_one_screen(
    key: str, home: Path, example_pool: Path
) -> None:
    async def filling(app: Localsel, pilot: Pilot[None], form: StartScreen) -> None:
        await reach(pilot, form, "budget")
        await pilot.press("4")
        form.query_one(Selectors).focus()
        await pilot.press(key)
        assert isinstance(app.screen, Dialog)
        for _ in range(2):
            # As a terminal sends them: the second before the first was answered.
            app.post_message(Key("l", "l"))
        await pilot.pause()
        await until(pilot, lambda: isinstance(app.screen, Page))
        assert app.is_running and len(app.screen_stack) == 1

    fill(filling, home, example_pool)
