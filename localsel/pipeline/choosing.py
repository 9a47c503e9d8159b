"""choose: a method, a plan and an open selector → the ranked picks, in the workspace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from localsel.backends.base import Backend, Reader
from localsel.errors import LocalselError
from localsel.events import Event
from localsel.methods.base import Journal, Method, Pool, Progress, Remark, Scores, Tools, Unscored
from localsel.pipeline.course import Course
from localsel.pipeline.early import open_reader
from localsel.pipeline.identity import Identity, backend_of
from localsel.pipeline.tuning import Learner
from localsel.records import Answer, Pick
from localsel.settings import Settings
from localsel.stages.plan import wanted
from localsel.stages.prompt import Template
from localsel.wording import counted

NOTHING: Mapping[int, str] = {}


def open_tools(
    course: Course,
    identity: Identity,
    backend: Backend | None,
    template: Template,
    stack: ExitStack,
    method: type[Method],
    tools: Mapping[str, Any],
) -> Tools:
    """What the method is handed: what was answered before, where to put new answers, a model that
    can learn, and what `measuring_tools` opened.
    """
    store = course.store
    learner = Learner(course.settings, identity, stack, course.id) if method.tunes else None
    return Tools(
        settings=course.settings,
        journal=Journal(
            store.answers(course.id), lambda answer: store.add_answer(course.id, answer)
        ),
        backend=backend,
        template=template,
        selector=identity.selector if method.needs_backend else "",
        readers=_readers(course, identity, backend, stack) if backend else (),
        learner=learner,
        **tools,
    )


def measuring_tools(
    settings: Settings, identity: Identity, method: type[Method], stack: ExitStack
) -> dict[str, Any]:
    """What a method measures rows with: earlier values, a quality model."""
    store = identity.store
    tools: dict[str, Any] = {"scores": Scores(store.scores, store.add_scores)}
    if method.needs_quality:
        from localsel.quality import QualityModel

        opened = QualityModel.open(identity.quality_folder, settings.threads)
        tools["rater"] = stack.enter_context(closing(opened))
        tools["rater_name"] = f"{identity.quality}/{opened.numbers}"
    return tools


def _readers(
    course: Course, identity: Identity, backend: Backend, stack: ExitStack
) -> tuple[Reader, ...]:
    """All whose contexts a prompt has to fit, in an order that does not depend on who asks."""
    readers: dict[str, Reader] = {identity.selector: backend}
    for model in course.sharing.narrow:
        if (name := identity.weights(model)) not in readers:
            kind = backend_of(model, course.settings.backend)
            readers[name] = stack.enter_context(closing(open_reader(course.settings, model, kind)))
    return tuple(readers[name] for name in sorted(readers))


def choose(
    course: Course,
    method: Method,
    pool: Pool,
    included: Sequence[int],
    set_aside: Mapping[int, str] = NOTHING,
) -> Iterator[Event]:
    """Asks what is not answered yet. Every answer is committed before its event is sent.

    `included` are rows that a person picked: they come first, and the method fills the rest. Rows
    that a method cannot score join those that were `set_aside`.
    """
    settings, store, journal = course.settings, course.store, method.tools.journal
    budget = wanted(pool.plan) if pool.plan else settings.budget - len(included)
    total = len(pool.plan.queries) * settings.orders if pool.plan else budget
    picks: list[Pick] = []
    done = 0
    unscored: dict[int, str] = {}
    with course.timed("choose"):
        yield course.event("stage", total=total, cached=len(journal.finished))
        for step in method.picks(pool, budget) if budget else ():
            if isinstance(step, Answer):
                done += settings.orders if step.outcome == "forced" else 1
                yield _answered(course, step, done, total, journal)
            elif isinstance(step, Progress):
                yield course.event("progress", done=step.done, total=step.total)
            elif isinstance(step, Remark):
                yield course.event("note", text=step.text)
            elif isinstance(step, Unscored):
                unscored |= step.reasons
                store.set_aside(course.id, {**set_aside, **unscored})
                store.update_run(course.id, facts={"unscored": len(unscored)})
                yield course.event("note", text=_without(step))
            else:
                picks.append(step)
                if pool.plan is None:
                    yield course.event("progress", done=len(picks), total=total)
        if method.tools.learner and (tuned := method.tools.learner.tuned):
            # Not known before: until then it was not open.
            facts = {"repeatable": tuned.repeatable, "backend_facts": dict(tuned.backend.facts)}
            store.update_run(course.id, facts=facts)
        human = [Pick(row=row, chosen_by="human") for row in included]
        everything = numbered([*human, *ranked(picks)])
        check(everything, budget + len(included), settings.method)
        store.set_picks(course.id, everything)


def _without(found: Unscored) -> str:
    """How many rows have no score, and the reason of most of them."""
    (reason, _), *others = Counter(found.reasons.values()).most_common()
    rest = " or the like" if others else ""
    return f"{counted(len(found.reasons), 'row')} cannot be scored: {reason}{rest}."


def _answered(course: Course, answer: Answer, done: int, total: int, journal: Journal) -> Event:
    return course.event(
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


def check(picks: Sequence[Pick], budget: int, method: str) -> None:
    """A selection has exactly `budget` picks, all distinct, whoever made it."""
    distinct = len({pick.row for pick in picks})
    if not len(picks) == distinct == budget:
        raise LocalselError(
            f"The method {method!r} made {len(picks)} picks of {distinct} rows for a budget of"
            f" {budget}: a defect in the method."
        )


def ranked(picks: Sequence[Pick]) -> list[Pick]:
    """First picks of the clusters in the order of their centres, then second picks, and so on.

    Picks without a cluster keep the order in which they were made.
    """
    if any(pick.cluster is None for pick in picks):
        return list(picks)
    by_cluster = sorted(picks, key=attrgetter("cluster", "turn", "query"))
    turns = [
        replace(pick, turn=turn)
        for _, own in groupby(by_cluster, attrgetter("cluster"))
        for turn, pick in enumerate(own)
    ]
    return sorted(turns, key=attrgetter("turn", "cluster"))


def numbered(picks: Sequence[Pick]) -> list[Pick]:
    """Ranks from 1."""
    return [replace(pick, rank=rank) for rank, pick in enumerate(picks, start=1)]
