"""embed: who may be chosen, and what is annotated already → their vectors, cached by text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from localsel.errors import WorkspaceError
from localsel.methods.base import Method
from localsel.pipeline.admitting import Admission
from localsel.pipeline.course import Course, Steps
from localsel.pipeline.identity import Identity
from localsel.records import Vectors, text_digest
from localsel.stages.embed import Embedder

VECTORS_AT_ONCE = 1024


def embed(
    course: Course, identity: Identity, admission: Admission, method: type[Method] | None = None
) -> Steps[tuple[Vectors, Vectors]]:
    """Unit vectors: [n, d] of the instructions open to choice, [g, d] of the given texts."""
    with_responses = method is not None and method.embeds_responses
    texts = [
        f"{each.text}\n{each.response}" if with_responses else each.text for each in admission.open
    ]
    vectors = yield from _vectors(course, identity, [*texts, *admission.given])
    return vectors[: len(texts)], vectors[len(texts) :]


def _vectors(course: Course, identity: Identity, texts: Sequence[str]) -> Steps[Vectors]:
    with course.timed("embed"):
        yield course.event("stage", total=len(texts))
        keys = [text_digest(text) for text in texts]
        embedder = identity.embedder
        vectors, missing = course.store.cached_vectors(embedder, keys)
        done = len(texts) - len(missing)
        yield course.event("progress", done=done, total=len(texts), cached=done)
        if missing:
            yield from _embed_missing(course, identity, texts, keys, missing)
            vectors, missing = course.store.cached_vectors(embedder, keys)
        if missing:
            raise WorkspaceError(
                f"{len(missing):,} vectors cannot be read back from {course.store.home}.",
                "Is the disk full? Give the command again.",
            )
    return vectors


def _embed_missing(
    course: Course,
    identity: Identity,
    texts: Sequence[str],
    keys: Sequence[bytes],
    missing: Sequence[int],
) -> Steps[None]:
    """Keeps vectors every thousand texts or so: that much is lost at most when the run is cut."""
    embedder = Embedder(identity.embedder_folder, course.settings.threads)
    places: list[int] = []
    found: list[Vectors] = []

    def keep() -> None:
        if places:
            known = [keys[place] for place in places]
            course.store.add_vectors(identity.embedder, known, np.concatenate(found))
            places.clear()
            found.clear()

    done = len(texts) - len(missing)
    try:
        for batch, vectors in embedder.encode([texts[place] for place in missing]):
            places.extend(missing[index] for index in batch)
            found.append(vectors)
            done += len(batch)
            if len(places) >= VECTORS_AT_ONCE:
                keep()
            yield course.event("progress", done=done, total=len(texts))
    finally:
        # Whoever stops here finds what was done; only a kill loses the last thousand.
        keep()
