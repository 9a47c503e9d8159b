"""Settings → a selection: the stages in their order, read from top to bottom.

`run` is a generator of events. Whoever iterates it drives the run; whoever stops iterating stops
it, and what was done is kept.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from localsel import offline
from localsel.backends import BACKENDS
from localsel.backends.base import Backend, Opening
from localsel.errors import InputError, LocalselError, UsageError
from localsel.events import Event, Kind, Stage
from localsel.methods import METHODS
from localsel.methods.base import Journal, Method, Pool, Tools
from localsel.records import Answer, Clusters, Instruction, Pick
from localsel.runs import chosen_rows, run_record
from localsel.settings import OUTSIDE_FINGERPRINT, Settings
from localsel.stages.export import check_writable, export, format_of
from localsel.stages.prompt import Template, find_template
from localsel.store import Store

if TYPE_CHECKING:
    from localsel.stages.index import Neighbours

T = TypeVar("T")

# Raised whenever the same settings would select other rows than before.
ALGORITHM = 1
VECTORS_AT_ONCE = 1024
VERSIONED = ("localsel", "llama-cpp-python", "outlines-core", "sentence-transformers", "torch")


def run(settings: Settings) -> Iterator[Event]:
    """One selection, from the file to the picks.

    Yields events; the last one is `done` with the run's record in its details.

    Raises:
        LocalselError: with the exit code of what went wrong.
    """
    offline.set_variables()
    with offline.guard() as network, closing(Store(settings.home)) as store:
        yield from _Run(settings, store, network).events()


@dataclass
class _Run:
    """The state of one run while it goes on. Each stage is one method."""

    settings: Settings
    store: Store
    network: offline.Counter
    id: str = ""
    stage: Stage = "load"
    seconds: dict[str, float] = field(default_factory=dict)

    def events(self) -> Iterator[Event]:
        method_class: type[Method] = METHODS.load(self.settings.method)
        template = find_template(self.settings.prompt)
        self._refuse_early(method_class)
        pool_id = self._pool_id()
        fingerprint = self._fingerprint(template, method_class)
        earlier = self._earlier(fingerprint, pool_id)
        if earlier and earlier["state"] in ("finished", "over-limit"):
            self.id = earlier["run"]
            yield self._event("run", state="finished", fingerprint=fingerprint)
            yield from self._export()
            return
        yield from self._load(pool_id)
        self._check_budget(pool_id)
        with ExitStack() as stack:
            backend = self._open_backend(method_class, stack)
            self._begin(earlier, fingerprint, pool_id, backend, stack)
            yield self._event("run", state="resumed" if earlier else "new", fingerprint=fingerprint)
            with self._kept_when_stopped():
                instructions = self.store.instructions(pool_id)
                pool = Pool(instructions)
                if method_class.needs_plan:
                    plan_id = self._plan_id(pool_id)
                    if not self.store.has_plan(plan_id):
                        yield from self._plan(plan_id, pool_id, instructions)
                    self.store.update_run(self.id, plan=plan_id)
                    pool = replace(pool, plan=self.store.plan(plan_id))
                yield from self._choose(method_class, pool, backend, template)
                yield from self._export()

    # Before anything slow: what can be refused is refused.

    def _refuse_early(self, method: type[Method]) -> None:
        if self.settings.out:
            format_of(self.settings.out)
            check_writable(self.settings.out)
        if method.needs_backend and not self.settings.model:
            raise UsageError(
                f"The method {self.settings.method!r} needs a model.",
                "Give --model PATH (a GGUF file); `localsel models` lists what is here.",
            )
        if not self.settings.data.is_file():
            raise InputError(f"There is no file {self.settings.data}.")

    def _backend_name(self) -> str:
        """`auto` goes by what the model's name says."""
        if self.settings.backend != "auto":
            return self.settings.backend
        rule = str(self.settings.model).partition(":")[0]
        is_rule = rule in ("first", "random", "abstain") and not Path(rule).exists()
        return "scripted" if is_rule else "llamacpp"

    # Identity: what makes this run the same as another.

    def _pool_id(self) -> str:
        data = self._digest(self.settings.data)
        return _hash({"data": data, "map": self.settings.map, "encoding": self.settings.encoding})

    def _fingerprint(self, template: Template, method: type[Method]) -> str:
        options = {
            name: value
            for name, value in asdict(self.settings).items()
            if name not in OUTSIDE_FINGERPRINT
        }
        content: dict[str, object] = {
            "algorithm": ALGORITHM,
            "data": self._digest(self.settings.data),
            "selector": self._selector() if method.needs_backend else None,
            "backend": self._backend_name() if method.needs_backend else None,
            "embedder": self._embedder() if method.needs_vectors else None,
            "prompt": asdict(template) if method.needs_backend else None,
        }
        return _hash(options | content)

    def _selector(self) -> str:
        """The sha256 of the model's weights, or of the rule's name."""
        name = str(self.settings.model)
        if self._backend_name() == "scripted":
            return hashlib.sha256(name.encode()).hexdigest()
        path = Path(name).expanduser()
        return self._digest(path) if path.is_file() else hashlib.sha256(name.encode()).hexdigest()

    def _embedder(self) -> str:
        from localsel.stages.embed import folder_fingerprint

        folder = self._embedder_folder()
        known = self.store.cached_digest(folder) if folder.is_dir() else None
        if known is None:
            known = folder_fingerprint(folder)
            self.store.add_digest(folder, known)
        return known

    def _embedder_folder(self) -> Path:
        from localsel.stages.embed import default_embedder

        return self.settings.embedder or default_embedder()

    def _digest(self, path: Path) -> str:
        known = self.store.cached_digest(path)
        if known is None:
            with path.open("rb") as file:
                known = hashlib.file_digest(file, "sha256").hexdigest()
            self.store.add_digest(path, known)
        return known

    def _earlier(self, fingerprint: str, pool_id: str) -> dict[str, Any] | None:
        """The run to go on with, or to report again."""
        if self.settings.resume == "never":
            return None
        runs = self.store.runs_of(fingerprint)
        unfinished = [run for run in runs if run["state"] not in ("finished", "over-limit")]
        if self.settings.resume == "always":
            if not unfinished:
                raise UsageError(self._why_not_resumed(fingerprint, pool_id))
            return unfinished[0]
        return next(iter(unfinished or runs), None)

    def _why_not_resumed(self, fingerprint: str, pool_id: str) -> str:
        others = [
            run
            for run in self.store.runs()
            if run["pool"] == pool_id and run["state"] not in ("finished", "over-limit")
        ]
        if not others:
            return f"There is no unfinished run of {self.settings.data} to resume."
        now, then = self._plain_settings(), others[0]["settings"]
        changed = [name for name in now if now[name] != then.get(name)]
        names = ", ".join(changed) or "the content of the model, the embedder or the prompt"
        return f"Run {others[0]['run']} cannot be resumed: changed since then: {names}."

    def _plain_settings(self) -> dict[str, object]:
        """The settings as the workspace keeps them."""
        plain: dict[str, object] = json.loads(json.dumps(asdict(self.settings), default=str))
        return plain

    # load

    def _load(self, pool_id: str) -> Iterator[Event]:
        if not self.store.has_pool(pool_id):
            with self._timed("load"):
                yield from self._read(pool_id)
        pool = self.store.pool(pool_id)
        self._check_bad_rows(pool["rows"], pool["bad"])

    def _read(self, pool_id: str) -> Iterator[Event]:
        from localsel.stages.load import BadRow, open_rows

        settings = self.settings
        layout, rows = open_rows(settings.data, columns=settings.map, encoding=settings.encoding)
        yield self._event("stage")
        yield self._event("note", text=f"{settings.data}: {layout.describe()}")
        digest, told = self._digest(settings.data), 0
        with self.store.add_pool(pool_id, settings.data, digest, layout.describe()) as writer:
            for row in rows:
                if isinstance(row, BadRow):
                    writer.add_bad(row.row, row.line, row.reason)
                    told += 1
                    if told <= 5:
                        yield self._event("warning", text=_tell(settings.data, row))
                else:
                    instruction = Instruction(row.row, row.instruction, row.input, row.response)
                    writer.add(instruction, _text_digest(instruction.text), row.columns)
                if (writer.rows + writer.bad) % 5000 == 0:
                    yield self._event("progress", done=writer.rows)
            self._check_bad_rows(writer.rows, writer.bad)
        bad = f", {writer.bad} broken rows skipped" if writer.bad else ""
        yield self._event("progress", done=writer.rows, total=writer.rows)
        yield self._event("note", text=f"{writer.rows:,} instructions{bad}")

    def _check_bad_rows(self, rows: int, bad: int) -> None:
        limit = self.settings.max_bad_rows
        if rows == 0:
            raise InputError(f"{self.settings.data} holds no instruction that can be read.")
        if bad > limit * (rows + bad):
            raise InputError(
                f"{bad:,} of {rows + bad:,} rows of {self.settings.data} are broken,"
                f" more than the {limit:.1%} that are allowed.",
                "Mend them, or raise --max-bad-rows.",
            )

    def _check_budget(self, pool_id: str) -> None:
        pool = self.store.pool(pool_id)
        distinct = pool["rows"] - pool["duplicates"]
        if self.settings.budget > distinct:
            raise UsageError(
                f"A budget of {self.settings.budget:,} is more than the {distinct:,} distinct"
                f" instructions in {self.settings.data}.",
                "Choose a smaller --budget.",
            )

    # The selector and the record of this run.

    def _open_backend(self, method: type[Method], stack: ExitStack) -> Backend | None:
        if not method.needs_backend:
            return None
        backend_class: type[Backend] = BACKENDS.load(self._backend_name())
        settings = self.settings
        opening = Opening(str(settings.model), settings.context, settings.threads)
        return stack.enter_context(closing(backend_class.open(opening)))

    def _begin(
        self,
        earlier: Mapping[str, Any] | None,
        fingerprint: str,
        pool_id: str,
        backend: Backend | None,
        stack: ExitStack,
    ) -> None:
        facts = {
            "selector": self._selector_facts() if backend else None,
            "backend": self._backend_name() if backend else None,
            "repeatable": backend.repeatable if backend else True,
            "versions": _versions(),
        }
        if earlier:
            self.id = earlier["run"]
            self.seconds = dict(earlier["facts"].get("seconds_by_stage", {})) | self.seconds
        else:
            self.id = self.store.start_run(fingerprint, pool_id, self._plain_settings(), facts)
        stack.enter_context(self.store.lock(self.id))
        self.store.update_run(self.id, state="running", facts=facts)

    def _selector_facts(self) -> dict[str, str]:
        name = str(self.settings.model)
        return {"name": Path(name).stem, "path": name, "sha256": self._selector()}

    @contextmanager
    def _kept_when_stopped(self) -> Iterator[None]:
        """Writes down how the run ended, whatever ended it."""
        state = "failed"
        try:
            yield
            state = ""
        except (KeyboardInterrupt, GeneratorExit):
            state = "interrupted"
            raise
        finally:
            if state:
                self.store.update_run(self.id, state=state, facts=self._so_far())

    def _so_far(self) -> dict[str, Any]:
        seconds = {stage: round(value, 3) for stage, value in self.seconds.items()}
        return {"seconds_by_stage": seconds, "connections_attempted": self.network.attempts}

    # embed, index, cluster, plan

    def _plan_id(self, pool_id: str) -> str:
        names = ("budget", "grouping", "clusters", "query_size", "min_cluster", "near_duplicates")
        options = {name: getattr(self.settings, name) for name in (*names, "index", "seed")}
        return _hash(
            options | {"pool": pool_id, "embedder": self._embedder(), "algorithm": ALGORITHM}
        )

    def _plan(
        self, plan_id: str, pool_id: str, instructions: Sequence[Instruction]
    ) -> Iterator[Event]:
        import numpy as np

        from localsel.stages.plan import make_plan

        vectors = yield from self._embed(instructions)
        neighbours = yield from self._index(pool_id, vectors)
        entering = enough(neighbours.duplicate_of, self.settings.budget)
        clusters = yield from self._cluster(vectors[entering])
        with self._timed("plan"):
            yield self._event("stage")
            rows = np.array([instruction.row for instruction in instructions])
            members = [rows[entering[places]].tolist() for places in clusters.members]
            made = make_plan(members, self.settings.budget, self.settings.query_size)
            outside = np.setdiff1d(np.arange(len(rows)), entering)
            made = replace(
                made,
                left_out=dict(made.left_out)
                | {
                    int(rows[place]): f"near-duplicate of row {rows[neighbours.duplicate_of[place]]}"
                    for place in outside
                },
            )
            facts = dict(clusters.facts) | {
                "clusters": len(members),
                "near_duplicates": len(outside),
                "index_recall": neighbours.recall,
                "index": neighbours.kind,
            }
            table = _member_table(rows, entering, clusters, neighbours)
            self.store.add_plan(plan_id, pool_id, made, table, facts)
            yield self._event("note", text=_plan_sentence(made, len(members), len(outside)))

    def _embed(self, instructions: Sequence[Instruction]) -> Iterator[Event]:
        from localsel.stages.embed import Embedder

        with self._timed("embed"):
            yield self._event("stage", total=len(instructions))
            texts = [instruction.text for instruction in instructions]
            keys = [_text_digest(text) for text in texts]
            name = self._embedder()
            vectors, missing = self.store.cached_vectors(name, keys)
            done = len(texts) - len(missing)
            yield self._event("progress", done=done, total=len(texts), cached=done)
            if missing:
                embedder = Embedder(self._embedder_folder(), self.settings.threads)
                pending: list[tuple[list[int], Any]] = []
                for batch, found in embedder.encode([texts[place] for place in missing]):
                    places = [missing[index] for index in batch]
                    pending.append((places, found))
                    done += len(places)
                    if sum(len(each) for each, _ in pending) >= VECTORS_AT_ONCE:
                        self._keep(name, keys, pending)
                    yield self._event("progress", done=done, total=len(texts))
                self._keep(name, keys, pending)
                vectors, _ = self.store.cached_vectors(name, keys)
        return vectors

    def _keep(self, name: str, keys: list[bytes], pending: list[tuple[list[int], Any]]) -> None:
        import numpy as np

        if pending:
            places = [place for each, _ in pending for place in each]
            vectors = np.concatenate([found for _, found in pending])
            self.store.add_vectors(name, [keys[place] for place in places], vectors)
            pending.clear()

    def _index(self, pool_id: str, vectors: Any) -> Iterator[Event]:
        from localsel.stages.index import find_neighbours

        with self._timed("index"):
            yield self._event("stage", total=len(vectors))
            settings = self.settings
            name = _hash({"pool": pool_id, "embedder": self._embedder(), "seed": settings.seed})
            path = self.store.home / "indexes" / f"{name[:24]}.hnsw"
            steps = find_neighbours(
                vectors, settings.near_duplicates, settings.index, settings.seed, path
            )
            neighbours = yield from self._steps(steps)
        return neighbours

    def _cluster(self, vectors: Any) -> Iterator[Event]:
        from localsel.stages import cluster

        with self._timed("cluster"):
            yield self._event("stage", total=len(vectors))
            settings, size = self.settings, len(vectors)
            seed = settings.seed
            count = min(settings.clusters or default_clusters(settings, size), size)
            match settings.grouping:
                case "coreset":
                    clusters = cluster.coreset(vectors, count, seed, settings.min_cluster)
                case "diverse":
                    clusters = cluster.diverse(vectors, count, seed, settings.query_size)
                case "similar":
                    clusters = cluster.similar(vectors, count, seed)
                case "random":
                    clusters = cluster.at_random(size, count, seed)
            if len(clusters.centres):
                random = cluster.random_coverage(vectors, len(clusters.centres), seed)
                clusters = replace(clusters, facts=dict(clusters.facts) | random)
        return clusters

    # choose, export

    def _choose(
        self, method_class: type[Method], pool: Pool, backend: Backend | None, template: Template
    ) -> Iterator[Event]:
        with self._timed("choose"):
            orders = self.settings.orders
            total = len(pool.plan.queries) * orders if pool.plan else self.settings.budget
            journal = Journal(
                self.store.answers(self.id), lambda answer: self.store.add_answer(self.id, answer)
            )
            selector = self._selector() if backend else ""
            tools = Tools(self.settings, journal, backend, template, selector)
            yield self._event("stage", total=total, cached=len(journal.finished))
            picks: list[Pick] = []
            done = 0
            for step in method_class(tools).picks(pool, self.settings.budget):
                if isinstance(step, Pick):
                    picks.append(step)
                    if pool.plan is None:
                        yield self._event("progress", done=len(picks), total=total)
                else:
                    done += orders if step.outcome == "forced" else 1
                    yield self._answered(step, done, total, journal)
            self._check_selection(picks)
            self.store.set_picks(self.id, ranked(picks))

    def _answered(self, answer: Answer, done: int, total: int, journal: Journal) -> Event:
        return self._event(
            "answer",
            done=done,
            total=total,
            query=answer.query,
            order=answer.order,
            outcome=answer.outcome,
            prompt_tokens=answer.prompt_tokens,
            seconds=round(answer.seconds, 4),
            earlier=(answer.query, answer.order) in journal.finished,
        )

    def _check_selection(self, picks: Sequence[Pick]) -> None:
        distinct = len({pick.row for pick in picks})
        if not len(picks) == distinct == self.settings.budget:
            raise LocalselError(
                f"The method {self.settings.method!r} made {len(picks)} picks of {distinct} rows"
                f" for a budget of {self.settings.budget}: a defect in the method."
            )

    def _export(self) -> Iterator[Event]:
        self.stage = "export"
        run = self.store.run(self.id)
        totals = self.store.answer_totals(self.id)
        over = totals["abstained"] > self.settings.max_fallback * max(totals["answers"], 1)
        state = "over-limit" if over else "finished"
        if self.settings.out:
            with self._timed("export"):
                yield self._event("stage", total=self.settings.budget)
                out = self.settings.out
                export(chosen_rows(self.store, run), format_of(out), out)
        if run["state"] not in ("finished", "over-limit"):
            self.store.update_run(self.id, state=state, facts=self._so_far())
        record = run_record(self.store, self.id)
        yield self._event("done", done=record["picked"], total=record["budget"], record=record)

    # Events and time.

    def _steps(self, steps: Generator[tuple[int, int], None, T]) -> Generator[Event, None, T]:
        """Passes the progress of a stage on as events, and its result back."""
        while True:
            try:
                done, total = next(steps)
            except StopIteration as finished:
                result: T = finished.value
                return result
            yield self._event("progress", done=done, total=total)

    def _event(self, kind: Kind, done: int = 0, total: int = 0, **details: object) -> Event:
        return Event(kind, self.stage, self.id, done, total, details)

    @contextmanager
    def _timed(self, stage: Stage) -> Iterator[None]:
        self.stage, started = stage, time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


