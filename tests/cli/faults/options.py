"""Settings that cannot be: typed, in the environment, in files; commands that are none."""

from __future__ import annotations

from tests.cli.faults import MODEL, USAGE, Content, Fault, leads_to

ONLY = "run good.jsonl --model first"
RUN = f"{ONLY} --budget 2"
CANNOT = "The settings file localsel.toml cannot be read: "


def typed(options: str, says: str) -> Fault:
    """A fault of one option, named after it."""
    return Fault(options, f"{RUN} {options}", USAGE, says)


def bad(options: str, wanted: str) -> Fault:
    """A value that says itself what was expected."""
    return typed(options, f"{options}: expected {wanted}")


def written(name: str, content: Content, says: str) -> Fault:
    """A fault of the settings file beside the data."""
    return Fault(name, RUN, USAGE, says, {"localsel.toml": content})


def asked(name: str, content: bytes, says: str, options: str = "") -> Fault:
    """A fault of a prompt of one's own."""
    return Fault(name, f"{RUN} --prompt p.toml {options}", USAGE, says, {"p.toml": content})


OPTIONS = [
    Fault("no budget", ONLY, USAGE, "A run needs --budget N. See `localsel run --help`."),
    Fault(
        "a budget of 0", f"{ONLY} --budget 0", USAGE, "--budget 0: expected a whole number, at le"
    ),
    Fault("a budget below 0", f"{ONLY} --budget -3", USAGE, "--budget -3: expected a whole number"),
    Fault(
        "a budget in words", f"{ONLY} --budget two", USAGE, "--budget two: expected a whole numb"
    ),
    Fault("half a row", f"{ONLY} --budget 2.5", USAGE, "--budget 2.5: expected a whole number"),
    Fault(
        "a budget larger than the pool, before the model is looked at",
        "run good.jsonl --budget 21 --model m",
        USAGE,
        "A budget of 21 is more than the 20 distinct instructions in good.jsonl. Choose a smaller",
        {"m": b"no model"},
    ),
    typed("--bugdet 2", "--budget"),
    typed("--seed", "Option '--seed' requires an argument"),
    bad("--clusters 0", "a whole number, at least 1"),
    bad("--query-size 1", "a whole number, at least 2 and at most 100"),
    bad("--query-size 101", "a whole number, at least 2 and at most 100"),
    bad("--min-cluster 0", "a whole number, at least 1"),
    bad("--near-duplicates 2", "a number, above 0 and at most 1, or off"),
    bad("--near-duplicates nan", "a number, above 0 and at most 1, or off"),
    bad("--temperature nan", "a number, at least 0 and at most 10"),
    bad("--max-bad-rows 200%", "a number, at least 0 and at most 1"),
    bad("--max-bad-rows few%", "a number, at least 0 and at most 1"),
    bad("--max-fallback nan%", "a number, at least 0 and at most 1"),
    bad("--seed -1", "a whole number, at least 0"),
    bad("--threads 0", "a whole number, at least 1"),
    bad("--context 10", "a whole number, at least 256"),
    bad("--orders 100", "a whole number, at least 1 and at most 99"),
    bad("--where lang", "COLUMN=VALUE"),
    typed("--where lang=en", "no row of good.jsonl has a column 'lang'. Its columns: instruction."),
    typed("--given no.jsonl", "there is no file no.jsonl"),
    typed("--grouping coarset", "'coarset' is not one of 'coreset', 'diverse'"),
    typed("--resume maybe", "'maybe' is not one of 'auto', 'never', 'always'"),
    typed("--resume always", "There is no unfinished run of good.jsonl to resume."),
    typed("--method selectlm", "There is no method 'selectlm'. Did you mean 'selectllm'?"),
    typed("--backend llamcpp", "There is no backend 'llamcpp'. Did you mean 'llamacpp'?"),
    typed("--prompt plain", "There is no prompt 'plain'. Known: five-criteria,"),
    typed("--config no.toml", "The settings file no.toml cannot be read: No such file"),
    typed("--config .", "The settings file . cannot be read: Is a directory."),
    typed("--json --display json", "both write to stdout. Give one of them."),
    asked("a prompt cut off", b"head = ", "The prompt p.toml cannot be read: Invalid value"),
    asked("a prompt of bytes", b"\xff\xfe", "The prompt p.toml cannot be read: 'utf-8' codec"),
    asked("a prompt without end", b"head = " + b"[" * 100_000, "p.toml cannot be read: maximum"),
    asked(
        "a prompt with a part alone", b"head = 'a'", "missing or unknown: about, answer, candida"
    ),
    asked(
        "a prompt without place for criteria",
        b"about='a'\ncriteria=''\nhead='h'\ncandidate='{label} {text}'\ntail='t'\nanswer='a'\n",
        "The prompt 'p' has no place for --criteria.",
        "--criteria short",
    ),
]

