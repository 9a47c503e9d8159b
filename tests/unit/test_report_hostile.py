"""Texts that would rather be markup, commands or invisible → harmless in both forms."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

import pytest
from markdown_it import MarkdownIt

from localsel.stages import report
from localsel.stages.report.sheet import escaped
from localsel.stages.report.texts import visible
from tests.unit.test_report import BANNED, attributes, parsed, tables, text
from tests.unit.test_report_sample import NAMES, comparison

ATTACKS = (
    "</title></style></svg><script>alert(1)</script>",
    "\" onmouseover='alert(1)' x=\"",
    "<img src=http://evil.example/x.png onerror=alert(1)>",
    "{{ 7 * 7 }} {% include 'page.css' %} {# gone #}",
    "]]> --> <!-- &lt;b&gt; &#60;b&#62;",
    "</bdi></td></tr></table><h1>big</h1>",
    "![x](http://evil.example/x.png) [y](javascript:alert(1)) <http://evil.example>",
    "a | b `|` \\| \\\\| ``` | ~~~",
    "first\nsecond\r\n# third\n\n| --- |\n- point\n    code",
    "http://evil.example www.evil.example ada@evil.example @octocat #1 $x$ :smile:",
    "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    "abc\u202edcba\u202c \u2066x\u2069 \u200f\u061c zero\u200bwidth \ufeff \u2028 \u2029",
    "nul\x00 del\x7f c1\x9b31m nel\x85 surrogate\ud800 \udfff non\uffff \ufdd0 \U0001ffff",
    "tags\U000e0041\U000e007f",
    "Z" + "\u0335\u0322" * 300,
    "* bold * _em_ **x** ~~y~~ <b>z</b>",
    "1. one",
    "+ plus",
    "=====",
)


def told(attack: str) -> dict[str, Any]:
    """The attack wherever a comparison has words that somebody else may have written."""
    names = {name: f"{name}{attack}" for name in NAMES[:2]}

    def poisoned(value: Any) -> Any:
        if isinstance(value, dict):
            return {names.get(key, key): poisoned(each) for key, each in value.items()}
        if isinstance(value, list):
            return [poisoned(each) for each in value]
        if isinstance(value, str):
            return names.get(value, value if value in ("exact", "simulated") else value + attack)
        return value

    made: dict[str, Any] = poisoned(comparison(2))
    made["settings"] |= {f"key{attack}": attack, "nested": {attack: [attack, attack]}}
    made["versions"][attack] = attack
    made["summary"] += [attack, f"    {attack}"]
    made["failed"] = [{"name": attack, "error": attack}]
    made["selectors"][0]["profile"]["languages"][attack] = 0.5
    made["disagreements"][0]["candidates"][0]["picked_by"] = [attack]
    return made


@cache
def harmless() -> tuple[list[str], list[str]]:
    """The elements and the Markdown blocks of a comparison without any attack."""
    made = told("harmless")
    return skeleton(report.html(made)), _shape(report.markdown(made))


def skeleton(page: str) -> list[str]:
    return [str(element.tag) for element in parsed(page).iter()]


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_no_text_changes_the_page(attack: str) -> None:
    """The elements are exactly those of the same comparison with a harmless word."""
    page = report.html(told(attack))
    page.encode()
    assert skeleton(page) == harmless()[0]
    for tag, name, value in attributes(page):
        assert tag.rpartition("}")[2] not in BANNED and not name.startswith("on")
        assert name != "href" or value.startswith("#")


@pytest.mark.parametrize("form", [report.html, report.markdown])
@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_nothing_invisible_is_left(form: Any, attack: str) -> None:
    written = form(told(attack))
    left = {c for c in written if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Cn"}} - {"\n"}
    assert not left
    assert "\u2028" not in written and "\u2029" not in written


def test_texts_still_say_what_they_are() -> None:
    hostile = told("<script>alert('|')</script>")
    hostile["disagreements"][0]["candidates"][0]["text"] = "see <b>\x1b[1m</b>"
    said = text(parsed(report.html(hostile)))
    assert "<script>alert('|')</script>" in said
    assert "see <b>␛[1m</b>" in said
    assert "{{ 7 * 7 }}" in text(parsed(report.html(told(ATTACKS[3]))))


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_no_text_changes_the_markdown(attack: str) -> None:
    """The same kinds of blocks and spans in the same order, by a parser that links everything."""
    assert _shape(report.markdown(told(attack))) == harmless()[1]


def _shape(written: str) -> list[str]:
    parser = MarkdownIt("gfm-like", {"html": True})
    kinds = []
    for token in parser.parse(written):
        kinds.append(token.type)
        kinds += [each.type for each in token.children or [] if each.type != "text_special"]
    merged = [k for at, k in enumerate(kinds) if k != "text" or kinds[at - 1] != "text"]
    assert not {"html_inline", "html_block", "image", "link_open", "fence"} & set(merged)
    return [kind for kind in merged if kind not in {"text", "softbreak"}]


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_every_markdown_row_has_the_cells_of_its_head(attack: str) -> None:
    lines = report.markdown(told(attack)).split("\n")
    tables_of = [line for line in lines if line.startswith("|")]
    assert len(tables_of) > 100
    for at, line in enumerate(lines):
        if line.startswith("|") and lines[at - 1].startswith("|"):
            assert line.count("|") == lines[at - 1].count("|"), line


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_markdown_reads_back_as_it_was_shown(attack: str) -> None:
    shown = visible(attack)
    tokens = MarkdownIt("gfm-like").parseInline(escaped(shown))[0].children or []
    assert "".join(token.content for token in tokens).strip() == shown.strip()


def test_the_shape_sees_what_is_not_escaped() -> None:
    with pytest.raises(AssertionError):
        _shape("a <b>bold</b> word")
    with pytest.raises(AssertionError):
        _shape("see http://evil.example")


@pytest.mark.parametrize("link", ["www.evil.com", "HTTPS://evil.com", "ada@evil.com", "@octocat"])
def test_what_github_links_unasked_is_written_apart(link: str) -> None:
    """GitHub looks for these very letters; the entities in their place are none of them."""
    assert not re.search(r"(?i)www\.|://|@", escaped(f"see {link}, and {link}"))


def test_long_texts_are_cut() -> None:
    long = comparison(2)
    long["selectors"][0]["path"] = "/" + "p" * 5_000
    long["disagreements"][0]["candidates"][0]["text"] = "t" * 5_000
    long["settings"]["criteria"] = "c" * 500_000
    long["summary"] = ["s" * 9_000]
    for written in (report.html(long), report.markdown(long)):
        assert max(map(len, re.findall(r"([ptcs])\1+", written)), default=0) <= 1
        assert max(len(run[0]) for run in re.finditer(r"([ptcs])\1*", written)) == 999
        assert "t" * 279 + "…" in written and "t" * 280 not in written


def test_visible_keeps_what_scripts_need() -> None:
    persian, family = "می\u200cخواهم", "👩\u200d👧"
    assert visible(persian) == persian and visible(family) == family
    assert visible("a\nb\r\nc\td") == "a ⏎ b ⏎ c␉d"
    assert visible("abcdef", 4) == "abc…" and visible("abcd", 4) == "abcd"
    assert visible("e\u0301") == "e\u0301"
    assert len(visible("Z" + "\u0335" * 300)) == 5


def test_names_that_look_alike_after_cleaning_stay_apart() -> None:
    """Two names that differ in a hidden character are two rows."""
    made = comparison(2)
    twin = NAMES[0] + "\u200b"
    for each in (made["selectors"][1], made["pairs"][0]):
        for key in ("name", "b"):
            if key in each:
                each[key] = twin
    rows = tables(report.html(made))["Who took part"]
    assert [row[0] for row in rows[1:3]] == [NAMES[0], NAMES[0] + "\ufffd"]