def enough(duplicate_of: Any, budget: int) -> Any:
    """Who enters the clustering: all but near-duplicates, and of those as many as a large budget
    needs, earliest first."""
    import numpy as np

    alone = duplicate_of < 0
    missing = budget - int(alone.sum())
    if missing > 0:
        alone[np.flatnonzero(~alone)[:missing]] = True
    return np.flatnonzero(alone)


def default_clusters(settings: Settings, size: int) -> int:
    """As many as the budget, at most one for every `query_size` rows."""
    return max(1, min(settings.budget, size // settings.query_size))


def ranked(picks: Sequence[Pick]) -> list[Pick]:
    """First picks of the clusters in the order of their centres, then second picks, and so on.

    Picks without a cluster keep the order in which they were made.
    """
    if any(pick.cluster is None for pick in picks):
        return [replace(pick, rank=rank) for rank, pick in enumerate(picks, start=1)]
    cluster = attrgetter("cluster")
    turns = [
        replace(pick, turn=turn)
        for _, own in groupby(sorted(picks, key=attrgetter("cluster", "turn", "query")), cluster)
        for turn, pick in enumerate(own)
    ]
    turns.sort(key=attrgetter("turn", "cluster"))
    return [replace(pick, rank=rank) for rank, pick in enumerate(turns, start=1)]


def _member_table(
    rows: Any, entering: Any, clusters: Clusters, neighbours: Neighbours
) -> Iterator[tuple[int, int | None, float | None, float | None, int | None]]:
    """Row, cluster, distance to its centre, density, row it is a near-duplicate of."""
    import numpy as np

    cluster_of = np.full(len(rows), -1)
    distance_of = np.full(len(rows), np.nan)
    for place, members in enumerate(clusters.members):
        cluster_of[entering[members]] = place
    distance_of[entering] = clusters.distances
    for place, row in enumerate(rows):
        twin = neighbours.duplicate_of[place]
        yield (
            int(row),
            int(cluster_of[place]) if cluster_of[place] >= 0 else None,
            float(distance_of[place]) if distance_of[place] >= 0 else None,
            float(neighbours.density[place]),
            int(rows[twin]) if twin >= 0 else None,
        )


def _plan_sentence(plan: Any, clusters: int, twins: int) -> str:
    shown = sum(len(query.rows) for query in plan.queries)
    return (
        f"{clusters:,} clusters, {len(plan.queries):,} queries show {shown:,} rows"
        f" ({twins:,} near-duplicates left out)"
    )


def _tell(path: Path, bad: Any) -> str:
    line = f", line {bad.line}" if bad.line is not None else ""
    return f"{path}{line}, row {bad.row}: {bad.reason}"


def _text_digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _hash(content: Mapping[str, object]) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _versions() -> dict[str, str | None]:
    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    return {name: installed(name) for name in VERSIONED}
