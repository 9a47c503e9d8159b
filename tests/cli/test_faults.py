"""Something is wrong → one sentence on stderr that says what, a pinned exit code, no traceback."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Command, Done

USAGE, MODEL, FAILED = 2, 3, 1
GOOD = [{"instruction": f"Describe the number {number}."} for number in range(20)]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good data, and files with one fault each."""
    made = tmp_path_factory.mktemp("faulty")
    lines = [json.dumps(row) for row in GOOD]
    texts = {
        "good.jsonl": "\n".join(lines),
        "broken.jsonl": "\n".join([*lines, "{", "{"]),
        "strange.jsonl": "\n".join(f'{{"colour": "c{i}", "size": {i}}}' for i in range(9)),
        "escapes.jsonl": '{"a\\u001b[31mred": "one", "[bold]b": "two"}\n' * 9,
        "empty.jsonl": "",
        "blank.jsonl": '{"instruction": " "}\n' * 9,
        "fake.gguf": "This is a text about weights.",
        "typo/localsel.toml": "qurey_size = 10",
        "wrong/localsel.toml": "query_size = 1000",
        "torn/localsel.toml": "query_size = ",
        "empty-folder/nothing": "",
    }
    for name, text in texts.items():
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_text(text, encoding="utf-8")
    for name in ("typo", "wrong", "torn"):
        (made / name / "good.jsonl").write_text(texts["good.jsonl"])
    (made / "torn.gguf").write_bytes(b"GGUF" + bytes(range(200)))
    (made / "latin.jsonl").write_bytes('{"instruction": "Où est la clé ?"}\n'.encode("latin-1"))
    (made / "torn.jsonl.gz").write_bytes(gzip.compress(texts["good.jsonl"].encode())[:-20])
    (made / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0")
    return made


@dataclass(frozen=True)
class Fault:
    """A command line, in which FOLDER is filled in; how it ends; what has to be said."""

    name: str
    line: str
    code: int
    says: str
    variable: str = ""

    def __str__(self) -> str:
        return self.name


RUN = "run FOLDER/good.jsonl --budget 2"

FAULTS = [
    # The data.
    Fault("no data", "run --budget 2", USAGE, "Missing argument 'DATA'"),
    Fault("no such file", "run FOLDER/no.jsonl --budget 2 --model first", USAGE, "FOLDER/no.jsonl"),
    Fault("a folder", "run FOLDER --budget 2 --method random", USAGE, "FOLDER"),
    Fault("an empty file", "run FOLDER/empty.jsonl --budget 2 --method random", USAGE, "is empty"),
    Fault(
        "no instruction",
        "run FOLDER/blank.jsonl --budget 2 --method random",
        USAGE,
        "no instruction",
    ),
    Fault(
        "an unknown layout",
        "run FOLDER/strange.jsonl --budget 2 --method random",
        USAGE,
        "columns seen: colour, size. Say which column holds the instruction, for example"
        " --map instruction=colour.",
    ),
    Fault(
        "escapes in the data",
        "run FOLDER/escapes.jsonl --budget 2 --method random",
        USAGE,
        "columns seen: a␛[31mred, [bold]b.",
    ),
    Fault("a picture", "run FOLDER/picture.png --budget 2 --method random", USAGE, "picture.png"),
    Fault(
        "another encoding",
        "run FOLDER/latin.jsonl --budget 1 --method random",
        USAGE,
        "Read it with --encoding cp1252.",
    ),
    Fault("no encoding", f"{RUN} --method random --encoding utf-9", USAGE, "--encoding utf-9"),
    Fault("torn gzip", "run FOLDER/torn.jsonl.gz --budget 2 --method random", USAGE, "broken gzip"),
    Fault(
        "too many broken rows, before the model is looked at",
        "run FOLDER/broken.jsonl --budget 2 --model FOLDER/no.gguf",
        USAGE,
        "2 of 22 rows of FOLDER/broken.jsonl are broken, more than the 1.0% that are allowed."
        " Mend them, or raise --max-bad-rows.",
    ),
    Fault(
        "a budget larger than the pool, before the model is looked at",
        "run FOLDER/good.jsonl --budget 21 --model FOLDER/no.gguf",
        USAGE,
        "A budget of 21 is more than the 20 distinct instructions in FOLDER/good.jsonl."
        " Choose a smaller --budget.",
    ),
    Fault("a map of nothing", f"{RUN} --method random --map question", USAGE, "instruction=COL"),
    Fault("a map of a role", f"{RUN} --method random --map prompt=a", USAGE, "instruction=COL"),
    Fault("a map to nowhere", f"{RUN} --method random --map instruction=x", USAGE, "no column 'x'"),
    # Options and settings.
    Fault("no budget", "run FOLDER/good.jsonl --model first", USAGE, "A run needs --budget N."),
    Fault("a budget of 0", "run FOLDER/good.jsonl --budget 0", USAGE, "--budget 0: expected a who"),
    Fault("a budget in words", "run FOLDER/good.jsonl --budget two", USAGE, "expected a whole num"),
    Fault("a mistyped option", "run FOLDER/good.jsonl --bugdet 2", USAGE, "--budget"),
    Fault("queries of one", f"{RUN} --model first --query-size 1", USAGE, "at least 2"),
    Fault("queries of 101", f"{RUN} --model first --query-size 101", USAGE, "at most 100"),
    Fault("a negative seed", f"{RUN} --model first --seed -1", USAGE, "--seed -1: expected"),
    Fault("a share above all", f"{RUN} --model first --max-fallback 120%", USAGE, "at most 1"),
    Fault("no grouping", f"{RUN} --model first --grouping coarset", USAGE, "'coreset'"),
    Fault("no method", f"{RUN} --method selectlm", USAGE, "Did you mean 'selectllm'?"),
    Fault("no backend", f"{RUN} --model first --backend llamcpp", USAGE, "you mean 'llamacpp'?"),
    Fault("no prompt", f"{RUN} --model first --prompt plain", USAGE, "Known: published"),
    Fault("no settings file", f"{RUN} --model first --config no.toml", USAGE, "no.toml"),
    Fault(
        "a mistyped key",
        "run FOLDER/typo/good.jsonl --budget 2 --model first",
        USAGE,
        "Unknown setting 'qurey_size' (FOLDER/typo/localsel.toml: qurey_size)."
        " Did you mean 'query_size'?",
    ),
    Fault(
        "a wrong value in a file",
        "run FOLDER/wrong/good.jsonl --budget 2 --model first",
        USAGE,
        "FOLDER/wrong/localsel.toml: query_size = 1000: expected a whole number",
    ),
    Fault("torn settings", "run FOLDER/torn/good.jsonl --budget 2", USAGE, "cannot be read"),
    Fault(
        "a wrong value in the environment",
        f"{RUN} --model first",
        USAGE,
        "LOCALSEL_SEED = lucky: expected a whole number",
        "LOCALSEL_SEED=lucky",
    ),
    Fault(
        "a mistyped variable",
        f"{RUN} --model first",
        USAGE,
        "the variable LOCALSEL_SEDE). Did you mean 'seed'?",
        "LOCALSEL_SEDE=1",
    ),
    Fault(
        "nothing to resume",
        f"{RUN} --method random --resume always",
        USAGE,
        "There is no unfinished run of FOLDER/good.jsonl to resume.",
    ),
    # Where to write.
    Fault("an unknown ending", f"{RUN} --method random --out p.xml", USAGE, ".jsonl, .json, .csv"),
    Fault("no folder", f"{RUN} --method random --out no/p.jsonl", USAGE, "There is no folder"),
    Fault("a folder as file", f"{RUN} --method random --out FOLDER", USAGE, "FOLDER"),
    Fault(
        "a workspace that is a file",
        f"{RUN} --method random --workspace FOLDER/good.jsonl",
        FAILED,
        "The workspace FOLDER/good.jsonl is a file, not a folder. Choose one with --workspace.",
    ),
    # The model.
    Fault("no model", RUN, USAGE, "Give --model PATH"),
    Fault("a missing model", f"{RUN} --model FOLDER/no.gguf", MODEL, "There is no model at FOLDER"),
    Fault("no GGUF", f"{RUN} --model FOLDER/fake.gguf", MODEL, "is not a GGUF file"),
    Fault("a torn GGUF", f"{RUN} --model FOLDER/torn.gguf", MODEL, "FOLDER/torn.gguf is broken"),
    Fault("a folder as model", f"{RUN} --model FOLDER", MODEL, "FOLDER is a folder"),
    Fault("a rule without its number", f"{RUN} --model random:x", MODEL, "needs a number"),
    Fault("no rule", f"{RUN} --model third --backend scripted", MODEL, "There are first, random:S"),
    Fault("no embedder", f"{RUN} --model first --embedder FOLDER/no", MODEL, "FOLDER/no"),
    Fault("no weights", f"{RUN} --model first --embedder FOLDER/empty-folder", MODEL, "modules.js"),
    # Other commands.
    Fault("no command", "rnu", USAGE, "There is no command 'rnu'. Did you mean 'run'?"),
    Fault("show nothing", "show last", USAGE, "There are no runs yet"),
    Fault("export nothing", "export last --out p.csv", USAGE, "There are no runs yet"),
    Fault("export as nothing", "export last --out p.xml", USAGE, "does not say how to write it"),
    Fault("export to nowhere", "export last --out no/p.csv", USAGE, "There is no folder"),
    Fault("export nowhere", "export last", USAGE, "--out"),
    Fault("remove nothing", "rm abcd --yes", USAGE, "There is no run 'abcd'"),
    Fault("check nothing", "models check FOLDER/no.gguf", MODEL, "There is no model at FOLDER"),
    Fault("check a text", "models check FOLDER/fake.gguf", MODEL, "is not a GGUF file"),
    Fault("check a torn file", "models check FOLDER/torn.gguf", MODEL, "is broken"),
    Fault("show no prompt", "prompts show", USAGE, "Name a prompt, or give --run RUN and --query"),
    Fault("show an unknown prompt", "prompts show plain", USAGE, "Known: published"),
    Fault("half a query", "prompts show --run last", USAGE, "--query I"),
    Fault("validate a typo", "config validate FOLDER/typo/localsel.toml", USAGE, "'query_size'"),
    Fault("validate nothing", "config validate FOLDER/no.toml", USAGE, "cannot be read"),
    Fault("write over", "config init FOLDER/typo/localsel.toml", USAGE, "exists already"),
    Fault("no benchmark", "bench speed", USAGE, "There is no benchmark 'speed'"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_ends_with_one_sentence(localsel: Command, folder: Path, fault: Fault) -> None:
    line = [part.replace("FOLDER", str(folder)) for part in fault.line.split()]
    variables = [tuple(fault.variable.split("="))] if fault.variable else []
    done = localsel(*line, **dict(variables))  # type: ignore[arg-type]
    assert done.code == fault.code, done.stderr
    assert fault.says.replace("FOLDER", str(folder)) in done.complaint
    assert is_one_sentence(done)
    assert done.stdout == ""


def is_one_sentence(done: Done) -> bool:
    """Of ours, or of click: its usage, then the sentence. Nothing that a terminal would obey."""
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    opening = ("localsel: ", "Error: ")
    told = [line for line in done.stderr.splitlines() if line.startswith(opening)]
    assert told == [done.complaint]
    return done.complaint.endswith((".", "?", ")"))


def test_nothing_is_kept_of_a_file_that_is_refused(localsel: Command, folder: Path) -> None:
    localsel("run", folder / "broken.jsonl", "--budget", 2, "--method", "random")
    assert localsel("runs", "--json").document == []
    allowed = ("--max-bad-rows", "10%")
    again = localsel("run", folder / "broken.jsonl", "--budget", 2, "--method", "random", *allowed)
    assert again.code == 0
    assert "line 21, row 20: " in again.stderr
