"""The report as a page: valid, alone, readable, and with every figure that the tables promise."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest

from localsel.stages import report
from tests.unit.test_report_sample import MEASURES, NAMES, comparison

STYLE = Path(report.__file__).parent / "templates" / "page.css"
BANNED = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "audio", "video"}
REFERENCES = {"href", "src", "srcset", "action", "data", "poster", "background", "formaction"}


def parsed(page: str) -> Element:
    parser = html5lib.HTMLParser(
        tree=html5lib.getTreeBuilder("etree"), strict=True, namespaceHTMLElements=False
    )
    return parser.parse(page)


def text(element: Element) -> str:
    return re.sub(r"\s+", " ", "".join(element.itertext()).replace("\u00a0", " ")).strip()


def tables(page: str) -> dict[str, list[list[str]]]:
    """Each table's caption → the texts of its rows, the head first."""
    tree = parsed(page)
    names = {e.get("id"): text(e) for e in tree.iter() if e.get("id")}
    return {
        re.sub(r"^\w+ \d+\. ", "", names[table.get("aria-labelledby", "")]): [
            [text(cell) for cell in row] for row in table.iter("tr")
        ]
        for table in tree.iter("table")
        if table.get("aria-labelledby")
    }


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def three(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def p_text(value: float) -> str:
    if value >= 0.0005:
        return f"{value:.3f}"
    digits, exponent = f"{value:.1e}".split("e")
    high = "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(abs(int(exponent))))
    return f"{digits} × 10⁻{high}"


@pytest.mark.parametrize("selectors", [1, 2, 5])
@pytest.mark.parametrize("orders", [1, 2])
@pytest.mark.parametrize("vectors", [True, False])
def test_every_page_is_valid_html(selectors: int, orders: int, vectors: bool) -> None:
    page = report.html(comparison(selectors, orders, baselines=vectors, vectors=vectors))
    assert page.startswith("<!DOCTYPE html>")
    parsed(page)


def test_the_strict_parser_would_see_a_broken_page() -> None:
    with pytest.raises(html5lib.html5parser.ParseError):
        parsed(report.html(comparison()).replace("</section>", "</div>", 1))


def attributes(page: str) -> Iterator[tuple[str, str, str]]:
    for element in parsed(page).iter():
        for name, value in element.attrib.items():
            yield str(element.tag), re.sub(r"^\{.*\}", "", str(name)).lower(), value


def test_the_page_refers_to_nothing_outside_itself() -> None:
    page = report.html(comparison(5))
    tree = parsed(page)
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    links = [value for _, name, value in attributes(page) if name in REFERENCES]
    assert len(links) > 5, "there is a list of sections"
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    assert not any(name.startswith("on") for _, name, _ in attributes(page))
    assert not BANNED & {str(element.tag).rpartition("}")[2] for element in tree.iter()}
    styles = "".join(text(style) for style in tree.iter("style"))
    styles += "".join(value for _, name, value in attributes(page) if name == "style")
    assert "font-family" in styles
    assert not re.search(r"url\s*\(|@import|@font-face|https?:|//", styles)
    assert "url(" not in page.lower()


def test_the_page_forbids_itself_to_load_anything() -> None:
    metas = {
        meta.get("http-equiv"): meta.get("content", "")
        for meta in parsed(report.html(comparison())).iter("meta")
    }
    assert metas["Content-Security-Policy"].startswith("default-src 'none';")


def test_drawings_and_tables_can_be_heard() -> None:
    tree = parsed(report.html(comparison(3)))
    drawings = [e for e in tree.iter() if str(e.tag).endswith("}svg")]
    spoken = [e for e in drawings if e.get("aria-hidden") != "true"]
    assert len(drawings) > len(spoken) > 10
    for drawing in spoken:
        said = {str(e.tag).rpartition("}")[2]: text(e) for e in list(drawing)[:2]}
        assert drawing.get("role") == "img"
        assert said["title"] and said["desc"]
    heads = list(tree.iter("th"))
    assert heads and all(h.get("scope") in {"col", "row", "rowgroup", "colgroup"} for h in heads)
    assert parsed(report.html(comparison())).get("lang") == "en"


def test_no_two_contestants_differ_by_colour_alone() -> None:
    """Shape and dash together are each contestant's own."""
    tree = parsed(report.html(comparison(5)))
    keys = [e for e in tree.iter("ul") if e.get("class") == "key"]
    looks = [
        (path.get("stroke-dasharray"), re.sub(r"[\d.]+", "0", other.get("d", "")))
        for item in keys[0]
        for path, other in [[e for e in item.iter() if str(e.tag).endswith("}path")]]
    ]
    assert len(looks) == 7 == len(set(looks))


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_stand_out_on_light_dark_and_paper() -> None:
    schemes = [
        dict(
            re.findall(
                r"--([\w-]+): (#\w{6})\b",
                block.replace("#fff;", "#ffffff;")
                .replace("#000;", "#000000;")
                .replace("#444;", "#444444;"),
            )
        )
        for block in re.findall(r":root \{(.*?)\}", STYLE.read_text(), re.DOTALL)
    ]
    assert len(schemes) == 3
    for colours in schemes:
        for name, least in [("ink", 7), ("soft", 4.5), ("link", 4.5)] + [
            (name, 3.0) for name in colours if re.fullmatch(r"[cg]\d", name)
        ]:
            high, low = sorted(map(_luminance, (colours[name], colours["paper"])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= least, (name, colours[name])


def test_pairs_show_every_figure_in_both_forms() -> None:
    told = comparison(3)
    rows = tables(report.html(told))["Agreement of two selectors"]
    assert len(rows) == 1 + 2 * 3
    for at, pair in enumerate(told["pairs"]):
        first, second = rows[1 + 2 * at], rows[2 + 2 * at]
        assert first[0] == f"{pair['a']} · {pair['b']}"
        for cells, form in ((first[1:], "same_order"), (second, "cross_order")):
            low, high = (f"{100 * end:.1f}" for end in pair["interval"][form])
            assert cells[1].startswith(f"{pair['shared'][form]:.1f}"[:4])
            assert cells[2] == percent(pair["overlap"][form])
            assert cells[3] == f"[{low}, {high}] %"
            assert cells[5:] == [
                percent(pair["expected"][form]),
                three(pair["jaccard"][form]),
                three(pair["kappa"][form]),
                p_text(pair["p_value"][form]),
            ]


def test_final_selections_and_ceilings_show_every_figure() -> None:
    told = comparison(3)
    made = tables(report.html(told))
    for row, pair in zip(made["Agreement of the final selections"][1:], told["pairs"], strict=True):
        voted = pair["selection"]
        names = ("jaccard", "kappa", "cohen")
        assert row[1:3] == [str(voted["shared"]), percent(voted["overlap"])]
        assert row[3:] == [three(voted[name]) for name in names]
    own = made["Agreement with itself in another order"][1:]
    for row, each in zip(own, told["selectors"], strict=True):
        assert row[0] == each["name"]
        assert row[2] == percent(each["self_pair"]["overlap"])
        assert row[-2:] == [three(each["self_pair"]["kappa"]), p_text(each["self_pair"]["p_value"])]


def test_behaviour_coverage_and_cost_show_every_figure() -> None:
    told = comparison(2)
    made = tables(report.html(told))
    first = told["selectors"][0]
    assert made["Position and certainty"][1][1:] == [
        "31.4",
        "13",
        "2.5 × 10⁻¹¹",
        three(first["entropy"]),
    ]
    covered = first["coverage"]
    assert made["Coverage of the pool"][1][1:] == [
        three(covered["mean_distance"]),
        "1.210",
        "99.8 %",
        "1.310",
        "3",
    ]
    random = made["Coverage of the pool"][3]
    assert random[0] == "random" and random[1].endswith("± 0.011")
    against = made["Coverage against random selections"]
    assert against[2][1].startswith("0.655") and against[2][1].endswith("± 0.011")
    z = first["against_random"]["mean_distance"]["z"]
    assert against[3][1:3] == ["−0.023", f"{z:+.1f}".replace("-", "−")]
    assert made["Cost and faults"][1][1:] == ["83 min 45 s", "351,404", "413", "9.7 GB", "2", "1"]
    profile = first["profile"]["characters"]
    lengths = next(row for row in made["Length of the texts"] if row[0] == first["name"])
    assert lengths[1:5] == [f"{profile[name]:.1f}" for name in ("mean", "q1", "median", "q3")]
    assert made["Languages"][1] == ["the pool", "81.2 %", "18.8 %"]
    assert made["Checksums of the weights"][1] == [first["name"], first["sha256"]]


def test_what_was_compared_and_how_it_was_made() -> None:
    told = comparison(2)
    page = report.html(told)
    said = text(parsed(page))
    for fact in (
        "4,812",
        "/home/ada/pools/instructions.jsonl",
        "2025-11-20 19:12 UTC",
        "8765",
        "c0ffee5eed",
        "20251",
        "0.3.36",
        "0 connections were attempted",
        "10,000 times",
    ):
        assert fact in said
    row = tables(page)["Who took part"][1]
    first = told["selectors"][0]
    assert row[4:] == [first["sha256"][:12], first["run"], first["path"]]


def test_plots_have_their_figures_beneath() -> None:
    told = comparison(2)
    details = [text(e) for e in parsed(report.html(told)).iter("details")]
    assert len(details) == 4
    curve = told["selectors"][0]["position"]["curve"]
    rate = percent(curve[0]["rate"])
    assert any(str(curve[0]["chosen"]) in each and rate in each for each in details)
    assert any(three(told["selectors"][0]["label_prior"][0]) in each for each in details)
    assert any(three(told["selectors"][1]["curve"][3]["radius"]) in each for each in details)


def test_bars_are_as_high_as_their_ratio() -> None:
    told = comparison(2)
    for at, line in enumerate(told["selectors"][0]["position"]["curve"]):
        line["chosen"] = 59.25 * (2 if at == 0 else 1)
    tree = parsed(report.html(told))
    plot = next(
        e
        for e in tree.iter()
        if str(e.tag).endswith("svg")
        and any(text(c) == f"Picks by position: {NAMES[0]}" for c in e)
    )
    heights = [float(e.get("height", "")) for e in plot if (e.get("class") or "").startswith("bar")]
    assert len(heights) == 14
    assert heights[0] == pytest.approx(2 * heights[1], abs=0.2)


def test_the_map_tells_shared_picks_from_lone_ones() -> None:
    told = comparison(2)
    picks = told["map"]["picks"]
    for each in told["selectors"]:
        each["only"] = [row for _, _, row in picks[each["name"]]][:5]
    tree = parsed(report.html(told))
    plot = next(
        e
        for e in tree.iter()
        if str(e.tag).endswith("svg") and any(text(c) == f"Map: {NAMES[0]}" for c in e)
    )
    kinds = [e.get("class", "").split()[0] for e in plot if "s0" in (e.get("class") or "")]
    assert kinds.count("full") == 5 and kinds.count("hollow") == 7


def test_examples_show_probabilities_and_who_picked() -> None:
    told = comparison(2, clusters=13)
    cluster = told["disagreements"][0]
    for each in cluster["candidates"]:
        each["picked_by"] = []
    chosen = cluster["candidates"][9]
    chosen["picked_by"] = [NAMES[1], "random-3"]
    rows = tables(report.html(told))["Cluster 0, queries 0, 1, disagreement 1.000"]
    assert len(rows) == 1 + 8
    assert rows[1][0] == str(chosen["row"])
    assert rows[1][1].endswith("Also picked by random-3")
    values = [three(chosen["probabilities"][name]) for name in NAMES[:2]]
    assert rows[1][2:] == [values[0], f"{values[1]}✓picked"]
    assert "6 further candidates that nobody picked." in report.html(told)
    assert "Shown are 10 of the 13 clusters" in report.html(told)


def test_the_same_comparison_makes_the_same_page() -> None:
    told = comparison(3)
    again = json.loads(json.dumps(told))
    before = copy.deepcopy(told)
    assert report.html(told) == report.html(again)
    assert report.markdown(told) == report.markdown(again)
    assert told == before
    told["pairs"][0]["overlap"]["cross_order"] += 0.1
    assert report.html(told) != report.html(again)


def test_a_large_page_stays_light() -> None:
    assert len(report.html(comparison(5, mapped=(2_000, 231), clusters=50))) < 1_000_000


def _random(told: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in told["baselines"] if each["name"] == "random")


def test_every_baseline_measure_is_told() -> None:
    told = comparison(2)
    for name in MEASURES:
        _random(told)["coverage"][name] = 0.444
    row = tables(report.html(told))["Coverage of the pool"][3]
    assert [cell.split(" ±")[0].split("±")[0].strip() for cell in row[1:]] == [
        "0.444",
        "0.444",
        "44.4 %",
        "0.444",
        "0.4",
    ]
