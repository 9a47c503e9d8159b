"""Real files from ../shared/data/odd, as they are."""

from __future__ import annotations

from tests.cli.faults import USAGE, Fault, leads_to
from tests.unit.test_load import SHARED

RUN = "run data --budget 2 --method random"


def odd(file: str, says: str, options: str = "") -> Fault:
    name = f"{file} {options}".rstrip()
    return Fault(name, f"{RUN} {options}", USAGE, says, {"data": leads_to(SHARED / "odd" / file)})


REAL = [
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

FAULTS = REAL if SHARED.is_dir() else []
