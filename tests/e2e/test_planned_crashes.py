"""SIGKILL before and after the COMMIT of every kind of transaction → the undisturbed selection.

Nobody lists the kinds: an undisturbed session is watched, and each kind that it has gets its
crashes.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from queue import Queue

import pytest

from localsel.store import Store
from tests.conftest import CHECKOUT, Command
from tests.e2e.disturbing import text_of, twice, write_pool

KILLED = -9
GONE = 2
SERVERS = 2
COMMANDS = ("rehearsal", "run", "accept", "undo", "choose", "carry", "rm", "import")
REVIEWING = ("accept", "undo", "choose")


class Forks:
    """A process that runs commands in forks of its own."""

    def __init__(self, localsel: Command, folder: Path) -> None:
        self.said, self.kinds = folder / "said", folder / "kinds"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.crashing"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=localsel.environment,
            cwd=CHECKOUT,
            encoding="utf-8",
        )

    def run(self, line: Sequence[object], **job: object) -> int:
        """The exit code of one command."""
        assert self.process.stdin is not None and self.process.stdout is not None
        job |= {"line": [str(part) for part in line], "said": str(self.said)}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def watched(self, line: Sequence[object]) -> Counter[str]:
        """How often each kind of transaction is committed by a command that succeeds."""
        self.kinds.write_text("")
        code = self.run(line, kinds=str(self.kinds))
        assert code == 0, self.said.read_text()
        return Counter(self.kinds.read_text().splitlines())


@dataclass(frozen=True)
class Crash:
    """One planned death of one command of the session, and where the workspace stood before."""

    command: str
    kind: str
    time: int
    side: str

    def __str__(self) -> str:
        return f"{self.command}: {self.side} COMMIT {self.time} of {self.kind}"


@dataclass
class Session:
    """Commands that follow each other in one workspace, and copies of it before each."""

    folder: Path
    pool: Path
    ban: Path
    seen: dict[str, Counter[str]] = field(default_factory=dict)

    def line(self, command: str, place: Path) -> list[object]:
        """A command of the session, in any workspace; what it writes lies beside that."""
        workspace = ("--workspace", place / "workspace")
        run = ["run", self.pool, "--budget", 8, "--query-size", 6, "--orders", 2]
        run += ["--model", "random:3", "--near-duplicates", "off", "--ban", self.ban, "--reason"]
        run += ["--threads", 1, "--display", "plain", *workspace]
        scored = ["run", self.pool, "--budget", 8, "--method", "perplexity-high"]
        scored += ["--model", "random:3", "--new-tokens", 4, "--threads", 1, "--display", "plain"]
        lines: dict[str, list[object]] = {
            "scored": [*scored, "--out", place / "picks.jsonl", *workspace],
            "rehearsal": [*run, "--dry-run"],
            "run": [*run, "--out", place / "picks.jsonl"],
            "resumed": [*run, "--out", place / "picks.jsonl"],
            "carry": ["runs", "export", "last", self.folder / "carried", *workspace],
            "rm": ["rm", "last", "--yes", *workspace],
            "import": ["runs", "import", self.folder / "carried", *workspace],
        }
        if command in REVIEWING:
            return ["review", "last", *self.changes[command], *workspace]
        return lines[command]

    @cached_property
    def changes(self) -> dict[str, list[object]]:
        """What a person says of the run: a pick accepted, that taken back, a blind choice."""
        with closing(Store(self.folder / "accept" / "workspace")) as store:
            run = store.run("last")
            query = next(each for each in store.plan(run["plan"]).queries if each.asks)
            rows = ",".join(map(str, query.rows[: query.quota]))
            return {
                "accept": ["--accept", store.picks(run["run"])[0].row],
                "undo": ["--undo"],
                "choose": ["--choose", query.id, rows],
            }

    def start(self, command: str, name: str) -> Path:
        """A place where everything before that command has happened."""
        shutil.copytree(self.folder / command, self.folder / name)
        return self.folder / name

    def watch(self, forks: Forks) -> None:
        """The session once without any crash, and once as it goes on after one."""
        place = self.folder / "calm"
        place.mkdir()
        for command in COMMANDS:
            shutil.copytree(place, self.folder / command)
            self.seen[command] = forks.watched(self.line(command, place))
        place = self.start(COMMANDS[0], "calm-scored")
        shutil.copytree(place, self.folder / "scored")
        self.seen["scored"] = forks.watched(self.line("scored", place))
        answers = next(kind for kind in self.seen["run"] if "add_answer" in kind)
        place = self.start("run", "resumed")
        assert forks.run(self.line("run", place), dies=[answers, 5, "before"]) == KILLED
        after = self.start("resumed", "calm-resumed")
        self.seen["resumed"] = forks.watched(self.line("resumed", after))

    def crashes(self) -> Iterator[Crash]:
        """Each kind once, in the command that is quickest there: first and middle, both sides."""
        done: set[str] = set()
        for command in ("run", "resumed", *REVIEWING, "rm", "import", "rehearsal", "scored"):
            for kind, times in self.seen[command].items():
                if kind not in done:
                    for time in sorted({1, times // 2 + 1}):
                        for side in ("before", "after"):
                            yield Crash(command, kind, time, side)
            done |= set(self.seen[command])


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, blocker: Path) -> Iterator[Queue[Forks]]:
    waiting: Queue[Forks] = Queue()
    all_servers = []
    for _ in range(SERVERS):
        folder = tmp_path_factory.mktemp("forks")
        all_servers.append(Forks(Command(folder, blocker), folder))
        waiting.put(all_servers[-1])
    yield waiting
    for forks in all_servers:
        forks.process.communicate()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, servers: Queue[Forks]) -> Session:
    folder = tmp_path_factory.mktemp("session")
    ban = folder / "ban.txt"
    ban.write_text("3, 5")
    made = Session(folder, write_pool(folder / "pool.jsonl", 60), ban)
    forks = servers.get()
    made.watch(forks)
    servers.put(forks)
    return made


def selection(place: Path) -> tuple[str, list[tuple[int, int]]]:
    """What the one run of a place chose, without its id, and what it asked."""
    with closing(Store(place / "workspace")) as store:
        (run,) = store.runs()
        assert run["state"] == "finished"
        log = [(each["query"], each["ordering"]) for each in store.asked(run["run"])]
    assert not twice(log)
    return text_of(place / "picks.jsonl", run["run"]), sorted(log)


def reviewed(place: Path) -> tuple[list[tuple[str, int | None]], dict[int, tuple[int, ...]]]:
    """What a person changed in the one run of a place, and chose blind on its plan."""
    with closing(Store(place / "workspace")) as store:
        (run,) = store.runs()
        changes = [(each.kind, each.row) for each in store.changes(run["run"])]
        return changes, store.choices(run["plan"])


def after(crash: Crash, session: Session, forks: Forks, place: Path) -> None:
    """The same command again, and what follows it, until there is something to compare."""
    codes = (0, GONE) if crash.command in ("rm", "import", *REVIEWING) else (0,)
    assert forks.run(session.line(crash.command, place)) in codes, forks.said.read_text()
    if crash.command in REVIEWING:
        next_command = COMMANDS[COMMANDS.index(crash.command) + 1]
        assert reviewed(place) == reviewed(session.folder / next_command)
    if crash.command == "rm":
        with closing(Store(place / "workspace")) as store:
            assert store.runs() == []
            assert store._one("SELECT 1 FROM pools UNION SELECT 1 FROM answers") is None
    if crash.command in ("rm", "import"):
        shutil.copy(session.folder / "calm" / "picks.jsonl", place)
    if crash.command in ("rm", "rehearsal"):
        assert forks.run(session.line("run", place)) == 0, forks.said.read_text()


def test_a_crash_at_any_transaction_changes_nothing(
    session: Session, servers: Queue[Forks]
) -> None:
    wanted = selection(session.folder / "calm")
    assert selection(session.folder / "calm-resumed") == wanted
    scored = selection(session.folder / "calm-scored")

    def crashed(numbered: tuple[int, Crash]) -> str | None:
        number, crash = numbered
        place, forks = session.start(crash.command, f"crash-{number}"), servers.get()
        try:
            dies = [crash.kind, crash.time, crash.side]
            assert forks.run(session.line(crash.command, place), dies=dies) == KILLED
            after(crash, session, forks, place)
            assert selection(place) == (scored if crash.command == "scored" else wanted)
        except AssertionError as error:
            return f"{crash}: {error}"
        finally:
            servers.put(forks)
            shutil.rmtree(place)
        return None

    with ThreadPoolExecutor(SERVERS) as pool:
        told = list(pool.map(crashed, enumerate(session.crashes())))
    assert not [each for each in told if each]
    assert len(told) > 50


def test_every_method_that_writes_is_crashed(session: Session) -> None:
    """A new one has to be reached by a command of the session."""
    committing = {kind.split(" < ")[0] for seen in session.seen.values() for kind in seen}
    assert {name for name in writers() if name not in committing} == set()


def writers() -> Iterator[str]:
    """Every method of the workspace that opens a transaction."""
    for path in sorted((CHECKOUT / "localsel" / "store").glob("*.py")):
        for part in ast.walk(ast.parse(path.read_text())):
            if isinstance(part, ast.ClassDef):
                for method in part.body:
                    if any(
                        isinstance(each, ast.Attribute) and each.attr == "_transaction"
                        for each in ast.walk(method)
                    ):
                        assert isinstance(method, ast.FunctionDef)
                        # A writer that is a context opens in one method and commits in another.
                        name = method.name.replace("__enter__", "__exit__")
                        yield f"{part.name}.{name}"
