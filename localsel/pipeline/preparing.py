"""Settings → the plan that several runs will share, and whose context is too narrow for it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import closing

from localsel import offline
from localsel.backends.base import Reader
from localsel.errors import UsageError
from localsel.events import Event
from localsel.methods import METHODS
from localsel.methods.base import Method
from localsel.methods.fitting import Fitter
from localsel.pipeline import admitting, loading, planning
from localsel.pipeline.course import Course
from localsel.pipeline.early import NOTHING, open_reader, refuse_early, refuse_unhonoured
from localsel.pipeline.identity import Identity
from localsel.records import Plan
from localsel.selectors import place_of
from localsel.settings import Settings
from localsel.sharing import Sharing
from localsel.stages.plan import wanted
from localsel.stages.prompt import find_template
from localsel.store import Store


def prepare(settings: Settings, sharing: Sharing) -> Generator[Event, None, None]:
    """Everything up to the first question, kept in the workspace.

    Yields events; the last one is `done`, with the plan's name and size in its details.

    Raises:
        LocalselError: as a run of these settings would.
    """
    offline.set_variables()
    with offline.guard(settings.hosts) as network, closing(Store(settings.home)) as store:
        store.refuse_unwritable()
        course, identity = Course(settings, store, network), Identity(settings, store)
        method: type[Method] = METHODS.load(settings.method)
        refuse_early(settings, method, find_template(settings.prompt))
        with store.using(identity.pool):
            yield from loading.load(course, identity)
            instructions = store.instructions(identity.pool)
            admission = yield from admitting.admit(course, identity, instructions)
            if settings.budget == len(admission.included):
                raise UsageError(
                    "--include fills the whole budget: nothing is left to choose.",
                    "Give a larger --budget.",
                )
            if not store.has_plan(identity.plan):
                yield from planning.make(course, identity, admission)
            whole = store.plan(identity.plan)
            plan = sharing.part(whole, settings.seed)
            if not any(query.asks for query in plan.queries):
                raise UsageError(*NOTHING)
            facts = {
                "pool": identity.pool,
                "is_sample": len(plan.queries) < len(whole.queries),
                "picks": wanted(plan) + len(admission.included),
                "included": len(admission.included),
                "answered": admission.answered,
                "network": offline.told(network),
            }
            yield course.event("done", done=1, total=1, **facts)


def measure(settings: Settings, sharing: Sharing) -> Generator[Event, None, None]:
    """Whether a selector's context may force a candidate to be shortened; the plan is there.

    Yields one event, `done`, with `narrow` in its details, and where the selector is.

    Raises:
        BackendError: the selector cannot be used.
    """
    offline.set_variables()
    with offline.guard(settings.hosts) as network, closing(Store(settings.home)) as store:
        course, identity = Course(settings, store, network), Identity(settings, store)
        refuse_unhonoured(settings, identity.backend)
        plan = sharing.part(store.plan(identity.plan), settings.seed)
        texts = {each.row: each.text for each in store.instructions(identity.pool)}
        with closing(open_reader(settings, identity.model, identity.backend)) as reader:
            fitter = Fitter([reader], find_template(settings.prompt), settings.criteria)
            asked = longest(plan, texts, reader)
            narrow = any(fitter.fit(shown, quota)[1] for quota, shown in asked)
        path = place_of(identity.model, identity.backend == "scripted")
        facts = {"narrow": narrow, "path": path, "network": offline.told(network)}
        yield course.event("done", done=1, total=1, **facts)


def longest(
    plan: Plan, texts: Mapping[int, str], reader: Reader
) -> Iterable[tuple[int, list[str]]]:
    """Quota and texts of every question, with the longest who may win the heats before it."""
    winner: dict[int, str] = {}
    for query in sorted(plan.queries, key=lambda query: query.round):
        shown = [texts[row] for row in query.rows] or [winner[heat] for heat in query.sources]
        if not query.final:
            winner[query.id] = max(shown, key=reader.count)
        if query.quota < len(shown):
            yield query.quota, shown
