"""Flags, environment and files → settings, the stronger source winning, or one clear sentence."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from localsel.errors import UsageError
from localsel.settings import (
    OUTSIDE_FINGERPRINT,
    Settings,
    Sourced,
    build,
    check,
    default_workspace,
    describe,
    fields,
    gather,
    hints,
    model_folders,
    read_environment,
    read_file,
    resource,
    schema,
    user_file,
)
from localsel.settings.options import PATHS

Write = Callable[[str], Path]

# One value of every setting that a file may give, none of them the default.
SOME: dict[str, object] = {
    "data": "pool.jsonl",
    "budget": 7,
    "model": "first",
    "method": "random",
    "backend": "scripted",
    "variant": "helpfulness",
    "threshold": 0.8,
    "quality_model": "judge",
    "quality_above": 0.5,
    "necessity_below": -1.0,
    "pre_experience": True,
    "new_tokens": 64,
    "tune_rows": 50,
    "tune_epochs": 2,
    "tune_rate": 0.001,
    "tune_rank": 8,
    "tune_batch": 16,
    "tune_length": 512,
    "grouping": "similar",
    "clusters": 3,
    "query_size": 10,
    "per_cluster": 30,
    "min_cluster": 2,
    "near_duplicates": 0.9,
    "trim": 0.05,
    "index": "exact",
    "embedder": "models/mini",
    "prompt": "mine.toml",
    "criteria": "short",
    "orders": 3,
    "temperature": 0.5,
    "seed": 9,
    "given": "annotated.json",
    "where": {"lang": "en"},
    "include": "keep.txt",
    "ban": "no.txt",
    "map": {"instruction": "question"},
    "encoding": "latin-1",
    "max_bad_rows": 0.1,
    "max_fallback": 0.2,
    "context": 4096,
    "threads": 2,
    "allow_host": "gpu.lan",
    "concurrency": 4,
    "gpus": 2,
    "gpu_memory": 0.5,
    "constraint": "xgrammar",
    "out": "picks.jsonl",
    "reason": True,
    "workspace": "work",
    "resume": "never",
    "display": "plain",
}


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable and no file of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith("LOCALSEL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))


@pytest.fixture
def write_user(tmp_path: Path) -> Write:
    def write(content: str) -> Path:
        path = tmp_path / "config" / "localsel" / "localsel.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_beside(tmp_path: Path) -> Write:
    """The settings file beside the data."""

    def write(content: str) -> Path:
        path = tmp_path / "localsel.toml"
        path.write_text(content, encoding="utf-8")
        return path

    return write


def given(**values: object) -> Settings:
    named = {"data": "pool.jsonl", "budget": 5} | values
    return build({name: Sourced(value, f"--{name}") for name, value in named.items()})


def refused(name: str, value: object) -> str:
    with pytest.raises(UsageError) as caught:
        given(**{name: value})
    assert caught.value.exit_code == 2
    return str(caught.value)


# --- which source wins ---------------------------------------------------------------------------


def test_flag_beats_environment_beats_project_file_beats_user_file_beats_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_user: Write, write_beside: Write
) -> None:
    data = tmp_path / "pool.jsonl"

    def seed(flags: dict[str, object]) -> tuple[int, str]:
        found = gather({"budget": "5", "data": str(data)} | flags, data)
        return build(found).seed, found["seed"].source if "seed" in found else "default"

    assert seed({}) == (0, "default")
    user = write_user("seed = 1")
    assert seed({}) == (1, f"{user}: seed =")
    project = write_beside("seed = 2")
    assert seed({}) == (2, f"{project}: seed =")
    monkeypatch.setenv("LOCALSEL_SEED", "3")
    assert seed({}) == (3, "LOCALSEL_SEED =")
    assert seed({"seed": "4"}) == (4, "--seed")
    assert seed({"seed": None}) == (3, "LOCALSEL_SEED =")


def test_sources_are_merged_setting_by_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_user: Write, write_beside: Write
) -> None:
    write_user('model = "first"\nseed = 1\norders = 3')
    write_beside("seed = 2\nquery-size = 10")
    monkeypatch.setenv("LOCALSEL_MIN_CLUSTER", "1")
    settings = build(gather({"budget": 5}, tmp_path / "x") | {"data": Sourced("x", "DATA")})
    assert (settings.model, settings.seed, settings.orders) == ("first", 2, 3)
    assert (settings.query_size, settings.min_cluster) == (10, 1)


def test_only_the_file_beside_the_data_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_beside: Write
) -> None:
    write_beside("seed = 2")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    assert gather({}, tmp_path / "elsewhere" / "pool.jsonl") == {}
    assert gather({}, None) == {}
    assert set(gather({}, Path("pool.jsonl"))) == {"seed"}


def test_every_setting_can_come_from_a_file_and_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, write_beside: Write
) -> None:
    assert set(SOME) == set(fields())
    lines = {name: msgspec.json.encode(value).decode() for name, value in SOME.items()}
    lines |= {"map": '{instruction = "question"}', "where": '{lang = "en"}'}
    path = write_beside("".join(f"{name} = {line}\n" for name, line in lines.items()))
    from_file = build(read_file(path))
    beside = {name: path.parent / str(SOME[name]) for name in PATHS}
    flat = {"map": "instruction=question", "where": "lang=en"}
    for name, value in (SOME | beside | flat).items():
        monkeypatch.setenv(f"LOCALSEL_{name.upper()}", str(value))
    assert build(read_environment()) == from_file
    default = given()
    assert [name for name in SOME if getattr(from_file, name) == getattr(default, name)] == ["data"]


def test_a_relative_path_in_a_file_is_one_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_beside: Write
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "gemma.gguf").touch()
    path = write_beside(
        'ban = "no.txt"\nout = "/there.csv"\nworkspace = "~/w"\nmodel = "gemma.gguf"'
    )
    found = {name: check(name, sourced, hints()[name]) for name, sourced in read_file(path).items()}
    assert found["ban"] == (tmp_path / "no.txt",)
    assert found["out"] == Path("/there.csv")
    assert found["workspace"] == Path.home() / "w"
    assert found["model"] == str(tmp_path / "gemma.gguf")
    by_name = read_file(write_beside('model = "nano-llama"\nprompt = "published"'))
    assert [sourced.value for sourced in by_name.values()] == ["nano-llama", "published"]


def test_models_are_looked_for_here_in_the_workspace_in_named_folders_and_in_localsel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALSEL_MODELS", "/one:~/two:")
    folders = [Path("models"), tmp_path / "models", Path("/one"), Path.home() / "two"]
    assert model_folders(tmp_path) == [*folders, resource("models")]


def test_the_folders_follow_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert default_workspace() == tmp_path / "share" / "localsel"
    assert user_file() == tmp_path / "config" / "localsel" / "localsel.toml"
    assert given().home == tmp_path / "share" / "localsel"
    assert given(workspace="~/w").home == Path.home() / "w"
    monkeypatch.setenv("XDG_DATA_HOME", "")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert default_workspace() == Path.home() / ".local" / "share" / "localsel"
    assert user_file() == Path.home() / ".config" / "localsel" / "localsel.toml"


def test_what_travels_with_localsel_is_found() -> None:
    assert (resource("prompts") / "published.toml").is_file()


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("budget", "300", 300),
        ("max_bad_rows", "1%", 0.01),
        ("max_bad_rows", " 2.5 % ", 0.025),
        ("max_bad_rows", "0.02", 0.02),
        ("max_fallback", "100%", 1.0),
        ("max_fallback", 0, 0.0),
        ("where", "lang=en", {"lang": "en"}),
        ("where", ("lang=en", "kind=a=b"), {"lang": "en", "kind": "a=b"}),
        ("where", "kind=", {"kind": ""}),
        ("trim", "5%", 0.05),
        ("reason", "false", False),
        ("near_duplicates", "off", None),
        ("near_duplicates", False, None),
        ("near_duplicates", "0.9", 0.9),
        ("near_duplicates", 1, 1.0),
        ("map", "instruction=question", {"instruction": "question"}),
        (
            "map",
            " instruction = my question , input=a.b,response=c=d",
            {"instruction": "my question", "input": "a.b", "response": "c=d"},
        ),
        ("map", {"input": "context"}, {"input": "context"}),
        ("out", "~/picks.jsonl", Path.home() / "picks.jsonl"),
        ("clusters", "12", 12),
        ("temperature", "0", 0.0),
    ],
)
def test_values_mean_what_they_say(name: str, value: object, meant: object) -> None:
    assert getattr(given(**{name: value}), name) == meant


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("budget", "0", "a whole number, at least 1"),
        ("budget", "3.5", "a whole number, at least 1"),
        ("budget", "many", "a whole number, at least 1"),
        ("query_size", 1, "a whole number, at least 2 and at most 100"),
        ("query_size", 101, "a whole number, at least 2 and at most 100"),
        ("clusters", "0", "a whole number, at least 1"),
        ("seed", "-1", "a whole number, at least 0 and at most 4294967295"),
        ("context", "100", "a whole number, at least 256"),
        ("temperature", "nan", "a number, at least 0 and at most 10"),
        ("temperature", "inf", "a number, at least 0 and at most 10"),
        ("max_bad_rows", "101%", "a number, at least 0 and at most 1"),
        ("max_bad_rows", "x%", "a number, at least 0 and at most 1"),
        ("grouping", "Coreset", "one of coreset, diverse, random, similar"),
        ("resume", "", "one of always, auto, never"),
        ("model", 5, "text"),
    ],
)
def test_a_bad_value_is_refused_in_one_sentence(name: str, value: object, expected: str) -> None:
    assert refused(name, value) == f"--{name} {value}: expected {expected}."


@pytest.mark.parametrize("value", [0, 0.0, "0", "-0.1", 1.1, "yes", True, "nan"])
def test_a_threshold_is_a_cosine_or_off(value: object) -> None:
    assert refused("near_duplicates", value).startswith(f"--near_duplicates {value}: expected")


@pytest.mark.parametrize(
    "value",
    ["question", "instruction=", "question=instruction", {"question": "q"}, {"instruction": ""}]
    + [{"instruction": 5}, 5, ["instruction"]],
)
def test_a_map_names_roles_and_their_columns(value: object) -> None:
    expected = "instruction=COL, with input=COL and response=COL where they exist"
    shown = "instruction" if value == ["instruction"] else value
    assert refused("map", value) == f"--map {shown}: expected {expected}."


@pytest.mark.parametrize("name", ["data", "out", "workspace", "embedder"])
@pytest.mark.parametrize("value", [5, True, ["a"]])
def test_a_path_is_text(name: str, value: object) -> None:
    shown = "a" if value == ["a"] else value
    assert refused(name, value) == f"--{name} {shown}: expected a path."


@pytest.mark.parametrize("name", ["data", "out", "workspace", "embedder"])
@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("~nobody-of-this-name/x", "Could not determine home directory"),
        ("x" * 300, "File name too long"),
        ("caf\udce9", "its name is not UTF-8; rename it"),
    ],
)
def test_a_path_can_be_followed(name: str, value: str, why: str) -> None:
    assert refused(name, value) == f"--{name} {value[:100]} cannot be used: {why}."


def test_the_source_of_a_bad_value_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_beside: Write
) -> None:
    path = write_beside("query-size = 1")
    with pytest.raises(UsageError) as caught:
        build(gather({}, tmp_path / "x"))
    assert str(caught.value).startswith(f"{path}: query-size = 1: expected a whole number")
    monkeypatch.setenv("LOCALSEL_QUERY_SIZE", "x")
    with pytest.raises(UsageError, match=r"^LOCALSEL_QUERY_SIZE = x: expected a whole number"):
        build(gather({}, tmp_path / "x"))
    with pytest.raises(UsageError, match=r"^--query-size 0: expected a whole number"):
        build(gather({"query_size": "0"}, tmp_path / "x"))


@pytest.mark.parametrize(
    ("values", "missing"),
    [({}, "DATA and --budget N"), ({"data": "x"}, "--budget N"), ({"budget": 1}, "DATA")],
)
def test_a_run_needs_data_and_a_budget(values: dict[str, object], missing: str) -> None:
    with pytest.raises(UsageError, match=f"A run needs {missing}"):
        build({name: Sourced(value, "x") for name, value in values.items()})


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("budgte = 3", "'budgte' (FILE: budgte). Did you mean 'budget'?"),
        ("query-sise = 3", "'query_sise' (FILE: query-sise). Did you mean 'query_size'?"),
        ("zzzz = 3", "'zzzz' (FILE: zzzz). See `localsel config schema`."),
        ("[zz]\nseed = 3", "'zz' (FILE: zz). See `localsel config schema`."),
    ],
)
def test_an_unknown_key_names_the_nearest(write_beside: Write, line: str, message: str) -> None:
    path = write_beside(line)
    with pytest.raises(UsageError) as caught:
        read_file(path)
    assert str(caught.value).replace(str(path), "FILE") == f"Unknown setting {message}"


def test_an_unknown_variable_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSEL_MODLE", "x")
    with pytest.raises(UsageError) as caught:
        read_environment()
    assert str(caught.value) == (
        "Unknown setting 'modle' (the variable LOCALSEL_MODLE). Did you mean 'model'?"
    )


def test_variables_that_are_no_settings_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSEL_MODELS", "/models")
    monkeypatch.setenv("NOT_LOCALSEL_SEED", "1")
    assert read_environment() == {}


def test_a_file_beside_the_data_sends_them_nowhere(write_beside: Write) -> None:
    path = write_beside('allow_host = "gpu.lan"')
    with pytest.raises(UsageError, match="may be sent to"):
        gather({}, path.parent / "pool.jsonl")
    assert gather({}, None, path)["allow_host"].value == "gpu.lan"


@pytest.mark.parametrize("model", ["http://127.0.0.1:8000", "HTTPS://localhost/v1#one"])
def test_a_file_beside_the_data_names_no_server(write_beside: Write, model: str) -> None:
    path = write_beside(f'model = "{model}"')
    with pytest.raises(UsageError, match="names a server"):
        gather({}, path.parent / "pool.jsonl")
    assert gather({}, None, path)["model"].value == model


@pytest.mark.parametrize("content", [b"seed = ", b"\xff\xfe", b"seed = 1\nseed = 2"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "localsel.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"The settings file .*localsel\.toml cannot be read"):
        gather({}, tmp_path / "pool.jsonl")


# --- schema --------------------------------------------------------------------------------------


def test_the_schema_lists_and_explains_every_setting() -> None:
    properties: dict[str, Any] = schema()["properties"]
    assert list(properties) == list(fields()) == list(Settings.__dataclass_fields__)
    assert schema()["additionalProperties"] is False
    for name, entry in properties.items():
        assert entry["description"] == describe(name)
        assert entry["description"].endswith((".", "]", "?"))
        assert {"type", "enum", "anyOf"} & set(entry)
    assert properties["query_size"]["minimum"] == 2
    assert properties["budget"]["type"] == "integer"
    assert properties["out"]["type"] == "string"
    assert {"enum": ["off", False]} in properties["near_duplicates"]["anyOf"]


def test_what_stays_outside_the_fingerprint_is_a_setting() -> None:
    assert set(fields()) > OUTSIDE_FINGERPRINT


def test_settings_are_never_edited() -> None:
    with pytest.raises(AttributeError):
        given().seed = 3  # type: ignore[misc]
