"""Real files of every kind, in a folder → what the loader and the commands make of them.

`make test-files DATA=FOLDER`; the files do not come along, so `make test` does without.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localsel.errors import InputError
from localsel.records import Instruction
from localsel.stages.load import open_rows
from tests.cli.faults import USAGE, Fault, leads_to
from tests.cli.test_faults import test_it_ends_with_one_sentence as ends_with_one_sentence
from tests.conftest import CHECKOUT, Command
from tests.unit.test_load import Loaded, bad, good

FOLDER = Path(os.environ.get("DATA", CHECKOUT.parent / "shared" / "data")).absolute()
if not FOLDER.is_dir():
    raise pytest.UsageError(f"There is no {FOLDER}: these tests read the files in it.")

DOC = (CHECKOUT / "docs" / "formats.md").read_text(encoding="utf-8")
TABLE = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in DOC.partition("| file |")[2].splitlines()[2:]
]
SELF_INSTRUCT = {
    "instruction": "instruction",
    "input": "instances.0.input",
    "response": "instances.0.output",
}
REAL = [
    ("alpaca52k/alpaca_data.json", "json", "alpaca", 52_002),
    ("t0/t0_20_per_template.jsonl", "jsonl", "prompt-completion", 5588),
    ("lima/train.jsonl", "jsonl", "sharegpt", 1030),
    ("self_instruct/seed_tasks.jsonl", "jsonl", "alpaca", 175),
    ("self_instruct/user_oriented_instructions.jsonl", "jsonl", "alpaca", 252),
    ("codealpaca/code_alpaca_2k.json", "json", "alpaca", 2017),
    ("gpteacher/roleplay-simple-deduped.json", "json", "alpaca", 1923),
    ("gpteacher/toolformer-dedupe-only.json", "json", "alpaca", 7673),
    ("alpaca_libre/tasks_v1.jsonl", "jsonl", "alpaca", 2375),
    ("alpaca_libre/tasks_v2.jsonl", "jsonl", "alpaca", 2280),
    ("alpaca_libre/tasks_v3.jsonl", "jsonl", "alpaca", 1205),
    ("chat_formats/fastchat_dummy_conversation.json", "json", "sharegpt", 500),
    ("chat_formats/glaive_toolcall_en_demo.json", "json", "sharegpt", 300),
    ("chat_formats/v1_sft_demo.jsonl", "jsonl", "messages", 500),
    ("chat_formats/alpaca_en_demo.json", "json", "alpaca", 999),
    ("chat_formats/alpaca_zh_demo.json", "json", "alpaca", 1000),
    ("chat_formats/dpo_en_demo.json", "json", "sharegpt", 300),
    ("chat_formats/kto_en_demo.json", "json", "messages", 300),
    ("chat_formats/identity.json", "json", "alpaca", 91),
    ("chat_formats/sharegpt_zh_1K.jsonl", "jsonl", "sharegpt", 1000),
    ("chat_formats/medical_sft_1K.jsonl", "jsonl", "sharegpt", 1000),
    ("chat_formats/ultrafeedback_clean.jsonl", "jsonl", "prompt-completion", 1000),
    ("chat_formats/tulu_eval_instances.jsonl", "jsonl", "prompt-completion", 996),
    ("domain/chatdoctor5k.json", "json", "alpaca", 5452),
    ("domain/rasbt_instruction_data.json", "json", "alpaca", 1100),
    ("multilingual/alpaca_zh_part00.json", "json", "alpaca", 10_021),
    ("multilingual/belle_zh_seed_tasks.json", "jsonl", "alpaca", 175),
    ("multilingual/instruction_ja.jsonl", "jsonl", "sharegpt", 669),
    ("multilingual/vigogne_seed_fr.jsonl", "jsonl", "alpaca", 175),
    ("multilingual/lc1332_developer_instruction.json", "json", "alpaca", 48),
    ("odd/crlf_zh_developer_instruction.json", "json", "alpaca", 48),
]
REFUSED = [
    ("odd/gb18030_hc3_words.txt", None, "it looks like gb18030. Read it with --encoding gb18030."),
    ("odd/gb18030_hc3_words.txt", "gb18030", "no column that is known to hold instructions"),
    ("odd/utf16_doccano.csv", None, "it looks like utf-16. Read it with --encoding utf-16."),
    ("odd/not_utf8_nul_visidata.csv", None, "there is a NUL byte in line"),
    ("odd/utf8_bom_prism_uk.csv", None, "columns seen: Age, Asian/Asian British: Bangladeshi"),
    ("odd/moss_writing_57.json", None, "for example --map instruction=meta_instruction."),
]


def real(name: str, **options: object) -> Loaded:
    layout, rows = open_rows(FOLDER / name, **options)  # type: ignore[arg-type]
    return layout, list(rows)


@pytest.mark.parametrize(("name", "form", "kind", "count"), REAL, ids=[name for name, *_ in REAL])
def test_real_file(name: str, form: str, kind: str, count: int) -> None:
    layout, rows = real(name)
    assert (layout.format, layout.kind, layout.encoding) == (form, kind, "utf-8")
    assert len(good(rows)) == count
    assert len(bad(rows)) == (14 if name.endswith("tasks_v2.jsonl") else 0)
    assert any(row.response for row in good(rows))


@pytest.mark.parametrize(("name", "encoding", "sentence"), REFUSED)
def test_real_file_refused(name: str, encoding: str | None, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        open_rows(FOLDER / name, encoding=encoding)
    assert sentence in str(caught.value)


def test_every_real_file_is_tested() -> None:
    names = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*") if path.is_file()}
    assert names == {name for name, *_ in REAL} | {name for name, *_ in REFUSED}


def test_real_alpaca_counts() -> None:
    rows = good(real("alpaca52k/alpaca_data.json")[1])
    assert sum(bool(row.input) for row in rows) == 20_679
    assert sum(not row.response for row in rows) == 28


def test_real_broken_lines() -> None:
    lines = [row.line for row in bad(real("alpaca_libre/tasks_v2.jsonl")[1])]
    assert lines == [2279, *range(2281, 2292), 2293, 2294]


def test_real_odd_files_that_can_be_read() -> None:
    layout, rows = real("odd/utf16_doccano.csv", encoding="utf-16")
    assert (layout.format, layout.encoding, len(rows)) == ("csv", "utf-16", 3)
    _, rows = real("odd/moss_writing_57.json", columns={"instruction": "chat.turn_1.Human"})
    assert len(good(rows)) == 1
    layout, rows = real("odd/utf8_bom_prism_uk.csv", columns={"instruction": "Age"})
    assert layout.encoding == "utf-8-sig"
    assert len(good(rows)) == 101


def test_real_self_instruct_seeds() -> None:
    layout, rows = real("multilingual/belle_zh_seed_tasks.json")
    assert layout.columns == SELF_INSTRUCT
    assert all(row.response for row in good(rows))


def options(flag: str) -> dict[str, object]:
    """What `--encoding NAME` or `--map instruction=COL` is to the loader."""
    name, _, value = flag.strip("`").partition(" ")
    if name == "--map":
        return {"columns": {"instruction": value.partition("=")[2]}}
    return {"encoding": value} if name else {}


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: " ".join(row[:2]).strip())
def test_each_real_file_is_what_it_is_said_to_be(row: list[str]) -> None:
    file, flag, recognised, *counts = row
    if recognised.startswith("refused: "):
        with pytest.raises(InputError) as caught:
            real(file, **options(flag))
        assert f"{file} {recognised.removeprefix('refused: ')}" in caught.value.message
        return
    layout, rows = real(file, **options(flag))
    texts = [Instruction(each.row, each.instruction, each.input).text for each in good(rows)]
    assert layout.describe() == recognised
    found = [len(texts), len(bad(rows)), len(texts) - len(set(texts))]
    assert found == [number(cell) for cell in counts]


def test_every_real_file_has_a_row() -> None:
    files = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*") if path.is_file()}
    assert files == {file for file, *_ in TABLE}


RUN = "run data --budget 2 --method random"


def odd(file: str, says: str, options: str = "") -> Fault:
    name = f"{file} {options}".rstrip()
    return Fault(name, f"{RUN} {options}", USAGE, says, {"data": leads_to(FOLDER / "odd" / file)})


ODD = [
    odd("gb18030_hc3_words.txt", "it looks like gb18030. Read it with --encoding gb18030."),
    odd("gb18030_hc3_words.txt", "data has no column that is known to", "--encoding gb18030"),
    odd("gb18030_hc3_words.txt", "data is not big5: byte 0x", "--encoding big5"),
    odd("utf16_doccano.csv", "it looks like utf-16. Read it with --encoding utf-16."),
    odd("utf16_doccano.csv", "data is not utf-8: byte 0xff in line 1.", "--encoding utf-8"),
    odd("not_utf8_nul_visidata.csv", "data is not a text file: there is a NUL byte in line "),
    odd("utf8_bom_prism_uk.csv", "columns seen: Age, "),
    odd("moss_writing_57.json", "for example --map instruction=meta_instruction."),
    odd("moss_writing_57.json", "has no column 'chat.turn_9'", "--map instruction=chat.turn_9"),
    odd("crlf_zh_developer_instruction.json", "has no column 'question'", "--map input=question"),
]


@pytest.mark.parametrize("fault", ODD, ids=str)
def test_an_odd_file_ends_a_command_with_one_sentence(
    localsel: Command,
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    ends_with_one_sentence(localsel, fault, monkeypatch, capfd)
