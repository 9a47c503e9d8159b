"""Flags, environment and TOML files → one `Settings`, built once and handed down.

Order, strongest first: a typed flag, `LOCALSEL_*`, `localsel.toml` beside the data, the user's
file, the default. Nothing else in the project reads the environment.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta

from localsel.errors import UsageError

PACKAGE = Path(__file__).resolve().parent

Grouping = Literal["coreset", "diverse", "similar", "random"]
Count = Annotated[int, Meta(ge=1)]
Display = Literal["auto", "full", "plain", "json", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every option of a run, typed and explained where it stands."""

    data: Annotated[Path, Meta(description="The file of unlabelled instructions.")]
    budget: Annotated[int, Meta(ge=1, description="How many instructions to choose.")]
    model: Annotated[
        str | None,
        Meta(description="The selector: a GGUF file, or first / random:SEED with no weights."),
    ] = None
    method: Annotated[str, Meta(description="How to select; see `localsel methods`.")] = "selectllm"
    backend: Annotated[str, Meta(description="What runs the selector; auto goes by the path.")] = (
        "auto"
    )
    grouping: Annotated[
        Grouping, Meta(description="How the pool is grouped before the model chooses.")
    ] = "coreset"
    clusters: Annotated[
        Count | None,
        Meta(description="Clusters (of coreset) or queries. [default: follows the budget]"),
    ] = None
    query_size: Annotated[
        int, Meta(ge=2, le=100, description="At most this many candidates in one query.")
    ] = 14
    min_cluster: Annotated[
        int, Meta(ge=1, description="Smaller clusters join their nearest neighbour.")
    ] = 3
    near_duplicates: Annotated[
        Annotated[float, Meta(gt=0, le=1)] | None,
        Meta(description="Cosine from which rows count as near-duplicates, or off."),
    ] = 0.95
    index: Annotated[
        Literal["auto", "hnsw", "exact"],
        Meta(description="How neighbours are found; auto is exact below 20,000 rows."),
    ] = "auto"
    embedder: Annotated[
        Path | None,
        Meta(description="A sentence-transformers folder. [default: all-MiniLM-L6-v2]"),
    ] = None
    prompt: Annotated[str, Meta(description="The question put to the model.")] = "published"
    criteria: Annotated[
        str | None, Meta(description="What to prefer, in words. [default: the prompt's own]")
    ] = None
    orders: Annotated[
        int, Meta(ge=1, le=99, description="Ask each query in this many orders and let them vote.")
    ] = 1
    temperature: Annotated[
        float, Meta(ge=0, le=10, description="0 takes the most probable label; above, draws.")
    ] = 0.0
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1, description="Of everything that is drawn.")] = 0
    map: Annotated[
        dict[str, str],
        Meta(description="Columns: instruction=COL,input=COL,response=COL. [default: guessed]"),
    ] = field(default_factory=dict)
    encoding: Annotated[str | None, Meta(description="The data's encoding. [default: UTF-8]")] = (
        None
    )
    max_bad_rows: Annotated[
        float, Meta(ge=0, le=1, description="Stop above this share of broken rows.")
    ] = 0.01
    max_fallback: Annotated[
        float, Meta(ge=0, le=1, description="Exit 4 above this share of unanswered queries.")
    ] = 0.01
    context: Annotated[
        Annotated[int, Meta(ge=256)] | None,
        Meta(description="Tokens of context. [default: the model's, at most 8192]"),
    ] = None
    threads: Annotated[
        Annotated[int, Meta(ge=1, le=1024)] | None,
        Meta(description="CPU threads. [default: all cores]"),
    ] = None
    out: Annotated[
        Path | None, Meta(description="Write the picks here: .jsonl, or .json / .csv.")
    ] = None
    workspace: Annotated[
        Path | None, Meta(description="Where runs are kept. [default: your data folder]")
    ] = None
    resume: Annotated[
        Literal["auto", "never", "always"],
        Meta(description="Go on with an unfinished run of the same settings?"),
    ] = "auto"
    display: Annotated[Display, Meta(description="How progress is shown.")] = "auto"

    @property
    def home(self) -> Path:
        """The workspace folder."""
        return self.workspace or default_workspace()


