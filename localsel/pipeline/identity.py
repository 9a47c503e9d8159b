"""Settings → fingerprints: what makes one run, plan or pool the same as another.

Data, models and prompt count by content, options by value; what cannot change the selection does
not count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from localsel.errors import BackendError, UsageError
from localsel.methods.base import Method
from localsel.runs import ENDED
from localsel.selectors import find_quality_model, find_selector, is_scripted, is_served
from localsel.servers import Served, address_of, is_server
from localsel.settings import FILES, OUTSIDE_FINGERPRINT, YOUNGER, Settings, fields
from localsel.sharing import Sharing
from localsel.stages.prompt import Template, find_template
from localsel.store import Store

# Raised whenever the same settings would select other rows than before.
ALGORITHM = 3
PLANNED_BY = (
    "budget",
    "grouping",
    "clusters",
    "query_size",
    "per_cluster",
    "min_cluster",
    "near_duplicates",
    "trim",
)


@dataclass(frozen=True)
class Identity:
    """The digests of one run's settings, taken once: a file that changes later is another run's.

    Those of files are cached in the workspace.
    """

    settings: Settings
    store: Store

    @cached_property
    def data(self) -> str:
        return self.store.digest(self.settings.data, file_sha256)

    @cached_property
    def pool(self) -> str:
        """The same rows, read in the same way."""
        settings = self.settings
        return digest({"data": self.data, "map": settings.map, "encoding": settings.encoding})

    @cached_property
    def said(self) -> dict[str, list[str]]:
        """The digests of the files that name rows, by flag."""
        named = {name: getattr(self.settings, name) for name in FILES}
        return {
            name: [self.store.digest(path, file_sha256) for path in paths]
            for name, paths in named.items()
            if paths
        }

    @cached_property
    def admission(self) -> str:
        """The same rows open to choice: what the user said of them, by content."""
        return digest({**self.said, "where": self.settings.where})

    @cached_property
    def model(self) -> str:
        """The path of the weights, the rule that stands for them, or the server that has them.

        Raises:
            BackendError: there is no such model.
            UsageError: a server that localsel may not ask.
        """
        model, backend = str(self.settings.model), self.settings.backend
        if is_served(model, backend):
            return self._served(model).model
        if backend != "scripted" and is_server(model):
            raise UsageError(
                f"{model} is a server, which the backend {backend!r} cannot ask.",
                "Leave --backend away.",
            )
        return model if backend == "scripted" else find_selector(model, self.settings.home)

    def _served(self, model: str) -> Served:
        from localsel.backends.openai_http import look

        return look(address_of(model, self.settings.hosts))

    @cached_property
    def backend(self) -> str:
        """`auto` goes by what the model's name says."""
        return backend_of(self.model, self.settings.backend)

    @cached_property
    def selector(self) -> str:
        """The sha256 of the weights, of the rule that stands for them, or of a server's words."""
        return self.weights(self.model)

    def weights(self, model: str) -> str:
        """The same of another selector."""
        if is_served(model, self.settings.backend):
            return digest(self._served(model).identity)
        path = Path(model)
        has_weights = path.is_file() or path.is_dir()
        if has_weights and backend_of(model, self.settings.backend) != "scripted":
            try:
                return self.store.digest(path, folder_sha256 if path.is_dir() else file_sha256)
            except OSError as error:
                raise BackendError(
                    f"{path} cannot be read: {error.strerror}.", "Check its permissions."
                ) from error
        return hashlib.sha256(model.encode()).hexdigest()

    @cached_property
    def embedder_folder(self) -> Path:
        from localsel.stages.embed import default_embedder

        return self.settings.embedder or default_embedder()

    @cached_property
    def embedder(self) -> str:
        """One digest for everything in the embedder's folder."""
        from localsel.stages.embed import folder_fingerprint

        return self.store.digest(self.embedder_folder, folder_fingerprint)

    @cached_property
    def quality_folder(self) -> Path:
        """The quality model that was named, or the one that comes with localsel."""
        return find_quality_model(self.settings.quality_model, self.settings.home)

    @cached_property
    def quality(self) -> str:
        """The sha256 of the quality model."""
        return self.store.digest(self.quality_folder, folder_sha256)

    @cached_property
    def plan(self) -> str:
        """The same queries."""
        names = (*PLANNED_BY, "index", "seed")
        options: dict[str, object] = {name: getattr(self.settings, name) for name in names}
        content = {"pool": self.pool, "admission": self.admission, "embedder": self.embedder}
        return digest(options | content | {"algorithm": ALGORITHM})

    @cached_property
    def index(self) -> str:
        """The same graph of neighbours."""
        content = {"pool": self.pool, "admission": self.admission, "embedder": self.embedder}
        return digest(content | {"seed": self.settings.seed, "algorithm": ALGORITHM})

    @cached_property
    def options(self) -> dict[str, object]:
        """The options that count by value."""
        return {
            name: value
            for name, value in asdict(self.settings).items()
            if name not in OUTSIDE_FINGERPRINT
            and not (name in YOUNGER and value == plain_default(name))
        }

    def run(self, method: type[Method], template: Template, sharing: Sharing) -> str:
        """The same selection."""
        content = {
            "algorithm": ALGORITHM,
            "data": self.data,
            "admission": self.admission,
            "selector": self.selector if method.needs_backend else None,
            "backend": self.backend if method.needs_backend else None,
            "embedder": self.embedder if method.needs_vectors else None,
            "prompt": template.parts if method.needs_plan else None,
        }
        if method.templates:
            asked = [find_template(name) for name in method.templates]
            content["prompt"] = [[each.parts, each.options] for each in asked]
        if method.needs_quality:
            content["quality"] = self.quality
        # A run of its own goes by the same name whether or not it is compared later.
        if sharing.questions:
            content["questions"] = sharing.questions
        if sharing.narrow:
            narrow = {self.weights(model) for model in sharing.narrow} - {self.selector}
            content |= {"narrow": sorted(narrow)} if narrow else {}
        options = dict(self.options)
        if self.settings.variant == next(iter(method.variants), None):
            options.pop("variant", None)  # What it does without.
        return digest(options | content)


