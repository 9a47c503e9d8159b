"""Planned queries and a selector → picks: the model chooses inside every cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

import numpy as np

from localsel.backends.base import Ask, Choice
from localsel.errors import AnswerError
from localsel.methods.base import Method, Pool, Tools
from localsel.methods.fitting import Fitter
from localsel.records import Answer, ChosenBy, Pick, Query

# What one question's random numbers are for; each has its own stream.
SHUFFLE, DRAW, FILL, TIE = range(4)


class SelectLLM(Method):
    """Shows a model one cluster at a time and takes what it would have annotated.

    Source: SelectLLM, arXiv 2401.16553, section 3, with candidates shuffled in every query, every
    row shown, answers that cannot be invalid, and CoreSet clusters by default. `docs/methods.md`
    lists every difference from the released code.
    """

    about = "a model chooses inside every cluster"
    source = "arXiv 2401.16553"
    cost = "one for each query and order, N / 14 or more"
    needs_backend = True
    needs_vectors = True
    needs_plan = True
    draws = True

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        assert tools.backend is not None
        assert tools.template is not None
        self._backend = tools.backend
        # Winners of heats that nobody judged: random rows, whatever happens to them later.
        self._unjudged: set[int] = set()
        readers = tools.readers or (tools.backend,)
        self._fitter = Fitter(readers, tools.template, tools.settings.criteria)

    def picks(self, pool: Pool, budget: int) -> Iterator[Pick | Answer]:
        assert pool.plan is not None
        texts = {instruction.row: instruction.text for instruction in pool.instructions}
        self._measure(pool.plan.queries, texts)
        winners: dict[int, tuple[int, ...]] = {}
        by_round = attrgetter("round")
        for _, queries in groupby(sorted(pool.plan.queries, key=by_round), key=by_round):
            yield from self._round(tuple(queries), texts, winners)

    def _measure(self, queries: tuple[Query, ...], texts: dict[int, str]) -> None:
        """Counts all tokens before the first question: a context too small is refused now."""
        for query in queries:
            if query.quota < len(query.rows):
                self._fitter.fit([texts[row] for row in query.rows], query.quota)

    def _round(
        self, queries: tuple[Query, ...], texts: dict[int, str], winners: dict[int, tuple[int, ...]]
    ) -> Iterator[Pick | Answer]:
        """Answers all queries of one round, then adds their winners to `winners`."""
        rows = {query.id: rows_of(query, winners) for query in queries}
        given: dict[int, list[Answer]] = {query.id: [] for query in queries}
        for query, answer in self._answers(queries, rows, texts):
            yield answer
            given[query.id].append(answer)
            if len(given[query.id]) == self.tools.settings.orders or answer.outcome == "forced":
                picks = self._tally(query, given.pop(query.id))
                winners[query.id] = tuple(pick.row for pick in picks)
                self._unjudged -= {pick.row for pick in picks if pick.votes}
                self._unjudged |= {pick.row for pick in picks if pick.chosen_by == "fallback"}
                if query.final:
                    yield from picks

    def _answers(
        self, queries: tuple[Query, ...], rows: dict[int, tuple[int, ...]], texts: dict[int, str]
    ) -> Iterator[tuple[Query, Answer]]:
        """One answer per query and order: from the journal, by force, or from the model."""
        orders = range(self.tools.settings.orders)
        asked: list[tuple[Query, int, tuple[int, ...]]] = []
        for query in queries:
            if query.quota == len(rows[query.id]):
                yield query, self._forced(query, rows[query.id])
                continue
            for order in orders:
                if finished := self.tools.journal.finished.get((query.id, order)):
                    yield query, finished
                else:
                    asked.append((query, order, self._shuffled(query, order, rows[query.id])))
        yield from self._ask(asked, texts)

    def _ask(
        self, asked: list[tuple[Query, int, tuple[int, ...]]], texts: dict[int, str]
    ) -> Iterator[tuple[Query, Answer]]:
        shortened: list[tuple[int, ...]] = []

        def asks() -> Iterable[Ask]:
            for query, order, shown in asked:
                prompt, cut = self._fitter.fit([texts[row] for row in shown], query.quota)
                shortened.append(tuple(shown[place] for place in cut))
                seed = self._own_seed(query.id, order, DRAW)
                yield Ask(prompt, query.quota, self.tools.settings.temperature, seed)

        answers = self._backend.choose(asks())
        for place, (query, order, shown) in enumerate(asked):
            choice, attempts = next(answers), 1
            if isinstance(choice, AnswerError):
                prompt, _ = self._fitter.fit([texts[row] for row in shown], query.quota)
                seed = self._own_seed(query.id, order, DRAW, attempts)
                retry = Ask(prompt, query.quota, self.tools.settings.temperature, seed)
                choice, attempts = next(self._backend.choose([retry])), 2
            answer = self._answer(query, order, shown, choice, attempts, shortened[place])
            self.tools.journal.commit(answer)
            yield query, answer

    def _answer(
        self,
        query: Query,
        order: int,
        shown: tuple[int, ...],
        choice: Choice | AnswerError,
        attempts: int,
        shortened: tuple[int, ...],
    ) -> Answer:
        if not isinstance(choice, AnswerError):
            chosen = tuple(shown[position] for position in choice.positions)
            if len(set(chosen)) == query.quota:
                return Answer(
                    query=query.id,
                    order=order,
                    shown=shown,
                    chosen=chosen,
                    probabilities=choice.probabilities,
                    scores=choice.scores,
                    outcome="answered",
                    prompt_tokens=choice.prompt_tokens,
                    seconds=choice.seconds,
                    attempts=attempts,
                    shortened=shortened,
                )
        generator = np.random.default_rng(self._own_seed(query.id, order, FILL))
        filled = generator.choice(len(shown), size=query.quota, replace=False)
        return Answer(
            query=query.id,
            order=order,
            shown=shown,
            chosen=tuple(shown[place] for place in filled),
            probabilities=(),
            scores=(),
            outcome="abstained",
            attempts=attempts,
            shortened=shortened,
        )

    def _forced(self, query: Query, rows: tuple[int, ...]) -> Answer:
        """Nothing to choose: as many wanted as there are."""
        return Answer(query.id, 0, rows, rows, (), (), "forced", attempts=0)

    def _tally(self, query: Query, answers: list[Answer]) -> list[Pick]:
        """The winners of one query: most votes, then most probable, then by a seeded draw."""
        answers = sorted(answers, key=attrgetter("order"))
        first = answers[0]
        valid = [answer for answer in answers if answer.outcome != "abstained"]
        if first.outcome == "forced":
            return [self._forced_pick(query, turn, row) for turn, row in enumerate(first.chosen)]
        votes = {row: sum(row in answer.chosen for answer in valid) for row in first.shown}
        winners = list(first.chosen)
        if len(answers) > 1 and valid:
            seed = self._own_seed(query.id, TIE)
            draw = np.random.default_rng(seed).permutation(len(first.shown))
            lots = dict(zip(sorted(first.shown), draw.tolist(), strict=True))
            first_choice = sorted(
                first.shown, key=lambda row: (-votes[row], -support(row, valid), lots[row])
            )
            winners = first_choice[: query.quota]
        return [
            Pick(
                row=row,
                chosen_by=chosen_by(valid, len(answers)),
                cluster=query.cluster,
                query=query.id,
                turn=turn,
                label=first.shown.index(row) + 1,
                position=first.shown.index(row) + 1,
                probability=probability(row, valid),
                votes=votes[row] if valid else None,
            )
            for turn, row in enumerate(winners)
        ]

    def _forced_pick(self, query: Query, turn: int, row: int) -> Pick:
        """As many wanted as shown: nobody chose, and nobody voted."""
        return Pick(
            row=row,
            chosen_by="fallback" if row in self._unjudged else "forced",
            cluster=query.cluster,
            query=query.id,
            turn=turn,
        )

    def _shuffled(self, query: Query, order: int, rows: tuple[int, ...]) -> tuple[int, ...]:
        generator = np.random.default_rng(self._seed(query.id, order, SHUFFLE))
        return tuple(rows[place] for place in generator.permutation(len(rows)))

    def _seed(self, *parts: int) -> tuple[int, ...]:
        return (self.tools.settings.seed, *parts)

    def _own_seed(self, *parts: int) -> tuple[int, ...]:
        """Of what a selector draws: were its dice another's, the two would agree by that alone."""
        return own_seed(self.tools.settings.seed, self.tools.selector, *parts)