# What cannot change which rows are chosen, and so does not enter a run's fingerprint. The data,
# the models and the prompt enter by their content instead of by their path.
OUTSIDE_FINGERPRINT = frozenset(
    {"data", "model", "embedder", "prompt", "out", "workspace", "display", "threads", "resume"}
    | {"max_bad_rows", "max_fallback"}
)


def default_workspace() -> Path:
    """`$XDG_DATA_HOME/localsel`, or its usual place."""
    data_home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data_home).expanduser() / "localsel"


def user_file() -> Path:
    """The settings file that holds for every project of this user."""
    config_home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(config_home).expanduser() / "localsel" / "localsel.toml"


def resource(kind: str) -> Path:
    """A folder that travels with localsel (`prompts`, `models`, `examples`, `benchmarks`).

    In an installed package it lies inside the package, in a checkout beside it.
    """
    inside = PACKAGE / kind
    return inside if inside.is_dir() else PACKAGE.parent / kind


@dataclass(frozen=True, slots=True)
class Sourced:
    """One value as it was given, and where: `--seed`, `LOCALSEL_SEED`, a file."""

    value: object
    source: str


Parser = Callable[[object], object]

ROLES = {"instruction", "input", "response"}


def _as_it_is(value: object) -> object:
    return value


def _path(value: object) -> object:
    return Path(value).expanduser() if isinstance(value, str | Path) else value


def _share(value: object) -> object:
    """`1%` or `0.01`."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return float(value.strip()[:-1]) / 100
    return value


def _threshold(value: object) -> object:
    return None if value == "off" or value is False else value


def _columns(value: object) -> object:
    """`instruction=question,input=context` → a mapping of roles to columns."""
    if isinstance(value, str):
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        value = {role.strip(): column.strip() for role, _, column in pairs}
    if isinstance(value, dict) and not (all(value.values()) and set(value) <= ROLES):
        raise ValueError("expected instruction=COL, and input=COL, response=COL where they exist")
    return value


PARSERS: dict[str, Parser] = {
    "data": _path,
    "embedder": _path,
    "out": _path,
    "workspace": _path,
    "max_bad_rows": _share,
    "max_fallback": _share,
    "near_duplicates": _threshold,
    "map": _columns,
}


def fields() -> dict[str, dataclasses.Field[Any]]:
    """Every setting by name, in the order in which it is explained."""
    return {item.name: item for item in dataclasses.fields(Settings)}


def hints() -> dict[str, Any]:
    """Every setting's annotated type; the description is in its `Meta`."""
    return get_type_hints(Settings, include_extras=True)


def describe(name: str) -> str:
    """The sentence that explains one setting."""
    return next(str(meta.description) for meta in hints()[name].__metadata__)


def build(given: Mapping[str, Sourced]) -> Settings:
    """Checks every given value and fills in the defaults.

    Raises:
        UsageError: naming the value, its source and what was expected.
    """
    types = hints()
    values = {name: check(name, sourced, types[name]) for name, sourced in given.items()}
    missing = [name for name in ("data", "budget") if name not in values]
    if missing:
        flags = " and ".join({"data": "DATA", "budget": "--budget N"}[name] for name in missing)
        raise UsageError(f"A run needs {flags}.", "See `localsel run --help`.")
    return Settings(**values)


def check(name: str, sourced: Sourced, hint: Any) -> Any:
    """One value in its type, within its bounds."""
    try:
        parse: Parser = PARSERS.get(name, _as_it_is)
        return msgspec.convert(parse(sourced.value), hint, strict=False, dec_hook=_decode)
    except (msgspec.ValidationError, ValueError, RuntimeError) as error:
        raise UsageError(f"{sourced.source} {sourced.value}: expected {expected(name)}.") from error


