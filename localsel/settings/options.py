"""Every option of a run: its type, its bounds, its default and the sentence that explains it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from msgspec import Meta

from localsel.settings.places import default_workspace

Grouping = Literal["coreset", "diverse", "similar", "random"]
Count = Annotated[int, Meta(ge=1)]
Files = tuple[Path, ...]
Display = Literal["auto", "full", "plain", "json", "none"]
Constraint = Literal["outlines", "xgrammar"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every option of a run, typed and explained where it stands."""

    data: Annotated[Path, Meta(description="The file of unlabelled instructions.")]
    budget: Annotated[int, Meta(ge=1, description="How many instructions to choose.")]
    model: Annotated[
        str | None,
        Meta(
            description="The selector: a GGUF file or a Hugging Face folder, by path or by a name"
            " that `models` lists, or the address of a server on this machine."
        ),
    ] = None
    method: Annotated[str, Meta(description="How to select; see `localsel methods`.")] = "selectllm"
    backend: Annotated[str, Meta(description="What runs the selector; auto goes by the path.")] = (
        "auto"
    )
    variant: Annotated[
        str | None,
        Meta(
            description="alpagasus, ifd: another way to do it."
            " [default: alpagasus: accuracy; ifd: cherry]"
        ),
    ] = None
    threshold: Annotated[
        float | None,
        Meta(
            description="alpagasus: the least rating; deita: the largest cosine to a pick."
            " [default: alpagasus: none; deita: 0.9]"
        ),
    ] = None
    quality_model: Annotated[
        str | None,
        Meta(
            description="mods: what rates answers, a Hugging Face folder with one output."
            " [default: nano-quality, a toy]"
        ),
    ] = None
    quality_above: Annotated[
        float, Meta(description="mods: only rows whose own answer is rated higher.")
    ] = 0.0
    necessity_below: Annotated[
        float, Meta(description="mods: only rows whose answer by the tuned model is rated lower.")
    ] = 0.0
    pre_experience: Annotated[
        bool, Meta(description="ifd: tune the model on a few diverse rows first.")
    ] = False
    new_tokens: Annotated[
        int,
        Meta(
            ge=1,
            description="perplexity, openended, mods: tokens of an answer that the model writes,"
            " at most.",
        ),
    ] = 256
    tune_rows: Annotated[
        Count | None,
        Meta(
            description="mods, ifd: rows to tune on. [default: mods: half the budget; ifd: 1,000]"
        ),
    ] = None
    tune_epochs: Annotated[
        Count | None,
        Meta(description="mods, ifd: times through these. [default: mods: 3; ifd: 1]"),
    ] = None
    tune_rate: Annotated[
        float, Meta(gt=0, le=1, description="mods, ifd: the learning rate at its highest.")
    ] = 2e-5
    tune_rank: Annotated[
        int, Meta(ge=1, le=1024, description="mods, ifd: the rank of the LoRA matrices.")
    ] = 64
    tune_batch: Annotated[
        Count | None,
        Meta(description="mods, ifd: rows of one step. [default: mods: 512; ifd: 128]"),
    ] = None
    tune_length: Annotated[
        int,
        Meta(ge=16, description="mods, ifd: tokens of a row to tune on or to score, at most."),
    ] = 1024
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
    per_cluster: Annotated[
        Count | None,
        Meta(description="Show at most this many rows of a cluster. [default: all]"),
    ] = None
    min_cluster: Annotated[
        int, Meta(ge=1, description="Smaller clusters join their nearest neighbour.")
    ] = 3
    near_duplicates: Annotated[
        Annotated[float, Meta(gt=0, le=1)] | None,
        Meta(description="Cosine from which rows count as near-duplicates, or off."),
    ] = 0.95
    trim: Annotated[
        float,
        Meta(ge=0, lt=1, description="Set this share of the pool aside: where it is least dense."),
    ] = 0.0
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
    given: Annotated[
        Files,
        Meta(description="Annotated already: never picked, and CoreSet's centres from the start."),
    ] = ()
    where: Annotated[
        dict[str, str],
        Meta(description="Only rows with this value in this column; may be given several times."),
    ] = field(default_factory=dict)
    include: Annotated[
        Files, Meta(description="Rows that are picked in any case, as part of the budget.")
    ] = ()
    ban: Annotated[Files, Meta(description="Rows that are never picked.")] = ()
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
        float,
        Meta(ge=0, le=1, description="Exit 4 above this share of unanswered queries, or rows."),
    ] = 0.01
    context: Annotated[
        Annotated[int, Meta(ge=256)] | None,
        Meta(description="Tokens of context. [default: the model's, at most 8192]"),
    ] = None
    threads: Annotated[
        Annotated[int, Meta(ge=1, le=1024)] | None,
        Meta(description="CPU threads. [default: all cores]"),
    ] = None
    gpus: Annotated[
        int, Meta(ge=1, le=64, description="GPUs that one model is spread over, with vllm.")
    ] = 1
    gpu_memory: Annotated[
        Annotated[float, Meta(gt=0, le=1)] | None,
        Meta(description="Share of the memory that vllm may take. [default: vllm's own]"),
    ] = None
    constraint: Annotated[Constraint, Meta(description="What holds vllm to valid answers.")] = (
        "outlines"
    )
    allow_host: Annotated[
        str | None,
        Meta(description="A server's host that is not this machine: your instructions go there."),
    ] = None
    concurrency: Annotated[
        Annotated[int, Meta(ge=1, le=256)] | None,
        Meta(description="Queries on their way to a server at once. [default: 16 to vLLM, else 1]"),
    ] = None
    out: Annotated[
        Path | None,
        Meta(description="Write the picks here: .jsonl, .json, .csv, .parquet or .md."),
    ] = None
    reason: Annotated[
        bool, Meta(description="Let the model say in a sentence why, after everything is chosen.")
    ] = False
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

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts elsewhere that a server may be on."""
        return hosts_in(self.allow_host)


def hosts_in(allowed: str | None) -> tuple[str, ...]:
    """`--allow-host`: one host, or several with commas between them."""
    return tuple(host.strip().lower() for host in (allowed or "").split(",") if host.strip())


# Of these there may be several.
FILES = ("given", "include", "ban")
# Relative to the current folder, or to the settings file that names them.
PATHS = ("embedder", *FILES, "out", "workspace")

# What cannot change which rows are chosen, and so does not enter a run's fingerprint. The data,
# the models, the prompt and the files of rows enter by their content instead of by their path.
OUTSIDE_FINGERPRINT = frozenset(
    {"data", "model", "embedder", "prompt", "out", "workspace", "display", "threads", "resume"}
    | {"max_bad_rows", "max_fallback", "given", "include", "ban", "reason"}
    | {"allow_host", "concurrency", "quality_model"}
    # Where a model is computed, not what it is asked: as with threads, only last bits may differ.
    | {"gpus", "gpu_memory"}
)

# What only some methods know; each says which.
METHODS_OWN = (
    *("variant", "threshold", "quality_model", "quality_above", "necessity_below", "new_tokens"),
    *("pre_experience", "tune_rows", "tune_epochs", "tune_rate", "tune_rank", "tune_batch"),
    "tune_length",
)

# Younger than runs that may still have to go on: their records lack these, which then had the value
# that they have by themselves, and at that value they change no fingerprint.
YOUNGER = frozenset({"gpus", "gpu_memory", "constraint", "allow_host", "concurrency", *METHODS_OWN})


def fields() -> dict[str, dataclasses.Field[Any]]:
    """Every setting by name, in the order in which it is explained."""
    return {item.name: item for item in dataclasses.fields(Settings)}


def flag_of(name: str) -> str:
    """The flag that sets a setting."""
    return f"--{name.replace('_', '-')}"


def hints() -> dict[str, Any]:
    """Every setting's annotated type; the description is in its `Meta`."""
    return get_type_hints(Settings, include_extras=True)


def describe(name: str) -> str:
    """The sentence that explains one setting."""
    return next(str(meta.description) for meta in hints()[name].__metadata__)