FILES = [
    written(
        "a mistyped key",
        b"qurey_size = 10",
        "Unknown setting 'qurey_size' (localsel.toml: qurey_size). Did you mean 'query_size'?",
    ),
    written(
        "a value out of bounds", b"query_size = 1000", "localsel.toml: query_size = 1000: expe"
    ),
    written("a text for a number", b"temperature = 'hot'", "temperature = hot: expected a number"),
    written(
        "a list for a number", b"seed = [1]", "localsel.toml: seed = 1: expected a whole number"
    ),
    written(
        "a date for a number", b"seed = 2020-01-01", "seed = 2020-01-01: expected a whole number"
    ),
    written("a number for a path", b"out = 5", "localsel.toml: out = 5: expected a path"),
    written("a number for a column", b"map = {instruction = 1}", "expected instruction=COL"),
    written("a path with NUL", b'out = "a\\u0000.jsonl"', "out = a␀.jsonl: expected a path"),
    written("an empty path", b'out = ""', "out = : expected a path"),
    written("an encoding with NUL", b'encoding = "a\\u0000"', "--encoding a␀ is not an encoding"),
    Fault(
        "a model with NUL",
        "run good.jsonl --budget 2",
        MODEL,
        "There is no model a␀.",
        {"localsel.toml": b'model = "a\\u0000"'},
    ),
    written("settings cut off", b"query_size = ", CANNOT + "Invalid value (at end of document)."),
    written("a table", b"[run]\nseed = 1", "Unknown setting 'run' (localsel.toml: run)."),
    written("a key twice", b"seed = 1\nseed = 2", CANNOT + "Cannot overwrite a value"),
    written("settings in Latin-1", b"criteria = '\xe9'", CANNOT + "'utf-8' codec can't decode"),
    written("settings without end", b"seed = " + b"[" * 100_000, CANNOT + "maximum recursion"),
    written("5,000 digits", b"seed = " + b"9" * 5000, CANNOT + "Exceeds the limit (4300 digits)."),
    written(
        "settings that cannot be read", leads_to("/proc/self/mem"), CANNOT + "Input/output err"
    ),
    Fault(
        "a mistyped key of the user's",
        RUN,
        USAGE,
        "config/localsel/localsel.toml: sede). Did you mean 'seed'?",
        {"config/localsel/localsel.toml": b"sede = 1"},
    ),
    Fault(
        "a wrong value in the environment",
        RUN,
        USAGE,
        "LOCALSEL_SEED = lucky: expected a whole number",
        variables={"LOCALSEL_SEED": "lucky"},
    ),
    Fault(
        "a mistyped variable",
        "runs",
        USAGE,
        "Unknown setting 'sede' (the variable LOCALSEL_SEDE). Did you mean 'seed'?",
        variables={"LOCALSEL_SEDE": "1"},
    ),
]

COMMANDS = [
    Fault("no command", "rnu", USAGE, "There is no command 'rnu'. Did you mean 'run'?"),
    Fault("no such benchmark", "bench speed", USAGE, "There is no benchmark 'speed'. Known: "),
    Fault("no such prompt", "prompts show plain", USAGE, "There is no prompt 'plain'. Known: "),
    Fault(
        "a prompt of nothing", "prompts show", USAGE, "Name a prompt, or give --run RUN and --qu"
    ),
    Fault("half a query", "prompts show --run last", USAGE, "--query I"),
    Fault(
        "validate a typo", "config validate x", USAGE, "'query_size'?", {"x": b"qurey_size = 10"}
    ),
    Fault(
        "validate nothing", "config validate x", USAGE, "The settings file x cannot be read: No "
    ),
    Fault(
        "write over settings", "config init x", USAGE, "x exists already; it is", {"x": b"seed = 1"}
    ),
    Fault(
        "write over a loop", "config init x", USAGE, "x exists already; it", {"x": leads_to("x")}
    ),
    Fault(
        "write a name too long", f"config init {'x' * 300}", USAGE, "written: File name too long."
    ),
]

FAULTS: list[Fault] = [*OPTIONS, *FILES, *COMMANDS]
