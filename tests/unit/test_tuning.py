"""A lesson in a run → the model that has learnt it, in a folder of the run's own."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from localsel.errors import InputError
from localsel.methods.base import Lesson, Progress, Remark, Tuned
from localsel.pipeline.identity import Identity
from localsel.pipeline.tuning import Learner
from localsel.settings import Settings
from localsel.store import Store
from tests.learning import NANO, PAIRS, child

LESSON = Lesson(tuple(PAIRS), epochs=2, batch=16)
STEPS = 4
ONE, OTHER = "0000000a", "0000000b"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "workspace")) as opened:
        yield opened


def learner(store: Store, stack: ExitStack, run: str, length: int = 64) -> Learner:
    settings = Settings(
        data=Path("x.jsonl"),
        budget=1,
        method="mods",
        model=str(NANO),
        backend="transformers",
        tune_rate=1e-3,
        tune_rank=4,
        tune_length=length,
        threads=1,
        workspace=store.home,
    )
    return Learner(settings, Identity(settings, store), stack, run)


Told = list[Progress | Remark]


def tune(own: Learner, lesson: Lesson = LESSON) -> tuple[Told, Tuned]:
    return to_the_end(own.tune(lesson))


def to_the_end(tuning: Generator[Progress | Remark, None, Tuned]) -> tuple[Told, Tuned]:
    """What is told from here on, and the model."""
    told: Told = []
    while True:
        try:
            told.append(next(tuning))
        except StopIteration as end:
            return told, end.value


def remarks(told: Told) -> list[str]:
    return [each.text for each in told if isinstance(each, Remark)]


def test_two_runs_of_one_lesson_leave_each_other_alone(store: Store) -> None:
    with ExitStack() as stack:
        tuning = learner(store, stack, ONE).tune(LESSON)
        assert isinstance(next(tuning), Remark)
        assert next(tuning) == Progress(1, STEPS)
        with ExitStack() as others:
            told, other = tune(learner(store, others, OTHER))
            assert told[1:] == [Progress(step, STEPS) for step in range(1, STEPS + 1)]
            weights = (store.tuned_folder(OTHER) / "model.safetensors").read_bytes()
        # That one has ended.
        assert not store.tuned_folder(OTHER).exists()
        store.remove_run(OTHER)
        told, own = to_the_end(tuning)
        assert told == [Progress(step, STEPS) for step in range(2, STEPS + 1)]
        assert own.digest == other.digest
        assert (store.tuned_folder(ONE) / "model.safetensors").read_bytes() == weights
    assert not store.tuned_folder(ONE).exists()


def test_a_run_that_is_cut_keeps_its_folder_until_it_is_removed(store: Store) -> None:
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        tune(learner(store, stack, ONE))
        raise KeyboardInterrupt
    assert (store.tuned_folder(ONE) / "config.json").exists()
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        told, _ = tune(learner(store, stack, ONE))
        assert told == []  # It is not learnt again.
        raise KeyboardInterrupt
    store.remove_run(ONE)
    assert list(store.tuned_folder(ONE).parent.iterdir()) == []


def test_rows_that_teach_nothing_are_told_and_not_counted(store: Store) -> None:
    """Sixteen make a step: without the long ones, there is one fewer in an epoch."""
    long = tuple(("word " * 100, "answer") for _ in range(3))
    with ExitStack() as stack:
        told, _ = tune(learner(store, stack, ONE), Lesson((*PAIRS[:16], *long), 2, 16))
    first, second = remarks(told)
    assert first == (
        "Nothing is learnt from 3 rows: no token of the response is within --tune-length 64 and"
        " the model's context."
    )
    assert second.startswith("Tuning nano-llama on 16 rows in 2 steps, which teach little")
    assert told[2:] == [Progress(1, 2), Progress(2, 2)]


def test_a_lesson_that_teaches_nothing_is_refused(store: Store) -> None:
    with ExitStack() as stack, pytest.raises(InputError, match="none of 1 answers has a token"):
        tune(learner(store, stack, ONE), Lesson((("word " * 100, "answer"),), 2, 16))


def learning() -> int:
    """Layers that can learn, anywhere in memory."""
    return sum(type(each).__module__ == "peft.tuners.lora.layer" for each in gc.get_objects())


def test_what_learnt_is_gone_when_the_model_is_opened(store: Store) -> None:
    """Without waiting for the collector: on a graphics card, both would not fit."""
    gc.collect()
    gc.disable()
    try:
        with ExitStack() as stack:
            tuning = learner(store, stack, ONE).tune(LESSON)
            assert isinstance(next(tuning), Remark) and isinstance(next(tuning), Progress)
            assert learning() > 0
            to_the_end(tuning)
            assert learning() == 0
    finally:
        gc.enable()


RULE = """
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from localsel.methods.base import Lesson
from localsel.pipeline.identity import Identity
from localsel.pipeline.tuning import Learner
from localsel.settings import Settings
from localsel.store import Store

settings = Settings(data=Path("x"), budget=1, method="mods", model="random:1", backend="scripted")
with closing(Store(Path(sys.argv[1]))) as store, ExitStack() as stack:
    learner = Learner(settings, Identity(settings, store), stack, "0000000a")
    try:
        next(learner.tune(Lesson((("a", "b"),), 1, 1)))
    except StopIteration as end:
        print(end.value is learner.tuned, end.value.repeatable, "torch" in sys.modules)
"""


def test_a_rule_is_repeatable_and_asks_no_graphics_card(tmp_path: Path) -> None:
    done = child(RULE, tmp_path)
    assert done.stdout.split() == ["True", "True", "False"], done.stderr
