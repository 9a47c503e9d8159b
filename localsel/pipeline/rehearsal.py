"""Settings → what a run of them would ask and cost, three of its questions timed: `--dry-run`."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Any

from localsel import offline
from localsel.backends.base import Ask, Backend, Choice
from localsel.events import Event
from localsel.methods import method_of
from localsel.methods.base import Journal, Pool, Tools
from localsel.methods.fitting import Fitter
from localsel.pipeline import admitting, choosing, embedding, loading, planning
from localsel.pipeline.course import Course, peak_memory
from localsel.pipeline.early import open_backend, refuse_early, refuse_unanswered
from localsel.pipeline.identity import Identity
from localsel.pipeline.tuning import Learner
from localsel.records import Instruction, Plan, Prompt, Query
from localsel.settings import Settings
from localsel.sharing import ALONE, Sharing
from localsel.stages.plan import wanted
from localsel.stages.prompt import find_template
from localsel.store import Store

TIMED = 3


def rehearse(settings: Settings, sharing: Sharing = ALONE) -> Generator[Event, None, None]:
    """Everything up to the first question, and three timed ones; keeps nothing but the caches.

    Yields events; the last one is `done`, with the estimate in its details.

    Raises:
        LocalselError: as the run itself would.
    """
    offline.set_variables()
    guard = offline.guard(settings.hosts)
    with guard as network, closing(Store(settings.home)) as store, ExitStack() as stack:
        store.refuse_unwritable()
        course = Course(settings, store, network)
        method = method_of(settings)
        template = find_template(settings.prompt)
        refuse_early(settings, method, template)
        identity = Identity(settings, store)
        stack.callback(lambda: store.forget_unused(identity.pool))
        stack.enter_context(store.using(identity.pool))
        yield from loading.load(course, identity)
        admission = yield from admitting.admit(course, identity, store.instructions(identity.pool))
        refuse_unanswered(settings, method, admission.answered, len(admission.included))
        backend = open_backend(settings, identity, method, stack)
        planned: dict[str, Any] = {}
        chooses = settings.budget > len(admission.included)
        if chooses and method.needs_plan:
            if not store.has_plan(identity.plan):
                yield from planning.make(course, identity, admission)
            plan = sharing.part(store.plan(identity.plan), settings.seed)
            planned = _shape(plan, store.plan_facts(identity.plan))
            planned["budget"] = wanted(plan) + len(admission.included)
            if backend:
                fitter = Fitter([backend], template, settings.criteria)
                rehearsal = Rehearsal(settings, plan, fitter)
                planned |= yield from _timed(course, rehearsal, backend, admission.open)
        elif chooses:
            pool = Pool(admission.open)
            if method.needs_vectors:
                vectors, given = yield from embedding.embed(course, identity, admission, method)
                pool = Pool(admission.open, vectors, given=given)
            tools = Tools(
                settings, Journal(), backend, template, identity.selector if backend else ""
            )
            tools = replace(tools, **choosing.measuring_tools(settings, identity, method, stack))
            if method.tunes:
                tools = replace(tools, learner=Learner(settings, identity, stack))
            planned = dict(method(tools).estimate(pool))
        facts = {"budget": settings.budget, "open_rows": len(admission.open), **planned}
        facts |= {"included": len(admission.included), "answered": admission.answered}
        facts |= {"peak_memory": peak_memory(), **course.so_far()}
        yield course.event("done", done=1, total=1, plan=facts)


def _shape(plan: Plan, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "clusters": facts["clusters"],
        "near_duplicates": facts["near_duplicates"],
        "queries": len(plan.queries),
        "candidates_shown": sum(len(query.rows) for query in plan.queries),
        "left_out": len(plan.left_out),
    }


@dataclass(frozen=True)
class Rehearsal:
    """The questions of a plan, as they would be put."""

    settings: Settings
    plan: Plan
    fitter: Fitter

    def prompts(self, texts: Mapping[int, str]) -> list[tuple[Query, Prompt, int]]:
        """Every question of the first round that is not forced: query, prompt, rows shortened."""
        asked = [query for query in self.plan.queries if query.quota < len(query.rows)]
        fitted = [self.fitter.fit([texts[row] for row in q.rows], q.quota) for q in asked]
        return [
            (query, prompt, len(cut)) for query, (prompt, cut) in zip(asked, fitted, strict=True)
        ]

    def later_candidates(self) -> int:
        """Candidates of the questions of later rounds, who are not known yet."""
        return sum(len(query.sources) for query in self.plan.queries)


def _timed(
    course: Course, rehearsal: Rehearsal, backend: Backend, instructions: Sequence[Instruction]
) -> Generator[Event, None, dict[str, Any]]:
    """Counts the tokens of all questions, asks three of them, and multiplies."""
    prompts = rehearsal.prompts({each.row: each.text for each in instructions})
    tokens = [backend.count_prompt(prompt) for _, prompt, _ in prompts]
    shown = sum(len(query.rows) for query, _, _ in prompts)
    # Of later rounds only the number of candidates is known: take them to be as long as these.
    later = rehearsal.later_candidates() * sum(tokens) // max(shown, 1)
    total = (sum(tokens) + later) * course.settings.orders
    with course.timed("choose"):
        yield course.event("stage", total=min(TIMED, len(prompts)))
        choices = [
            choice for choice in _ask(rehearsal, backend, prompts) if isinstance(choice, Choice)
        ]
        yield course.event("progress", done=len(choices), total=len(choices))
    seconds = sum(choice.seconds for choice in choices)
    asked = sum(choice.prompt_tokens for choice in choices)
    return {
        "prompt_tokens": total,
        "longest_prompt": max(tokens, default=0),
        "context": backend.context,
        "shortened": sum(cut for _, _, cut in prompts),
        "timed_queries": len(choices),
        "tokens_per_second": round(asked / seconds, 1) if seconds else None,
        "choose_seconds": round(total * seconds / asked, 1) if asked else 0.0,
    }


def _ask(
    rehearsal: Rehearsal, backend: Backend, prompts: Sequence[tuple[Query, Prompt, int]]
) -> Iterator[object]:
    """Three questions from the beginning, the middle and the end of the plan."""
    places = sorted({len(prompts) * part // (2 * TIMED) for part in range(1, 2 * TIMED, 2)})
    temperature = rehearsal.settings.temperature
    asks = [prompts[place] for place in places if place < len(prompts)]
    yield from backend.choose(
        Ask(prompt, query.quota, temperature, (query.id,)) for query, prompt, _ in asks
    )
