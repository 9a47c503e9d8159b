"""A comparison is killed, stopped, or loses one who takes part → nobody is left behind, nothing is
asked twice, and it ends with the same figures.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from localsel.store import Store
from tests.conftest import Command
from tests.e2e.disturbing import Event, asked, twice, until

STOPPED, FAILED = 130, 4
# How long a worker may go on without its parent: it ends itself then.
PATIENCE = 60


class Comparisons:
    """The same comparison: a selector that answers at once, and one that takes its time."""

    def __init__(self, localsel: Command, data: Path, selector: Path) -> None:
        self.localsel, self.second = localsel, selector.stem
        # 80 queries in two orders; the second selector needs some seconds for them.
        options = ("--budget", 60, "--query-size", 8, "--near-duplicates", "off", "--threads", 1)
        self.line = ("compare", data, *options, "--model", "random:3", "--model", selector)

    def whole(self, workspace: Path, *options: object) -> dict[str, Any]:
        done = self.localsel(*self.line, "--workspace", workspace, "--json", *options)
        assert done.code == 0, done.stderr
        found: dict[str, Any] = done.document
        return found

    def disturbed(
        self, workspace: Path, disturb: Callable[[psutil.Process, psutil.Process, str], None]
    ) -> tuple[int, list[Event]]:
        """Once the second selector has answered a few, something happens to the comparison, to
        its worker, or to the run of that name; nobody of them is left in the end.
        """
        seen, workers, fresh = [], [], 0
        line = (*self.line, "--workspace", workspace, "--display", "json")
        with self.localsel.start(*line) as process:
            assert process.stdout is not None
            for text in process.stdout:
                if not text.endswith("\n"):
                    break
                event = json.loads(text)
                seen.append(event)
                if event["event"] == "answer" and event["selector"] == self.second:
                    fresh += not event["earlier"]
                if fresh >= 10 and not workers:
                    parent = psutil.Process(process.pid)
                    (worker,) = parent.children()
                    workers = parent.children(recursive=True)
                    disturb(parent, worker, event["run"])
        assert workers, "the second selector was not asked"
        _, alive = psutil.wait_procs(workers, timeout=PATIENCE)
        assert not alive
        return process.returncode, seen


@pytest.fixture
def comparisons(localsel: Command, example_pool: Path, selector: Path) -> Comparisons:
    return Comparisons(localsel, example_pool, selector)


@pytest.fixture(scope="module")
def calm(
    tmp_path_factory: pytest.TempPathFactory,
    blocker: Path,
    embedded: Path,
    example_pool: Path,
    selector: Path,
) -> dict[str, Any]:
    """The comparison as it is when nothing happens."""
    folder = tmp_path_factory.mktemp("calm")
    workspace = Path(shutil.copytree(embedded, folder / "workspace"))
    return Comparisons(Command(folder, blocker), example_pool, selector).whole(workspace)


def lasting(comparison: dict[str, Any]) -> dict[str, Any]:
    """A comparison without what is another's each time: names of runs, seconds, the folder."""
    found = {name: value for name, value in comparison.items() if name != "created"}
    found["settings"] = found["settings"] | dict.fromkeys(("workspace", "display", "resume"))
    found["baselines"] = [each | {"runs": len(each["runs"])} for each in found["baselines"]]
    measured = {"seconds": None, "tokens_per_second": None, "peak_memory": None}
    found["selectors"] = [
        each | {"run": None, "cost": each["cost"] | measured} for each in found["selectors"]
    ]
    return found


def runs_of(events: list[Event]) -> dict[str, str]:
    """The run of everybody who got that far, by name."""
    return {each["selector"]: each["run"] for each in events if each["event"] == "run"}


def states(workspace: Path) -> dict[str, str]:
    with closing(Store(workspace)) as store:
        return {run["run"]: store.state(run) for run in store.runs()}


def send(number: signal.Signals) -> Callable[[psutil.Process, psutil.Process, str], None]:
    return lambda parent, worker, run: parent.send_signal(number)


def test_it_goes_on_where_it_stopped_to_the_same_figures(
    comparisons: Comparisons, workspace: Path, calm: dict[str, Any]
) -> None:
    """Killed outright first, and interrupted then."""
    begun: list[tuple[int, int]] = []
    for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, STOPPED)):
        ended, seen = comparisons.disturbed(workspace, send(number))
        assert ended == code
        runs = runs_of(seen)
        assert set(runs) == {"random:3", comparisons.second}
        first, second = runs["random:3"], runs[comparisons.second]
        assert states(workspace) == {first: "finished", second: "interrupted"}
        earlier, begun = begun, asked(workspace, second)
        assert begun[: len(earlier)] == earlier
        assert len(begun) >= len(earlier) + 10
    log = asked(workspace, first)

    # It holds for who can be resumed; the first has ended.
    found = comparisons.whole(workspace, "--resume", "always")
    assert [each["run"] for each in found["selectors"]] == [first, second]
    # The first was asked nothing, and the second went on.
    assert asked(workspace, first) == log
    whole = asked(workspace, second)
    assert whole[: len(begun)] == begun
    assert not twice(whole)
    assert len(whole) == len(log)
    assert lasting(found) == lasting(calm)


def test_who_stops_its_run_stops_the_comparison(
    comparisons: Comparisons, localsel: Command, workspace: Path
) -> None:
    def stop(parent: psutil.Process, worker: psutil.Process, run: str) -> None:
        done = localsel("stop", run, "--workspace", workspace)
        assert done.code == 0, done.stderr
        assert f"Stopped run {run}" in done.complaint

    code, seen = comparisons.disturbed(workspace, stop)
    assert code == STOPPED
    assert states(workspace)[runs_of(seen)[comparisons.second]] == "interrupted"
    assert not [each for each in seen if each["event"] == "done" and "comparison" in each]


def test_a_worker_that_dies_takes_nobody_along(comparisons: Comparisons, workspace: Path) -> None:
    def kill(parent: psutil.Process, worker: psutil.Process, run: str) -> None:
        worker.send_signal(signal.SIGSEGV)

    code, seen = comparisons.disturbed(workspace, kill)
    assert code == FAILED
    found = seen[-1]["comparison"]
    assert [each["name"] for each in found["selectors"]] == ["random:3"]
    (failed,) = found["failed"]
    assert failed["name"] == comparisons.second
    assert f"killed by signal {signal.SIGSEGV}" in failed["error"]
    assert set(runs_of(seen)) == {"random:3", comparisons.second} | {
        f"random {turn}" for turn in (1, 2, 3)
    }


def test_a_worker_ends_with_its_parent_whatever_keeps_it(
    comparisons: Comparisons, workspace: Path
) -> None:
    """Held for a while, as by a long evaluation, it still ends once it can."""

    def kill(parent: psutil.Process, worker: psutil.Process, run: str) -> None:
        worker.suspend()
        parent.kill()
        until(lambda: parent.status() == psutil.STATUS_ZOMBIE)
        worker.resume()

    code, _ = comparisons.disturbed(workspace, kill)
    assert code == -signal.SIGKILL
