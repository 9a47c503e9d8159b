"""Settings → a selection: the stages in their order, read from top to bottom.

`run` is a generator of events. Whoever iterates it drives the run; whoever stops iterating stops
it, and what was done is kept.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from localsel import offline
from localsel.backends.base import Backend
from localsel.errors import LocalselError
from localsel.events import Event
from localsel.methods import method_of
from localsel.methods.base import Method, Pool
from localsel.pipeline.admitting import Admission
from localsel.pipeline.course import Course, Steps, peak_memory
from localsel.pipeline.early import open_backend, refuse_early, refuse_unanswered
from localsel.pipeline.identity import Identity, find_earlier, plain
from localsel.runs import ENDED, chosen_rows, run_record
from localsel.selectors import place_of, shown_name
from localsel.settings import Settings
from localsel.sharing import ALONE, Sharing
from localsel.stages.export import export, format_of
from localsel.stages.plan import wanted
from localsel.stages.prompt import find_template
from localsel.store import Store, new_name

TOY = "Answers are rated by nano-quality, a toy: --quality-model names a real one."
VERSIONED = ("localsel", "llama-cpp-python", "outlines-core", "sentence-transformers", "torch")


def run(settings: Settings, sharing: Sharing = ALONE) -> Generator[Event, None, None]:
    """One selection, from the file to the picks.

    `sharing` is for a run that is compared with others.

    Yields events; the last one is `done`, with the run's record in its details.

    Raises:
        LocalselError: with the exit code of what went wrong.
    """
    offline.set_variables()
    with offline.guard(settings.hosts) as network, closing(Store(settings.home)) as store:
        yield from _events(Course(settings, store, network, sharing))


def _events(course: Course) -> Iterator[Event]:
    settings, store = course.settings, course.store
    store.refuse_unwritable()
    method = method_of(settings)
    template = find_template(settings.prompt)
    refuse_early(settings, method, template)
    identity = Identity(settings, store)
    fingerprint = identity.run(method, template, course.sharing)
    earlier = find_earlier(identity, fingerprint)
    if earlier and earlier["state"] in ENDED:
        _remember(course, earlier)
        yield course.event("run", state="finished", fingerprint=fingerprint)
        yield from _explain_late(course, identity, method)
        yield from _finish(course)
        return

    from localsel.pipeline import admitting, choosing, loading, reasons

    with ExitStack() as stack:
        stack.enter_context(store.using(identity.pool))
        if earlier:
            # Before the minutes that loading a large model takes.
            stack.enter_context(store.lock(earlier["run"]))
        yield from loading.load(course, identity)
        admission = yield from admitting.admit(course, identity, store.instructions(identity.pool))
        refuse_unanswered(settings, method, admission.answered, len(admission.included))
        backend = open_backend(settings, identity, method, stack)
        opened = choosing.measuring_tools(settings, identity, method, stack)
        _begin(course, identity, fingerprint, earlier, method, backend, stack)
        yield course.event("run", state="resumed" if earlier else "new", fingerprint=fingerprint)
        if method.needs_quality and not settings.quality_model:
            yield course.event("note", text=TOY)
        with _kept_when_stopped(course):
            store.set_aside(course.id, admission.set_aside)
            given = len(admission.given) - len(admission.included)
            facts = {"given": given, "open_rows": len(admission.open), "unscored": 0}
            store.update_run(course.id, facts=facts)
            pool = yield from _pool(course, identity, method, admission)
            tools = choosing.open_tools(course, identity, backend, template, stack, method, opened)
            yield from choosing.choose(
                course, method(tools), pool, admission.included, admission.set_aside
            )
            if backend and settings.reason:
                yield from reasons.explain(course, backend)
            yield from _finish(course)


def _pool(
    course: Course, identity: Identity, method: type[Method], admission: Admission
) -> Steps[Pool]:
    """Who may be chosen, and the plan or the vectors that the method needs to choose."""
    from localsel.pipeline import embedding, planning

    store = course.store
    if course.settings.budget == len(admission.included):
        return Pool(admission.open)
    if method.needs_plan:
        if not store.has_plan(identity.plan):
            yield from planning.make(course, identity, admission)
        store.update_run(course.id, plan=identity.plan)
        plan = course.sharing.part(store.plan(identity.plan), course.settings.seed)
        wanting = {"queries": len(plan.queries), "wanted": wanted(plan) + len(admission.included)}
        store.update_run(course.id, facts=wanting)
        return Pool(admission.open, plan=plan)
    if method.needs_vectors:
        vectors, given = yield from embedding.embed(course, identity, admission, method)
        store.update_run(course.id, facts={"embedder": identity.embedder})
        return Pool(admission.open, vectors, given=given)
    return Pool(admission.open)


def _explain_late(course: Course, identity: Identity, method: type[Method]) -> Iterator[Event]:
    """--reason for a run that ended without it."""
    from localsel.pipeline import reasons

    if course.settings.reason and reasons.unexplained(course):
        with ExitStack() as stack:
            stack.enter_context(course.store.lock(course.id))
            backend = open_backend(course.settings, identity, method, stack)
            assert backend is not None
            yield from reasons.explain(course, backend)


def _begin(
    course: Course,
    identity: Identity,
    fingerprint: str,
    earlier: Mapping[str, Any] | None,
    method: type[Method],
    backend: Backend | None,
    stack: ExitStack,
) -> None:
    """Names the run: the one that goes on, or a new one, which is locked before it is listed."""
    facts: dict[str, Any] = {
        "selector": _selector(identity) if method.needs_backend and method.needs_plan else None,
        # One that scores rows has chosen nothing.
        "scorer": _selector(identity) if method.needs_backend and not method.needs_plan else None,
        "quality": _quality(identity) if method.needs_quality else None,
        "backend": identity.backend if method.needs_backend else None,
        "repeatable": backend.repeatable if backend else True,
        "backend_facts": dict(backend.facts) if backend else {},
        "versions": _versions(),
        "sharing": course.sharing.as_json(),
    }
    if earlier:
        _remember(course, earlier)
        facts["repeatable"] &= earlier["facts"]["repeatable"]
        course.store.update_run(course.id, facts=facts)
    else:
        course.id = new_name()
        stack.enter_context(course.store.lock(course.id))
        settings = plain(course.settings)
        only = course.settings.resume != "never"
        course.store.start_run(fingerprint, identity.pool, settings, facts, course.id, only)


def _remember(course: Course, earlier: Mapping[str, Any]) -> None:
    """Takes up a run where it stands: its name, its seconds, its attempted connections."""
    course.id, known = earlier["run"], earlier["facts"]
    course.network_before = {name: known[name] for name in offline.TOLD if name in known}
    for stage, seconds in known.get("seconds_by_stage", {}).items():
        course.seconds[stage] = course.seconds.get(stage, 0.0) + seconds


def _selector(identity: Identity) -> dict[str, str]:
    """What the record says of the model: name, place, sha256."""
    is_rule = identity.backend == "scripted"
    name, place = shown_name(identity.model, is_rule), place_of(identity.model, is_rule)
    return {"name": name, "path": place, "sha256": identity.selector}


def _quality(identity: Identity) -> dict[str, str]:
    """The same of the model that rates answers."""
    folder = identity.quality_folder
    return {"name": folder.name, "path": str(folder), "sha256": identity.quality}


@contextmanager
def _kept_when_stopped(course: Course) -> Iterator[None]:
    """Writes down how the run ended, whatever ended it."""
    course.store.update_run(course.id, state="running", facts={"failure": None})
    state, failure = "failed", None
    try:
        yield
        state = ""
    except (KeyboardInterrupt, GeneratorExit):
        state = "interrupted"
        raise
    except LocalselError as error:
        failure = str(error)
        raise
    finally:
        if state:
            facts = course.so_far() | {"failure": failure}
            course.store.update_run(course.id, state=state, facts=facts)


def _finish(course: Course) -> Iterator[Event]:
    """export: the file, if one was asked for, and the record."""
    settings, store = course.settings, course.store
    stored = store.run(course.id)
    course.stage = "export"
    if settings.out:
        with course.timed("export"):
            chosen = chosen_rows(store, stored)
            yield course.event("stage", total=len(chosen))
            export(chosen, format_of(settings.out), settings.out)
    # Not only the first time: the limit may have been changed since.
    totals = store.answer_totals(course.id)
    unscored, rows = (stored["facts"].get(name, 0) for name in ("unscored", "open_rows"))
    over = totals["abstained"] > settings.max_fallback * max(totals["answers"], 1)
    over |= unscored > settings.max_fallback * rows
    facts = {} if stored["state"] in ENDED else course.so_far() | _peak(stored)
    store.update_run(course.id, state="over-limit" if over else "finished", facts=facts)
    record = run_record(store, course.id)
    yield course.event("done", done=record["picked"], total=record["wanted"], record=record)


def _peak(stored: Mapping[str, Any]) -> dict[str, int]:
    """The most memory that any start of this run has taken, in bytes."""
    return {"peak_memory": max(peak_memory(), stored["facts"].get("peak_memory", 0))}


def _versions() -> dict[str, str | None]:
    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    return {name: installed(name) for name in VERSIONED}