def expected(name: str) -> str:
    """What a value of this setting has to look like, in words."""
    if name == "map":
        return "instruction=COL, with input=COL and response=COL where they exist"
    allowed = _shapes(hints()[name])[0]
    if "enum" in allowed:
        return f"one of {', '.join(allowed['enum'])}"
    kind = {"integer": "a whole number", "number": "a number"}.get(allowed.get("type", ""), "text")
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most"}
    bounds = [f"{word} {allowed[key]}" for key, word in words.items() if key in allowed]
    or_off = ", or off" if name == "near_duplicates" else ""
    return f"{kind}, {' and '.join(bounds)}{or_off}" if bounds else kind


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise ValueError(f"expected a {kind.__name__.lower()}")


def gather(
    flags: Mapping[str, object], data: Path | None, config: Path | None = None
) -> dict[str, Sourced]:
    """Every value that somebody set, from the strongest source that sets it."""
    found: dict[str, Sourced] = {}
    for path in (user_file(), data.parent / "localsel.toml" if data else None):
        if path is not None and path.is_file():
            found |= read_file(path)
    if config is not None:
        found |= read_file(config)
    found |= read_environment()
    found |= {
        name: Sourced(value, f"--{name.replace('_', '-')}")
        for name, value in flags.items()
        if value is not None
    }
    return found


def read_file(path: Path) -> dict[str, Sourced]:
    """One settings file. Keys may be written with dashes, as the flags are."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"The settings file {path} cannot be read: {error}.") from error
    values = {}
    for key, value in content.items():
        name = known(key.replace("-", "_"), f"{path}: {key}")
        values[name] = Sourced(value, f"{path}: {key} =")
    return values


# These say where localsel looks, not how a run goes.
NOT_SETTINGS = frozenset({"LOCALSEL_MODELS", "LOCALSEL_COMPLETE"})


def read_environment() -> dict[str, Sourced]:
    """`LOCALSEL_QUERY_SIZE=10` sets `query_size`."""
    values = {}
    for key in sorted(os.environ):
        # An empty variable is an unset one, as in XDG's rules.
        if key.startswith("LOCALSEL_") and key not in NOT_SETTINGS and os.environ[key]:
            name = known(key.removeprefix("LOCALSEL_").lower(), f"the variable {key}")
            values[name] = Sourced(os.environ[key], f"{key} =")
    return values


def known(name: str, where: str) -> str:
    """`name`, if there is such a setting; else UsageError with the nearest."""
    names = list(fields())
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}?" if near else "See `localsel config schema`."
    raise UsageError(f"Unknown setting {name!r} ({where}).", hint)


def schema() -> dict[str, Any]:
    """The JSON schema of a settings file."""
    fields_of_schema = {}
    for name, hint in hints().items():
        shapes = [*_shapes(hint), *ALSO.get(name, [])]
        shape = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
        fields_of_schema[name] = {"description": describe(name)} | shape
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "localsel.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": fields_of_schema,
    }


# What a settings file may say beside the value itself.
ALSO: dict[str, list[dict[str, object]]] = {
    "near_duplicates": [{"enum": ["off", False]}],
    "max_bad_rows": [{"type": "string", "pattern": "^[0-9.]+%$"}],
    "max_fallback": [{"type": "string", "pattern": "^[0-9.]+%$"}],
    "map": [{"type": "string", "pattern": "="}],
}


def _shapes(hint: Any) -> list[dict[str, Any]]:
    """The JSON types of a setting, without null, which TOML does not have."""
    found = msgspec.json.schema(_plain(hint))
    found.pop("description", None)
    return [shape for shape in found.get("anyOf", [found]) if shape.get("type") != "null"]


def _plain(hint: Any) -> Any:
    """JSON has no paths: they are strings there."""
    bare, meta = hint.__origin__, hint.__metadata__
    if bare is Path:
        return Annotated[(str, *meta)]
    return Annotated[(str | None, *meta)] if bare == Path | None else hint