def find_earlier(identity: Identity, fingerprint: str) -> dict[str, Any] | None:
    """The run to go on with, or to report again; None for a new one.

    Raises:
        UsageError: `--resume always`, and nothing to resume; says what changed.
    """
    settings, store = identity.settings, identity.store
    if settings.resume == "never":
        return None
    runs = store.runs_of(fingerprint)
    unfinished = [run for run in runs if run["state"] not in ENDED]
    if settings.resume == "always" and not unfinished:
        raise UsageError(_why_not(identity))
    return next(iter(unfinished or runs), None)


def _why_not(identity: Identity) -> str:
    pool = identity.pool
    others = [
        run for run in identity.store.runs() if run["pool"] == pool and run["state"] not in ENDED
    ]
    if not others:
        return f"There is no unfinished run of {identity.settings.data} to resume."
    now, then = plain(identity.settings), others[0]["settings"]
    changed = [
        name
        for name in now
        # What an older localsel did not know had the value that it has by itself.
        if name not in NEVER_NAMED and now[name] != then.get(name, plain_default(name))
    ]
    was, meant = others[0]["facts"].get("backend"), identity.settings.model and identity.backend
    if "backend" not in changed and was and meant and was != meant:
        changed.append(f"backend (auto was {was}, and is {meant} here)")
    names = ", ".join(changed) or "the content of the model, the embedder or the prompt"
    return f"Run {others[0]['run']} cannot be resumed: changed since then: {names}."


# These may differ between two starts of the same run.
NEVER_NAMED = OUTSIDE_FINGERPRINT - {"model", "embedder", "prompt", "quality_model", *FILES}


def plain_default(name: str) -> object:
    """The default of a setting, as the workspace keeps it; an empty one for `map` and `where`."""
    default = fields()[name].default
    return {} if default is MISSING else json.loads(json.dumps(default, default=str))


def plain(settings: Settings) -> dict[str, Any]:
    """The settings as the workspace keeps them."""
    kept: dict[str, Any] = json.loads(json.dumps(asdict(settings), default=str))
    return kept | {"data": str(settings.data.resolve())}


def backend_of(model: str, named: str = "auto") -> str:
    """The backend for a model: the one that was named, or the one that its name calls for."""
    if named != "auto":
        return named
    if is_server(model):
        return "openai"
    if is_scripted(model):
        return "scripted"
    if Path(model).is_dir():
        return "vllm" if find_spec("vllm") else "transformers"
    return "llamacpp"


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


READ = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")
"""What is read of a Hugging Face folder."""


def folder_sha256(folder: Path) -> str:
    """Of the weights and all that says how to use them."""
    from localsel.stages.embed import files_sha256

    return files_sha256(folder, {path for kind in READ for path in folder.glob(kind)})


def digest(content: Mapping[str, object]) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
