"""How numbers are printed, and that Markdown holds what the page holds."""

from __future__ import annotations

import html
import re

import pytest

from localsel.stages import report
from localsel.stages.report import figures
from localsel.stages.report.plots.axes import tick_text, ticks
from localsel.stages.report.plots.lines import _axes, _frame
from localsel.stages.report.sheet import escaped
from tests.unit.test_report import tables
from tests.unit.test_report_sample import comparison


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (figures.number(0.31249), "0.312"),
        (figures.number(-0.0123), "−0.012"),
        (figures.number(-0.0001), "0.000"),
        (figures.number(0.0001, sign=True), "0.000"),
        (figures.number(2.04, 1, sign=True), "+2.0"),
        (figures.number(-12_345), "−12,345"),
        (figures.number(True), ""),
        (figures.number(float("inf")), ""),
        (figures.count(12.0), "12"),
        (figures.count(12_345.5), "12,345.5"),
        (figures.share(0.0), "0.0\u00a0%"),
        (figures.share(None), ""),
        (figures.interval([0.081, 0.243]), "[8.1, 24.3]\u00a0%"),
        (figures.interval([None, 0.2]), ""),
        (figures.p_value(0.04), "0.040"),
        (figures.p_value(1.0), "1.000"),
        (figures.p_value(0.00049), "4.9\u00a0×\u00a010⁻⁴"),
        (figures.p_value(2.5e-11), "2.5\u00a0×\u00a010⁻¹¹"),
        (figures.p_value(0.0), "<\u200910⁻¹⁵"),
        (figures.duration(13.52), "13.5\u00a0s"),
        (figures.duration(250), "4\u00a0min 10\u00a0s"),
        (figures.duration(7_500), "2\u00a0h 05\u00a0min"),
        (figures.size(9_731_000_000), "9.7\u00a0GB"),
        (figures.size(612_000_000), "612\u00a0MB"),
        (figures.size(12), "12\u00a0B"),
        (figures.moment(0), "1970-01-01 00:00 UTC"),
        (figures.moment("soon"), ""),
        (figures.plain(True), "yes"),
        (figures.plain([1, None, "a"]), "1, a"),
        (figures.plain(20251), "20251"),
        (figures.plain(0.95), "0.95"),
    ],
)
def test_numbers(said: str, expected: str) -> None:
    assert said == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 1.58, [0, 1, 2]), (0.0, 0.26, [0, 0.1, 0.2, 0.3]), (0.0, 13.9, [0, 5, 10, 15])],
)
def test_ticks_are_round_and_hold_the_range(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high, 3) == pytest.approx(expected)


def test_ticks_of_no_range() -> None:
    assert ticks(0.7, 0.7) == [0.0, 1.0]
    assert tick_text(0.25, 0.25) == "0.25" and tick_text(1.0, 0.5) == "1.0"
    assert tick_text(1200.0, 200.0) == "1,200"


def test_markdown_has_every_table_of_the_page_in_figures() -> None:
    """What a cell of the page says stands in the Markdown too, table by table."""
    told = comparison(3, clusters=13)
    sheet = html.unescape(report.markdown(told)).replace("\\", "").replace("\u00a0", " ")
    checked = 0
    for caption, rows in tables(report.html(told)).items():
        start = sheet.index(caption)
        part = sheet[start : sheet.find("\n**", start) if "Cluster" not in caption else None]
        for row in rows[1:]:
            for cell in row:
                for figure in re.findall(r"[−+]?\d[\d,.]*", cell.split("✓")[0]):
                    assert figure in part, (caption, figure)
                    checked += 1
    assert checked > 800


def test_markdown_draws_plots_as_tables() -> None:
    told = comparison(2)
    sheet = report.markdown(told)
    assert "<svg" not in sheet and "**Figure 4.** Coverage against budget" in sheet
    line = told["selectors"][0]["position"]["curve"][0]
    first = next(row for row in sheet.split("\n") if row.startswith(f"| 1 | {line['chosen']} |"))
    assert f"{100 * line['rate']:.1f}" in first
    assert "The map has too many points for a table" in sheet


def test_markdown_tables_align_figures_to_the_right() -> None:
    lines = report.markdown(comparison(2)).split("\n")
    at = next(at for at, line in enumerate(lines) if line.startswith("| Pair | Shared"))
    assert lines[at + 1] == "| --- | ---: | ---: | ---: | ---: | ---: |"


def test_escaped() -> None:
    assert escaped("a|b `c` <d> & \\e") == "a&#124;b &#96;c&#96; &lt;d&gt; &amp; &#92;e"
    assert escaped("*a* [b](c) ~d~ $e$") == "\\*a\\* \\[b\\](c) \\~d\\~ \\$e\\$"
    assert escaped("nano-gemma2 chose 3.5") == "nano-gemma2 chose 3.5"
    assert escaped("1. one") == "1\\. one" and escaped("- one") == "\\- one"
    assert escaped("59.2") == "59.2" and escaped("    code") == "code"


@pytest.mark.parametrize("ends", [(1.297, 0.905), (1.0, 0.98), (3.1, 0.2), (0.99, 0.91)])
def test_ticks_stay_inside_the_plot(ends: tuple[float, float]) -> None:
    high, low = ends
    points = [(2.0, high), (11.0, (high + low) / 2), (20.0, low)]
    frame = _frame(points)
    drawn = "".join(_axes(frame, "picks"))
    heights = [float(y) for y in re.findall(r'class="hair" d="M[0-9.]+ ([0-9.]+)L', drawn)]
    assert len(heights) >= 2
    assert min(heights) >= frame.top - 0.5
    assert max(heights) <= frame.size[1] - frame.bottom + 0.5
