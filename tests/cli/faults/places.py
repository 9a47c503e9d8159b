"""Files that cannot be written, workspaces that cannot be used, runs that are not there."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from localsel.store import Store
from tests.cli.faults import FAILED, GOOD, USAGE, Content, Fault, leads_to

RUN = "run good.jsonl --budget 2 --method random"
HOME = "share/localsel"


def written(name: str, out: str, says: str, content: Content | None = None) -> Fault:
    """A fault of the output file, which `content` is in the place of."""
    files = {} if content is None else {out: content}
    return Fault(name, f"{RUN} --out {out}", USAGE, says, files)


def kept(name: str, file: str, content: Content, says: str) -> Fault:
    """A fault of the workspace, or of the database in it."""
    return Fault(name, f"{RUN} --workspace w", FAILED, says, {file: content})


def holding(*statements: str) -> Callable[[Path], None]:
    """An SQLite database."""

    def make(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            for statement in statements:
                database.execute(statement)

    return make


def workspace(*names: str, state: str = "finished") -> Callable[[Path], None]:
    """A workspace with runs of these names."""

    def make(home: Path) -> None:
        with closing(Store(home)) as store:
            with store.add_pool("pool", Path("gone.jsonl"), "", ""):
                pass
            settings = {"method": "random", "seed": 0, "data": "gone.jsonl", "budget": 1}
            for name in names:
                store.start_run("", "pool", settings, {}, name)
                store.update_run(name, state=state)

    return make


def overwritten(home: Path) -> None:
    """A workspace whose tables are noise behind a whole beginning."""
    workspace("abcd1")(home)
    path = home / "localsel.db"
    path.write_bytes(path.read_bytes()[:4096] + bytes(range(256)) * 100)


def unfinished(name: str, line: str, code: int, says: str) -> Fault:
    return Fault(name, line, code, says, {HOME: workspace("abcd1", "abcd2", state="interrupted")})


OUTPUTS = [
    written(
        "an unknown ending", "p.xml", "The ending of p.xml does not say how to write it. Use one"
    ),
    written("no ending", "p", "The ending of p does not say how to write it. Use one of .jsonl, "),
    written("no folder", "no/p.jsonl", "There is no folder "),
    written(
        "a folder as output", "p.jsonl", "p.jsonl is a folder, not a file to write", Path.mkdir
    ),
    written("a file as its folder", "good.jsonl/p.jsonl", "There is no folder "),
    written(
        "a folder that takes no files", "/proc/p.jsonl", "The folder /proc cannot be written: "
    ),
    written("the data as output", "good.jsonl", "--out good.jsonl is the data file itself."),
    written("the data under a second name", "p.jsonl", "data file itself", leads_to("good.jsonl")),
    written("a loop of links as output", "p.jsonl", "cannot be used: Symlink", leads_to("p.jsonl")),
    written("a pipe as output", "p.jsonl", "p.jsonl is not a file that could be replac", os.mkfifo),
    written("an output name too long", f"{'p' * 300}.jsonl", "cannot be used: File name too long"),
    written("an output name almost too long", f"{'p' * 245}.jsonl", "written: File name too long"),
]

WORKSPACES = [
    kept(
        "a file as workspace", "w", b"", "The workspace w is a file, not a folder. Choose one with"
    ),
    kept("a text as database", "w/localsel.db", GOOD, "w cannot be used: file is not a database."),
    kept("a folder as database", "w/localsel.db", Path.mkdir, "unable to open database file."),
    kept(
        "a database of something else",
        "w/localsel.db",
        holding("CREATE TABLE notes (text)"),
        "The database in w is not one of localsel. Choose another with --workspace.",
    ),
    kept(
        "a database of something else with a version",
        "w/localsel.db",
        holding("CREATE TABLE notes (text)", "PRAGMA user_version = 1"),
        "The database in w is not one of localsel.",
    ),
    kept(
        "a workspace of tomorrow",
        "w/localsel.db",
        holding("CREATE TABLE runs (a)", "CREATE TABLE pools (a)", "PRAGMA user_version = 99"),
        "The workspace w has format 99; this localsel reads ",
    ),
    kept("a database that is noise inside", "w", overwritten, "database disk image is malformed"),
    Fault("runs in noise", "runs --workspace w", FAILED, "is malformed", {"w": overwritten}),
    Fault("a workspace in /proc", f"{RUN} --workspace /proc/w", FAILED, "/proc/w cannot be used: "),
    Fault("a workspace too long", f"runs --workspace {'w' * 300}", USAGE, "File name too long"),
]

RUNS = [
    Fault("show nothing", "show last", USAGE, "There are no runs yet in "),
    Fault("export nothing", "export last --out p.csv", USAGE, "There are no runs yet in "),
    Fault("review nothing", "review last", USAGE, "There are no runs yet in "),
    unfinished("review too early", "review abcd1 --ban 1", USAGE, "is interrupted. Only finished"),
    unfinished(
        "undo too early", "review abcd1 --undo", USAGE, "Only finished runs can be reviewed"
    ),
    unfinished("score too early", "review abcd1 --score", USAGE, "asked no queries"),
    Fault("export as nothing", "export last --out p.xml", USAGE, "does not say how to write it"),
    Fault("export to nowhere", "export last --out no/p.csv", USAGE, "There is no folder"),
    Fault("export without a file", "export last", USAGE, "Missing option '--out'"),
    Fault(
        "export as no format", "export last --to xml --out p", USAGE, "'xml' is not one of 'jsonl'"
    ),
    Fault("export to a loop", "export x --out p.csv", USAGE, "p.csv", {"p.csv": leads_to("p.csv")}),
    unfinished("show no such run", "show beef", USAGE, "There is no run 'beef' in "),
    unfinished("show two runs", "show abcd", USAGE, "2 runs begin with 'abcd' in "),
    unfinished("show no name", "show ''", USAGE, "There is no run '' in "),
    unfinished("remove no such run", "rm beef --yes", USAGE, "There is no run 'beef' in "),
    unfinished("remove no name", "rm '' --yes", USAGE, "There is no run '' in "),
    unfinished(
        "export too early", "export abcd1 --out p.csv", USAGE, "is interrupted and has no pic"
    ),
    unfinished("attach to no such run", "attach beef", USAGE, "There is no run 'beef' in "),
    unfinished("stop no such run", "stop beef", USAGE, "There is no run 'beef' in "),
    Fault("import no file", "runs import no.run", USAGE, "There is no file no.run."),
    Fault("import a pool", "runs import good.jsonl", USAGE, "good.jsonl is not a run of localsel."),
    unfinished("carry out to nowhere", "runs export abcd1 no/x.run", USAGE, "There is no folder "),
]

FAULTS: list[Fault] = [*OUTPUTS, *WORKSPACES, *RUNS]
