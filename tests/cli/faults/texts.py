"""JSON, JSONL, CSV and TSV that are broken, that hold no instructions, or are not UTF-8."""

from __future__ import annotations

import json

from tests.cli.faults import GOOD, Fault, data

FRENCH = '{"instruction": "Où est la clé ?"}\n'
CHINESE = '{"instruction": "请介绍一下人工智能的历史。"}\n' * 9
MEND = "Repair it there, or give one object per line (JSONL)"
TOO_MANY = "rows of data are broken, more than the 1.0% that are allowed; the first is"
WHICH = "Say which column holds the instruction, for example --map "
NOTHING = "data holds no rows. Give a file with at least one instruction."

JSON = [
    data(
        "JSON cut off in a text",
        b'[{"instruction": "A"},\n{"instruction": "B',
        "data is broken JSON: Unterminated string in line 2, column 17. " + MEND,
    ),
    data("JSON cut off after a row", b'[{"instruction": "A"}', "in line 1, column 22. " + MEND),
    data(
        "JSON with a comma too many", b'[{"instruction": "A"},\n]', "in line 2, column 1. " + MEND
    ),
    data("JSON in single quotes", b"[{'instruction': 'A'}]", "in line 1, column 3. " + MEND),
    data(
        "JSON with a comment", b'[\n// one\n{"instruction": "A"}]', "in line 2, column 1. " + MEND
    ),
    data(
        "JSON twice in one file",
        b'[{"instruction": "A"}]\n[{"instruction": "B"}]',
        "Extra data in line 2, column 1. " + MEND,
    ),
    data("JSON of NaN", b"[NaN, NaN]", "data holds null where an object is expected."),
    data("JSON of numbers", b"[1, 2, 3]", "data holds a number where an object is expected."),
    data("JSON of lists of numbers", b"[[1], [2]]", "data holds a list where an object is"),
    data("JSON that is one number", b"42", NOTHING),
    data("JSON that is one text", b'"hello"', "A budget of 2 is more than the 1 distinct"),
    data("JSON that is one object", b'{"version": 1}', "columns seen: version. " + WHICH),
    data("JSON of all sorts", b'[1, null, "A", {"instruction": "B"}, [2]]', f"4 of 5 {TOO_MANY}"),
    data("JSON of empty objects", b"[{}, {}, {}]", "data holds objects without columns."),
    data("JSON of an empty list", b"[]", NOTHING),
    data("JSON 100,000 lists deep", b"[" * 100_000, "data is broken JSON: nested too deeply."),
    data("JSON with a number of 5,000 digits", b"[" + b"9" * 5000 + b"]", "limit (4300 digits)."),
    data("JSON with half a conversation", b'[{"messages": [{"role": "assist', "column 25. " + MEND),
    data("JSONL with one broken line in 21", GOOD + b"\n{", f"1 of 21 {TOO_MANY}"),
    data("JSONL of nulls", b"null\n" * 9, "columns seen: null. " + WHICH),
    data("JSONL of lists", b"[1]\n[2]\n", "Extra data in line 2, column 1. " + MEND),
    data("JSONL of blank texts", b'{"instruction": " "}\n' * 9, "no instruction that can be read"),
    data("JSONL on one line", GOOD.replace(b"\n", b" "), "in line 1, column 43. " + MEND),
    data(
        "JSONL of conversations that no user began",
        b'{"messages": [{"role": "assistant", "content": "A"}]}\n' * 9,
        "data holds no instruction that can be read",
    ),
    data(
        "JSONL 100,000 objects deep",
        GOOD + b'\n{"instruction": "A", "x": ' + b'{"a":' * 100_000,
        f"1 of 21 {TOO_MANY}",
    ),
    data(
        "JSONL without a known column",
        b'{"colour": "red", "size": 7}\n' * 9,
        f"columns seen: colour, size. {WHICH}instruction=colour.",
    ),
    data(
        "JSONL with 100 unknown columns",
        json.dumps({f"{number}" * 20: number for number in range(100, 200)}).encode(),
        " and 97 more. " + WHICH,
    ),
    data(
        "JSONL with columns that colour the screen",
        b'{"a\\u001b[31mred": "one", "[bold]b": "two"}\n' * 9,
        "columns seen: a␛[31mred, [bold]b.",
    ),
]

TABLES = [
    data("CSV with rows of any length", b"prompt,n\n" + b"A,b\nA,b,c\n" * 5, f"5 of 10 {TOO_MANY}"),
    data(
        "CSV with an open quote in its header",
        b'a,"instruction\nA,B\n',
        "data has a broken header in line 1: unexpected end of data. Close the quote there.",
    ),
    data("CSV with an open quote", b'prompt,n\n"A,b\nC,d\n', f"1 of 2 {TOO_MANY}"),
    data("CSV without a header", b"Say hello,Hello\nSay bye,Bye\n", "Say hello, Hello. " + WHICH),
    data("CSV with nothing but a header", b"instruction,output\n", NOTHING),
    data("CSV with a NUL byte", b"prompt,n\nA,b\0c\n", "there is a NUL byte in line 2."),
    data("CSV with a cell of 17 MB", b"prompt\nA\n" + b"x" * (17 << 20), f"1 of 2 {TOO_MANY}"),
    data(
        "TSV with rows of any length",
        b"prompt\tn\n" + b"A\tb\nA\tb\tc\n" * 5,
        f"5 of 10 {TOO_MANY}",
    ),
    data(
        "a letter", b"Dear reader,\n\nthis is a letter.\n", "columns seen: Dear reader, column_2. "
    ),
    data("a web page", b"<!DOCTYPE html>\n<html><body>No.</body></html>\n", WHICH),
    data("nothing", b"", "data is empty. Give a file with at least one instruction."),
    data("nothing but blanks", b" \n\t\r\n", NOTHING),
    data("nothing but a byte order mark", b"\xef\xbb\xbf", NOTHING),
]

ENCODINGS = [
    data(
        "Latin-1",
        FRENCH.encode("latin-1"),
        "data is not UTF-8: byte 0xf9 in line 1; it looks like cp1252."
        " Read it with --encoding cp1252.",
    ),
    data("GB 18030", CHINESE.encode("gb18030"), "Read it with --encoding gb18030."),
    data("UTF-16 with its mark", FRENCH.encode("utf-16"), "Read it with --encoding utf-16."),
    data("UTF-16 without", FRENCH.encode("utf-16-le"), "Read it with --encoding utf-16-le."),
    data("UTF-8 cut off in a letter", FRENCH.encode()[:19], "not UTF-8: byte 0xc3 in line 1;"),
    data("an encoding that is none", GOOD, "--encoding utf-9 is not an", "--encoding utf-9"),
    data("an encoding not of texts", GOOD, "--encoding hex is not an", "--encoding hex"),
    data(
        "an encoding that the data are not in",
        FRENCH.encode("latin-1"),
        "data is not utf-8: byte 0xf9 in line 1. Try another --encoding, or none.",
        "--encoding utf-8",
    ),
    data(
        "an encoding that makes nonsense of the data",
        FRENCH.encode() * 2,
        "data holds no rows.",
        "--encoding utf-16-le",
    ),
]

FAULTS: list[Fault] = [*JSON, *TABLES, *ENCODINGS]
