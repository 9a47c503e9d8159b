"""Clusters, and one of them, as several runs chose from it → lines of tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from localsel.tui.sides import Side, cell
from localsel.tui.widgets.bars import bar
from localsel.tui.widgets.table import Column, Line

if TYPE_CHECKING:
    from localsel.clusters import ClusterDetail, ClusterRow, Member, Shown

SORTS = ("cluster", "rows", "radius", "picks", "entropy", "agree", "faults")
PICKED, ON = "●", "▸"
FAULTS = {"fallbacks": "random", "abstained": "no answer", "shortened": "cut"}
Heads = Mapping[int, str]
Key = tuple[int, int]
"""Of a candidate its query (-1 for what no query shows) and its row; of a heading -1 for a row."""
OUTSIDE = -1
HEADING = -1


# The list


def columns(sort: str, reverse: bool, wide: bool) -> list[Column]:
    """The heading of the sorted column says so. Beside an open cluster there is no text."""
    sizes = {"cluster": 8, "rows": 6, "radius": 7, "picks": 6, "entropy": 9, "agree": 7}
    found = [
        Column(_signed(name, sort, reverse), size, right=name != "entropy")
        for name, size in sizes.items()
    ]
    found.append(Column(_signed("faults", sort, reverse), 0 if wide else 9))
    return found if wide else [*found, Column("its first pick")]


def _signed(name: str, sort: str, reverse: bool) -> str:
    return f"{name}{'▼' if reverse else '▲'}" if name == sort else name


def count(row: ClusterRow) -> int:
    return sum(asdict(row.faults).values())


def disagrees(row: ClusterRow) -> bool:
    return row.agreement is not None and row.agreement < 1


def counted(rows: Sequence[ClusterRow], compared: bool) -> str:
    """`12 clusters, 3 ≠`"""
    differ = f", {sum(map(disagrees, rows))} ≠" if compared else ""
    return f"{len(rows)} clusters{differ}"


def narrowed(rows: Iterable[ClusterRow], faulty: bool, disputed: bool) -> list[ClusterRow]:
    """Only those with faults, or in which the runs picked differently, or both."""
    return [row for row in rows if (not faulty or count(row)) and (not disputed or disagrees(row))]


def arranged(rows: Iterable[ClusterRow], sort: str, reverse: bool) -> list[ClusterRow]:
    """Sorted; those of which nothing can be said come last."""
    known = [(each, value) for each in rows if (value := _value(each, sort)) is not None]
    known.sort(key=lambda pair: (-pair[1] if reverse else pair[1], pair[0].id))
    found = [each for each, _ in known]
    return found + [each for each in rows if _value(each, sort) is None]


def _value(row: ClusterRow, sort: str) -> float | None:
    values = (
        *(row.id, row.size, row.radius, row.quota),
        *(row.entropy, row.agreement, count(row)),
    )
    return dict(zip(SORTS, values, strict=True))[sort]


def cluster_lines(rows: Iterable[ClusterRow], heads: Heads, wide: bool) -> list[Line]:
    return [_cluster_line(row, heads, wide) for row in rows]


def _cluster_line(row: ClusterRow, heads: Heads, wide: bool) -> Line:
    faults = [f"{number} {FAULTS[name]}" for name, number in asdict(row.faults).items() if number]
    first = next((picks[0] for picks in row.picks.values() if picks), None)
    differs = "≠ " if disagrees(row) else ""
    cells = [
        str(row.id),
        f"{row.size:,}",
        "" if row.radius is None else f"{row.radius:.3f}",
        str(row.quota),
        "" if row.entropy is None else f"{bar(row.entropy, 4)} {row.entropy:.2f}",
        "" if row.agreement is None else f"{differs}{row.agreement:.0%}",
        f"! {', '.join(faults)}" if faults else "",
    ]
    text = [] if wide else ["" if first is None else heads.get(first, "")]
    return Line(row.id, [*cells, *text], "bad" if faults else "")


# One of them


def candidate_columns(sides: Sequence[Side], widths: Sequence[int], sort: str) -> list[Column]:
    named = [
        Column(
            f"{side.letter}{'▼' if side.letter == sort else ''} {side.name}"[: max(width, 2)], width
        )
        for side, width in zip(sides, widths, strict=True)
    ]
    return [
        Column("row", 8, right=True),
        Column("#▲" if sort == "#" else "#", 3, right=True),
        *named,
        Column("dist▲" if sort == "dist" else "dist", 5, right=True),
        Column("instruction"),
    ]


def orders(sides: Sequence[Side]) -> list[str]:
    """By what candidates can be sorted: how likely a side found them, label, distance."""
    return [*(side.letter for side in sides if side.asks), "#", "dist"]


class Candidates:
    """The rows of a cluster query by query, the last round first, and at the end what was left out.

    Attributes:
        members: by row, also those that stand for a near-duplicate.
    """

    def __init__(self, detail: ClusterDetail, sides: Sequence[Side], heads: Heads) -> None:
        self.detail, self.sides, self.heads = detail, sides, heads
        self.members = {
            row: each for each in detail.members for row in (*each.near_duplicates, each.row)
        }
        self._shown: dict[int, dict[int, dict[str, Shown]]] = {}
        self._rounds: dict[int, int] = {}
        for member in detail.members:
            self._place(member)

    def _place(self, member: Member) -> None:
        if member.query is not None:
            self._shown.setdefault(member.query, {}).setdefault(member.row, {})
            self._rounds.setdefault(member.query, 0)
        for run, verdict in member.verdicts.items():
            for each in verdict.shown:
                rows = self._shown.setdefault(each.query, {})
                rows.setdefault(member.row, {})[run] = each
                self._rounds[each.query] = each.round

    def where(self, row: int) -> Key | None:
        """The line of a row: in the last query that showed it."""
        member = self.members.get(row)
        if member is None:
            return None
        asked = [query for query in self._queries() if member.row in self._shown[query]]
        return (asked[0] if asked else OUTSIDE), member.row

    def _queries(self) -> list[int]:
        return sorted(self._shown, key=lambda query: (-self._rounds[query], query))

    def lines(self, sort: str, widths: Sequence[int], unfolded: bool) -> list[Line]:
        queries = self._queries()
        found = [
            line for query in queries for line in self._of(query, sort, widths, unfolded, queries)
        ]
        return found + list(self._outside(widths))

    def _of(
        self, query: int, sort: str, widths: Sequence[int], unfolded: bool, queries: Sequence[int]
    ) -> Iterator[Line]:
        rows = self._shown[query]
        if len(queries) > 1:
            said = f"round {self._rounds[query] + 1}, query {query}: {len(rows)} candidates"
            yield self._rule(query, said)
        for row in sorted(rows, key=lambda row: self._rank(query, row, sort)):
            yield self._line(query, self.members[row], widths)
            if unfolded:
                yield from (self._twin(query, each, widths) for each in self._twins(row))

    def _twins(self, row: int) -> tuple[int, ...]:
        return self.members[row].near_duplicates

    def _rank(self, query: int, row: int, sort: str) -> tuple[float, ...]:
        shown, member = self._shown[query][row], self.members[row]
        label = min((each.label for each in shown.values()), default=0)
        if sort == "dist":
            return (member.distance or 0.0, row)
        by = next((side.run for side in self.sides if side.letter == sort), "")
        if sort == "#" or by not in shown:
            return (float(sort != "#"), label, row)
        return (0.0, -(shown[by].score or 0.0), label, row)

    def _line(self, query: int, member: Member, widths: Sequence[int]) -> Line:
        shown = self._shown[query][member.row]
        labels = {each.label for each in shown.values()}
        twins = f" +{len(member.near_duplicates)}" if member.near_duplicates else ""
        said = [
            self._said(query, member, side, width)
            for side, width in zip(self.sides, widths, strict=True)
        ]
        return Line(
            (query, member.row),
            (
                f"{member.row}{twins}",
                "/".join(map(str, sorted(labels))),
                *said,
                "" if member.distance is None else f"{member.distance:.3f}",
                self.heads.get(member.row, ""),
            ),
        )

    def _said(self, query: int, member: Member, side: Side, width: int) -> str:
        verdict, shown = member.verdicts[side.run], self._shown[query][member.row]
        if not side.asks:
            return cell(PICKED if verdict.rank else "", None, width)
        here, last = shown.get(side.run), verdict.shown[-1].query if verdict.shown else query
        sign = ON if here and last != query else ""
        sign = PICKED if verdict.rank and last == query else sign
        if here is None:
            return cell(sign, None, width)
        return cell(sign, here.score, width, "all taken")

    def _twin(self, query: int, row: int, widths: Sequence[int]) -> Line:
        picks = self.detail.cluster.picks
        signs = [
            cell(PICKED if row in picks[side.run] else "", None, width)
            for side, width in zip(self.sides, widths, strict=True)
        ]
        return Line((query, row), (f"└ {row}", "", *signs, "", self.heads.get(row, "")), "dim")

    def _outside(self, widths: Sequence[int]) -> Iterator[Line]:
        left = [each for each in self.detail.members if each.left_out]
        if left:
            yield self._rule(OUTSIDE, f"left out: {len(left)}")
        for member in left:
            text = f"({member.left_out}) {self.heads.get(member.row, '')}"
            away = "" if member.distance is None else f"{member.distance:.3f}"
            signs = [
                cell(PICKED if member.verdicts[side.run].rank else "", None, width)
                for side, width in zip(self.sides, widths, strict=True)
            ]
            cells = (str(member.row), "", *signs, away, text)
            yield Line((OUTSIDE, member.row), cells, "dim")

    def _rule(self, query: int, text: str) -> Line:
        empty = [""] * (len(self.sides) + 3)
        return Line((query, HEADING), (*empty, f"── {text}"), "rule")