def own_seed(seed: int, selector: str, *parts: int) -> tuple[int, ...]:
    """What seeds the draws of one selector, given by its sha256, for one purpose."""
    digest = int(selector[:16] or "0", 16)
    return (seed, digest & 0xFFFFFFFF, digest >> 32, *parts)


def rows_of(query: Query, winners: dict[int, tuple[int, ...]]) -> tuple[int, ...]:
    """The candidates of a query: its own rows, or the winners of the queries before it."""
    return query.rows or tuple(row for source in query.sources for row in winners[source])


def support(row: int, answers: list[Answer]) -> float:
    """Summed log-probability of a row at the first choice, over the orders that were answered."""
    scored = [answer for answer in answers if answer.scores]
    return sum(answer.scores[answer.shown.index(row)] for answer in scored)


def probability(row: int, answers: list[Answer]) -> float | None:
    """Mean probability with which a row was chosen, over the orders that chose it."""
    found = [
        answer.probabilities[answer.chosen.index(row)]
        for answer in answers
        if row in answer.chosen and answer.probabilities
    ]
    return sum(found) / len(found) if found else None


def chosen_by(valid: list[Answer], orders: int) -> ChosenBy:
    """How a query's winners came about; `valid` are its answers that did not abstain."""
    if not valid:
        return "fallback"
    return "vote" if orders > 1 else "model"
