"""SIGKILL at random moments, the same command again and again → the undisturbed selection."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TypeAlias

from localsel.events import STAGES
from tests.e2e.conftest import Undisturbed
from tests.e2e.disturbing import Event, Runs, asked, run_of, text_of, twice

KILLS = 10
Place: TypeAlias = Callable[[str], Path]


@dataclass(frozen=True)
class Moment:
    """Some time after an event: the first one of a stage, or a later one. No stage: the start."""

    stage: str
    event: int = 1
    seconds: float = 0.0

    def watch(self) -> Callable[[Event], bool] | None:
        """Holds at the event, counted from the first that is news."""
        left = self.event

        def has_come(event: Event) -> bool:
            nonlocal left
            news = event["event"] != "answer" or not event["earlier"]
            left -= event["stage"] == self.stage and event["event"] != "note" and news
            return left <= 0

        return has_come if self.stage else None


def from_the_beginning(chance: random.Random) -> list[Moment]:
    """Ten: every stage, and the clock alone."""
    embedding = Moment("embed", chance.randint(2, 19), chance.uniform(0, 0.05))
    early = [Moment("load"), Moment("embed", seconds=chance.uniform(0, 4)), embedding]
    early += [Moment(stage, seconds=chance.uniform(0, 0.02)) for stage in STAGES[2:5]]
    return [*early, *answering(chance, 2), clock(chance), Moment("export")]


def while_choosing(chance: random.Random) -> list[Moment]:
    """Ten: most of them while questions are answered."""
    late = [*answering(chance, 6), clock(chance), clock(chance)]
    chance.shuffle(late)
    return [Moment("plan"), *late, Moment("export", seconds=0.003)]


def answering(chance: random.Random, times: int) -> list[Moment]:
    return [Moment("choose", chance.randint(2, 40), chance.uniform(0, 0.02)) for _ in range(times)]


def clock(chance: random.Random) -> Moment:
    return Moment("", seconds=chance.uniform(0, 4))


def killed_again_and_again(
    runs: Runs, waiting: list[Moment], workspaces: Iterator[Path], out: Path
) -> Iterator[Path]:
    """Workspaces of runs that came to their end in spite of it all.

    A start that reaches its end before its moment comes ends its run, and another run begins.
    """
    workspace = next(workspaces)
    while waiting:
        moment = waiting[0]
        how = (signal.SIGKILL, moment.watch(), moment.seconds, workspace, "--out", out)
        code, _ = runs.sent(*how)
        # Whatever lies there is whole, at any time.
        assert not out.exists() or len(out.read_text().splitlines()) == 100
        if code == -signal.SIGKILL:
            waiting.pop(0)
            continue
        assert code == 0
        yield workspace
        workspace = next(workspaces)
        out.unlink()
    runs.whole(workspace, "--out", out)
    yield workspace


def test_killed_in_every_stage_it_selects_the_same(
    by_rule: Runs, place: Place, calm_rule: Undisturbed, tmp_path: Path
) -> None:
    def workspaces() -> Iterator[Path]:
        # The first knows nothing yet; later ones need not embed again.
        yield tmp_path / "rough"
        yield from (place(f"rough-{number}") for number in count())

    out, waiting = tmp_path / "picks.jsonl", from_the_beginning(random.Random(7))
    assert len(waiting) == KILLS
    for workspace in killed_again_and_again(by_rule, waiting, workspaces(), out):
        check(by_rule, workspace, out, calm_rule)


def test_killed_while_a_model_answers_it_selects_the_same(
    by_model: Runs, place: Place, calm_model: Undisturbed, tmp_path: Path
) -> None:
    out, waiting = tmp_path / "picks.jsonl", while_choosing(random.Random(8))
    assert len(waiting) == KILLS
    workspaces = (place(f"rough-{number}") for number in count())
    for workspace in killed_again_and_again(by_model, waiting, workspaces, out):
        check(by_model, workspace, out, calm_model)


def check(runs: Runs, workspace: Path, out: Path, calm: Undisturbed) -> None:
    (run,) = runs.localsel("runs", "--json", "--workspace", workspace).document
    assert run["state"] == "finished"
    assert text_of(out, run["id"]) == calm.text
    questions = asked(workspace, run["id"])
    assert not twice(questions)
    assert sorted(questions) == calm.questions


def test_what_a_kill_leaves_behind_trips_nobody(
    by_rule: Runs, place: Place, calm_rule: Undisturbed, tmp_path: Path
) -> None:
    workspace, out = place("rough"), tmp_path / "picks.jsonl"
    (workspace / "vectors" / "0-0.partial").write_text("half a")
    (workspace / "vectors" / "0-0.npy").write_text("never entered")
    (tmp_path / ".picks.jsonl.01234567").write_text("half a")
    run, _ = run_of(by_rule.whole(workspace, "--out", out))
    assert text_of(out, run) == calm_rule.text
