"""Picks and an open selector → one sentence for each, said after everything is chosen.

A sentence is not what the choice was made by: the model is asked again, about the pick alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from localsel.backends.base import Backend
from localsel.events import Event
from localsel.methods.fitting import Fitter
from localsel.pipeline.course import Course
from localsel.stages.prompt import find_template

PROMPT = "reason"
LONGEST = 60


def unexplained(course: Course) -> list[int]:
    """Rows that the model chose, best first, of which it has not said why."""
    said = course.store.reasons(course.id)
    return [
        pick.row
        for pick in course.store.picks(course.id)
        if pick.chosen_by in ("model", "vote") and pick.row not in said
    ]


def explain(course: Course, backend: Backend) -> Iterator[Event]:
    """Asks for each sentence that is missing; each is committed as it comes."""
    store, rows = course.store, unexplained(course)
    pool = store.run(course.id)["pool"]
    fitter = Fitter([backend], find_template(PROMPT), course.settings.criteria)
    with course.timed("choose"):
        yield course.event("note", text="Asking why, pick by pick.")
        yield course.event("stage", total=len(rows))
        for done, row in enumerate(rows, start=1):
            prompt, _ = fitter.fit([store.instruction(pool, row).text], 1)
            store.add_reason(course.id, row, next(backend.generate([prompt], LONGEST)))
            yield course.event("progress", done=done, total=len(rows))
